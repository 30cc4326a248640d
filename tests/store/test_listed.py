"""The do-not-call list in the store: the last word on each customer, and what it was at a tick."""

from __future__ import annotations

from monitor.clock import ManualClock
from monitor.delivery.routes import order_key
from monitor.store.outbox import PlannedDelivery
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import CUSTOMER, list_action, listing, manual
from tests.store.stores import open_store

OTHER = "+8613912345679"
NOW = 10_000_000


def test_a_change_is_kept_once_with_its_decision(store: Store) -> None:
    first = listing()
    assert store.record(Recording([first, first])) == [first]
    assert store.record(Recording([first])) == []
    assert store.listed.entries(NOW) == [first]
    assert store.listed.count(NOW) == 1
    assert store.history.decision(first.id) == first


def test_the_last_word_counts(store: Store) -> None:
    added, removed = listing(), listing(70_000, action="remove")
    again = listing(80_000, reason="person", by="wang", why="asked")
    store.record(Recording([added, removed]))
    assert store.listed.entries(NOW) == []
    assert store.listed.among([CUSTOMER], NOW) == {}
    store.record(Recording([again]))
    assert store.listed.among([CUSTOMER, OTHER], NOW) == {CUSTOMER: again}


def test_what_is_over_is_not_on_it(store: Store) -> None:
    store.record(Recording([listing(until_ms=NOW)]))
    assert store.listed.count(NOW - 1) == 1
    assert store.listed.count(NOW) == 0


def test_pages_by_customer_and_reason(store: Store) -> None:
    made = [listing(customer=f"c-{n}", reason="import" if n % 2 else "person") for n in range(5)]
    store.record(Recording(made))
    assert store.listed.entries(NOW, limit=2) == made[:2]
    assert store.listed.entries(NOW, after="c-1", limit=2) == made[2:4]
    assert store.listed.entries(NOW, reason="import") == made[1::2]


def test_what_it_was_at_a_tick(store: Store) -> None:
    added, removed = listing(), listing(70_000, action="remove")
    other = listing(65_000, customer=OTHER)
    store.record(Recording([added, other, removed]))
    assert list(store.listed.as_of(59_999)) == []
    assert list(store.listed.as_of(65_000)) == [added, other]
    assert list(store.listed.as_of(70_000)) == [added, other, removed]


def test_it_survives_the_daemon(settings: StoreSettings, clock: ManualClock) -> None:
    with open_store(settings, clock) as store:
        store.record(Recording([listing()]))
    with Store.open(settings, clock, daemon=False) as other:
        assert other.listed.entries(NOW) == [listing()]


def test_requests_of_both_kinds_wait_together(store: Store) -> None:
    asked = list_action("b" * 32, CUSTOMER, OTHER)
    store.requests.put(manual("a"))
    store.requests.put(asked)
    taken = store.requests.claim(100_000)
    assert taken[1].action == asked
    found = store.requests.find("b" * 32)
    assert found is not None
    assert (found.action, found.tick_ms) == (asked, 100_000)
    assert [entry.kind for entry in store.journal.read()] == ["manual", "list"]
    store.record(Recording([listing(100_000, request=asked.id)]))
    assert store.listed.changed_by(asked.id) == 1


def test_changes_of_a_customer_are_delivered_in_order(store: Store) -> None:
    changes = [listing(), listing(70_000, action="remove"), listing(customer=OTHER)]
    plans = [PlannedDelivery(each.id, "dnc", order_key(each)) for each in changes]
    store.record(Recording(changes, plans))
    first = store.outbox.claim("dnc", limit=9)
    assert [each.decision for each in first] == [changes[0], changes[2]]


def test_old_words_go_and_the_last_one_stays(store: Store) -> None:
    added, removed = listing(), listing(70_000, action="remove")
    kept = [listing(80_000, customer=OTHER), listing(customer="c-1"), listing(95_000)]
    first = listing(50_000, customer=OTHER, until_ms=60_000)
    store.record(Recording([added, removed, first, *kept]))
    while store.history.prune(90_000, journal_upto=0):
        pass
    assert list(store.listed.as_of(NOW)) == kept
    assert store.listed.count(NOW) == 3

"""What routing remembers, in each kind of store: a step is kept whole, or not at all."""

from __future__ import annotations

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Notice
from monitor.errors import StoreError
from monitor.store.outbox import PlannedDelivery
from monitor.store.routed import RECEIVER, Fresh, Routed, Told
from monitor.store.store import Recording, Store
from tests.store.made import alert, refusal


def notice(**changes: object) -> Notice:
    made = alert()
    given: dict[str, object] = {
        "at_ms": 1_000_000,
        "id": "n1",
        "why": "alerts",
        "route": "all",
        "person": "zhang",
        "language": "zh",
        "level": "crit",
        "counts": {"firing crit number-hangup": 1},
        "from_ms": made.at_ms,
        "to_ms": made.at_ms,
        "newest": (made,),
    }
    return Notice(**(given | changes))  # type: ignore[arg-type]


def test_a_step_is_kept_with_the_deliveries_it_makes(store: Store, clock: ManualClock) -> None:
    first = alert()
    store.record(
        Recording([first], [PlannedDelivery(first.id, RECEIVER, "k")], teams={first.episode: "t1"})
    )
    (fresh,) = store.routing.fresh(10)
    assert fresh == Fresh(fresh.seq, first, "t1")
    assert store.routing.firing() == [(first, "t1")]
    step = Routed(
        looked_at=[fresh.seq],
        changed={("group", "g1"): "{}", ("member", "g1/e1"): "{}"},
        told=[Told(first.id, "all", first.episode, "told", "", "n1")],
        notices=[notice()],
        deliveries=[PlannedDelivery("n1", "ops", "g1"), PlannedDelivery(first.id, "am", "k")],
    )
    clock.advance(10)
    store.routing.keep(step)
    store.routing.keep(step)  # nothing further comes of it
    assert store.routing.fresh(10) == []
    assert sorted(store.routing.load()) == [("group", "g1", "{}"), ("member", "g1/e1", "{}")]
    told = Told(first.id, "all", first.episode, "told", "", "n1", 1_000_010)
    assert store.routing.told(first.episode) == [told]
    assert store.outbox.counts() == {("am", "queued"): 1, ("ops", "queued"): 1}
    (delivery,) = store.outbox.claim("ops", limit=9)
    assert delivery.decision == notice()
    assert store.routing.receivers(["n1", first.id]) == {
        "n1": [("ops", "sending")],
        first.id: [("am", "queued")],
    }
    assert store.routing.decisions([first.id, "n1", "none"]) == {first.id: first}
    store.routing.keep(Routed(changed={("group", "g1"): '{"a":1}'}, gone=[("member", "g1/e1")]))
    assert store.routing.load() == [("group", "g1", '{"a":1}')]


def test_a_step_that_fails_leaves_nothing(store: Store) -> None:
    first = alert()
    store.record(Recording([first], [PlannedDelivery(first.id, RECEIVER, "k")]))
    (fresh,) = store.routing.fresh(10)
    missing = Told(first.id, "all", first.episode, "told", "", None)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.routing.keep(
            Routed([fresh.seq], {("group", "g1"): "{}"}, told=[missing], notices=[notice()])
        )
    assert store.routing.load() == []
    assert store.history.decision("n1") is None
    assert len(store.routing.fresh(10)) == 1


def test_notices_are_no_alerts_and_go_with_the_rest_of_history(
    store: Store, clock: ManualClock
) -> None:
    first = alert(state="resolved")
    store.record(Recording([first, refusal()]))
    told = [Told(first.id, "all", first.episode, "told", "", "n1")]
    store.routing.keep(Routed(notices=[notice()], told=told))
    assert store.history.alerts() == [first]
    assert store.history.decision("n1") == notice()
    clock.advance(10)
    while store.history.prune(clock.now_ms(), journal_upto=0):
        pass
    assert store.history.decision("n1") is None
    assert store.routing.told(first.episode) == []


def test_what_is_put_off_is_due_later_and_has_not_been_tried(
    store: Store, clock: ManualClock
) -> None:
    first = alert()
    store.record(Recording([first], [PlannedDelivery(first.id, "ops", "k")]))
    (delivery,) = store.outbox.claim("ops", limit=1)
    store.outbox.defer(delivery.seq, 1_060_000)
    assert store.outbox.claim("ops", limit=1) == []
    assert store.outbox.next_due_ms("ops") == 1_060_000
    clock.advance(60_000)
    (again,) = store.outbox.claim("ops", limit=1)
    assert again.attempts == 1

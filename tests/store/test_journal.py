"""The journal, the floors, and manual actions on their way to the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from monitor.clock import ManualClock
from monitor.decisions import ManualAction
from monitor.errors import BackPressure, StoreError
from monitor.store.codec import from_text, to_text
from monitor.store.journal import FloorRow, NewEntry, Request
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import manual
from tests.store.stores import open_store


def test_entries_come_back_in_order_from_where_one_left(store: Store) -> None:
    assert store.journal.last_seq() == 0
    store.journal.append("reload", 5_000, {"hash": "a"})
    store.record(
        Recording(journal=[NewEntry("ack", 10_000, [1]), NewEntry("refused", 5_000, None)])
    )
    entries = store.journal.read()
    assert [(e.kind, e.tick_ms, e.payload) for e in entries] == [
        ("reload", 5_000, {"hash": "a"}),
        ("ack", 10_000, [1]),
        ("refused", 5_000, None),
    ]
    seqs = [entry.seq for entry in entries]
    assert seqs == sorted(set(seqs))
    assert store.journal.last_seq() == seqs[-1]
    assert store.journal.read(seqs[0]) == entries[1:]
    assert store.journal.read(seqs[0], limit=1) == entries[1:2]
    assert store.journal.read(seqs[-1]) == []


def test_an_entry_with_a_key_is_appended_once_and_those_without_always(store: Store) -> None:
    for _ in range(2):
        store.journal.append("ack", 5_000, "keyed", key="ack:1")
        store.journal.append("ack", 5_000, "free")
    assert [e.payload for e in store.journal.read()] == ["keyed", "free", "free"]


def test_a_sequence_number_is_not_given_again_after_pruning(store: Store) -> None:
    store.journal.append("reload", 5_000, 1)
    last = store.journal.last_seq()
    assert store.history.prune(6_000, journal_upto=last) == 1
    store.journal.append("reload", 10_000, 2)
    assert store.journal.read(last)[0].payload == 2


def test_floors_only_rise(store: Store) -> None:
    store.record(
        Recording(
            floors=[
                FloorRow("calls", 0, 10, 500),
                FloorRow("calls", 0, 10, 900),
                FloorRow("calls", 0, 10, 700),
                FloorRow("calls", 1, 10, 100),
            ]
        )
    )
    store.record(Recording(floors=[FloorRow("calls", 0, 10, 899), FloorRow("calls", 1, 10, 101)]))
    store.record(Recording(floors=[FloorRow("calls", 0, 4, 200)]))
    assert store.journal.floors() == [
        FloorRow("calls", 0, 4, 200),
        FloorRow("calls", 0, 10, 900),
        FloorRow("calls", 1, 10, 101),
    ]


def test_a_request_is_claimed_once_and_journaled_with_its_tick(
    store: Store, clock: ManualClock
) -> None:
    assert store.requests.claim(5_000) == []
    store.requests.put(manual("m1"))
    clock.advance(1)
    store.requests.put(manual("m2", action="freeze", number="", ttl_ms=None))
    store.requests.put(manual("m1"))  # the command line tried twice
    assert store.requests.find("m1") == Request(manual("m1"), 1_000_000, None)
    claimed = store.requests.claim(5_000)
    assert [c.action.id for c in claimed] == ["m1", "m2"]
    assert store.requests.claim(10_000) == []
    entries = store.journal.read()
    assert [(e.seq, e.kind, e.tick_ms) for e in entries] == [
        (c.seq, "manual", 5_000) for c in claimed
    ]
    assert [from_text(to_text(e.payload), ManualAction) for e in entries] == [
        c.action for c in claimed
    ]
    assert store.requests.find("m2") == Request(claimed[1].action, 1_000_001, 5_000)
    store.requests.put(manual("m1"))  # known for good: not claimed again
    assert store.requests.claim(15_000) == []
    assert store.requests.find("m3") is None


def test_claims_come_in_steps(store: Store) -> None:
    for index in range(5):
        store.requests.put(manual(f"m{index}"))
    assert [c.action.id for c in store.requests.claim(5_000, limit=3)] == ["m0", "m1", "m2"]
    assert [c.action.id for c in store.requests.claim(10_000, limit=3)] == ["m3", "m4"]


def test_a_claim_whose_commit_was_not_confirmed_is_handed_out_by_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke after the server had committed; in memory nothing had happened."""
    confirmed = store._database.write

    @contextmanager
    def unconfirmed() -> Iterator[Connection]:
        with confirmed() as connection:
            yield connection
        raise StoreError("the connection broke")

    store.requests.put(manual("m1"))
    with monkeypatch.context() as patched:
        patched.setattr(store._database, "write", unconfirmed)
        with pytest.raises(StoreError, match="broke"):
            store.requests.claim(5_000)
    store.requests.put(manual("m2"))
    with monkeypatch.context() as patched:
        patched.setattr(store._database, "write", unconfirmed)
        with pytest.raises(StoreError, match="broke"):
            store.requests.claim(5_000)
    assert [c.action.id for c in store.requests.claim(5_000)] == ["m1", "m2"]
    assert store.requests.claim(10_000) == []
    assert [e.payload["id"] for e in store.journal.read()] == ["m1", "m2"]


def test_a_claim_that_was_undone_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store._database.write

    @contextmanager
    def undone() -> Iterator[Connection]:
        with kept() as connection:
            yield connection
            raise StoreError("the connection broke")

    store.requests.put(manual("m1"))
    with monkeypatch.context() as patched:
        patched.setattr(store._database, "write", undone)
        with pytest.raises(StoreError, match="broke"):
            store.requests.claim(5_000)
    assert [(c.action.id, c.tick_ms) for c in store.requests.claim(10_000)] == [("m1", 10_000)]
    assert store.requests.claim(15_000) == []


def test_too_many_waiting_requests_are_refused_and_claimed_ones_do_not_count(
    settings: StoreSettings, clock: ManualClock
) -> None:
    with open_store(settings.model_copy(update={"max_requests": 2}), clock) as store:
        store.requests.put(manual("m1"))
        store.requests.put(manual("m2"))
        with pytest.raises(BackPressure, match="2 manual actions are waiting"):
            store.requests.put(manual("m3"))
        store.requests.claim(5_000, limit=1)
        store.requests.put(manual("m3"))
        assert [c.action.id for c in store.requests.claim(10_000)] == ["m2", "m3"]


def test_a_stored_value_of_another_shape_is_an_error() -> None:
    with pytest.raises(StoreError, match="stored ManualAction cannot be read"):
        from_text("[]", ManualAction)


def test_a_needless_floor_goes_unless_it_was_raised_since(store: Store) -> None:
    low, high = FloorRow("calls", 0, 10, 100), FloorRow("calls", 0, 20, 300)
    store.record(Recording(floors=[low, high]))
    store.record(Recording(needless=[low, high._replace(floor_ms=200)]))
    assert store.journal.floors() == [high]

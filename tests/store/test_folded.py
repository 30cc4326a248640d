"""Too many deliveries to one receiver: what waits one by one, and what is told together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.store import folded as module
from monitor.store.folded import Span
from monitor.store.outbox import Ending, PlannedDelivery, Settled
from monitor.store.store import Recording, Store
from tests.store.made import alert, command, refusal


def record(store: Store, decisions: Sequence[Decision], *, folds_at: int | None = 3) -> None:
    plan = [PlannedDelivery(d.id, "hook", d.id, folds_at) for d in decisions]
    store.record(Recording(decisions, plan))


def some(first: int, count: int) -> list[Decision]:
    return [alert(60_000 + n, id=f"a{n:04}") for n in range(first, first + count)]


def states(store: Store) -> dict[str, int]:
    return {state: count for (_, state), count in store.outbox.counts().items()}


def test_past_the_limit_notifications_fold_and_commands_never_do(store: Store) -> None:
    record(store, some(0, 5))
    assert states(store) == {"queued": 3, "folded": 2}
    record(store, [command(n, id=f"c{n}") for n in range(4)], folds_at=None)
    assert states(store) == {"queued": 7, "folded": 2}
    record(store, [refusal(70_000, id="r")])
    assert states(store) == {"queued": 7, "folded": 3}
    assert [d.decision.id for d in store.outbox.claim("hook", limit=99)] == [
        *("a0000", "a0001", "a0002"),
        *("c0", "c1", "c2", "c3"),
    ]


def test_receivers_have_room_of_their_own(store: Store) -> None:
    record(store, some(0, 5))
    decisions = some(5, 2)
    plan = [PlannedDelivery(d.id, "log", d.id, 3) for d in decisions]
    store.record(Recording(decisions, plan))
    assert store.outbox.counts() == {
        ("hook", "queued"): 3,
        ("hook", "folded"): 2,
        ("log", "queued"): 2,
    }


def test_there_is_room_again_when_some_are_sent_and_the_count_survives_a_restart(
    store: Store,
) -> None:
    record(store, some(0, 5))
    claimed = store.outbox.claim("hook", limit=2)
    record(store, some(5, 1))
    assert states(store) == {"sending": 2, "queued": 1, "folded": 3}, "what is under way waits too"
    store.outbox.settle(Settled(delivery.seq, "sent") for delivery in claimed)
    store.outbox.room = module.Room()  # as after a restart
    record(store, some(6, 3))
    assert states(store) == {"queued": 3, "folded": 4}


def test_recording_the_same_again_folds_nothing_more(store: Store) -> None:
    record(store, some(0, 5))
    record(store, some(0, 5))
    assert states(store) == {"queued": 3, "folded": 2}


def test_they_are_told_after_what_came_before_them(store: Store, clock: ManualClock) -> None:
    assert store.outbox.folded.span("hook") is None
    record(store, some(0, 5))
    assert store.outbox.folded.span("hook") is None, "an earlier one has not been tried"
    endings: list[Ending] = ["sent", "parked", "retry"]
    store.outbox.settle(
        Settled(delivery.seq, ending, due_ms=clock.now_ms() + 10_000)
        for delivery, ending in zip(store.outbox.claim("hook", limit=9), endings, strict=True)
    )
    # One that keeps failing, perhaps for its own sake, does not hold them up.
    assert store.outbox.folded.span("hook") == Span(4, 5)
    assert store.outbox.folded.span("log") is None


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_they_are_read_and_settled_in_pages(
    store: Store, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(module, "_PAGE", page)
    record(store, some(0, 9))
    store.outbox.settle(Settled(d.seq, "sent") for d in store.outbox.claim("hook", limit=9))
    span = store.outbox.folded.span("hook")
    assert span == Span(4, 9)
    told = [decision.id for decision in store.outbox.folded.decisions("hook", span)]
    assert told == [f"a{n:04}" for n in range(3, 9)]
    record(store, some(9, 5))
    store.outbox.folded.settle("hook", span.last, "sent", "digest")
    assert states(store) == {"queued": 3, "folded": 2}, "those that came meanwhile"
    assert list(store.outbox.folded.decisions("hook", span)) == []

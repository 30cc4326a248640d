"""Deliveries that were given up, and put back by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from monitor.clock import ManualClock
from monitor.store.outbox import Ending, PlannedDelivery, Settled
from monitor.store.store import Recording, Store
from tests.store.made import command

Give = Callable[..., list[int]]


@pytest.fixture
def given(store: Store) -> Give:
    """Commands of numbers (the order keys), each ended as told; their sequence numbers."""

    def do(numbers: Sequence[str], ending: Ending, *, at_ms: int = 60_000) -> list[int]:
        made = [command(at_ms + n, number=number) for n, number in enumerate(numbers)]
        store.record(Recording(made, [PlannedDelivery(c.id, "hook", c.number) for c in made]))
        claimed = store.outbox.claim("hook", limit=9, mark="before")
        store.outbox.settle(Settled(d.seq, ending, "status_4xx") for d in claimed)
        return [delivery.seq for delivery in claimed]

    return do


def test_what_is_parked_is_listed_with_its_reason(
    store: Store, given: Give, clock: ManualClock
) -> None:
    first, second = given(["a", "b"], "parked")
    given(["c"], "sent", at_ms=70_000)
    given(["d"], "stale", at_ms=80_000)
    found = store.outbox.parked.entries(limit=9)
    assert [(f.seq, f.receiver, f.attempts, f.reason) for f in found] == [
        (first, "hook", 1, "status_4xx"),
        (second, "hook", 1, "status_4xx"),
    ]
    assert {f.parked_ms for f in found} == {clock.now_ms()}
    assert not any(f.overtaken for f in found)
    assert [f.seq for f in store.outbox.parked.entries(limit=1)] == [first]
    assert store.outbox.parked.entries(limit=9, receiver="log") == []
    assert [f.seq for f in store.outbox.parked.entries(limit=9, receiver="hook")] == [first, second]
    assert [f.seq for f in store.outbox.parked.find([second, 99])] == [second]


def test_put_back_it_is_as_good_as_new(store: Store, given: Give, clock: ManualClock) -> None:
    first, second = given(["a", "b"], "parked")
    clock.advance(86_400_000)
    assert store.outbox.parked.requeue([second, 99]) == [second]
    assert [f.seq for f in store.outbox.parked.entries(limit=9)] == [first]
    assert store.outbox.next_due_ms("hook") == clock.now_ms()
    (delivery,) = store.outbox.claim("hook", limit=9, mark="after")
    assert (delivery.seq, delivery.attempts, delivery.created_ms) == (second, 1, clock.now_ms())
    assert delivery.mark == "before", "what says whether the first attempt got through is kept"


def test_twice_is_once(store: Store, given: Give) -> None:
    (seq,) = given(["a"], "parked")
    assert store.outbox.parked.requeue([seq, seq]) == [seq]
    assert store.outbox.parked.requeue([seq]) == []


@pytest.mark.parametrize("ending", ["sent", "stale"])
def test_what_is_not_parked_stays_as_it_is(store: Store, given: Give, ending: Ending) -> None:
    assert store.outbox.parked.requeue(given(["a"], ending)) == []
    assert store.outbox.claim("hook", limit=9) == []


def test_what_a_later_word_has_overtaken_stays(store: Store, given: Give) -> None:
    """A suspension must not arrive after the end of it."""
    (suspend,) = given(["a"], "parked")
    given(["b"], "sent", at_ms=70_000)
    assert not store.outbox.parked.find([suspend])[0].overtaken, "another number's"
    given(["a"], "sent", at_ms=80_000)
    assert store.outbox.parked.find([suspend])[0].overtaken
    assert store.outbox.parked.requeue([suspend]) == []


def test_nor_goes_what_a_later_word_is_just_overtaking(store: Store, given: Give) -> None:
    """It may have arrived already; should it come to nothing, the earlier one can be put back."""
    (suspend,) = given(["a"], "parked")
    resume = command(70_000, number="a")
    store.record(Recording([resume], [PlannedDelivery(resume.id, "hook", "a")]))
    (sending,) = store.outbox.claim("hook", limit=9)
    assert store.outbox.parked.find([suspend])[0].overtaken
    assert store.outbox.parked.requeue([suspend]) == []
    store.outbox.settle([Settled(sending.seq, "parked", "status_4xx")])
    assert store.outbox.parked.requeue([suspend]) == [suspend]


def test_put_back_together_they_go_in_order(store: Store, given: Give) -> None:
    (first,) = given(["a"], "parked")
    (second,) = given(["a"], "parked", at_ms=70_000)
    assert store.outbox.parked.requeue([second, first]) == [first, second]
    assert [d.seq for d in store.outbox.claim("hook", limit=9)] == [first]

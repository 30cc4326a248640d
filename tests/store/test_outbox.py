"""Deliveries: who may go next, and what became of each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.store.outbox import Delivery, Ending, PlannedDelivery, Settled, Waiting
from monitor.store.schema import DECISIONS, OUTBOX
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import NUMBER, alert, command, refusal
from tests.store.stores import open_store

Queue = Callable[..., list[int]]


@pytest.fixture
def queue(store: Store) -> Queue:
    """Queue deliveries to the log, one a given order key; event times from 60 000 ms on."""

    def do(*keys: str, start_ms: int = 60_000, receiver: str = "log") -> list[int]:
        decisions = [refusal(start_ms + n, id=f"{start_ms}-{n}") for n in range(len(keys))]
        plan = [
            PlannedDelivery(d.id, receiver, key) for d, key in zip(decisions, keys, strict=True)
        ]
        store.record(Recording(decisions, plan))
        return [decision.at_ms for decision in decisions]

    return do


def ticks(deliveries: list[Delivery]) -> list[int]:
    return [delivery.decision.at_ms for delivery in deliveries]


def test_a_claim_takes_one_of_each_key_in_order(store: Store, queue: Queue) -> None:
    queue("a", "a", "b", "c")
    first = store.outbox.claim("log", limit=9)
    assert ticks(first) == [60_000, 60_002, 60_003]
    assert store.outbox.claim("log", limit=9) == []
    assert store.outbox.next_due_ms("log") is None
    store.outbox.settle([Settled(first[0].seq, "sent")])
    assert ticks(store.outbox.claim("log", limit=9)) == [60_001]


def test_a_claim_takes_no_more_than_asked_and_of_its_receiver_only(
    store: Store, queue: Queue
) -> None:
    queue("a", "b", "c")
    queue("a", start_ms=90_000, receiver="hook")
    assert ticks(store.outbox.claim("log", limit=2)) == [60_000, 60_001]
    assert ticks(store.outbox.claim("hook", limit=2)) == [90_000]
    assert store.outbox.claim("nobody", limit=2) == []


@pytest.mark.parametrize("ending", ["sent", "parked", "stale"])
def test_what_is_over_lets_the_next_one_go(store: Store, queue: Queue, ending: Ending) -> None:
    queue("a", "a")
    (first,) = store.outbox.claim("log", limit=1)
    store.outbox.settle([Settled(first.seq, ending, "why")])
    assert ticks(store.outbox.claim("log", limit=1)) == [60_001]


def test_a_retry_holds_its_key_back_until_it_is_due(
    store: Store, queue: Queue, clock: ManualClock
) -> None:
    queue("a", "a", "b")
    first, other = store.outbox.claim("log", limit=9)
    store.outbox.settle([Settled(other.seq, "sent")])
    store.outbox.settle([Settled(first.seq, "retry", "timeout", due_ms=1_000_500)])
    assert store.outbox.next_due_ms("log") == 1_000_500
    clock.advance(499)
    assert store.outbox.claim("log", limit=9) == []
    clock.advance(1)
    (again,) = store.outbox.claim("log", limit=9)
    assert (again.seq, again.attempts) == (first.seq, 2)


def test_the_longest_due_goes_first_so_a_bad_one_does_not_block_the_rest(
    store: Store, queue: Queue, clock: ManualClock
) -> None:
    queue("bad", "good")
    (bad,) = store.outbox.claim("log", limit=1)
    store.outbox.settle([Settled(bad.seq, "retry", "status_5xx", due_ms=1_000_001)])
    clock.advance(1_000)
    assert ticks(store.outbox.claim("log", limit=1)) == [60_001]


def test_the_mark_of_the_first_attempt_stays(store: Store, queue: Queue) -> None:
    queue("a")
    (first,) = store.outbox.claim("log", limit=1, mark="before")
    assert first.mark == "before"
    store.outbox.settle([Settled(first.seq, "retry", "timeout")])
    (again,) = store.outbox.claim("log", limit=1, mark="later")
    assert again.mark == "before"


def test_in_flight_is_what_was_claimed_and_not_settled(store: Store, queue: Queue) -> None:
    queue("a", "b", "c")
    claimed = store.outbox.claim("log", limit=9, mark="m")
    store.outbox.settle([Settled(claimed[1].seq, "sent")])
    assert store.outbox.in_flight("log") == [claimed[0], claimed[2]]
    assert store.outbox.in_flight("hook") == []
    store.outbox.release([delivery.seq for delivery in claimed])
    assert store.outbox.in_flight("log") == []
    again = store.outbox.claim("log", limit=9)
    assert [(d.seq, d.attempts) for d in again] == [(claimed[0].seq, 1), (claimed[2].seq, 1)]


def test_settling_twice_does_not_bring_a_delivery_back(store: Store, queue: Queue) -> None:
    queue("a")
    (delivery,) = store.outbox.claim("log", limit=1)
    store.outbox.settle([Settled(delivery.seq, "sent")])
    store.outbox.settle([Settled(delivery.seq, "retry", "timeout")])
    assert store.outbox.claim("log", limit=1) == []


def test_counts_and_age_show_what_waits_and_what_was_given_up(
    store: Store, queue: Queue, clock: ManualClock
) -> None:
    queue("a", "b", "c", "d", "e")
    claimed = store.outbox.claim("log", limit=4)
    endings: list[Ending] = ["sent", "parked", "stale", "retry"]
    store.outbox.settle(
        Settled(delivery.seq, ending) for delivery, ending in zip(claimed, endings, strict=True)
    )
    clock.advance(700)
    queue("f", start_ms=90_000, receiver="hook")
    clock.advance(50)
    assert store.outbox.counts() == {
        ("hook", "queued"): 1,
        ("log", "parked"): 1,
        ("log", "queued"): 1,
        ("log", "retry"): 1,
        ("log", "stale"): 1,
    }
    assert store.outbox.waiting() == Waiting(3, oldest_ms=clock.now_ms() - 750)
    store.outbox.claim("log", limit=9)
    assert store.outbox.waiting() == Waiting(1, oldest_ms=clock.now_ms() - 750), "one is sent"


def test_nothing_waits(store: Store) -> None:
    assert store.outbox.waiting() == Waiting(0, oldest_ms=None)


def test_deliveries_of_a_receiver_that_is_gone_are_parked(store: Store, queue: Queue) -> None:
    queue("a", "b")
    queue("a", start_ms=90_000, receiver="old")
    ((receiver, decision),) = store.outbox.abandon(["log"])
    assert receiver == "old"
    assert store.outbox.counts() == {("log", "queued"): 2, ("old", "parked"): 1}
    assert store.outbox.abandon(["log"]) == []
    assert store.outbox.homeless([decision, "unknown"]) == {decision: "old"}
    assert store.outbox.homeless([]) == {}


def test_where_a_number_was_last_told_to_be_suspended(store: Store) -> None:
    made: list[Decision] = [
        command(60_000),
        command(70_000, action="resume"),
        command(80_000, number="+862150000009"),
    ]
    plan = [
        PlannedDelivery(made[0].id, "a", NUMBER),
        PlannedDelivery(made[0].id, "b", NUMBER),
        PlannedDelivery(made[1].id, "b", NUMBER),
        PlannedDelivery(made[2].id, "a", "+862150000009"),
        PlannedDelivery(made[2].id, "log", "+862150000009"),
    ]
    store.record(Recording(made, plan))
    found = store.outbox.last_suspended_at([NUMBER, "+862150000009", "unknown"], ["a", "b"])
    assert found == {NUMBER: ["a"], "+862150000009": ["a"]}
    assert store.outbox.last_suspended_at([NUMBER], ["b"]) == {}
    assert store.outbox.last_suspended_at([], ["a"]) == {}


def test_whom_a_decision_went_to(store: Store) -> None:
    made = command()
    plan = [PlannedDelivery(made.id, receiver, "k") for receiver in ("b", "a")]
    store.record(Recording([made], plan))
    assert store.outbox.receivers_of(made.id) == ["a", "b"]
    assert store.outbox.receivers_of("unknown") == []


def test_what_waits_for_a_receiver_by_a_former_name_goes_by_the_new_one_in_order(
    store: Store, queue: Queue
) -> None:
    queue("a", "a", receiver="old")
    (sent,) = store.outbox.claim("old", limit=1)
    store.outbox.settle([Settled(sent.seq, "sent")])
    twice = command(90_000)
    plan = [PlannedDelivery(twice.id, receiver, "k") for receiver in ("old", "new")]
    store.record(Recording([twice], plan))
    assert store.outbox.reroute({"old": "new", "other": "new"}) == {"old": 1}
    assert store.outbox.counts() == {("new", "queued"): 2, ("old", "queued"): 1}
    assert store.outbox.receivers_of(sent.decision.id) == ["new"]  # or it would not count as sent
    assert store.outbox.reroute({"old": "new"}) == {}


def test_what_is_late_is_claimed_as_one(store: Store) -> None:
    decisions: list[Decision] = [alert(60_000), command(70_000), alert(65_000), alert(70_000)]
    plan = [PlannedDelivery(d.id, "log", key) for d, key in zip(decisions, "xyxx", strict=True)]
    store.record(Recording(decisions, plan))
    assert ticks(store.outbox.claim("log", limit=9, fresh_since_ms=70_000)) == [70_000]  # y
    late = store.outbox.claim_late("log", before_ms=70_000, limit=9)
    assert [d.decision for d in late] == [decisions[0], decisions[2]]
    assert store.outbox.claim("log", limit=9, fresh_since_ms=70_000) == []  # x is in flight
    store.outbox.settle(Settled(d.seq, "sent", "digest") for d in late)
    (fresh,) = store.outbox.claim("log", limit=9, fresh_since_ms=70_000)
    assert fresh.decision == decisions[3]


# --- property: an oracle in plain Python --------------------------------------------------------

KEYS = ("a", "b", "c")
OPEN = {"queued", "retry", "sending"}
QUICK_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - fsync is slow


@dataclass
class Row:
    key: str
    at_ms: int
    due_ms: int
    state: str = "queued"
    seq: int = 0


class OutboxMachine(RuleBasedStateMachine):
    """Queueing, claiming, settling and crashing in any order: keys stay in order."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__()
        self.settings = settings
        self.rows: dict[str, Row] = {}  # by decision id, in the order queued

    @initialize()
    def open(self) -> None:
        self.clock = ManualClock(1_000_000)
        self.store = open_store(self.settings, self.clock)

    def teardown(self) -> None:
        with self.store._database.write() as connection:
            for table in (OUTBOX, DECISIONS):
                connection.execute(delete(table))
        self.store.close()

    @rule(key=st.sampled_from(KEYS), age_ms=st.integers(0, 20))
    def queue(self, key: str, age_ms: int) -> None:
        name = f"d{len(self.rows)}"
        at_ms = self.clock.now_ms() - age_ms
        decision = refusal(at_ms, id=name)
        self.store.record(Recording([decision], [PlannedDelivery(name, "r", key)]))
        self.rows[name] = Row(key, at_ms, self.clock.now_ms())

    @rule(ms=st.integers(1, 15))
    def wait(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule(limit=st.integers(1, 4), age_ms=st.none() | st.integers(0, 20))
    def claim(self, limit: int, age_ms: int | None) -> None:
        now = self.clock.now_ms()
        since = None if age_ms is None else now - age_ms
        ready = [
            name
            for name, row in self.rows.items()
            if row.state in {"queued", "retry"}
            and row.due_ms <= now
            and not self.earlier_open(name)
            and (since is None or row.at_ms >= since)
        ]
        ready.sort(key=lambda name: self.rows[name].due_ms)  # stable: then in order
        claimed = self.store.outbox.claim("r", limit=limit, fresh_since_ms=since)
        self.took(claimed, ready[:limit])

    @rule(limit=st.integers(1, 4), age_ms=st.integers(0, 20))
    def claim_late(self, limit: int, age_ms: int) -> None:
        now = self.clock.now_ms()
        ready: list[str] = []
        for name, row in self.rows.items():
            late = (
                row.state in {"queued", "retry"} and row.at_ms < now - age_ms and row.due_ms <= now
            )
            if late and all(earlier in ready for earlier in self.earlier_open(name)):
                ready.append(name)
        claimed = self.store.outbox.claim_late("r", before_ms=now - age_ms, limit=limit)
        self.took(claimed, ready[:limit])

    @rule(data=st.data(), ending=st.sampled_from(["sent", "retry", "parked", "stale"]))
    def settle(self, data: st.DataObject, ending: Ending) -> None:
        sending = [name for name, row in self.rows.items() if row.state == "sending"]
        if not sending:
            return
        name = data.draw(st.sampled_from(sending))
        due = self.clock.now_ms() + data.draw(st.integers(0, 10))
        self.store.outbox.settle([Settled(self.rows[name].seq, ending, "", due)])
        self.rows[name].state = ending
        if ending == "retry":
            self.rows[name].due_ms = due

    @rule()
    def crash(self) -> None:
        self.store.close()
        self.store = open_store(self.settings, self.clock)
        sending = [name for name, row in self.rows.items() if row.state == "sending"]
        found = self.store.outbox.in_flight("r")
        assert [delivery.decision.id for delivery in found] == sending
        self.store.outbox.release([delivery.seq for delivery in found])
        for name in sending:
            self.rows[name].state = "queued"

    @invariant()
    def next_due_is_the_first_of_what_nothing_holds_back(self) -> None:
        due = [
            row.due_ms
            for name, row in self.rows.items()
            if row.state in {"queued", "retry"} and not self.earlier_open(name)
        ]
        assert self.store.outbox.next_due_ms("r") == min(due, default=None)

    def earlier_open(self, name: str) -> list[str]:
        names = list(self.rows)
        return [
            other
            for other in names[: names.index(name)]
            if self.rows[other].key == self.rows[name].key and self.rows[other].state in OPEN
        ]

    def took(self, claimed: list[Delivery], expected: list[str]) -> None:
        assert [delivery.decision.id for delivery in claimed] == expected
        for delivery in claimed:
            row = self.rows[delivery.decision.id]
            row.state, row.seq = "sending", delivery.seq


@pytest.mark.untraced
def test_keys_stay_in_order_whatever_happens(settings: StoreSettings) -> None:
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder:
        quick = settings.model_copy(update={"path": Path(folder) / "m.db"})
        run_state_machine_as_test(
            lambda: OutboxMachine(quick),  # type: ignore[arg-type]  # whatever makes one will do
            settings=hypothesis_settings(
                max_examples=20 if settings.url is None else 5,  # a server takes its time
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )

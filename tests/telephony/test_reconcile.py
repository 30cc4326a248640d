"""What a system blocks against what it was told: what differs, and what is no difference."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Ack, Found
from monitor.errors import DeliveryError
from monitor.telephony.base import Blocked
from monitor.telephony.reconcile import ENDING_MS, SLACK_MS, Reconciling
from tests.numbers.made import HOUR_MS, Table, applied, order, rejected, want

EVERY_MS = 300_000


class Table2(Table):
    """A desk with room for all."""

    def __init__(self) -> None:
        super().__init__({"spring": {"numbers": ["1", "2", "3"], "max_fraction": "100%"}})


class System:
    """Says what it was given to say."""

    def __init__(self) -> None:
        self.ours: dict[str, int | None] = {}
        self.others: set[str] = set()
        self.timed = True
        self.fault: Exception | None = None
        self.asked: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()

    def blocked(self, numbers: Iterable[str]) -> Blocked:
        self.asked.append(list(numbers))
        self.go.wait(30)
        if self.fault is not None:
            raise self.fault
        return Blocked(dict(self.ours), frozenset(self.others), timed=self.timed)


class Bench:
    def __init__(self, *systems: str) -> None:
        self.table = Table2()
        self.clock = ManualClock(self.table.now)
        self.systems = {name: System() for name in systems or ("edge",)}
        self.home: dict[str, list[str]] = {}
        self.reconciling = Reconciling(
            self.systems, self.systems_of, every_ms=EVERY_MS, clock=self.clock
        )

    def systems_of(self, number: str) -> list[str]:
        return self.home.get(number, list(self.systems))

    @property
    def system(self) -> System:
        return next(iter(self.systems.values()))

    def look(self) -> list[Ack | Found]:
        """Ask once, to the end."""
        found = self.reconciling.poll(self.table.desk)
        self.wait()
        found += self.reconciling.poll(self.table.desk)
        self.clock.advance(EVERY_MS)
        return found

    @staticmethod
    def wait() -> None:
        for thread in threading.enumerate():
            if thread.name == "telephony-reconcile":
                thread.join(30)


def test_where_all_is_as_it_was_told_nothing_is_found() -> None:
    bench = Bench()
    until_ms = bench.table.suspended("1").until_ms
    bench.system.ours = {"1": until_ms}
    assert bench.look() == []
    assert bench.system.asked == [["1"]]


@pytest.mark.parametrize(
    ("apart_ms", "differs"),
    [(SLACK_MS, False), (-SLACK_MS, False), (SLACK_MS + 1, True), (-SLACK_MS - 1, True)],
)
def test_another_end_is_a_difference(apart_ms: int, *, differs: bool) -> None:
    bench = Bench()
    until_ms = bench.table.suspended("1").until_ms
    assert until_ms is not None
    bench.system.ours = {"1": until_ms + apart_ms}
    found = bench.look()
    assert bool(found) is differs
    bench.system.timed = False  # who knows no ends cannot be wrong about them
    assert bench.look() == []


def test_no_end_where_there_should_be_one_and_the_other_way_round() -> None:
    bench = Bench()
    bench.table.suspended("1")
    bench.table.suspended("2", ttl_ms=None)
    bench.system.ours = {"1": None, "2": bench.table.now + HOUR_MS}
    details = [each.detail for each in bench.look() if isinstance(each, Found)]
    assert [detail.startswith("edge blocks it until") for detail in details] == [True, True]


def test_what_is_missing_is_found_with_the_history_it_had() -> None:
    bench = Bench()
    until_ms = bench.table.suspended("1").until_ms
    at_ms = bench.clock.now_ms()
    (found,) = bench.look()
    changes = bench.table.desk.changes("1")
    assert found == Found("1", "missing", changes, until_ms, "edge does not block it", at_ms)


def test_what_ends_now_is_left_to_end() -> None:
    bench = Bench()
    until_ms = bench.table.suspended("1").until_ms
    assert until_ms is not None
    bench.clock.advance(until_ms - ENDING_MS - bench.clock.now_ms())
    assert bench.look() == []


def test_what_changed_while_it_was_asked_is_left_for_the_next_time() -> None:
    bench = Bench()
    bench.table.suspended("1")
    bench.system.go.clear()
    assert bench.reconciling.poll(bench.table.desk) == []
    assert bench.reconciling.poll(bench.table.desk) == []  # nobody waits for it
    bench.table.step(manual=[order("suspend", "1", ttl_ms=2 * HOUR_MS)])
    bench.system.go.set()
    bench.wait()
    assert bench.reconciling.poll(bench.table.desk) == []


def test_an_answer_that_was_lost_is_seen() -> None:
    bench = Bench()
    (command,) = bench.table.step([want("1")]).commands
    assert bench.look() == []  # on its way, perhaps
    bench.system.ours = {"1": command.until_ms}
    (ack,) = bench.look()
    assert isinstance(ack, Ack)
    assert (ack.command_id, ack.status) == (command.id, "applied")
    bench.table.step(acks=[ack])
    (resume,) = bench.table.step(manual=[order("resume", "1")]).commands
    assert bench.look() == []
    bench.system.ours = {}
    (ack,) = bench.look()
    assert isinstance(ack, Ack)
    assert ack.command_id == resume.id


def test_an_answer_that_is_overdue_and_nothing_done_is_a_difference() -> None:
    bench = Bench()
    (command,) = bench.table.step([want("1")]).commands
    bench.table.step(acks=[Ack(command.id, "silent", "", bench.table.now)])
    (found,) = bench.look()
    assert isinstance(found, Found)
    assert found.what == "missing"
    bench.table.step(acks=[applied(command)])
    (resume,) = bench.table.step(manual=[order("resume", "1")]).commands
    bench.table.step(acks=[Ack(resume.id, "silent", "", bench.table.now)])
    bench.system.ours = {"1": command.until_ms}
    (found,) = bench.look()
    assert isinstance(found, Found)
    assert (found.what, found.until_ms) == ("extra", command.until_ms)


def test_a_resume_that_it_rejected_and_did_is_seen() -> None:
    bench = Bench()
    bench.table.suspended("1")
    (resume,) = bench.table.step(manual=[order("resume", "1")]).commands
    bench.table.step(acks=[rejected(resume)])
    (found,) = bench.look()
    bench.table.step(found=[found] if isinstance(found, Found) else [])
    assert not bench.table.desk.held


def test_what_is_left_over_is_found_unless_it_ends_now() -> None:
    bench = Bench()
    soon = bench.clock.now_ms() + ENDING_MS
    bench.system.ours = {"1": soon, "2": soon + 1, "3": None}
    found = [each for each in bench.look() if isinstance(each, Found)]
    assert [(each.number, each.what, each.until_ms) for each in found] == [
        ("2", "extra", soon + 1),
        ("3", "extra", None),
    ]


def test_what_others_block_is_left_alone_and_counted_in_the_log() -> None:
    bench = Bench()
    bench.table.suspended("1")
    bench.system.others = {"1", "9"}
    with capture_logs() as logs:
        assert bench.look() == []
        assert bench.look() == []
    told = [line for line in logs if line["event"] == "blocked_by_others"]
    assert [(line["system"], line["count"]) for line in told] == [("edge", 2)]


@pytest.mark.parametrize(
    "fault", [DeliveryError("no answer", retry=True, reason="timeout"), RuntimeError("ours")]
)
def test_a_system_that_cannot_be_asked_says_nothing(fault: Exception) -> None:
    bench = Bench("edge", "core")
    until_ms = bench.table.suspended("1").until_ms
    bench.systems["edge"].fault = fault
    bench.systems["core"].ours = {"1": until_ms}
    with capture_logs() as logs:
        assert bench.look() == []
    assert "not_reconciled" in [line["event"] for line in logs]
    bench.systems["edge"].fault = None
    (found,) = bench.look()
    assert isinstance(found, Found)
    assert found.detail == "edge does not block it"


def test_it_asks_at_the_start_and_every_so_often() -> None:
    bench = Bench()
    for looks in (1, 2, 3):
        bench.reconciling.poll(bench.table.desk)
        bench.wait()
        bench.clock.advance(EVERY_MS - 1)
        bench.reconciling.poll(bench.table.desk)
        bench.wait()
        assert len(bench.system.asked) == looks
        bench.clock.advance(1)


def test_without_anybody_to_ask_nothing_happens() -> None:
    table = Table2()
    reconciling = Reconciling({}, lambda _number: [], every_ms=1, clock=ManualClock())
    assert reconciling.poll(table.desk) == []


def test_what_a_system_blocks_that_the_number_left_is_found_with_its_name() -> None:
    bench = Bench("edge", "core")
    bench.home = {"1": ["core"], "2": ["core"]}
    until_ms = bench.table.suspended("1").until_ms
    bench.systems["core"].ours = {"1": until_ms}
    bench.systems["edge"].ours = {"1": until_ms, "2": None}  # moved while it was out; and back
    found = [each for each in bench.look() if isinstance(each, Found)]
    assert [(each.number, each.what, each.system) for each in found] == [
        ("1", "extra", "edge"),
        ("2", "extra", "edge"),
    ]
    (step,) = [bench.table.step(found=found)]
    assert [(c.number, c.action, c.system) for c in step.commands] == [
        ("1", "resume", "edge"),
        ("2", "resume", "edge"),
    ]
    assert bench.table.desk.state("1") == "suspended"
    assert bench.table.desk.state("2") == "active"


def test_a_lost_answer_of_several_is_seen_at_those_that_can_say_and_awaited_of_the_others() -> None:
    bench = Bench("edge", "core")
    bench.home = {"1": ["edge", "core", "topic"]}
    (command,) = bench.table.step([want("1")]).commands
    for system in bench.systems.values():
        system.ours = {"1": command.until_ms}
    acks = [each for each in bench.look() if isinstance(each, Ack)]
    assert [(ack.system, ack.systems) for ack in acks] == [
        ("edge", ("edge", "core", "topic")),
        ("core", ("edge", "core", "topic")),
    ]
    bench.table.step(acks=acks)
    assert bench.table.desk.state("1") == "suspending"


def test_a_resume_that_one_of_two_rejected_is_not_done_because_the_other_let_go() -> None:
    bench = Bench("edge", "core")
    until_ms = bench.table.suspended("1").until_ms
    (resume,) = bench.table.step(manual=[order("resume", "1")]).commands
    bench.table.step(acks=[rejected(resume)])
    bench.systems["edge"].ours = {"1": until_ms}
    assert bench.look() == []
    bench.systems["edge"].ours = {}
    assert [each.what for each in bench.look() if isinstance(each, Found)] == ["missing"]

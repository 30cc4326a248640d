"""Several telephony systems have one number: when a command is done, and when it is not."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest

from monitor.decisions import Ack, Command
from monitor.numbers.lifecycle import State
from tests.numbers.made import HOUR_MS, MINUTE_MS, Table, order, want

BOTH = ("edge", "lab")


def says(command: Command, system: str, status: Literal["applied", "rejected"]) -> Ack:
    return Ack(command.id, status, "" if status == "applied" else "no", 0, system, BOTH)


def applied_by(command: Command, *systems: str) -> list[Ack]:
    return [says(command, system, "applied") for system in systems]


def test_it_is_done_once_all_say_so_and_a_repeat_is_not_the_others_answer() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    table.step(acks=applied_by(command, "edge", "edge"))
    assert table.desk.state("1") is State.SUSPENDING
    table.step(acks=applied_by(command, "lab"))
    assert table.desk.state("1") is State.SUSPENDED


def test_the_first_answer_is_remembered_over_a_restart() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    table.step(acks=applied_by(command, "edge"))
    state = table.desk.snapshot()
    again = Table()
    again.now = table.now
    again.desk.restore(state)
    again.step(acks=applied_by(command, "edge"))
    assert again.desk.state("1") is State.SUSPENDING
    again.step(acks=applied_by(command, "lab"))
    assert again.desk.state("1") is State.SUSPENDED


def test_an_answer_to_an_earlier_command_does_not_count_for_the_next() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    table.step(acks=applied_by(command, "edge"))
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=applied_by(resume, "lab"))
    assert table.desk.state("1") is State.RESUMING
    table.step(acks=applied_by(resume, "edge"))
    assert table.desk.state("1") is State.ACTIVE


@pytest.mark.parametrize("first", ["applied", "rejected"])
def test_what_one_rejects_does_not_stay_blocked_at_the_other(
    first: Literal["applied", "rejected"],
) -> None:
    table = Table(retry_pause="1m", heal_after="1h")
    (command,) = table.step([want("1")]).commands
    other: Literal["applied", "rejected"] = "rejected" if first == "applied" else "applied"
    one = table.step([want("1")], acks=[says(command, "edge", first)])
    two = table.step([want("1")], acks=[says(command, "lab", other)])
    (resume,) = [*one.commands, *two.commands]
    assert (resume.action, resume.reason) == ("resume", "rejected_by_one")
    assert [r.guard for r in [*one.refusals, *two.refusals]] == ["suspend_rejected"]
    assert table.desk.state("1") is State.RESUMING
    done = table.step([want("1")], acks=applied_by(resume, "edge", "lab"))
    assert done.commands == []
    assert table.desk.state("1") is State.WANTED  # and asked again after the pause
    again = [
        c for step in table.until(table.now + 2 * MINUTE_MS, [want("1")]) for c in step.commands
    ]
    assert [c.action for c in again] == ["suspend"]
    assert again[0].until_ms is not None
    assert command.until_ms is not None
    # What telephony rejected does not make the next one longer.
    assert again[0].until_ms - again[0].at_ms == command.until_ms - command.at_ms


def test_who_rejects_all_the_time_is_asked_less_and_less_often_and_told_of_once() -> None:
    table = Table(retry_pause="1m", retry_pause_max="1h")
    asked, told = [], []
    end = table.now + 2 * HOUR_MS
    step = table.step([want("1")])
    while table.now < end:
        told += step.refusals
        acks = []
        for command in step.commands:
            if command.action == "suspend":
                asked.append(command.at_ms)
                acks = [says(command, "edge", "applied"), says(command, "lab", "rejected")]
            else:
                acks = applied_by(command, *BOTH)
        step = table.step([want("1")], acks=acks)
    pauses = [b - a for a, b in itertools.pairwise(asked)]
    assert pauses == sorted(pauses)
    assert 3 <= len(asked) <= 8
    assert len(told) == 1


def test_the_other_that_never_answers_the_resume_lets_go_by_itself() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    table.step(acks=[says(command, "lab", "rejected")])
    assert command.until_ms is not None
    table.until(command.until_ms + 5 * MINUTE_MS)
    assert table.desk.state("1") is State.ACTIVE


def test_a_flag_while_a_resume_is_owed_by_one_is_commanded_again_at_both() -> None:
    table = Table()
    (command,) = table.step([want("1", ttl_ms=None)]).commands
    table.step(acks=applied_by(command, *BOTH))
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[says(resume, "edge", "applied"), says(resume, "lab", "rejected")])
    assert table.desk.state("1") is State.SUSPENDED
    flag = want("1", episode="another", ttl_ms=None)
    commands = table.step([flag]).commands
    assert [(c.action, c.reason) for c in commands] == [("suspend", "prolonged")]


def test_one_that_a_person_holds_stays_held_and_is_asked_for_again() -> None:
    table = Table(retry_pause="1m")
    (command,) = table.step(manual=[order("hold", "1")]).commands
    table.step(acks=[says(command, "lab", "rejected")])
    assert table.desk.state("1") is State.HELD
    steps = table.until(table.now + 2 * MINUTE_MS)
    assert [c.action for step in steps for c in step.commands] == ["suspend"]


def test_an_answer_of_an_older_program_counts_as_it_did() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    table.step(acks=[Ack(command.id, "rejected", "no", 0)])
    assert table.desk.state("1") is State.ACTIVE

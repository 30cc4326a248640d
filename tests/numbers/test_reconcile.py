"""Telephony was found to do otherwise than it was told: what the desk makes of it."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from monitor.decisions import Ack, Found
from monitor.numbers.lifecycle import State
from tests.numbers.made import HOUR_MS, MINUTE_MS, Table, applied, clear, order, rejected, want


def found(table: Table, what: Literal["missing", "extra"], number: str = "1", **more: Any) -> Found:
    fields = {"until_ms": None, "detail": "it does not", "at_ms": table.now, **more}
    return Found(number, what, changes=fields.pop("changes", table.desk.changes(number)), **fields)


def test_what_should_be_blocked_is_commanded_again_to_the_same_end() -> None:
    table = Table()
    first = table.suspended("1")
    step = table.step(found=[found(table, "missing")])
    (again,) = step.commands
    assert (again.action, again.until_ms) == ("suspend", first.until_ms)
    assert again.id != first.id  # an id that is known would be dropped
    assert again.reason == "commanded_again"
    (refusal,) = step.refusals
    assert (refusal.guard, refusal.detail) == ("telephony_differs", "suspended: it does not")
    assert table.desk.state("1") is State.LOST
    (change,) = table.step(acks=[applied(again)]).changes
    assert (change.reason, change.after) == ("applied", "suspended")


def test_people_are_told_once_while_telephony_goes_on_lying() -> None:
    table = Table()
    table.suspended("1")
    told = []
    for _ in range(5):
        step = table.step(found=[found(table, "missing")])
        told += step.refusals
        table.step(acks=[applied(step.commands[0])])
    assert len(told) == 1


def test_a_restart_of_telephony_with_many_suspended_is_told_as_one() -> None:
    table = Table({"spring": {"numbers": [str(n) for n in range(200)], "max_fraction": "50%"}})
    for number in range(20):
        table.suspended(str(number))
    step = table.step(found=[found(table, "missing", str(n)) for n in range(20)])
    assert len(step.commands) == 20
    assert len(step.refusals) == 1


def test_what_happened_meanwhile_makes_it_void() -> None:
    table = Table()
    table.suspended("1")
    stale = found(table, "missing")
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[applied(resume)])
    assert table.step(found=[stale]).commands == []
    assert table.desk.state("1") is State.ACTIVE


def test_a_suspension_that_nobody_answered_and_nobody_does_is_commanded_again() -> None:
    table = Table()
    (command,) = table.step([want("1")]).commands
    table.step(acks=[Ack(command.id, "silent", "no answer within 1m", table.now)])
    (again,) = table.step(found=[found(table, "missing")]).commands
    assert again.action == "suspend"
    table.step(acks=[applied(command)])  # of the old one, and too late
    assert table.desk.state("1") is State.SUSPENDING
    table.step(acks=[applied(again)])
    assert table.desk.state("1") is State.SUSPENDED


def test_what_is_blocked_for_us_and_in_service_is_let_go() -> None:
    table = Table()
    step = table.step(found=[found(table, "extra", until_ms=table.now + HOUR_MS)])
    (command,) = step.commands
    assert (command.action, command.reason) == ("resume", "left_blocked")
    assert [refusal.guard for refusal in step.refusals] == ["telephony_differs"]
    assert table.desk.state("1") is State.RESUMING
    table.step(acks=[applied(command)])
    assert table.desk.state("1") is State.ACTIVE


def test_its_command_has_an_id_of_its_own_although_the_number_was_forgotten() -> None:
    table = Table(heal_after="1h")
    table.suspended("1")
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[applied(resume)])
    table.until(table.now + 10 * HOUR_MS)
    table.step()
    assert table.desk.changes("1") == 0
    (again,) = table.step(found=[found(table, "extra")]).commands
    assert again.id != resume.id


def test_letting_go_of_it_ends_though_telephony_rejects_or_never_answers() -> None:
    for answer in (rejected, None):
        table = Table()
        until_ms = table.now + HOUR_MS
        (command,) = table.step(found=[found(table, "extra", until_ms=until_ms)]).commands
        if answer is not None:
            table.step(acks=[answer(command)])
        table.until(until_ms + 5 * MINUTE_MS)
        assert table.desk.state("1") is State.ACTIVE


def test_a_number_that_a_rule_wants_out_is_asked_about_again_once_it_is_let_go() -> None:
    table = Table({"spring": {"numbers": ["1", "2"], "min_left": 2}})
    table.step([want("1")])
    assert table.desk.state("1") is State.WANTED
    (command,) = table.step([want("1")], found=[found(table, "extra")]).commands
    table.step([want("1")], acks=[applied(command)])
    assert table.desk.state("1") is State.WANTED


def test_a_resume_that_was_rejected_and_is_done_all_the_same_is_done() -> None:
    table = Table()
    table.suspended("1")
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[rejected(resume)])
    assert table.desk.state("1") is State.SUSPENDED
    step = table.step(found=[found(table, "missing")])
    assert step.commands == []
    assert table.desk.state("1") is State.ACTIVE


def test_a_resume_that_nobody_answered_is_asked_for_again() -> None:
    table = Table()
    table.suspended("1")
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    (again,) = table.step(found=[found(table, "extra")]).commands
    assert again.action == "resume"
    assert again.id != resume.id
    assert table.desk.state("1") is State.RESUMING


@pytest.mark.parametrize("what", ["missing", "extra"])
def test_what_does_not_fit_the_number_is_void(
    what: Literal["missing", "extra"],
) -> None:
    table = Table()
    if what == "extra":
        table.suspended("1")
    step = table.step(found=[found(table, what)])
    assert (step.commands, step.refusals, step.changes) == ([], [], [])


def test_what_telephony_was_told() -> None:
    table = Table({"spring": {"numbers": ["1", "2"], "max_fraction": "100%"}})
    command = table.suspended("1")
    (waiting,) = table.step([want("2")]).commands
    told = table.desk.told()
    assert list(told) == ["1", "2"]
    assert (told["1"].command, told["1"].until_ms) == ("", command.until_ms)
    assert (told["2"].command, told["2"].silent) == (waiting.id, False)
    table.step(acks=[Ack(waiting.id, "silent", "", table.now)])
    assert table.desk.told()["2"].silent


def test_a_lost_number_that_telephony_would_not_block_is_asked_for_until_its_time_is_over() -> None:
    table = Table(retry_pause="1m", retry_pause_max="4m")
    first = table.suspended("1")
    (again,) = table.step(found=[found(table, "missing")]).commands
    table.step(acks=[rejected(again)])
    assert table.desk.state("1") is State.LOST
    assert first.until_ms is not None
    asked = [c for step in table.until(table.now + 2 * MINUTE_MS) for c in step.commands]
    assert [c.reason for c in asked] == ["retried"]
    ends = [c for step in table.until(first.until_ms) for c in step.commands]
    assert [(c.action, c.at_ms) for c in ends] == [("resume", first.until_ms)]


def test_a_lost_number_that_was_cleared_meanwhile_comes_back() -> None:
    table = Table()
    table.suspended("1", ttl_ms=None)
    table.step(found=[found(table, "missing")])
    (command,) = table.step(cleared=[clear("1")]).commands
    assert command.action == "resume"


def test_another_cause_of_a_lost_number_prolongs_it() -> None:
    table = Table()
    table.suspended("1")
    (command,) = table.step(found=[found(table, "missing")]).commands
    flag = [want("1", rule="flag", episode="flag", ttl_ms=None)]
    assert [row.reason for row in table.step(flag).changes] == ["joined"]
    step = table.step(flag, acks=[applied(command)])
    assert [(c.reason, c.until_ms) for c in step.commands] == [("prolonged", None)]


def test_what_a_person_keeps_out_stays_so_and_telephony_is_told_again() -> None:
    table = Table()
    for action, number in (("hold", "1"), ("retire", "2")):
        (command,) = table.step(manual=[order(action, number)]).commands
        table.step(acks=[applied(command)])
    step = table.step(found=[found(table, "missing", number) for number in ("1", "2")])
    assert [(c.number, c.action) for c in step.commands] == [("1", "suspend"), ("2", "suspend")]
    assert (table.desk.state("1"), table.desk.state("2")) == (State.HELD, State.RETIRED)


def test_a_freeze_is_about_new_suspensions() -> None:
    table = Table()
    table.suspended("1")
    table.step(manual=[order("freeze")])
    assert [c.action for c in table.step(found=[found(table, "missing")]).commands] == ["suspend"]

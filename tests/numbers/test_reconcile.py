"""Telephony says other than the desk: it is told again, and the number is lost meanwhile."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from monitor.decisions import Around, Contradiction
from monitor.engine import Input
from monitor.numbers.ledger import DeskStep
from monitor.numbers.lifecycle import State
from monitor.recorder import journaled_inputs
from monitor.store.journal import Entry
from tests.numbers.made import HOUR_MS, MINUTE_MS, Table, applied, clear, order, rejected, want
from tests.numbers.scene import MINUTE, T0, Scene, numbers, rule, site_of


def found(table: Table, *blocked: str) -> DeskStep:
    """Telephony was asked at the last tick, and blocks these of ours."""
    contradiction = table.desk.contradiction(set(blocked), table.now)
    table.now += 5_000
    told = [] if contradiction is None else [contradiction]
    return table.desk.step(table.now, [], [], [], [], Around(), told)


def test_what_both_hold_to_be_so_contradicts_nothing() -> None:
    table = Table()
    table.suspended("1")
    table.step()
    assert table.desk.contradiction({"1"}, table.now) is None
    assert Table().desk.contradiction(set(), table.now) is None


def test_one_that_it_does_not_block_is_lost_until_it_does() -> None:
    table = Table()
    first = table.suspended("1")
    table.step()
    step = found(table)
    (command,) = step.commands
    assert (command.action, command.until_ms) == ("suspend", first.until_ms)
    assert command.id != first.id
    assert [(c.before, c.after, c.reason, c.by) for c in step.changes] == [
        ("suspended", "lost", "contradicted", "telephony")
    ]
    assert table.desk.held == {"1"}
    table.step(acks=[applied(command)])
    assert table.desk.state("1") is State.SUSPENDED
    assert first.until_ms is not None
    (end,) = table.until(first.until_ms)
    assert [c.reason for c in end.commands] == ["ttl_over"]


def test_a_freeze_is_about_new_suspensions() -> None:
    table = Table()
    table.suspended("1")
    table.step(manual=[order("freeze")])
    assert [c.action for c in found(table).commands] == ["suspend"]


def test_one_that_it_would_not_block_again_is_asked_for_until_its_time_is_over() -> None:
    table = Table(retry_pause="1m", retry_pause_max="4m")
    first = table.suspended("1")
    table.step()
    (command,) = found(table).commands
    table.step(acks=[rejected(command)])
    assert table.desk.state("1") is State.LOST
    assert first.until_ms is not None
    asked = [c for step in table.until(table.now + 2 * MINUTE_MS) for c in step.commands]
    assert [c.reason for c in asked] == ["retried"]
    ends = [c for step in table.until(first.until_ms) for c in step.commands]
    assert [(c.action, c.at_ms) for c in ends] == [("resume", first.until_ms)]


def test_what_was_cleared_meanwhile_comes_back() -> None:
    table = Table()
    table.suspended("1", ttl_ms=None)
    table.step()
    found(table)
    (command,) = table.step(cleared=[clear("1")]).commands
    assert command.action == "resume"


def test_another_cause_of_a_lost_number_prolongs_it() -> None:
    table = Table()
    table.suspended("1")
    table.step()
    (command,) = found(table).commands
    flag = [want("1", rule="flag", episode="flag", ttl_ms=None)]
    assert [row.reason for row in table.step(flag).changes] == ["joined"]
    step = table.step(flag, acks=[applied(command)])
    assert [(c.reason, c.until_ms) for c in step.commands] == [("prolonged", None)]


def test_one_that_it_still_blocks_is_let_go_once_more() -> None:
    table = Table()
    table.suspended("1")
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[applied(resume)])
    table.step()
    step = found(table, "1")
    assert [(c.before, c.after, c.reason) for c in step.changes] == [
        ("active", "lost", "contradicted"),
        ("lost", "resuming", "mended"),
    ]
    (again,) = step.commands
    assert again.id != resume.id
    table.step(acks=[applied(again)])
    assert table.desk.state("1") is State.ACTIVE


def test_one_that_was_forgotten_long_ago_is_let_go_too() -> None:
    table = Table()
    table.step()
    (command,) = found(table, "7").commands
    assert (command.action, command.number) == ("resume", "7")


def test_what_a_person_keeps_out_stays_so_and_telephony_is_told_again() -> None:
    table = Table()
    for action, number in (("hold", "1"), ("retire", "2")):
        (command,) = table.step(manual=[order(action, number)]).commands
        table.step(acks=[applied(command)])
    table.step()
    step = found(table)
    assert [(c.number, c.action) for c in step.commands] == [("1", "suspend"), ("2", "suspend")]
    assert (table.desk.state("1"), table.desk.state("2")) == (State.HELD, State.RETIRED)


def test_what_is_on_its_way_and_what_changed_since_is_not_compared() -> None:
    table = Table()
    (first,) = table.step([want("1")]).commands
    assert table.desk.contradiction(set(), table.now) is None
    asked = table.now
    table.step(acks=[applied(first)])
    assert table.desk.contradiction(set(), asked) is None
    told = Contradiction("x", asked, ("1",), ())
    assert table.desk.step(table.now + 5_000, [], [], [], [], Around(), [told]).commands == []


def test_the_same_contradiction_twice_is_mended_once() -> None:
    table = Table()
    table.suspended("1", ttl_ms=HOUR_MS)
    table.step()
    contradiction = table.desk.contradiction(set(), table.now)
    assert contradiction is not None
    twice = [contradiction, contradiction]
    assert len(table.desk.step(table.now + 5_000, [], [], [], [], Around(), twice).commands) == 1


# -- as an input -------------------------------------------------------------------------------


def test_it_is_an_input_that_the_journal_gives_back() -> None:
    said = Contradiction("x", T0, ("+862150000000",), ())
    payload = json.loads(json.dumps(asdict(said)))
    entries = [Entry(1, "contradiction", T0 + 1, payload)]
    assert journaled_inputs(entries, tick_ms=5_000) == [Input(T0 + 5_000, said)]


def test_the_engine_hands_it_to_the_desk(tmp_path: Path) -> None:
    made = Scene(site_of(tmp_path, [rule()], numbers={"assume_applied": True}))
    (number,) = numbers(1)
    made.calls(MINUTE, 10 * MINUTE, MINUTE, number)
    made.order(2 * MINUTE, "hold", number)
    asked = T0 + 3 * MINUTE
    made.inputs.append(Input(asked + 5_000, Contradiction("x", asked, (number,), ())))
    made.run()
    assert [each.reason for each in made.commands()] == ["manual_hold", "contradicted"]

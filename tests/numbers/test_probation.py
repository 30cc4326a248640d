"""A number that is back proves itself on calls it has started since, or goes again for longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.decisions import Alert, Around, OnTrial
from monitor.numbers.lifecycle import State
from monitor.sealed import plain
from tests.numbers.made import MINUTE_MS, Table, applied, order, rejected, want
from tests.numbers.scene import HOUR, MINUTE, SECOND, T0, Scene, numbers, rule, since_ms, site_of
from tests.whole import whole

PROVES: dict[str, Any] = {
    "probation_calls": 20,
    "probation_ms": 60 * MINUTE_MS,
    "ttl_ms": 10 * MINUTE_MS,
}
NUMBER = numbers(1)[0]


def back(table: Table, number: str = "1", **changes: Any) -> int:
    """Have the number suspended and back; the tick at which it is known to be."""
    command = table.suspended(number, **(PROVES | changes))
    assert command.until_ms is not None
    (resume,) = [c for step in table.until(command.until_ms) for c in step.commands]
    table.step(acks=[applied(resume)])
    return table.now


def test_a_number_that_is_back_is_on_probation() -> None:
    table = Table()
    command = table.suspended("1", **PROVES)
    assert command.until_ms is not None
    (resume,) = [c for step in table.until(command.until_ms) for c in step.commands]
    assert table.desk.on_trial == {}, "telephony has not confirmed that it is back"
    step = table.step(acks=[applied(resume)])
    assert [(c.before, c.after, c.reason, c.by) for c in step.changes] == [
        ("resuming", "active", "applied", "telephony"),
        ("active", "probation", "on_probation", "number-hangup"),
    ]
    assert table.desk.on_trial == {"1": OnTrial(table.now, ("number-hangup",))}
    assert table.desk.held == set()
    (standing,) = table.desk.standing()
    assert (standing.number, standing.state, standing.rule) == ("1", "probation", "number-hangup")
    assert standing.until_ms == table.now + 60 * MINUTE_MS


def test_enough_good_calls_end_it() -> None:
    table = Table()
    back(table)
    assert table.desk.step(table.now + 5_000, [], [], [], [], Around(calls={"1": 19})).changes == []
    (row,) = table.desk.step(table.now + 10_000, [], [], [], [], Around(calls={"1": 20})).changes
    assert (row.before, row.after, row.reason) == ("probation", "active", "proven")
    assert row.detail == "20 calls since"
    assert table.desk.on_trial == {}


def test_its_time_ends_it() -> None:
    table = Table()
    since = back(table)
    steps = table.until(since + 60 * MINUTE_MS)
    rows = [row for step in steps for row in step.changes]
    assert [(r.at_ms, r.after, r.reason, r.by) for r in rows] == [
        (since + 60 * MINUTE_MS, "active", "probation_over", "time")
    ]


def test_a_breach_on_probation_suspends_again_for_longer() -> None:
    table = Table()
    back(table)
    (again,) = table.step([want("1", **(PROVES | {"episode": "second"}))]).commands
    assert again.until_ms == table.now + 20 * MINUTE_MS
    assert table.desk.on_trial == {}
    assert table.desk.state("1") is State.SUSPENDING


def test_a_breach_and_the_last_call_at_one_tick_is_a_breach() -> None:
    table = Table()
    back(table)
    wants = [want("1", **(PROVES | {"episode": "second"}))]
    table.desk.step(table.now + 5_000, wants, [], [], [], Around(calls={"1": 20}))
    assert table.desk.state("1") is State.SUSPENDING


def test_a_breach_that_a_guard_keeps_waiting_does_not_end_the_probation() -> None:
    table = Table()
    since = back(table)
    wants = [want("1", **(PROVES | {"episode": "second"}))]
    table.step(wants, manual=[order("freeze")])
    assert (table.desk.state("1"), set(table.desk.on_trial)) == (State.WANTED, {"1"})
    step = table.step()
    assert [row.reason for row in step.changes] == ["breach_over", "on_probation"]
    table.step(wants)
    rows = [row for step in table.until(since + 60 * MINUTE_MS, wants) for row in step.changes]
    assert rows == [], "it is wanted, and its time on probation is over without a word"
    assert table.desk.on_trial == {}
    assert [row.reason for row in table.step().changes] == ["breach_over"]
    assert table.desk.state("1") is State.ACTIVE


def test_of_two_rules_the_longer_terms_hold() -> None:
    table = Table()
    wants = [
        want("1", **PROVES),
        want("1", rule="b", episode="b", probation_calls=5, probation_ms=90 * MINUTE_MS),
        want("1", rule="c", episode="c"),
    ]
    (command,) = table.step(wants).commands
    table.step(acks=[applied(command)])
    (resume,) = table.step(manual=[order("resume", "1")]).commands
    table.step(acks=[applied(resume)])
    assert table.desk.on_trial["1"].rules == ("b", "number-hangup")
    since = table.now
    table.step()
    assert table.desk.next_event_tick(table.now) == since + 90 * MINUTE_MS


def test_a_suspension_that_did_not_happen_needs_no_probation() -> None:
    table = Table()
    (command,) = table.step([want("1", **PROVES)]).commands
    table.step(acks=[rejected(command)])
    assert (table.desk.state("1"), table.desk.on_trial) == (State.ACTIVE, {})


def test_a_person_takes_a_number_on_probation_out_and_it_comes_back_without() -> None:
    table = Table()
    back(table)
    (command,) = table.step(manual=[order("suspend", "1", ttl_ms=MINUTE_MS)]).commands
    assert table.desk.on_trial == {}
    table.step(acks=[applied(command)])
    (resume,) = [c for s in table.until(table.now + MINUTE_MS) for c in s.commands]
    table.step(acks=[applied(resume)])
    assert table.desk.state("1") is State.ACTIVE


def test_it_outlasts_a_restart_and_older_programs_knew_of_none() -> None:
    table = Table()
    back(table)
    state = table.desk.snapshot()
    other = Table()
    other.desk.restore(state)
    assert other.desk.on_trial == table.desk.on_trial
    assert whole(other.desk.snapshot()) == whole(state)
    older = plain(state["ledger"]["records"])
    for record in older:
        del record["trial"]
    other.desk.restore({**state, "ledger": {**state["ledger"], "records": older}})
    assert other.desk.on_trial == {}


# -- through the engine -----------------------------------------------------------------------


def scene(tmp_path: Path, **changes: Any) -> Scene:
    """A number that goes bad after ten minutes of good calls, and is out at minute 12 or so."""
    suspend: dict[str, Any] = {"ttl": "10m", "backoff": "double", "ttl_max": "24h"}
    suspend["probation"] = {"calls": 30, "max": "40m"}
    mine = rule(action={"suspend": suspend}, **changes)
    made = Scene(site_of(tmp_path, [mine], numbers={"assume_applied": True}))
    made.calls(MINUTE, 10 * MINUTE, 30 * SECOND, NUMBER)
    made.calls(10 * MINUTE, 18 * MINUTE, 10 * SECOND, NUMBER, share=1.0)
    return made


def out_and_back(made: Scene) -> tuple[int, int]:
    """When it was out and when it was back, ms after the beginning."""
    made.run()
    (out,) = made.commands()
    assert out.until_ms is not None
    return since_ms(out.at_ms), since_ms(out.until_ms)


def test_calls_of_before_do_not_have_it_out_again(tmp_path: Path) -> None:
    made = scene(tmp_path)
    made.calls(30 * MINUTE, 3 * HOUR, MINUTE, NUMBER)
    out, again = out_and_back(made)
    # The window of an hour holds the bad calls until well after the number is back.
    assert out < 14 * MINUTE
    assert again < 24 * MINUTE
    assert made.desk.state(NUMBER) is State.ACTIVE
    assert made.desk.on_trial == {}


def test_the_same_rule_without_a_probation_has_it_out_again(tmp_path: Path) -> None:
    suspend: dict[str, Any] = {"ttl": "10m", "backoff": "double", "ttl_max": "24h"}
    made = Scene(
        site_of(tmp_path, [rule(action={"suspend": suspend})], numbers={"assume_applied": True})
    )
    made.events = scene(tmp_path).events
    made.calls(30 * MINUTE, 3 * HOUR, MINUTE, NUMBER)
    assert len(made.run().commands()) > 1


def test_bad_calls_since_have_it_out_again_for_longer(tmp_path: Path) -> None:
    made = scene(tmp_path)
    made.calls(30 * MINUTE, HOUR, 30 * SECOND, NUMBER, share=0.8)
    made.run()
    first, second = made.commands()[:2]
    assert first.until_ms is not None
    assert second.until_ms is not None
    assert second.until_ms - second.at_ms == 2 * (first.until_ms - first.at_ms)
    # Ten calls are evidence: eight of the ten since, none of the 48 before.
    assert second.figures is not None
    assert (second.figures.hits, second.figures.of) == (8, 10)


def test_a_call_that_began_before_is_not_one_of_them(tmp_path: Path) -> None:
    made = scene(tmp_path)
    _, again = out_and_back(made)
    for index in range(25):
        at = again + 2 * MINUTE + index * SECOND
        made.call(at, NUMBER, bad=True, started_at=T0 + again - 5 * SECOND)
    assert len(made.run().commands()) == 1
    for index in range(10):
        made.call(again + 4 * MINUTE + index * SECOND, NUMBER, bad=True)
    assert len(made.run().commands()) == 2


@pytest.mark.parametrize(("of_before", "commands"), [(True, 1), (False, 2)])
def test_a_complaint_about_a_call_of_before_is_not_held_against_it(
    tmp_path: Path, *, of_before: bool, commands: int
) -> None:
    made = scene(tmp_path, indicator="complaint_rate", levels={"crit": {"above": "40%"}})
    for index in range(20):
        made.event(11 * MINUTE + index, "complaint.filed", call_id=f"c{index}", number=NUMBER)
    _, again = out_and_back(made)
    begin = len(made.events)
    made.calls(again + MINUTE, again + 10 * MINUTE, 30 * SECOND, NUMBER)
    for index in range(10):
        call = f"c{index}" if of_before else f"c{begin + index}"
        made.event(again + 11 * MINUTE, "complaint.filed", call_id=call, number=NUMBER)
    assert len(made.run().commands()) == commands


def test_thirty_good_calls_prove_it_and_what_comes_then_counts_as_ever(tmp_path: Path) -> None:
    made = scene(tmp_path)
    _, again = out_and_back(made)
    made.calls(again + MINUTE, again + 8 * MINUTE, 10 * SECOND, NUMBER)
    made.run()
    assert (made.desk.state(NUMBER), made.desk.on_trial) == (State.ACTIVE, {})
    made.calls(again + 8 * MINUTE, again + 20 * MINUTE, 5 * SECOND, NUMBER, share=1.0)
    assert len(made.run().commands()) == 2


@pytest.mark.parametrize("method", ["raw", "sequential"])
def test_batches_and_a_restart_make_no_difference(tmp_path: Path, method: str) -> None:
    evidence: dict[str, Any] = {"method": "raw", "min_of": 10}
    if method == "sequential":
        evidence = {"method": "sequential", "false_alarms": "1 per 30 scope-days"}
    made = scene(tmp_path, evidence=evidence)
    made.calls(30 * MINUTE, 3 * HOUR, 20 * SECOND, NUMBER, share=0.9)
    whole_day = made.run().decisions
    assert len(made.commands()) >= 2
    assert made.run(batch=7).decisions == whole_day
    for minutes in (20, 31, 45):
        assert made.run(restart_at=minutes * MINUTE).decisions == whole_day


def test_calls_and_scopes_on_probation_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.rules.fresh.CALL_IDS_MAX", 5)
    monkeypatch.setattr("monitor.rules.fresh_figures.KEYS_MAX", 3)
    made = scene(tmp_path, by=["number", "agent"])
    made.events = [each | {"agent": "a"} for each in made.events]
    _, again = out_and_back(made)
    for index in range(9):
        made.call(again + MINUTE + index * SECOND, NUMBER, agent=f"a{index}")
    made.run()
    assert made.engine is not None
    state = made.engine.judges.rules.snapshot()["fresh"]
    ((number, _, calls, ids),) = state["numbers"]
    assert (number, calls, len(ids)) == (NUMBER, 9, 5)
    assert [text.split("\x1f")[1] for text, _, _ in state["rules"]["bad-number"]["pairs"]] == [
        "a6",
        "a7",
        "a8",
    ]


def test_after_a_reload_sums_of_another_figure_are_not_taken_over(tmp_path: Path) -> None:
    made = scene(tmp_path)
    _, again = out_and_back(made)
    made.calls(again + MINUTE, again + 3 * MINUTE, 10 * SECOND, NUMBER)
    made.run()
    assert made.engine is not None
    state = made.engine.judges.rules.snapshot()["fresh"]
    (kept,) = state["rules"].values()
    assert kept["pairs"] == [[NUMBER, 0, 12]]
    fresh = made.engine.judges.rules._fresh
    fresh.restore(state)
    assert fresh.snapshot() == state
    other = {"bad-number": kept | {"made_of": ["another"]}}
    fresh.restore(state | {"rules": other})
    (taken,) = fresh.snapshot()["rules"].values()
    assert (taken["since"], taken["pairs"]) == (kept["since"], [])


def test_another_rule_on_the_same_figure_is_not_spared_what_began_before(tmp_path: Path) -> None:
    """They gather their evidence together; only who has a probation looks at what is fresh."""
    evidence = {"method": "sequential", "false_alarms": "1 per 30 scope-days"}
    suspend = {"ttl": "10m", "probation": {"calls": 30, "max": "40m"}}
    mine = rule(evidence=evidence, action={"suspend": suspend})
    watch = rule("watch", evidence=evidence, action=None)
    made = Scene(site_of(tmp_path, [mine, watch], numbers={"assume_applied": True}))
    made.events = scene(tmp_path).events
    _, again = out_and_back(made)
    for index in range(60):
        at = again + 2 * MINUTE + index * SECOND
        made.call(at, NUMBER, bad=True, started_at=T0 + again - 5 * SECOND)
    made.run()
    assert len(made.commands()) == 1
    told = [each for each in made.decisions if isinstance(each, Alert) and each.rule == "watch"]
    assert [each.state for each in told if since_ms(each.at_ms) > again][:1] == ["firing"]

"""Guards of a pool as a whole: waves, the campaign's own breach, approval, a rate of its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from monitor.decisions import Around, ManualAction, Want, iso
from monitor.errors import ConfigError
from monitor.numbers.ledger import DeskStep
from monitor.numbers.lifecycle import State
from monitor.numbers.requests import answer_id, in_words, was_refused
from monitor.site import load_site
from tests.numbers.made import HOUR_MS, MINUTE_MS, TICK_MS, Table, applied, numbers, order, want
from tests.whole import whole


def braked(size: int = 20, **guards: Any) -> Table:
    pool = {"numbers": numbers(size), "max_fraction": "100%", "brake_above": "20%"} | guards
    return Table({"a": pool}, rate="1000/1h")


def wants(*indices: int, **changes: Any) -> list[Want]:
    return [want(f"n{index:03d}", **changes) for index in indices]


def step(
    table: Table, asked: list[Want], around: Around, manual: list[ManualAction] | None = None
) -> DeskStep:
    table.now += 5_000
    return table.desk.step(table.now, asked, [], [], manual or [], around)


# -- waves ------------------------------------------------------------------------------------


def test_as_many_as_the_brake_lets_by_are_suspended_and_one_more_stops_all() -> None:
    table = braked()
    assert len(table.step(wants(0, 1, 2, 3)).commands) == 4
    table = braked()
    stopped = table.step(wants(0, 1, 2, 3, 4))
    assert stopped.commands == []
    (page,) = stopped.refusals
    assert (page.number, page.guard, page.pool, page.route) == ("", "brake", "a", "supervisors")
    assert page.detail == (
        "a wave: 5 of 20 numbers breach or were suspended within 1h, more than 4; "
        "no more are suspended"
    )


def test_a_slow_wave_is_stopped_at_the_same_count_and_said_once() -> None:
    table = braked()
    sent, said = [], []
    for index in range(12):
        table.now += 5 * MINUTE_MS
        made = table.step(wants(*range(4, index + 1)) if index >= 4 else wants(index))
        sent += [command for command in made.commands if command.action == "suspend"]
        said += made.refusals
    assert [command.number for command in sent] == ["n000", "n001", "n002", "n003"]
    (page,) = said
    assert page.detail.endswith(
        "Suspended in it: n000, n001, n002, n003; to take that back: "
        f"monitor numbers undo --pool a --since {iso(sent[0].at_ms)}"
    )


def test_those_that_may_breach_count() -> None:
    table = braked()
    around = Around(pending={"n001", "n002", "n003", "n004", "elsewhere"})
    assert [r.guard for r in step(table, wants(0), around).refusals] == ["brake"]
    assert table.desk.state("n000") is State.WANTED


def test_it_is_let_go_when_the_wave_is_over_and_a_next_one_is_news() -> None:
    table = braked(brake_window="10m")
    table.step(wants(0, 1, 2, 3))
    began = table.now
    table.step(wants(4))
    held = table.until(began + 9 * MINUTE_MS, wants(4))
    assert [c for made in held for c in made.commands] == []
    through = table.until(began + 11 * MINUTE_MS, wants(4))
    (command,) = [c for made in through for c in made.commands]
    assert (command.number, command.at_ms) == ("n004", began + 10 * MINUTE_MS)
    again = table.step(wants(5, 6, 7, 8, 9))
    assert [r.guard for r in again.refusals] == ["brake"]
    assert again.commands == []


@pytest.mark.parametrize(("size", "suspended"), [(4, 4), (5, 0)])
def test_a_pool_of_fewer_than_five_has_no_brake(size: int, suspended: int) -> None:
    table = braked(size)
    assert len(table.step(wants(*range(size))).commands) == suspended


def test_a_wave_in_one_pool_is_no_other_pools_matter() -> None:
    pools = {
        name: {"numbers": numbers(10, name), "brake_above": "20%", "max_fraction": "100%"}
        for name in ("a", "b")
    }
    table = Table(pools)
    asked = [want(number) for number in [*numbers(5, "a"), "b000"]]
    assert [command.number for command in table.step(asked).commands] == ["b000"]


def test_a_person_may_do_it_all_the_same() -> None:
    table = braked()
    table.step(wants(*range(9)))
    made = table.step(wants(*range(9)), manual=[order("suspend", "n000")])
    assert [command.number for command in made.commands] == ["n000"]
    assert "over the guard brake" in made.changes[0].detail


def test_a_wave_outlasts_a_restart() -> None:
    table = braked()
    table.step(wants(*range(9)))
    other = braked()
    other.desk.restore(table.desk.snapshot())
    assert whole(other.desk.snapshot()) == whole(table.desk.snapshot())
    other.now = table.now
    assert other.step(wants(*range(9))).refusals == [], "it was told"


# -- the campaign as a whole -------------------------------------------------------------------


def test_while_the_campaign_breaches_none_of_its_numbers_is_suspended() -> None:
    table = braked(inhibited_by=["campaign-hangup"], brake_above="100%")
    breach = Around(breaches={"campaign-hangup": {"a"}})
    first = step(table, wants(0, 1), breach)
    assert first.commands == []
    assert [(r.number, r.guard, r.pool) for r in first.refusals] == [("", "campaign", "a")]
    assert "breaches campaign-hangup" in first.refusals[0].detail
    assert step(table, wants(0, 1, 2), breach).refusals == []
    elsewhere = Around(breaches={"campaign-hangup": {"b"}, "campaign-flags": {"a"}})
    assert len(step(table, wants(0, 1, 2), elsewhere).commands) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("campaign-hangups", "no rule 'campaign-hangups'"),
        ("number-hangup", "'number-hangup' is by number"),
    ],
)
def test_a_rule_that_is_not_there_inhibits_nothing_and_is_a_fault(
    tmp_path: Path, name: str, message: str
) -> None:
    config = tmp_path / "config.yaml"
    text = f"version: 1\npacks: [telemarketing]\npools:\n  a:\n    inhibited_by: [{name}]\n"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as fault:
        load_site(config)
    (problem,) = fault.value.problems
    assert (problem.line, problem.message) == (5, message)
    assert problem.hint


# -- approval ----------------------------------------------------------------------------------


def waiting() -> tuple[Table, str]:
    """Three wait where two may; the table, and the name under which a person is asked."""
    table = braked(brake_above="100%", approval=2, approval_for="30m")
    made = table.step(wants(0, 1, 2))
    assert made.commands == []
    (page,) = made.refusals
    assert (page.guard, page.number) == ("approval", "")
    assert page.detail.startswith("3 numbers wait, more than 2: a person decides until 20")
    return table, page.detail.rpartition(" ")[2]


def test_two_that_wait_need_nobody() -> None:
    assert len(braked(brake_above="100%", approval=2).step(wants(0, 1)).commands) == 2


def test_a_person_lets_them_go_ahead() -> None:
    table, name = waiting()
    assert [(each.kind, each.pool, each.id) for each in table.desk.incidents] == [
        ("approval", "a", name)
    ]
    made = table.step(wants(0, 1, 2), manual=[order("approve", ref=name)])
    assert len(made.commands) == 3
    (row,) = [row for row in made.changes if row.id == answer_id("approve-")]
    assert in_words(row) == f"done: approved for a, {name}; because"


def test_lesson_24_of_two_approvals_one_is_too_late() -> None:
    table, name = waiting()
    both = [order("approve", ref=name, id="1"), order("approve", ref=name, id="2", who="li")]
    made = table.step(wants(0, 1, 2), manual=both)
    assert len(made.commands) == 3
    late = next(row for row in made.changes if row.id == answer_id("2"))
    assert was_refused(late)
    assert in_words(late) == "refused: approve: mei has approved it already"
    again = table.step(manual=[order("approve", ref=name, id="3")])
    assert was_refused(again.changes[0])


def test_what_nobody_asked_for_cannot_be_approved() -> None:
    table, _ = waiting()
    (row,) = table.step(wants(0, 1, 2), manual=[order("approve", ref="0123abcd")]).changes
    assert in_words(row) == "refused: approve: '0123abcd' is not asked for, or was and is over"


def test_a_request_is_over_after_its_time_and_asked_anew() -> None:
    table, name = waiting()
    began = table.now
    made = table.until(began + 40 * MINUTE_MS, wants(0, 1, 2))
    (page,) = [refusal for each in made for refusal in each.refusals]
    assert page.at_ms == began + 30 * MINUTE_MS
    assert page.detail.rpartition(" ")[2] != name
    late = table.step(wants(0, 1, 2), manual=[order("approve", ref=name)])
    assert (late.commands, was_refused(late.changes[0])) == ([], True)


def test_an_approval_holds_for_as_long() -> None:
    table, name = waiting()
    table.step(wants(0, 1, 2), manual=[order("approve", ref=name)])
    table.now += 20 * MINUTE_MS
    assert len(table.step(wants(3, 4, 5)).commands) == 3
    table.now += 20 * MINUTE_MS
    assert [r.guard for r in table.step(wants(6, 7, 8)).refusals] == ["approval"]


def test_fewer_that_wait_need_it_no_more() -> None:
    table, _ = waiting()
    assert len(table.step(wants(0, 1)).commands) == 2


def test_an_approval_goes_over_no_other_guard() -> None:
    table = braked(brake_above="100%", approval=2, max_fraction="10%")
    page = table.step(wants(0, 1, 2)).refusals[0]
    approve = order("approve", ref=page.detail.rpartition(" ")[2])
    assert len(table.step(wants(0, 1, 2), manual=[approve]).commands) == 2


# -- rates and rules ---------------------------------------------------------------------------


def test_a_pool_has_a_rate_of_its_own() -> None:
    pools = {
        "a": {"numbers": numbers(9), "max_fraction": "100%", "rate": "2/10m"},
        "b": {"numbers": ["m"]},
    }
    table = Table(pools)
    made = table.step([*wants(0, 1, 2), want("m")])
    assert [command.number for command in made.commands] == ["m", "n000", "n001"]
    assert [(r.number, r.guard, r.pool) for r in made.refusals] == [("n002", "pool_rate", "a")]
    start = table.now
    (command,) = [c for s in table.until(start + HOUR_MS, wants(2)) for c in s.commands][:1]
    assert (command.number, command.at_ms) == ("n002", start + 10 * MINUTE_MS)


def test_a_rule_may_tighten_its_pools_guards() -> None:
    tight: dict[str, Any] = {"max_fraction": Fraction(1, 10), "min_left": None}
    assert len(braked(brake_above="100%").step(wants(0, 1, 2, **tight)).commands) == 2
    left = {"max_fraction": None, "min_left": 19}
    assert len(braked(brake_above="100%").step(wants(0, 1, 2, **left)).commands) == 1


def test_a_rule_may_not_loosen_them() -> None:
    table = braked(brake_above="100%", max_fraction="10%", min_left=19)
    loose = {"max_fraction": Fraction(1), "min_left": 0}
    assert len(table.step(wants(0, 1, 2, **loose)).commands) == 1


def test_older_checkpoints_knew_of_none_of_it() -> None:
    table = braked()
    (command,) = table.step(wants(0)).commands
    table.step(acks=[applied(command)])
    state = table.desk.snapshot()
    kept = {name: state["admission"][name] for name in ("frozen_by", "recent")}
    other = braked()
    other.desk.restore({**state, "admission": kept})
    assert other.desk.held == {"n000"}


# -- for people --------------------------------------------------------------------------------


def test_what_stands_still_is_named_with_how_many_wait() -> None:
    table = braked(brake_above="100%", approval=2)
    table.step(wants(0, 1, 2))
    (asked,) = table.desk.held_up()
    assert (asked.kind, asked.pool, asked.waiting) == ("approval", "a", 3)
    assert asked.until_ms is not None
    table.step(wants(0, 1, 2), manual=[order("approve", ref=asked.ref)])
    (given,) = table.desk.held_up()
    assert (given.approved_by, given.waiting) == ("mei", 0)


def test_a_pool_at_its_floor_is_named_until_nobody_waits() -> None:
    for guards, kind in (({"max_fraction": "10%"}, "max_fraction"), ({"min_left": 18}, "min_left")):
        table = Table({"a": {"numbers": numbers(20), "max_fraction": "100%", **guards}})
        table.step(wants(0, 1))
        assert table.desk.held_up() == [], "nobody waits"
        begun = table.now + TICK_MS
        table.step(wants(0, 1, 2))
        (floor,) = table.desk.held_up()
        assert (floor.kind, floor.pool, floor.waiting, floor.since_ms) == (kind, "a", 1, begun)
        table.step(wants(0, 1))
        assert table.desk.held_up() == []

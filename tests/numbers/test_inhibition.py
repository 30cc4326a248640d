"""Which alerts a page of a whole pool stands for, and of which ends people hear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.decisions import Alert
from monitor.numbers import inhibition
from tests.numbers.made import HOUR_MS, Table, numbers, want
from tests.store.made import alert


def braked(size: int = 20) -> Table:
    pool = {"numbers": numbers(size), "max_fraction": "100%", "brake_above": "20%"}
    return Table({"a": pool}, rate="1000/1h")


def about(number: str, **changes: Any) -> Alert:
    return alert(scope=(("number", number),), episode=f"e-{number}", **changes)


def all_want(count: int = 20) -> list[Any]:
    return [want(number) for number in numbers(count)]


def test_before_there_is_a_page_everything_is_told() -> None:
    table = braked()
    few = all_want(2)
    table.step(few)
    (told,) = table.desk.inhibit([about("n000")], few)
    assert told.inhibited_by == ""
    assert table.desk.inhibit([], few) == []


def test_the_page_is_named_and_the_end_of_what_nobody_heard_is_not_told() -> None:
    table = braked()
    (page,) = table.step(all_want()).refusals
    (told,) = table.desk.inhibit([about("n000")], all_want())
    assert told.inhibited_by == page.id
    (end,) = table.desk.inhibit([about("n000", state="resolved")], all_want())
    assert end.inhibited_by == page.id


def test_who_heard_of_the_beginning_hears_of_the_end() -> None:
    table = braked()
    table.step(all_want())
    escalated = about("n000", reason="escalated")
    (told,) = table.desk.inhibit([escalated], all_want())
    assert told.inhibited_by
    (end,) = table.desk.inhibit([about("n000", state="resolved")], all_want())
    assert end.inhibited_by == ""


def test_what_is_told_again_after_the_wave_is_known_from_then_on() -> None:
    table = braked()
    table.step(all_want())
    table.desk.inhibit([about("n000"), about("n001"), about("n002")], all_want())
    table.step([], after=2 * HOUR_MS)
    assert table.desk.incidents == ()
    again, out, over = table.desk.inhibit(
        [
            about("n000", reason="repeat"),
            about("n001", state="resolved", reason="suspended"),
            about("n002", state="resolved", reason="recovered"),
        ],
        [],
    )
    assert (again.inhibited_by, out.inhibited_by) == ("", "")
    assert over.inhibited_by, "nobody heard that it began"
    (end,) = table.desk.inhibit([about("n000", state="resolved")], [])
    assert end.inhibited_by == ""


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "another"},
        {"route": "quality"},
        {"shadow": True},
        {"scope": (("agent", "a-1"),)},
        {"scope": (("number", "of-no-pool"),)},
    ],
)
def test_what_the_page_does_not_stand_for_is_told(other: dict[str, Any]) -> None:
    table = braked()
    table.step(all_want())
    (told,) = table.desk.inhibit([replace(about("n000"), **other)], all_want())
    assert told.inhibited_by == ""


def test_a_number_that_is_spared_for_its_agent_is_no_part_of_it() -> None:
    table = braked()
    wants = [*all_want(19), want("n019", blamed="a-1", spared="agent a-1 is bad everywhere")]
    table.step(wants)
    spared, part = table.desk.inhibit([about("n019"), about("n000")], wants)
    assert (spared.inhibited_by, bool(part.inhibited_by)) == ("", True)


def test_it_is_bounded_and_outlasts_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inhibition, "EPISODES_MAX", 2)
    table = braked()
    table.step(all_want())
    table.desk.inhibit([about(number) for number in ("n000", "n001", "n002")], all_want())
    other = braked()
    other.desk.restore(table.desk.snapshot())
    ends = [about(number, state="resolved") for number in ("n000", "n001", "n002")]
    told = other.desk.inhibit(ends, all_want())
    assert [bool(each.inhibited_by) for each in told] == [False, True, True]


def test_an_older_program_kept_nothing_of_it() -> None:
    table = braked()
    table.step(all_want())
    state = table.desk.snapshot()
    del state["inhibited"]
    for each in state["admission"]["incidents"]["open"]:
        del each["route"]
    other = braked()
    other.desk.restore(state)
    assert other.desk.incidents[0].route == ""

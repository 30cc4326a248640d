"""From when to when a rule is in force."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.decisions import iso
from monitor.rules.term import Term
from tests.rules.fakes import T0, TICK
from tests.rules.test_events import N, at, book, flag, rows


@pytest.mark.parametrize(
    ("tick", "holds"), [(99, False), (100, True), (199, True), (200, False), (201, False)]
)
def test_the_first_moment_is_in_and_the_last_is_out(tick: int, *, holds: bool) -> None:
    assert Term(100, 200).holds(tick) is holds


def test_without_ends_it_always_holds() -> None:
    assert Term().holds(-1)
    assert Term().next_tick(0, 5) is None


def test_the_ticks_at_which_something_changes() -> None:
    term = Term(12, 20)
    assert [term.next_tick(after, 5) for after in (0, 14, 15, 19, 20)] == [15, 15, 20, 20, None]


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("1970-01-02", 86_400_000),
        ("1970-01-02T00:00:00+08:00", 57_600_000),
        ("1970-01-02T00:00:00Z", 86_400_000),
    ],
)
def test_a_date_is_midnight_utc_and_a_time_has_its_zone(written: str, ms: int) -> None:
    assert flag(effective_from=written).effective_from == ms
    assert flag(effective_from=written).model_dump(mode="json")["effective_from"] == iso(ms)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"effective_from": "2026-01-01T00:00:00"}, "without its zone"),
        ({"effective_to": "tomorrow"}, "not a date"),
        ({"effective_to": True}, "not a date"),
        ({"effective_from": "2026-01-02", "effective_to": "2026-01-02"}, "is not after"),
    ],
)
def test_what_is_no_term_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        flag(**changes)


def test_events_count_from_the_first_tick_to_before_the_last() -> None:
    mine = book(flag(effective_from=T0 + 2 * TICK, effective_to=T0 + 4 * TICK))
    other = "+862150000008"
    mine.load(
        rows((1, "number.flagged", N), (2, "number.flagged", other), (4, "number.flagged", N))
    )
    assert at(mine, 1).alerts == []
    assert [dict(alert.scope)["number"] for alert in at(mine, 2).alerts] == [other]
    assert mine.next_event_tick(T0 + 3 * TICK) == T0 + 4 * TICK
    over = at(mine, 4)
    assert [(alert.state, alert.reason) for alert in over.alerts] == [("resolved", "rule_over")]
    assert over.wants == []


def test_what_it_suspended_is_still_cleared_when_it_is_over() -> None:
    mine = book(flag(effective_to=T0 + 2 * TICK))
    mine.load(rows((1, "number.flagged", N), (3, "number.cleared", N)))
    at(mine, 1)
    at(mine, 2)
    assert [(each.number, each.rule) for each in at(mine, 3).cleared] == [(N, "number-flagged")]

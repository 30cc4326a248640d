from __future__ import annotations

from datetime import date

import pytest

from monitor.errors import UsageError
from monitor.scorecards.periods import before, bounds, last_periods, parse_period, period_of
from monitor.windows.calendar import CalendarWindow
from tests.scorecards.made import ZONE


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026-W01", "2025-12-29", "2026-01-04"),
        ("2026-11-30", "2026-11-30", "2026-11-30"),
        ("2026-11-16..2026-12-15", "2026-11-16", "2026-12-15"),
    ],
)
def test_periods_are_named(text: str, first: str, last: str) -> None:
    found = parse_period(text, ZONE)
    assert (found.first.isoformat(), found.last.isoformat(), found.label) == (first, last, text)


@pytest.mark.parametrize(
    "text",
    [
        "november",
        "2026-13",
        "2026-W54",
        "2026-02-30",
        "2026-02-02..2026-02-01",
        "2024-01-01..2026-01-01",
    ],
)
def test_what_names_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=text.split("..", maxsplit=1)[0]):
        parse_period(text, ZONE)


def test_a_month_may_begin_on_another_day_and_is_named_by_its_end() -> None:
    found = parse_period("2026-01", ZONE, month_begins=26)
    assert (found.first, found.last) == (date(2025, 12, 26), date(2026, 1, 25))
    assert period_of(date(2025, 12, 26), "month", ZONE, month_begins=26) == found
    assert period_of(date(2025, 12, 25), "month", ZONE, month_begins=26).label == "2025-12"
    assert before(found, month_begins=26).label == "2025-12"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-01", "2025-12"),
        ("2026-W01", "2025-W52"),
        ("2026-03-01", "2026-02-28"),
        ("2026-03-01..2026-03-10", "2026-02-19..2026-02-28"),
    ],
)
def test_what_came_before(text: str, wanted: str) -> None:
    assert before(parse_period(text, ZONE)).label == wanted


def test_several_follow_each_other() -> None:
    found = last_periods(parse_period("2026-02", ZONE), 3)
    assert [each.label for each in found] == ["2025-12", "2026-01", "2026-02"]
    assert [one.end_ms for one in found[:-1]] == [two.start_ms for two in found[1:]]
    assert bounds(found) == (found[0].start_ms, found[-1].end_ms)
    with pytest.raises(UsageError, match="0 periods"):
        last_periods(found[0], 0)


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu"]
)
@pytest.mark.parametrize("kind", ["day", "week", "month"])
def test_bounds_are_those_of_calendar_windows(zone: str, kind: str) -> None:
    window = CalendarWindow(kind, zone, 5_000)  # type: ignore[arg-type]  # the parameters are
    for day in (date(2026, 3, 29), date(2026, 9, 6), date(2026, 10, 25), date(2026, 12, 31)):
        found = period_of(day, kind, zone)  # type: ignore[arg-type]
        assert window.pane_of(found.start_ms) == found.start_ms
        assert window.pane_end(found.start_ms) == found.end_ms


def test_the_day_clocks_change_is_longer() -> None:
    found = parse_period("2026-10-25", "Europe/Berlin")
    assert found.end_ms - found.start_ms == 25 * 3_600_000

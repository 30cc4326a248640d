"""Pay periods: local days, ISO weeks, months (from any day on), or dates as given.

Owns labels and bounds. A period begins at local midnight of its first day and ends before that of
the day after its last; where clocks jump over midnight, at the jump.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from monitor.errors import UsageError

Kind = Literal["day", "week", "month"]

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")
_HINT = "write 2026-11, 2026-W48, 2026-11-30 or 2026-11-16..2026-12-15"
DAYS_MAX = 400
PERIODS_MAX = 120
"""That are worked out at once: ten years of months."""


@dataclass(frozen=True, slots=True)
class Period:
    """From one local midnight to another."""

    first: date
    last: date
    zone: str
    label: str

    @property
    def start_ms(self) -> int:
        """Of its first instant."""
        return midnight_ms(self.first, self.zone)

    @property
    def end_ms(self) -> int:
        """Of the first instant after it."""
        return midnight_ms(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        """Local days in it."""
        return (self.last - self.first).days + 1

    def meets(self, first: date, last: date) -> bool:
        """Whether it has days in common with these, both included."""
        return self.first <= last and first <= self.last


def midnight_ms(day: date, zone: str) -> int:
    """The first instant that local clocks show midnight of ``day``, or jump over it."""
    moment = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    offset = moment.utcoffset()
    assert offset is not None  # noqa: S101 - ZoneInfo always knows its offset
    since = datetime(day.year, day.month, day.day) - datetime(1970, 1, 1)  # noqa: DTZ001
    return (since - offset) // timedelta(milliseconds=1)


def parse_period(text: str, zone: str, *, month_begins: int = 1) -> Period:
    """The period that ``text`` names.

    A month that begins on another day than the first is named by the month it ends in.

    Raises:
        UsageError: it names none.
    """
    try:
        if match := _MONTH.fullmatch(text):
            return _month(int(match[1]), int(match[2]), zone, month_begins)
        if match := _WEEK.fullmatch(text):
            monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return Period(monday, monday + timedelta(days=6), zone, text)
        if match := _DATES.fullmatch(text):
            first = date.fromisoformat(match[1])
            last = date.fromisoformat(match[2] or match[1])
            if not 0 <= (last - first).days < DAYS_MAX:
                msg = f"'{text}' ends before it begins, or is longer than {DAYS_MAX} days"
                raise UsageError(msg)
            return Period(first, last, zone, text)
    except ValueError as error:
        msg = f"'{text}' is no period: {error}"
        raise UsageError(msg) from error
    msg = f"'{text}' is no period: {_HINT}"
    raise UsageError(msg)


def period_of(day: date, kind: Kind, zone: str, *, month_begins: int = 1) -> Period:
    """The period of that kind which ``day`` lies in."""
    if kind == "day":
        return Period(day, day, zone, day.isoformat())
    if kind == "week":
        year, week, _ = day.isocalendar()
        return parse_period(f"{year}-W{week:02}", zone)
    year, month = day.year, day.month
    if month_begins > 1 and day.day >= month_begins:
        year, month = (year + month // 12, month % 12 + 1)
    return _month(year, month, zone, month_begins)


def before(period: Period, *, month_begins: int = 1) -> Period:
    """The one before of the same kind; of dates as given, as many days before."""
    day = period.first - timedelta(days=1)
    if _MONTH.fullmatch(period.label):
        return period_of(day, "month", period.zone, month_begins=month_begins)
    if _WEEK.fullmatch(period.label):
        return period_of(day, "week", period.zone)
    first = period.first - timedelta(days=period.days)
    if first == day:
        return Period(day, day, period.zone, day.isoformat())
    return Period(first, day, period.zone, f"{first}..{day}")


def last_periods(newest: Period, count: int, *, month_begins: int = 1) -> list[Period]:
    """So many periods up to ``newest``, the oldest first.

    Raises:
        UsageError: none, or too many.
    """
    if not 1 <= count <= PERIODS_MAX:
        msg = f"{count} periods: 1 to {PERIODS_MAX} can be worked out at once"
        raise UsageError(msg)
    found = [newest]
    while len(found) < count:
        found.append(before(found[-1], month_begins=month_begins))
    return found[::-1]


def bounds(periods: Sequence[Period]) -> tuple[int, int]:
    """From the first instant of all of them to the last, ms."""
    return min(each.start_ms for each in periods), max(each.end_ms for each in periods)


def _month(year: int, month: int, zone: str, begins: int) -> Period:
    label = f"{year:04}-{month:02}"
    this = date(year, month, begins)
    if begins == 1:
        after = date(year + month // 12, month % 12 + 1, 1)
        return Period(this, after - timedelta(days=1), zone, label)
    first = date(year - (month == 1), (month - 2) % 12 + 1, begins)
    return Period(first, this - timedelta(days=1), zone, label)

"""Calendar windows: the local day, ISO week or month that holds the millisecond before the tick.

And rolling days: that day and the ones before it. Owns the cut of time at local midnights, daylight
saving included. A period begins at the *first* instant that local clocks show midnight of its first
day; where clocks jump over midnight it begins at the jump. So a day lasts 23 to 25 hours where
clocks change, and zones off by 15 minutes (Nepal) are cut on their own midnight, not on a UTC pane.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from monitor.windows.arrays import Int64, column

Period = Literal["day", "week", "month"]

GRAIN_MS = 900_000
"""All offsets from UTC in force since 1972 are multiples of a quarter of an hour."""

_LENGTH_MAX_H = {"day": 26, "week": 170, "month": 746}
"""Hours a period lasts at most; clocks change by an hour, in a few zones by two."""
_YEAR_MIN, _YEAR_MAX = 2, 9_990


class CalendarWindow:
    """The period of ``zone`` that contains ``tick - 1`` ms; its one pane is the period itself."""

    def __init__(self, period: Period, zone: str, tick_ms: int) -> None:
        """Cut time into ``period``s of the IANA zone ``zone``.

        Raises:
            ValueError: the tick does not divide a quarter of an hour, so that a period's end would
                lie between two ticks.
            zoneinfo.ZoneInfoNotFoundError: no such zone.
        """
        if GRAIN_MS % tick_ms:
            msg = f"a calendar window needs a tick that divides 15 min, not {tick_ms} ms"
            raise ValueError(msg)
        self.period: Period = period
        self.zone = ZoneInfo(zone)
        self.key = f"{period}@{zone}"
        self.tick_ms = tick_ms
        self.length_ms = _LENGTH_MAX_H[period] * 3_600_000
        self._first_year = self._last_year = 0
        self._starts = np.empty(0, dtype=np.int64)
        self._last = (0, 0)
        """Start and end of the period asked for last."""

    @property
    def identity(self) -> str:
        """All that membership depends on, short of the time zone database itself."""
        return f"calendar {self.key}, tick {self.tick_ms}"

    @property
    def grain_ms(self) -> int:
        """A quarter of an hour."""
        return GRAIN_MS

    @property
    def keeps_closed(self) -> bool:
        """A closed period keeps its figure until no late row can come."""
        return True

    def pane_start(self, times: Int64) -> Int64:
        """The start of the period that holds each time."""
        if len(times) == 0:
            return times
        self._cover(int(times.min()), int(times.max()))
        return self._starts[np.searchsorted(self._starts, times, side="right") - 1]

    def pane_of(self, time_ms: int) -> int:
        """The start of the period that holds one time; mostly the one that was asked for last."""
        start, end = self._last
        if not start <= time_ms < end:
            start = int(self.pane_start(column([time_ms]))[0])
            self._last = start, self.pane_end(start)
        return start

    def pane_end(self, pane: int) -> int:
        """The start of the period after."""
        self._cover(pane, pane)
        return int(self._starts[np.searchsorted(self._starts, pane, side="right")])

    def lo(self, tick: int) -> int:
        """The start of the period that contains ``tick - 1`` ms."""
        return self.pane_of(tick - 1)

    def first_tick(self, bound: int) -> int:
        """The first aligned tick T with ``lo(T) >= bound``."""
        start = self.pane_of(bound)
        boundary = bound if start == bound else self.pane_end(start)
        return boundary - boundary % self.tick_ms + self.tick_ms

    def edges(self, start: int, end: int) -> Int64:
        """Starts of all periods that meet ``[start, end)``."""
        self._cover(start, end)
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, end, side="left"))
        return self._starts[first:last]

    def _cover(self, first_ms: int, last_ms: int) -> None:
        """Have the starts of all periods from before ``first_ms`` to after ``last_ms``."""
        first = self._local_year(first_ms) - 1
        last = self._local_year(last_ms) + 1
        if len(self._starts):
            first, last = min(first, self._first_year), max(last, self._last_year)
            if (first, last) == (self._first_year, self._last_year):
                return
        self._first_year, self._last_year = first, last
        days = _first_days(self.period, first, last)
        self._starts = np.unique(column([self._midnight_ms(day) for day in days]))

    def _local_year(self, time_ms: int) -> int:
        # A float is exact enough for the year: the margin is a whole year either side.
        year = 1970 + int(time_ms // 31_556_952_000)
        return min(max(year, _YEAR_MIN), _YEAR_MAX)

    def _midnight_ms(self, day: date) -> int:
        # fold=0 is the first of two midnights, and the instant of the jump where there is none.
        moment = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        offset = moment.utcoffset()
        assert offset is not None  # noqa: S101 - ZoneInfo always knows its offset
        since = datetime(day.year, day.month, day.day) - datetime(1970, 1, 1)  # noqa: DTZ001
        return (since - offset) // timedelta(milliseconds=1)


class RollingDays(CalendarWindow):
    """So many local days, the last of which contains ``tick - 1`` ms; a pane is a day.

    Days are those of the zone: a day that never was (Samoa, 30 December 2011) is none of them.
    """

    def __init__(self, days: int, zone: str, tick_ms: int) -> None:
        """Take in today and the ``days - 1`` before; errors as of :class:`CalendarWindow`.

        Raises:
            ValueError: not at least one day.
        """
        super().__init__("day", zone, tick_ms)
        if days < 1:
            msg = f"a window of {days} days"
            raise ValueError(msg)
        self.days = days
        self.key = f"{days}d@{zone}"
        self.length_ms = (days * 24 + 2) * 3_600_000

    @property
    def identity(self) -> str:
        """All that membership depends on, short of the time zone database itself."""
        return f"days {self.key}, tick {self.tick_ms}"

    @property
    def keeps_closed(self) -> bool:
        """A day that leaves is no figure of its own."""
        return False

    def lo(self, tick: int) -> int:
        """The start of the first of the days."""
        today = self.pane_of(tick - 1)
        return self._start_at(today, 1 - self.days)

    def first_tick(self, bound: int) -> int:
        """The first aligned tick T with ``lo(T) >= bound``."""
        day = self.pane_of(bound)
        first = day if day == bound else self.pane_end(day)
        boundary = self._start_at(first, self.days - 1)
        return boundary - boundary % self.tick_ms + self.tick_ms

    def _start_at(self, day: int, further: int) -> int:
        """The start of the day so many after the one that starts at ``day``."""
        span = abs(further) * 86_400_000
        self._cover(day - span, day + span)
        return int(self._starts[np.searchsorted(self._starts, day) + further])


def _first_days(period: Period, first_year: int, last_year: int) -> list[date]:
    """First days of all periods that begin in the years, both included, and of one before."""
    if period == "month":
        return [
            date(year, month, 1)
            for year in range(first_year, last_year + 1)
            for month in range(1, 13)
        ]
    day = date(first_year, 1, 1)
    step = timedelta(days=1)
    if period == "week":
        day -= timedelta(days=day.weekday())
        step = timedelta(days=7)
    count = (date(last_year, 12, 31) - day) // step + 1
    return [day + step * index for index in range(count)]

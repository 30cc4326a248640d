"""Time that counts: all of it, or only the working hours of a place.

Owns the length of what counts between two moments. Working hours are cut in local time, daylight
saving included, and half-open: at their end they are over. Milliseconds are exact.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from monitor.windows.arrays import Bool, Int64, column

FIRST, LAST = date(1999, 1, 1), date(2102, 1, 1)
"""Nothing is worked before and after."""
NEVER_AGAIN = 2**61


class Hours(Protocol):
    """A clock that stands still while nothing counts."""

    def worked(self, times: Int64) -> Int64:
        """What counts up to each time, ms; only differences mean anything."""
        ...

    def after(self, times: Int64, length_ms: int) -> Int64:
        """The first moment at which so much has counted since each time; none is before it."""
        ...

    def inside(self, times: Int64) -> Bool:
        """Whether time counts at each moment."""
        ...

    def next_moving(self, time: int, step_ms: int) -> int:
        """The first multiple of ``step_ms`` after ``time`` by which more has counted."""
        ...


class AllHours:
    """Every millisecond counts."""

    def worked(self, times: Int64) -> Int64:
        """The times themselves."""
        return times

    def after(self, times: Int64, length_ms: int) -> Int64:
        """So much later."""
        return times + length_ms

    def inside(self, times: Int64) -> Bool:
        """Always."""
        return np.ones(len(times), dtype=np.bool_)

    def next_moving(self, time: int, step_ms: int) -> int:
        """The next one."""
        return time - time % step_ms + step_ms


class WorkingHours:
    """The hours from ``starts`` to ``ends``, ms, ascending; nothing else counts."""

    def __init__(self, starts: Int64, ends: Int64) -> None:
        self._starts, self._ends = starts, ends
        self._done = np.cumsum(ends - starts)
        """What has counted at the end of each."""

    def worked(self, times: Int64) -> Int64:
        """What counts up to each time."""
        place = np.searchsorted(self._ends, times, side="right")
        within = np.minimum(place, len(self._ends) - 1)
        before = np.where(place > 0, self._done[place - 1], 0)
        partly = np.where(place < len(self._ends), times - self._starts[within], 0)
        found: Int64 = before + np.maximum(partly, 0)
        return found

    def after(self, times: Int64, length_ms: int) -> Int64:
        """The first moment at which so much has counted."""
        wanted = self.worked(times) + length_ms
        place = np.searchsorted(self._done, wanted, side="left")
        within = np.minimum(place, len(self._done) - 1)
        found = self._ends[within] - (self._done[within] - wanted)
        found = np.where(place < len(self._done), found, NEVER_AGAIN)
        return np.maximum(found, times)

    def inside(self, times: Int64) -> Bool:
        """Whether each moment is in the hours."""
        place = np.searchsorted(self._ends, times, side="right")
        within = np.minimum(place, len(self._ends) - 1)
        found: Bool = (place < len(self._ends)) & (times >= self._starts[within])
        return found

    def next_moving(self, time: int, step_ms: int) -> int:
        """The one after the next millisecond that counts."""
        looked = time - time % step_ms  # what came after that was not looked at
        place = int(np.searchsorted(self._ends, looked, side="right"))
        if place == len(self._ends):
            return NEVER_AGAIN
        start = max(looked, int(self._starts[place]))
        return start - start % step_ms + step_ms


@lru_cache(maxsize=32)
def working_hours(
    zone: str, from_min: int, to_min: int, days: frozenset[int], closed: frozenset[date]
) -> WorkingHours:
    """The hours of every day in ``days`` (Monday is 0) that is not ``closed``, in local time.

    ``from_min``, ``to_min``: minutes after midnight, up to 1440.
    """
    tz = ZoneInfo(zone)
    starts, ends = [], []
    day = FIRST
    while day < LAST:
        if day.weekday() in days and day not in closed:
            begin, end = _moment(day, from_min, tz), _moment(day, to_min, tz)
            starts.append(begin)
            ends.append(max(begin, end))  # an hour that the clocks leave out is none
        day += timedelta(days=1)
    return WorkingHours(column(starts), column(ends))


def _moment(day: date, minute: int, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    return int(local.timestamp()) * 1_000

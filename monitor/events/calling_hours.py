"""Hours that a customer may be called in: whether a moment is within them where the customer is.

Owns the notation and the comparison with local clocks, daylight saving included; where the customer
is, is ``monitor.events.places``. The notation is ranges, with days before them or without, in any
number of groups::

    8:00-21:00
    Mon-Fri 10:00-13:00 14:00-20:00
    Mon-Fri 8:00-20:00, Sat Sun 10:00-18:00

A range is half-open: at 21:00:00 it is over. ``24:00`` is the end of the day.

**Several possible zones.** A moment is within hours only where it is so in every zone the customer
may be in, and is a holiday where it is one in any of them: that is how a limit is read that one may
not break. Where nothing is known of the zone, or of the moment, the answer is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.events.places import Whereabouts
from monitor.events.public_holidays import public_holidays

Bool = npt.NDArray[np.bool_]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = 1_440
"""Minutes."""
_NULL: Final = -1
_DAYS = re.compile(r"([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))?")
_RANGE = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")


@lru_cache(maxsize=256)
def parse_hours(text: str) -> Bool:
    """Which minutes of the week, from Monday 0:00, are within; shape (10080,).

    Raises:
        ValueError: not in the notation; the message says what is wrong.
    """
    week = np.zeros((len(DAYS), _DAY), np.bool_)
    for group in text.split(","):
        days: list[int] = []
        ranges: list[tuple[int, int]] = []
        for word in group.split():
            if found := _RANGE.fullmatch(word):
                ranges.append(_range(word, *map(int, found.groups())))
            elif (found := _DAYS.fullmatch(word)) and not ranges:
                days += _days(*found.groups())
            else:
                msg = f"{word!r} is neither days, such as Mon-Fri, nor hours after them"
                raise ValueError(msg)
        if not ranges:
            msg = f"{group.strip()!r} has no hours, such as 8:00-21:00"
            raise ValueError(msg)
        for start, end in ranges:
            week[days or slice(None), start:end] = True
    flat = week.reshape(-1)
    flat.setflags(write=False)
    return flat


def _range(word: str, hour: int, minute: int, end_hour: int, end_minute: int) -> tuple[int, int]:
    start, end = 60 * hour + minute, 60 * end_hour + end_minute
    if minute > 59 or end_minute > 59 or end > _DAY:
        msg = f"{word!r} is no time of day"
        raise ValueError(msg)
    if start >= end:
        msg = f"{word!r} ends before it begins; split it at 24:00"
        raise ValueError(msg)
    return start, end


def _days(first: str, last: str | None) -> list[int]:
    for day in (first, last or first):
        if day not in DAYS:
            msg = f"{day!r} is no day; they are {' '.join(DAYS)}"
            raise ValueError(msg)
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        msg = f"{first}-{last} goes backwards"
        raise ValueError(msg)
    return list(range(begin, end + 1))


def within_hours(times: pl.Series, customers: pl.Series, given: pl.Series, hours: str) -> pl.Series:
    """Whether each moment is within ``hours`` on the customer's clock; Boolean, with nulls.

    Args:
        times: ms since 1970 UTC, null where there is none.
        customers: E.164, or anything else.
        given: ``customer_tz``.
        hours: see the module.
    """
    week = parse_hours(hours)

    def is_in(clock: pl.Series) -> Bool:
        minute = (
            (clock.dt.weekday().cast(pl.Int32) - 1) * _DAY
            + clock.dt.hour().cast(pl.Int32) * 60
            + clock.dt.minute().cast(pl.Int32)
        )
        inside: Bool = week[minute.to_numpy()]
        return inside

    return _in_each_zone(times, Whereabouts.of(customers, given), is_in, every=True)


def is_holiday(times: pl.Series, customers: pl.Series, given: pl.Series, place: str) -> pl.Series:
    """Whether the customer's local day is a public holiday of ``place``, such as FR or FR-57.

    As :func:`within_hours` otherwise.
    """
    closed = public_holidays(place)

    def is_in(clock: pl.Series) -> Bool:
        return np.isin(clock.dt.date().to_numpy(), closed)

    return _in_each_zone(times, Whereabouts.of(customers, given), is_in, every=False)


def _in_each_zone(
    times: pl.Series, where: Whereabouts, is_in: Callable[[pl.Series], Bool], *, every: bool
) -> pl.Series:
    """What ``is_in`` says of the local clocks, over every zone a row may be in, or over any.

    Asked once for a zone and a minute, not for a row: no clock of this century is off by less.
    """
    found = np.full(len(times), _NULL, np.int8)
    rows = np.flatnonzero(times.is_not_null().to_numpy() & (where.code >= 0))
    codes = where.code[rows]
    at = times.to_numpy()[rows].astype(np.int64)
    minutes, minute = np.unique(at // 60_000, return_inverse=True)
    utc = pl.from_epoch(pl.Series(minutes * 60), time_unit="s").dt.replace_time_zone("UTC")
    answers: dict[str, Bool] = {}
    join = np.logical_and if every else np.logical_or
    for code in np.unique(codes).tolist():
        zones = where.zones[code]
        for zone in zones:
            if zone not in answers:
                answers[zone] = is_in(utc.dt.convert_time_zone(zone))
        mine = codes == code
        found[rows[mine]] = join.reduce([answers[zone] for zone in zones])[minute[mine]]
    answer = pl.Series(found == 1)
    return answer.set(pl.Series(found == _NULL), None)

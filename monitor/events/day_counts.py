"""How long it is from one time to another: in hours, local days and business days.

Owns the counting on whole columns. All of it is null where either time is.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from monitor.events.public_holidays import public_holidays


def hours_between(first: pl.Series, last: pl.Series) -> pl.Series:
    """From ``first`` to ``last``, both ms since 1970 UTC, as Float64 hours; negative backwards."""
    return (last - first).cast(pl.Float64) / 3_600_000


def days_between(first: pl.Series, last: pl.Series, zone: str) -> pl.Series:
    """Midnights of ``zone`` from ``first`` to ``last``: 0 on one day, 1 on the next; Float64."""
    apart = _dates(last, zone) - _dates(first, zone)
    return apart.dt.total_days().cast(pl.Float64)


def business_days_between(first: pl.Series, last: pl.Series, place: str, zone: str) -> pl.Series:
    """Business days after the day of ``first``, up to and with that of ``last``; Float64.

    The day after is the first, if it is one: Monday to Friday without the public holidays of
    ``place``; days are those of ``zone``. So "within ten business days" is at most 10. Backwards it
    is as many, and negative.
    """
    known = first.is_not_null() & last.is_not_null()
    one, other = (
        _dates(times.filter(known), zone).to_numpy().astype("datetime64[D]")
        for times in (first, last)
    )
    begin, end = np.minimum(one, other) + 1, np.maximum(one, other) + 1
    count = np.busday_count(begin, end, holidays=public_holidays(place))
    found = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(first))
    return found.scatter(known.arg_true(), np.where(one > other, -count, count).astype(np.float64))


def _dates(times: pl.Series, zone: str) -> pl.Series:
    utc = pl.from_epoch(times, time_unit="ms").dt.replace_time_zone("UTC")
    return utc.dt.convert_time_zone(zone).dt.date()

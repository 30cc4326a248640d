"""Event times: RFC 3339 text or integer milliseconds → int64 ms since 1970 UTC.

Owns both readings, one value at a time and a column at once; every value that the column reading
takes, the single one reads alike. What is not plainly a time in the sane range is left to the
single reading, which says why not.

The range is 2000 to 2100: it catches seconds sent for milliseconds (1970), the year 9999 and other
"never" values, which would otherwise move a watermark.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

TIME_MS_MIN = 946_684_800_000
"""2000-01-01T00:00:00Z, itself allowed."""
TIME_MS_MAX = 4_102_444_800_000
"""2100-01-01T00:00:00Z, itself refused."""

_RFC_3339 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_PARTS = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DIGITS = r"^[0-9]{12,13}$"


class NotATimeError(ValueError):
    """Raised when a value is no time that an event can have; the message is for people."""


def read_time(value: str | int) -> int:
    """Milliseconds since 1970 UTC of RFC 3339 text, or of an integer that is that already.

    Fractions of a second are cut to milliseconds. An offset or ``Z`` is required; leap seconds,
    24:00 and a date alone are not times.

    Raises:
        NotATimeError: not a time, or outside the sane range.
    """
    ms = value if isinstance(value, int) else _read_text(value)
    if TIME_MS_MIN <= ms < TIME_MS_MAX:
        return ms
    hint = "; seconds sent for milliseconds?" if TIME_MS_MIN <= ms * 1_000 < TIME_MS_MAX else ""
    msg = f"outside the years 2000 to 2099{hint}"
    raise NotATimeError(msg)


def _read_text(text: str) -> int:
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise NotATimeError("not RFC 3339 with an offset or Z")
    day, clock, fraction, offset = parts.groups()
    offset = "+00:00" if offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
        seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        raise NotATimeError("no such day or time of day") from None
    return seconds * 1_000 + int((fraction or "")[:3].ljust(3, "0"))


def column_ms(text: pl.Expr) -> pl.Expr:
    """Int64 ms of a String column of RFC 3339 text or digits; null where the reading is not sure.

    What is still to be checked: that it is :func:`in_range`, and that digits were an integer and
    not a text that looks like one (:func:`looks_integer`).
    """
    moment = pl.when(text.str.contains(_RFC_3339)).then(text)
    digits = pl.when(looks_integer(text)).then(text)
    return pl.coalesce(
        moment.str.to_datetime("%+", time_unit="ms", strict=False).dt.epoch("ms"),
        digits.cast(pl.Int64, strict=False),
    )


def in_range(ms: pl.Expr) -> pl.Expr:
    """Whether times are in the sane range."""
    return ms.is_between(TIME_MS_MIN, TIME_MS_MAX, closed="left")


def looks_integer(text: pl.Expr) -> pl.Expr:
    """Whether the text is digits alone, as many as milliseconds in the sane range have."""
    return text.str.contains(_DIGITS)

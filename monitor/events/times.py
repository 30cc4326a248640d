"""Event times: RFC 3339 text or integer milliseconds → int64 ms since 1970 UTC.

Owns the reading of one value, which says why something is no time; the many that plainly are one
are read by ``monitor.compiled.json_text``, and alike.

The range is 2000 to 2100: it catches seconds sent for milliseconds (1970), the year 9999 and other
"never" values, which would otherwise move a watermark.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from monitor.compiled.json_rows import TIME_MS_MAX, TIME_MS_MIN

__all__ = ["TIME_MS_MAX", "TIME_MS_MIN", "NotATimeError", "read_time"]

_PARTS = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


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

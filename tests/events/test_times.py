"""RFC 3339 and milliseconds, against the standard library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.columns import ColumnDecoder
from monitor.events.settings import RecordLimits
from monitor.events.times import TIME_MS_MAX, TIME_MS_MIN, NotATimeError, read_time
from tests.events.plain import plain

COLUMNS = ColumnDecoder((), (), RecordLimits())


def read_column(value: str) -> int | None:
    """What the fast reading makes of a time as it stands in JSON; None: it is left."""
    frame = plain(COLUMNS.decode([f'{{"id":"t","type":"t","time":{value}}}'.encode()]))
    return frame["time"][0] if frame.height else None


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.integers(0, 9),
)
def test_any_moment_in_any_offset(moment: datetime, offset: int, digits: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    fraction = f".{aware.microsecond:06d}000"[: digits + 1] if digits else ""
    text = aware.strftime("%Y-%m-%dT%H:%M:%S").zfill(19) + fraction
    sign = "-" if offset < 0 else "+"
    text += f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    shown = (fraction[1:] + "000")[:3]
    since = aware.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = since // timedelta(milliseconds=1) + int(shown)
    assert read_time(text) == expected
    assert read_column(f'"{text}"') == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2026-11-22", "not RFC 3339"),
        ("2026-11-22T01:00:60Z", "no such"),
        ("2026-11-22T24:00:00Z", "no such"),
        ("2026-02-29T01:00:00Z", "no such"),
        ("0001-01-01T00:00:00+23:59", "outside"),
        (TIME_MS_MIN - 1, "outside"),
        (TIME_MS_MAX, "outside"),
        (1_795_309_200, "seconds sent for milliseconds"),
        (10**400, "outside"),
    ],
)
def test_what_is_no_time(value: str | int, message: str) -> None:
    with pytest.raises(NotATimeError, match=message):
        read_time(value)


@pytest.mark.parametrize("value", [TIME_MS_MIN, TIME_MS_MAX - 1])
def test_the_bounds_themselves(value: int) -> None:
    assert read_time(value) == value
    assert read_column(str(value)) == value
    assert read_column(str(value + (1 if value == TIME_MS_MAX - 1 else -1))) is None


@pytest.mark.parametrize(
    "text", ["2026-11-22T01:00:60Z", "2026-11-22T01:00:00+24:00", "2026-11-22T01:00:00.Z", "17e11"]
)
def test_the_column_reading_leaves_doubt_to_the_single_one(text: str) -> None:
    assert read_column(f'"{text}"') is None

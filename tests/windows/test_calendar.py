"""Calendar periods against local dates, in ordinary zones and in the strangest there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from monitor.windows.arrays import column
from monitor.windows.calendar import CalendarWindow, Period, RollingDays

TICK = 5_000
HOUR = 3_600_000
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # clocks change by half an hour
    "Pacific/Chatham",  # UTC+12:45
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def label(period: Period, zone: str, time: int) -> tuple[int, ...]:
    """The local period that holds ``time``, by its date alone."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
    day = moment.astimezone(ZoneInfo(zone)).date()
    if period == "week":
        return tuple(day.isocalendar()[:2])
    return (day.year, day.month, day.day)[: 3 if period == "day" else 2]


@settings(deadline=None)
@given(
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(ZONES),
    st.integers(ms("2001-01-01T00:00:00Z"), ms("2036-01-01T00:00:00Z")),
)
def test_a_pane_is_the_local_period(period: Period, zone: str, time: int) -> None:
    window = CalendarWindow(period, zone, TICK)
    start = window.pane_of(time)
    end = window.pane_end(start)
    own = label(period, zone, time)
    assert start <= time < end
    assert label(period, zone, start) == own == label(period, zone, end - 1)
    assert label(period, zone, start - 1) != own != label(period, zone, end)
    assert window.pane_start(column([start, time, end - 1, end])).tolist() == [start] * 3 + [end]
    assert end - start <= window.length_ms
    assert start % window.grain_ms == 0


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(ZONES),
    st.integers(ms("2026-01-01T00:00:00Z") // TICK, ms("2027-01-01T00:00:00Z") // TICK),
)
def test_at_a_tick_the_period_of_the_millisecond_before(
    period: Period, zone: str, number: int
) -> None:
    window = CalendarWindow(period, zone, TICK)
    tick = number * TICK
    assert window.lo(tick) == window.pane_of(tick - 1)
    end = window.pane_end(window.lo(tick))
    # A closed period is judged once more, when the watermark passes its end.
    assert window.lo(end) == window.lo(tick)
    assert window.lo(end + TICK) == end
    for bound in (end, end - 1, window.lo(tick) + 1):
        assert window.first_tick(bound) == end + TICK
    assert window.first_tick(window.lo(tick)) == window.lo(tick) + TICK


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00:00+02:00", 23.0),
        ("Europe/Berlin", "2026-10-25T12:00:00+01:00", 25.0),
        ("America/New_York", "2026-03-08T12:00:00-04:00", 23.0),
        ("America/New_York", "2026-11-01T12:00:00-05:00", 25.0),
        ("Asia/Kathmandu", "2026-11-30T12:00:00+05:45", 24.0),
        ("Australia/Lord_Howe", "2026-10-04T12:00:00+11:00", 23.5),
        # Clocks jump over midnight: the day begins at the jump.
        ("America/Sao_Paulo", "2018-11-04T12:00:00-02:00", 23.0),
        ("Asia/Beirut", "2022-03-27T12:00:00+03:00", 23.0),
        # Midnight comes twice: the day begins at the first.
        ("America/Havana", "2022-11-06T12:00:00-05:00", 25.0),
        # 00:01 became 23:01 of the day before: the first midnight is the one that counts.
        ("America/St_Johns", "2006-10-29T12:00:00-03:30", 25.0),
        # 30 December 2011 never was in Samoa.
        ("Pacific/Apia", "2011-12-29T12:00:00-10:00", 24.0),
        ("Pacific/Apia", "2011-12-31T12:00:00+14:00", 24.0),
    ],
)
def test_days_where_clocks_change(zone: str, day: str, hours: float) -> None:
    window = CalendarWindow("day", zone, TICK)
    start = window.pane_of(ms(day))
    end = window.pane_end(start)
    assert (end - start) / HOUR == hours
    assert start < ms(day) < end
    assert window.pane_of(start - 1) < start
    assert window.pane_of(end) == end


def test_samoa_went_from_thursday_to_saturday() -> None:
    window = CalendarWindow("day", "Pacific/Apia", TICK)
    thursday = window.pane_of(ms("2011-12-29T12:00:00-10:00"))
    assert window.pane_end(thursday) == window.pane_of(ms("2011-12-31T12:00:00+14:00"))


@pytest.mark.parametrize(
    ("period", "at", "start"),
    [
        ("week", "2026-11-30T00:00:00+08:00", "2026-11-30T00:00:00+08:00"),  # a Monday
        ("week", "2026-11-29T23:59:59.999+08:00", "2026-11-23T00:00:00+08:00"),
        ("week", "2027-01-03T12:00:00+08:00", "2026-12-28T00:00:00+08:00"),  # over the new year
        ("month", "2026-12-01T00:00:00+08:00", "2026-12-01T00:00:00+08:00"),
        ("month", "2026-11-30T23:59:59.999+08:00", "2026-11-01T00:00:00+08:00"),
        ("month", "2028-02-29T12:00:00+08:00", "2028-02-01T00:00:00+08:00"),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(period: Period, at: str, start: str) -> None:
    window = CalendarWindow(period, "Asia/Shanghai", TICK)
    assert window.pane_of(ms(at)) == ms(start)


def test_edges_cover_a_range_and_nothing_more() -> None:
    window = CalendarWindow("day", "Europe/Berlin", TICK)
    start, end = ms("2026-03-28T12:00:00+01:00"), ms("2026-03-30T12:00:00+02:00")
    days = [
        ms(text)
        for text in (
            "2026-03-28T00:00:00+01:00",
            "2026-03-29T00:00:00+01:00",
            "2026-03-30T00:00:00+02:00",
        )
    ]
    assert window.edges(start, end).tolist() == days
    assert window.edges(days[1], days[2]).tolist() == days[1:2]
    assert window.edges(days[1], days[2] + 1).tolist() == days[1:]
    assert window.edges(days[1] - 1, days[1]).tolist() == days[:1]


def test_times_far_from_those_before_are_found_too() -> None:
    window = CalendarWindow("day", "UTC", TICK)
    times = ["2026-05-05T12:00:00+00:00", "1970-01-01T00:00:00+00:00", "2150-06-01T01:00:00+00:00"]
    for text in times:
        assert window.pane_of(ms(text)) == ms(text) - ms(text) % (24 * HOUR)
    assert window.pane_start(column([])).tolist() == []


def test_a_tick_must_meet_every_midnight() -> None:
    CalendarWindow("day", "Asia/Kathmandu", 60_000)
    with pytest.raises(ValueError, match="divides 15 min"):
        CalendarWindow("day", "Asia/Kathmandu", 7_000)


def test_a_zone_must_exist() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        CalendarWindow("day", "Asia/Atlantis", TICK)


def test_identity_names_period_zone_and_tick() -> None:
    window = CalendarWindow("day", "UTC", TICK)
    assert window.key == "day@UTC"
    assert window.keeps_closed
    others = [
        CalendarWindow("week", "UTC", TICK),
        CalendarWindow("day", "Asia/Tokyo", TICK),
        CalendarWindow("day", "UTC", 1_000),
    ]
    assert len({each.identity for each in [window, *others]}) == 4


@settings(deadline=None, max_examples=80)
@given(
    st.integers(1, 40),
    st.sampled_from([*ZONES, "Pacific/Apia"]),
    st.integers(ms("2011-11-25T00:00:00Z") // TICK, ms("2012-05-01T00:00:00Z") // TICK),
)
def test_rolling_days_are_so_many_local_dates(days: int, zone: str, number: int) -> None:
    window, tick = RollingDays(days, zone, TICK), number * TICK
    start = window.lo(tick)
    dates = {label("day", zone, time) for time in range(start, tick, HOUR // 4)}
    assert len(dates) == days
    assert label("day", zone, start - 1) not in dates
    assert tick - start <= window.length_ms
    assert window.pane_of(start) == start


@settings(deadline=None, max_examples=80)
@given(
    st.integers(1, 40),
    st.sampled_from([*ZONES, "Pacific/Apia"]),
    st.integers(ms("2011-11-25T00:00:00Z"), ms("2012-05-01T00:00:00Z")),
)
def test_the_first_tick_whose_days_begin_no_earlier(days: int, zone: str, bound: int) -> None:
    window = RollingDays(days, zone, TICK)
    tick = window.first_tick(bound)
    assert tick % TICK == 0
    assert window.lo(tick) >= bound > window.lo(tick - TICK)


def test_one_rolling_day_is_the_calendars() -> None:
    rolling, calendar = (
        RollingDays(1, "Europe/Berlin", TICK),
        CalendarWindow("day", "Europe/Berlin", TICK),
    )
    for text in (
        "2026-03-29T00:00:00+01:00",
        "2026-03-29T00:00:05+01:00",
        "2026-10-25T23:59:55+01:00",
    ):
        assert rolling.lo(ms(text)) == calendar.lo(ms(text))
        assert rolling.first_tick(ms(text)) == calendar.first_tick(ms(text))
    assert rolling.identity != calendar.identity
    assert not rolling.keeps_closed
    assert rolling.key == "1d@Europe/Berlin"
    with pytest.raises(ValueError, match="a window of 0 days"):
        RollingDays(0, "UTC", TICK)

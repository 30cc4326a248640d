"""Hours on the customer's clock, over both changes of daylight saving and in several zones."""

from __future__ import annotations

from datetime import datetime
from itertools import starmap
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.calling_hours import DAYS, is_holiday, parse_hours, within_hours
from monitor.events.catalogue import ZONES
from monitor.events.public_holidays import is_place, public_holidays

NEW_YORK, PARIS = "+12125550100", "+33145550100"


def ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def within(moment: str, customer: str | None, hours: str, zone: str | None = None) -> bool | None:
    text = pl.Series([customer, zone], dtype=pl.String)
    found: list[bool | None] = within_hours(
        pl.Series([ms(moment)]), text[:1], text[1:], hours
    ).to_list()
    return found[0]


def holiday(moment: str, customer: str | None, place: str) -> bool | None:
    nothing = pl.Series([None], dtype=pl.String)
    told = pl.Series([customer], dtype=pl.String)
    found: list[bool | None] = is_holiday(pl.Series([ms(moment)]), told, nothing, place).to_list()
    return found[0]


@pytest.mark.parametrize(
    ("moment", "customer", "hours", "expected"),
    [
        # New York, 2026-03-08: 02:00 EST is 03:00 EDT. 8:00 is 13:00 UTC the day before, 12:00 on.
        ("2026-03-07T12:59:59Z", NEW_YORK, "8:00-21:00", False),
        ("2026-03-07T13:00:00Z", NEW_YORK, "8:00-21:00", True),
        ("2026-03-08T11:59:59Z", NEW_YORK, "8:00-21:00", False),
        ("2026-03-08T12:00:00Z", NEW_YORK, "8:00-21:00", True),
        ("2026-03-09T00:59:59Z", NEW_YORK, "8:00-21:00", True),  # 20:59:59 EDT
        ("2026-03-09T01:00:00Z", NEW_YORK, "8:00-21:00", False),
        # And back on 2026-11-01, when 02:00 EDT is 01:00 EST: 8:00 is 12:00 UTC, then 13:00.
        ("2026-10-31T12:00:00Z", NEW_YORK, "8:00-21:00", True),
        ("2026-11-01T12:00:00Z", NEW_YORK, "8:00-21:00", False),
        ("2026-11-01T13:00:00Z", NEW_YORK, "8:00-21:00", True),
        # The hour that comes twice is both times from one to two.
        ("2026-11-01T05:30:00Z", NEW_YORK, "1:00-2:00", True),
        ("2026-11-01T06:30:00Z", NEW_YORK, "1:00-2:00", True),
        ("2026-11-01T07:30:00Z", NEW_YORK, "1:00-2:00", False),
        # Paris, 2026-03-29 and 2026-10-25: 10:00 is 9:00 UTC in winter and 8:00 in summer.
        ("2026-03-27T08:59:59Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", False),
        ("2026-03-27T09:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", True),
        ("2026-03-30T08:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", True),
        ("2026-03-30T11:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", False),
        ("2026-03-30T12:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", True),
        ("2026-10-23T08:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", True),
        ("2026-10-26T08:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", False),
        ("2026-10-26T09:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", True),
        ("2026-03-28T10:00:00Z", PARIS, "Mon-Fri 10:00-13:00 14:00-20:00", False),  # a Saturday
        # A Monday in New York is a Tuesday in Shanghai.
        ("2026-11-23T17:30:00Z", "+8613800138000", "Tue 1:00-2:00", True),
        ("2026-11-23T17:30:00Z", NEW_YORK, "Mon 12:00-13:00", True),
    ],
)
def test_hours_are_those_of_the_customers_clock(
    moment: str, customer: str, hours: str, expected: bool
) -> None:
    assert within(moment, customer, hours) is expected


def test_several_zones_are_all_asked() -> None:
    # 850 is in the west of Florida by number, in New York's zone by the library; 208 is Idaho,
    # in two zones: 8:00 mountain time is 7:00 Pacific.
    idaho = "+12085550100"
    assert within("2026-11-23T15:30:00Z", "+13035550100", "8:00-21:00") is True
    toll_free = "+18005550100"
    assert within("2026-11-23T15:30:00Z", toll_free, "8:00-21:00") is False
    assert within("2026-11-23T15:30:00Z", toll_free, "8:00-21:00", "America/Denver") is True
    assert within("2026-11-23T15:30:00Z", idaho, "0:00-24:00") is True


def test_what_is_not_known_is_neither() -> None:
    assert within("2026-11-23T15:30:00Z", "C-1", "8:00-21:00") is None
    assert within("2026-11-23T15:30:00Z", None, "8:00-21:00") is None
    assert within("2026-11-23T15:30:00Z", None, "8:00-21:00", "Europe/Paris") is True
    never, paris = pl.Series([None], dtype=pl.Int64), pl.Series([PARIS])
    nothing = pl.Series([None], dtype=pl.String)
    assert within_hours(never, paris, nothing, "8:00-21:00").to_list() == [None]
    assert within_hours(never[:0], paris[:0], nothing[:0], "8:00-21:00").to_list() == []


def test_holidays_are_days_of_the_customers_calendar() -> None:
    # 14 July begins at 22:00 UTC on the 13th in Paris, and has not come to Guadeloupe then.
    assert holiday("2026-07-13T21:59:59Z", PARIS, "FR") is False
    assert holiday("2026-07-13T22:00:00Z", PARIS, "FR") is True
    assert holiday("2026-07-13T22:00:00Z", "+590590555555", "FR") is False
    assert holiday("2026-07-14T22:00:00Z", PARIS, "FR") is False
    assert holiday("2026-11-26T17:00:00Z", NEW_YORK, "US") is True  # Thanksgiving
    assert holiday("2026-12-26T09:00:00Z", PARIS, "FR") is False
    assert holiday("2026-12-26T09:00:00Z", PARIS, "FR-57") is True  # in Moselle it is one
    assert holiday("2026-11-26T17:00:00Z", "C-1", "US") is None
    # 1 January 2027 is 31 December in most of North America: in any zone is enough.
    assert holiday("2027-01-01T03:30:00Z", "+18005550100", "US") is True


def test_places_with_holidays() -> None:
    assert is_place("FR")
    assert is_place("US-FL")
    assert not is_place("XX")
    assert not is_place("FRA")
    with pytest.raises(ValueError, match="no public holidays are known of 'XX'"):
        public_holidays("XX")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no hours"),
        ("Mon-Fri", "has no hours"),
        ("8-21", "'8-21' is neither days"),
        ("8:00-21:00 Mon", "'Mon' is neither days"),
        ("8:00-25:00", "no time of day"),
        ("8:60-9:00", "no time of day"),
        ("21:00-8:00", "ends before it begins"),
        ("8:00-8:00", "ends before it begins"),
        ("Mom 8:00-9:00", "'Mom' is no day"),
        ("Fri-Mon 8:00-9:00", "Fri-Mon goes backwards"),
        ("8:00-9:00,", "has no hours"),
    ],
)
def test_what_are_no_hours(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_hours(text)


def test_groups_of_days() -> None:
    week = parse_hours("Mon-Wed Fri 8:00-9:00, Sat 10:00-24:00, Sat 0:00-0:30")
    on = [sum(week[1440 * day : 1440 * (day + 1)].tolist()) for day in range(len(DAYS))]
    assert on == [60, 60, 60, 0, 60, 14 * 60 + 30, 0]
    assert parse_hours("0:00-24:00").all()


@pytest.mark.untraced
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(ms("2000-01-02T00:00:00Z"), ms("2099-12-30T00:00:00Z")),
            st.sampled_from(ZONES),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_clocks_are_those_of_the_time_zone_database(moments: list[tuple[int, str]]) -> None:
    def expected(at: int, zone: str) -> bool:
        local = datetime.fromtimestamp(at // 1000, tz=ZoneInfo(zone))
        return local.weekday() < 5 and 8 <= local.hour < 21

    times, given_zones = zip(*moments, strict=True)
    customers = pl.Series([None] * len(times), dtype=pl.String)
    found = within_hours(pl.Series(times), customers, pl.Series(given_zones), "Mon-Fri 8:00-21:00")
    assert found.to_list() == list(starmap(expected, moments))

"""Hours of calls at the called party: US 8–21, in three states 8–20; France; and unknown zones."""

from __future__ import annotations

import pytest

from tests.compliance.story import NEW_YORK, PARIS, call, rule, told

US = """
  - id: off_hours
    kind: count
    value:
      count: call.ended
      where: >-
        direction == 'outbound' and country(customer) == 'US' and
        (not within_hours(started_at, '8:00-21:00') or
         area(customer) in ['US-FL', 'US-OK', 'US-WA'] and
         not within_hours(started_at, '8:00-20:00'))
    by: [campaign]
    windows: [1h]
"""
FRANCE = """
  - id: off_hours
    kind: count
    value:
      count: call.ended
      where: >-
        direction == 'outbound' and country(customer) == 'FR' and
        (not within_hours(started_at, 'Mon-Fri 10:00-13:00 14:00-20:00') or
         is_holiday(started_at, 'FR'))
    by: [campaign]
    windows: [1h]
"""
UNKNOWN = """
  - id: off_hours
    kind: count
    value: {count: call.ended, where: "within_hours(started_at, '8:00-21:00') is null"}
    by: [campaign]
    windows: [1h]
"""
RULE = rule("off_hours", by="campaign", level="above: 0", window="1h")

LOS_ANGELES, MIAMI, ATLANTA = "+12135550100", "+13055550100", "+14045550100"
SEATTLE, OKLAHOMA_CITY, CHICAGO = "+12065550100", "+14055550100", "+13125550100"


@pytest.mark.parametrize(
    ("customer", "clock", "allowed"),
    [
        # The centre is in New York, all clocks here are its own; Los Angeles is three hours behind.
        (LOS_ANGELES, "2026-11-03 10:59:59", False),  # 7:59:59 there
        (LOS_ANGELES, "2026-11-03 11:00:00", True),  # 8:00
        (LOS_ANGELES, "2026-11-03 23:59:59", True),  # 20:59:59
        (LOS_ANGELES, "2026-11-04 00:00:00", False),  # 21:00
        (CHICAGO, "2026-11-03 21:59:59", True),  # 20:59:59
        (CHICAGO, "2026-11-03 08:30:00", False),  # 7:30
        # 20:00 is the end in Florida, Oklahoma and Washington, and is not in Georgia.
        (MIAMI, "2026-11-03 19:59:59", True),
        (MIAMI, "2026-11-03 20:00:00", False),
        (ATLANTA, "2026-11-03 20:30:00", True),
        (ATLANTA, "2026-11-03 21:00:00", False),
        (OKLAHOMA_CITY, "2026-11-03 20:59:59", True),  # 19:59:59
        (OKLAHOMA_CITY, "2026-11-03 21:00:00", False),  # 20:00
        (SEATTLE, "2026-11-03 22:59:59", True),  # 19:59:59
        (SEATTLE, "2026-11-03 23:00:00", False),  # 20:00
        # The night in which clocks go back they do so three hours apart: at 5:30 EST in New York
        # (10:30Z) it is 2:30 PST; at 11:00 EST (16:00Z) 8:00 PST.
        (LOS_ANGELES, "2026-11-01 10:59:59", False),
        (LOS_ANGELES, "2026-11-01 11:00:00", True),
        # Another country's law is not this one.
        ("+442079460000", "2026-11-03 23:00:00", True),
    ],
)
def test_eight_to_nine_where_the_customer_is(customer: str, clock: str, allowed: bool) -> None:
    alerts = told(US, RULE, [call(clock, NEW_YORK, customer=customer, campaign="c")])
    assert bool(alerts) is not allowed


def test_a_zone_that_is_given_goes_before_the_number() -> None:
    # A Los Angeles number that moved to New York: 8:30 there, 5:30 by the number.
    moved = call("2026-11-03 08:30", NEW_YORK, customer=LOS_ANGELES, campaign="c")
    assert len(told(US, RULE, [moved])) == 1
    assert told(US, RULE, [{**moved, "customer_tz": "America/New_York"}]) == []


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [
        ("2026-11-10 09:59:59", False),  # a Tuesday
        ("2026-11-10 10:00:00", True),
        ("2026-11-10 12:59:59", True),
        ("2026-11-10 13:00:00", False),
        ("2026-11-10 14:00:00", True),
        ("2026-11-10 19:59:59", True),
        ("2026-11-10 20:00:00", False),
        ("2026-11-11 11:00:00", False),  # Wednesday, Armistice Day
        ("2026-11-12 11:00:00", True),
        ("2026-11-14 11:00:00", False),  # Saturday
        ("2026-10-26 10:00:00", True),  # the Monday after the end of summer time
        ("2027-03-29 11:00:00", False),  # Easter Monday
        ("2027-03-30 11:00:00", True),
    ],
)
def test_hours_of_france(clock: str, allowed: bool) -> None:
    events = [call(clock, PARIS, customer="+33145550100", campaign="c")]
    assert bool(told(FRANCE, RULE, events)) is not allowed


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"customer": "C-1"}, False),
        ({}, False),
        ({"customer": LOS_ANGELES, "started_at": None}, False),
        ({"customer": LOS_ANGELES}, True),
        ({"customer": "C-1", "customer_tz": "Europe/Paris"}, True),
    ],
)
def test_what_is_not_known_is_seen(fields: dict[str, str | None], known: bool) -> None:
    event = {**call("2026-11-03 03:00", NEW_YORK, campaign="c"), **fields}
    assert bool(told(UNKNOWN, RULE, [event])) is not known
    if not known:
        assert told(US, RULE, [event]) == [], "and is no breach"

"""Florida (501.616(6)(b)) and Oklahoma: at most three calls to a person in 24 hours.

The hours are hours that pass, not what clocks show: midnight is nothing to them, nor is a change of
daylight saving.
"""

from __future__ import annotations

import pytest

from tests.compliance.story import NEW_YORK, call, rule, told

CALLS = """
  - id: calls
    kind: count
    value:
      count: call.ended
      where: "direction == 'outbound' and area(customer) in ['US-FL', 'US-OK']"
    by: [customer]
    windows: [24h]
    exact: true
"""
RULE = rule("calls", by="customer", level="above: 3", window="24h")
FLORIDA, GEORGIA = "+13055550100", "+14045550100"


def breaches(*clocks: str, customer: str = FLORIDA) -> int:
    """Alerts of calls that end, and so count, at these times in Florida (east)."""
    events = [call(clock, NEW_YORK, customer=customer) for clock in clocks]
    return len(told(CALLS, RULE, [{**event, "time": event["started_at"]} for event in events]))


def test_three_are_allowed_and_the_fourth_is_not() -> None:
    day = ("2026-11-03 09:00", "2026-11-03 12:00", "2026-11-03 15:00")
    assert breaches(*day) == 0
    assert breaches(*day, "2026-11-03 18:00") == 1
    # In Georgia there is no such limit, and the number says where it is.
    assert breaches(*day, "2026-11-03 18:00", customer=GEORGIA) == 0


@pytest.mark.parametrize(
    ("fourth", "breached"),
    [
        # 23 h 59 min 59 s after the first: the four lie within 24 hours, over midnight.
        ("2026-11-03 21:59:59", 1),
        # 24 h after the first, which is over.
        ("2026-11-03 22:00:00", 0),
    ],
)
def test_across_midnight(fourth: str, breached: int) -> None:
    # Monday, 22:00 and 23:00, Tuesday, 00:30; no calendar day has four.
    evening = ("2026-11-02 22:00:00", "2026-11-02 23:00:00", "2026-11-03 00:30:00")
    assert breaches(*evening, fourth) == breached


@pytest.mark.parametrize(
    ("fourth", "breached"),
    [
        # Clocks go back at 2:00 EDT on Sunday, 1 November 2026, so that day has 25 hours.
        # The first call is at 22:00 EDT = 02:00Z. 20:59 EST = 01:59Z on Monday: 23 h 59 min.
        ("2026-11-01 20:59:00", 1),
        # 21:30 EST = 02:30Z: 24½ hours later, although clocks show 23½.
        ("2026-11-01 21:30:00", 0),
    ],
)
def test_across_the_end_of_daylight_saving(fourth: str, breached: int) -> None:
    evening = ("2026-10-31 22:00", "2026-10-31 23:00", "2026-11-01 12:00")
    assert breaches(*evening, fourth) == breached


@pytest.mark.parametrize(
    ("fourth", "breached"),
    [
        # Clocks go forward at 2:00 EST on Sunday, 8 March 2026, so that day has 23 hours.
        # The first call is at 22:00 EST = 03:00Z. 22:30 EDT = 02:30Z on Monday: 23½ hours later,
        # although clocks show 24½.
        ("2026-03-08 22:30:00", 1),
        # 23:00 EDT = 03:00Z: 24 hours.
        ("2026-03-08 23:00:00", 0),
    ],
)
def test_across_the_beginning_of_daylight_saving(fourth: str, breached: int) -> None:
    evening = ("2026-03-07 22:00", "2026-03-07 23:00", "2026-03-08 12:00")
    assert breaches(*evening, fourth) == breached

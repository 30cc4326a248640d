"""UK, Ofcom on persistent misuse: after an abandoned call no redial for 72 h but by a person."""

from __future__ import annotations

import pytest

from tests.compliance.story import LONDON, call, rule, told

REDIALS = """
  - id: redials
    kind: count
    value:
      count: call.ended
      where: >-
        direction == 'outbound' and agent is null and
        hours_between(abandoned_at, started_at) < 72
    by: [customer]
    windows: [24h]
"""
RULE = rule("redials", by="customer", level="above: 0", window="24h")
CUSTOMER = {"customer": "+442079460000"}
# Friday, 6 November 2026, 10:00:00; the call is over, and abandoned, at 10:00:10.
ABANDONED = call("2026-11-06 10:00", LONDON, outcome="abandoned", **CUSTOMER)


@pytest.mark.parametrize(
    ("clock", "agent", "allowed"),
    [
        ("2026-11-06 10:05:00", None, False),
        ("2026-11-06 10:05:00", "jane", True),  # a person dials
        ("2026-11-08 12:00:00", None, False),  # weekends count
        ("2026-11-09 10:00:09", None, False),  # Monday: 71 h 59 min 59 s
        ("2026-11-09 10:00:10", None, True),  # 72 h
        ("2026-11-12 10:00:00", None, True),
    ],
)
def test_no_dialler_for_72_hours(clock: str, agent: str | None, allowed: bool) -> None:
    redial = call(clock, LONDON, agent=agent, **CUSTOMER)
    assert bool(told(REDIALS, RULE, [ABANDONED, redial])) is not allowed


def test_over_the_end_of_summer_time() -> None:
    # Abandoned on Friday, 23 October 2026, 10:00:10 BST = 09:00:10Z. Clocks go back on Sunday,
    # 25 October; 72 h are over on Monday at 09:00:10 GMT, when clocks show an hour less.
    abandoned = call("2026-10-23 10:00", LONDON, outcome="abandoned", **CUSTOMER)
    for clock, breached in (("2026-10-26 09:00:09", True), ("2026-10-26 09:00:10", False)):
        redial = call(clock, LONDON, **CUSTOMER)
        assert bool(told(REDIALS, RULE, [abandoned, redial])) is breached


def test_others_may_be_called_and_other_outcomes_are_no_reason() -> None:
    other = call("2026-11-06 11:00", LONDON, customer="+442079460001")
    assert told(REDIALS, RULE, [ABANDONED, other]) == []
    busy = {**ABANDONED, "outcome": "busy"}
    assert told(REDIALS, RULE, [busy, call("2026-11-06 11:00", LONDON, **CUSTOMER)]) == []


def test_a_second_abandoned_call_begins_anew() -> None:
    # The second is a breach itself, on Saturday at 12:00:10; Monday at 12:00:09 is within 72 h of
    # Friday's no more, and of Saturday's.
    again = call("2026-11-07 12:00", LONDON, outcome="abandoned", agent="jane", **CUSTOMER)
    monday = call("2026-11-09 12:00:09", LONDON, **CUSTOMER)
    assert told(REDIALS, RULE, [ABANDONED, monday]) == []
    assert len(told(REDIALS, RULE, [ABANDONED, again, monday])) == 1

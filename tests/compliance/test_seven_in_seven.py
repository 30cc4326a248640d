"""US Regulation F, 12 CFR 1006.14(b)(2): seven calls in seven days, and none after a conversation.

The day of a conversation is the first of its seven days. Days are those of New York here.
"""

from __future__ import annotations

import pytest

from tests.compliance.story import NEW_YORK, Event, call, rule, told, when

CALLS = """
  - id: calls
    kind: count
    value: {count: call.ended, where: "direction == 'outbound'"}
    by: [[customer, campaign]]
    windows: [{days: 7, tz: America/New_York}]
"""
AGAIN = """
  - id: again
    kind: count
    value:
      count: call.ended
      where: >-
        direction == 'outbound' and
        days_between(conversation_at, started_at, 'America/New_York') < 7
    by: [customer]
    windows: [24h]
"""
SEVEN = rule(
    "calls",
    by="[customer, campaign]",
    level="above: 7",
    window="{days: 7, tz: America/New_York}",
)
TALKED = rule("again", by="customer", level="above: 0", window="24h")
DEBT = {"customer": "+12125550100", "campaign": "debt-1"}


def ring(clock: str, **fields: object) -> Event:
    return call(clock, NEW_YORK, **{**DEBT, **fields})


# Monday, 2 November to Sunday, 8 November, one call a day at 10:00: seven in seven days.
WEEK = [ring(f"2026-11-0{day} 10:00") for day in range(2, 9)]


def test_seven_are_allowed() -> None:
    assert told(CALLS, SEVEN, WEEK) == []
    # Monday, 9 November: the seven days are 3 – 9 November, and hold seven again.
    assert told(CALLS, SEVEN, [*WEEK, ring("2026-11-09 10:00")]) == []


def test_the_eighth_is_not() -> None:
    # Sunday, 8 November, 18:00: 2 – 8 November hold eight.
    (alert,) = told(CALLS, SEVEN, [*WEEK, ring("2026-11-08 18:00")])
    assert when(alert, NEW_YORK) == "2026-11-08 18:00:15"
    assert alert.figures.hits == 8
    # At 23:59 of Sunday too; on the UTC clock that is Monday already.
    assert len(told(CALLS, SEVEN, [*WEEK, ring("2026-11-08 23:59")])) == 1
    # A call about another debt, or to another person, is none of the seven.
    assert told(CALLS, SEVEN, [*WEEK, ring("2026-11-08 18:00", campaign="debt-2")]) == []
    assert told(CALLS, SEVEN, [*WEEK, ring("2026-11-08 18:00", customer="+12125550101")]) == []


# A conversation on Wednesday, 4 November, 15:00. The 4th is its first day, the 10th its seventh.
CONVERSATION = ring("2026-11-04 15:00", outcome="answered", talk_s=240)


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [
        ("2026-11-04 09:00", True),  # before the conversation
        ("2026-11-04 15:30", False),  # the same day: the first
        ("2026-11-05 10:00", False),
        ("2026-11-10 23:30", False),  # Tuesday, the seventh; on the UTC clock it is the eighth
        ("2026-11-11 00:30", True),  # Wednesday, 6 days and 9½ hours later: the eighth
        ("2026-11-11 15:30", True),
    ],
)
def test_no_call_within_seven_days_of_a_conversation(clock: str, allowed: bool) -> None:
    alerts = told(AGAIN, TALKED, [CONVERSATION, ring(clock)])
    assert bool(alerts) is not allowed


def test_what_is_a_conversation() -> None:
    later = ring("2026-11-05 10:00")
    # Nobody answered, or nobody spoke: none. One that the customer began: one.
    assert told(AGAIN, TALKED, [ring("2026-11-04 15:00"), later]) == []
    silent = ring("2026-11-04 15:00", outcome="answered", talk_s=0)
    assert told(AGAIN, TALKED, [silent, later]) == []
    theirs = {**CONVERSATION, "direction": "inbound"}
    assert len(told(AGAIN, TALKED, [theirs, later])) == 1

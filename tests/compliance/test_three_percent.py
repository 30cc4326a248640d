"""US FTC TSR 310.4(b)(4): at most 3 % of calls answered live are abandoned, in 30 days.

By campaign. Abandoned is a call without an agent within two seconds.
"""

from __future__ import annotations

from tests.compliance.story import NEW_YORK, Event, call, rule, told, when

ABANDONED = """
  - id: abandoned
    kind: ratio
    hits:
      count: call.ended
      where: >-
        direction == 'outbound' and outcome in ['answered', 'abandoned'] and
        (outcome == 'abandoned' or wait_s > 2)
    of:
      count: call.ended
      where: "direction == 'outbound' and outcome in ['answered', 'abandoned']"
    by: [campaign]
    windows: [{days: 30, tz: America/New_York}]
"""
WINDOW = "{days: 30, tz: America/New_York}"
RULE = rule("abandoned", by="campaign", level="above: 3%, clear: 2%", window=WINDOW)


def day(date: str, live: int, abandoned: int, **fields: object) -> list[Event]:
    """So many calls answered live, all of them at noon, so that they are judged together."""
    return [
        {
            **call(f"{date} 12:00", NEW_YORK, campaign="spring"),
            "outcome": "abandoned" if number < abandoned else "answered",
            **fields,
        }
        for number in range(live)
    ]


# Monday, 2 November: 500 live, 16 abandoned. Monday, 30 November: 500 live, 14 abandoned.
# On 30 November the window is 1–30 November: 30 of 1000 = 3.000 %, which is allowed.
BOUNDARY = day("2026-11-02", 500, 16) + day("2026-11-30", 500, 14)


def test_exactly_three_percent_is_allowed() -> None:
    # After 2 November alone it is 16 of 500 = 3.2 %: hence a minimum, or a month would begin so.
    alerts = told(ABANDONED, RULE.replace("method: raw", "method: raw, min_of: 1000"), BOUNDARY)
    assert alerts == []


def test_one_more_is_not() -> None:
    # Tuesday, 1 December, 12:00:10: the window is 2 November – 1 December, 31 of 1001 = 3.097 %.
    events = BOUNDARY + day("2026-12-01", 1, 1)
    (alert,) = told(ABANDONED, RULE.replace("method: raw", "method: raw, min_of: 1001"), events)
    assert when(alert, NEW_YORK) == "2026-12-01 12:00:15"
    assert (alert.figures.hits, alert.figures.of) == (31, 1001)


def test_what_is_thirty_days_ago_does_not_count() -> None:
    # The same call on Wednesday, 2 December: the window begins on 3 November, and the 500 calls
    # of 2 November are gone. 15 of 501 = 2.994 %, which is allowed.
    events = BOUNDARY + day("2026-12-02", 1, 1)
    alerts = told(ABANDONED, RULE.replace("method: raw", "method: raw, min_of: 501"), events)
    assert alerts == []
    # With all 16 on 30 November it is 16 of 1000 = 1.6 %, and 16 of 500 = 3.2 % from 2 December on.
    events = day("2026-11-02", 500, 0) + day("2026-11-30", 500, 16) + day("2026-12-02", 1, 1)
    (alert,) = told(ABANDONED, RULE.replace("method: raw", "method: raw, min_of: 500"), events)
    assert when(alert, NEW_YORK) == "2026-12-02 00:00:05", "as soon as 2 November has left"
    assert (alert.figures.hits, alert.figures.of) == (16, 500)


def test_two_seconds_are_in_time_and_machines_do_not_count() -> None:
    # 970 with an agent after 2.0 s, 30 after 2.001 s, and 400 voicemails: 30 of 1000.
    events = (
        day("2026-11-02", 970, 0, wait_s=2.0)
        + day("2026-11-03", 30, 0, wait_s=2.001)
        + day("2026-11-03", 400, 0, outcome="voicemail")
    )
    minimum = RULE.replace("method: raw", "method: raw, min_of: 1000")
    assert told(ABANDONED, minimum, events) == []
    (alert,) = told(ABANDONED, minimum, events + day("2026-11-04", 1, 0, wait_s=2.001))
    assert (alert.figures.hits, alert.figures.of) == (31, 1001)

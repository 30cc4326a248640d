"""``indicators.yaml``: what is taken, and what is refused with which words at which place."""

# ruff: noqa: E501 - messages stand whole, as people read them
from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from monitor.errors import ConfigError
from monitor.indicators.formula import formula
from monitor.indicators.load import load_indicators, loads_indicators
from monitor.indicators.model import IndicatorFile

PATH = Path("pack/indicators.yaml")

GOOD = """\
version: 1
indicators:
  - id: hangup_rate
    title: {en: Hang-up within 30 s, zh: 客户挂断率}
    class: result
    kind: ratio
    hits: {count: call.ended, where: "outcome == 'answered' and talk_s < 30"}
    of: {count: call.ended, where: "outcome == 'answered'"}
    by: [number, team]
    windows: [30m, 24h]
    target: 25%
"""


def refused(text: str, tick_ms: int = 5_000) -> list[str]:
    with pytest.raises(ConfigError) as fault:
        loads_indicators(text, PATH, tick_ms=tick_ms)
    return [str(problem).removeprefix(f"{PATH}:") for problem in fault.value.problems]


def test_the_example_of_the_format(tmp_path: Path) -> None:
    file = tmp_path / "indicators.yaml"
    file.write_text(GOOD, encoding="utf-8")
    (indicator,) = load_indicators(file).value.indicators
    assert indicator.id == "hangup_rate"
    assert indicator.title == {"en": "Hang-up within 30 s", "zh": "客户挂断率"}
    assert indicator.class_ == "result"
    assert indicator.by == (("number",), ("team",))
    assert indicator.window_keys == ("30m", "24h")
    assert str(indicator.target) == "25%"
    assert indicator.better == "lower"
    assert formula(indicator).countable


def test_all_kinds_of_measure_and_window() -> None:
    text = """\
        version: 1
        indicators:
          - {id: a, kind: count, value: {count: [call.ended, message.sent]}, by: [[number, customer]], windows: [{calendar: day, tz: Asia/Kathmandu}]}
          - {id: b, kind: count, value: {sum: amount, on: deal.won}, by: agent, windows: [1h], title: Sales}
          - {id: c, kind: mean, value: {min: ring_s, on: call.ended}, by: [agent], windows: [1h], pane: 5m}
          - {id: d, kind: mean, value: {max: level, on: customer.level}, by: [agent], windows: [{calendar: week, tz: UTC}], better: higher}
          - {id: e, kind: mean, value: {mean: score, on: call.rated, where: score > 1}, by: [agent], windows: [{calendar: month, tz: UTC}]}
          - id: f
            kind: ratio
            hits: {distinct: customer, all: [{on: sms.opened}, {on: call.ended, where: outcome == 'answered'}]}
            of: {distinct: customer, on: [sms.sent, call.ended]}
            by: [campaign]
            windows: [7d]
          - {id: g, kind: count, value: {seconds_in: agent.state, where: state == 'ready', max_age: 8h}, by: [agent], windows: [8h], exact: true}
    """
    text = text.replace("by: agent,", "by: [agent],")
    found = loads_indicators(dedent(text), PATH).value.indicators
    assert [each.id for each in found] == list("abcdefg")
    assert found[0].window_keys == ("day@Asia/Kathmandu",)
    assert found[1].title == {"en": "Sales"}
    assert [counter.operation for counter in formula(found[4]).counters] == ["sum", "count"]
    assert formula(found[6]).hits.max_age_ms == 8 * 3_600_000
    assert [counter.scale for counter in formula(found[5]).counters] == [1, 1]
    assert [formula(each).hits.scale for each in found[1:5]] == [1_000] * 4


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        # shapes
        ("kind: ratio", "kind: peer",
         "6:11: hangup_rate: 'kind': indicators of kind peer are not supported yet (a kind is ratio, mean, count, population, response or funnel)"),
        ("kind: ratio", "kind: ratoi", "6:11: hangup_rate: 'kind'"),
        ("kind: ratio", "kind: mean", "3:5: hangup_rate: a mean has no `hits` (it has value)"),
        ("    of: {count: call.ended, where: \"outcome == 'answered'\"}\n", "",
         "3:5: hangup_rate: a ratio needs `of` (it has hits and of)"),
        ("of: {count: call.ended,", "of: {mean: score, on: call.rated,",
         "3:5: hangup_rate: `of` of a ratio cannot be mean (it is one of count, sum, distinct, seconds_in)"),
        ("of: {count: call.ended,", "of: {count: call.ended, sum: talk_s,",
         "8:9: hangup_rate: a measure has exactly one verb, found count and sum"),
        ("of: {count: call.ended,", "of: {",
         "8:9: hangup_rate: a measure has exactly one verb, found none"),
        ("of: {count: call.ended,", "of: {sum: talk_s,",
         "8:9: hangup_rate: sum needs `on` (on: call.ended)"),
        ("of: {count: call.ended,", "of: {count: call.ended, on: call.ended,",
         "8:9: hangup_rate: the event type is the value of count, it has no `on` (count: call.ended)"),
        ("of: {count: call.ended,", "of: {count: call.ended, max_age: 1h,",
         "8:9: hangup_rate: `max_age` goes with seconds_in only"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {count: call.ended, all: [{on: call.ended}]}",
         "8:9: hangup_rate: `all` goes with distinct only"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {distinct: customer, on: call.ended, all: [{on: call.ended}]}",
         "8:9: hangup_rate: `all` takes the place of `on` and `where` (move them into `all`)"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {seconds_in: agent.state, max_age: 0s}",
         "8:9: hangup_rate: max_age is longer than nothing"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {sum: talk_s + holt_s, on: call.ended}",
         "8:15: hangup_rate: call.ended has no field 'holt_s' (did you mean 'hold_s'?)"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {sum: talk_s + hold_s+ talk_s, on: call.ended}",
         "8:15: hangup_rate: 'talk_s' is added twice"),
        ("windows: [30m, 24h]", "windows: []", "10:14: hangup_rate: 'windows': an empty list"),
        ("windows: [30m, 24h]", "windows: [0m]",
         "10:15: hangup_rate: entry 1 of 'windows': a window of no length (write a duration such as 30m)"),
        ("windows: [30m, 24h]", "windows: [30]", "10:15: hangup_rate: entry 1 of 'windows'"),
        ("windows: [30m, 24h]", "windows: [30x]",
         "10:15: hangup_rate: entry 1 of 'windows': '30x' is not a duration (write a whole number and a unit: 5m, 30m, 24h, 7d)"),
        ("windows: [30m, 24h]", "windows: [{anchored: 7s}]",
         "10:15: hangup_rate: window 7s is not a multiple of the tick (5s)"),
        ("windows: [30m, 24h]", "windows: [{anchored: 24 hours}]",
         "10:26: hangup_rate: 'anchored': '24 hours' is not a duration"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}\n    by: [number, team]\n    windows: [30m, 24h]",
         "of: {distinct: customer, on: call.ended}\n    by: [number, team]\n    windows: [30m, {anchored: 1h}]",
         "10:20: hangup_rate: an anchored window holds counts and sums only"),
        ("windows: [30m, 24h]", "windows: [{days: 30, tz: Mars/Phobos}]",
         "10:30: hangup_rate: 'tz': no time zone 'Mars/Phobos' (an IANA name such as Asia/Shanghai)"),
        ("windows: [30m, 24h]", "windows: [{days: 401, tz: UTC}]", "10:22: hangup_rate: 'days'"),
        ("windows: [30m, 24h]", "windows: [{days: 0, tz: UTC}]", "10:22: hangup_rate: 'days'"),
        ("windows: [30m, 24h]", "windows: [{days: 30}]", "10:15: hangup_rate: missing key 'tz'"),
        ("windows: [30m, 24h]", "windows: [{calendar: day, tz: Mars/Phobos}]",
         "10:35: hangup_rate: 'tz': no time zone 'Mars/Phobos' (an IANA name such as Asia/Shanghai)"),
        ("windows: [30m, 24h]", "windows: [{calendar: year, tz: UTC}]", "10:26: hangup_rate: 'calendar'"),
        ("target: 25%", "target: 25 per cent", "11:13: hangup_rate: 'target'"),
        ("target: 25%", "exact: true\n    pane: 5s", "3:5: hangup_rate: `exact` has no `pane`"),
        ("id: hangup_rate", "id: Hangup rate", "3:9: "),
        ("class: result", "clas: result", "5:5: hangup_rate: unknown key 'clas' (did you mean 'class'?)"),
        # meaning
        ("of: {count: call.ended,", "of: {count: call.endd,",
         "8:17: hangup_rate: no event type 'call.endd' (did you mean 'call.ended'?)"),
        ("of: {count: call.ended,", "of: {count: [call.ended, call.ended],",
         "8:17: hangup_rate: event type 'call.ended' stands twice"),
        ("of: {count: call.ended,", "of: {sum: outcome, on: call.ended,",
         "8:15: hangup_rate: sum needs a number, and 'outcome' is a enum"),
        ("of: {count: call.ended,", "of: {sum: need_captured, on: call.ended,",
         "8:15: hangup_rate: sum needs a number, and 'need_captured' is a bool"),
        ("of: {count: call.ended,", "of: {sum: started_at, on: call.ended,",
         "8:15: hangup_rate: sum needs a number, and 'started_at' is a time"),
        ("of: {count: call.ended,", "of: {sum: time, on: call.ended,",
         "8:15: hangup_rate: sum needs a number, and 'time' is a time"),
        ("of: {count: call.ended,", "of: {distinct: time, on: call.ended,",
         "8:20: hangup_rate: distinct counts values, not times"),
        ("of: {count: call.ended,", "of: {sum: talk_x, on: call.ended,",
         "8:15: hangup_rate: call.ended has no field 'talk_x' (did you mean 'talk_s'?)"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {sum: talk_s, on: [call.ended, call.rated]}",
         "8:15: hangup_rate: call.rated has no field 'talk_s'"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}", "of: {seconds_in: call.ended}",
         "8:22: hangup_rate: 'call.ended' does not tell a state (one of agent.state)"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {distinct: customer, all: [{on: sms.sent}, {on: sms.snt, where: cost > 1}]}",
         "8:57: hangup_rate: no event type 'sms.snt'"),
        ("of: {count: call.ended, where: \"outcome == 'answered'\"}",
         "of: {distinct: customer, all: [{on: sms.sent}, {on: sms.sent, where: cst > 1}]}",
         "8:74: hangup_rate: sms.sent has no field cst (did you mean cost?)"),
        ("talk_s < 30", "talk_s < '30'", "7:74: hangup_rate: compares a number with a text"),
        ("== 'answered' and", "== 'answred' and",
         "7:50: hangup_rate: outcome is never 'answred' (did you mean 'answered'?)"),
        ("by: [number, team]", "by: [nummer, team]",
         "9:10: hangup_rate: no dimension 'nummer' (did you mean 'number'?)"),
        ("by: [number, team]", "by: [number, team, number]",
         "9:24: hangup_rate: scope [number] stands twice"),
        ("by: [number, team]", "by: [[number, team], [team, number]]",
         "9:26: hangup_rate: scope [team, number] stands twice"),
        ("by: [number, team]", "by: [[number, number]]",
         "9:10: hangup_rate: a dimension stands twice in [number, number]"),
        ("by: [number, team]", "by: []", "9:9: hangup_rate: 'by': an empty list"),
        ("by: [number, team]", "by: [[number, team, agent, group]]", "9:10: hangup_rate: at most 3 of them, not 4"),
        ("windows: [30m, 24h]", "windows: [1m, 2m, 3m, 4m, 5m, 6m, 7m, 8m, 9m, 10m, 11m]",
         "10:14: hangup_rate: at most 10 of them, not 11"),
        ("windows: [30m, 24h]", "windows: [30m, 7s]",
         "10:20: hangup_rate: window 7s is not a multiple of the tick (5s)"),
        ("windows: [30m, 24h]", "windows: [60m, 1h]", "10:20: hangup_rate: window 1h stands twice"),
        ("windows: [30m, 24h]",
         "windows: [{calendar: day, tz: UTC}, {calendar: day, tz: UTC}]",
         "10:41: hangup_rate: window day@UTC stands twice"),
        ("windows: [30m, 24h]", "windows: [{days: 7, tz: UTC}, 7d, {days: 7, tz: UTC}]",
         "10:39: hangup_rate: window 7d@UTC stands twice"),
        ("target: 25%", "pane: 7s", "11:11: hangup_rate: the pane is not a multiple of the tick (5s)"),
        ("target: 25%", "pane: 0s", "11:11: hangup_rate: the pane is not a multiple of the tick (5s)"),
        ("target: 25%", "pane: 1h",
         "10:15: hangup_rate: window 30m is shorter than its pane (1h)"),
    ],
)  # fmt: skip
def test_what_is_refused_where_and_why(old: str, new: str, problem: str) -> None:
    assert old in GOOD
    (found,) = refused(GOOD.replace(old, new))
    assert found.startswith(problem)


def test_an_id_may_stand_once() -> None:
    (found,) = refused(GOOD + GOOD.split("indicators:\n")[1])
    assert found == "12:9: hangup_rate: indicator 'hangup_rate' stands twice"


def test_all_problems_come_at_once_in_order_of_line() -> None:
    text = GOOD.replace("talk_s < 30", "talk_x < 30").replace("[number, team]", "[nummer, team]")
    text = text.replace("30m, 24h", "30m, 7s")
    assert [problem.split(":")[0] for problem in refused(text)] == ["7", "9", "10"]


def test_calendar_windows_need_a_tick_that_meets_midnight() -> None:
    text = GOOD.replace("[30m, 24h]", "[{calendar: day, tz: UTC}]")
    loads_indicators(text, PATH, tick_ms=60_000)
    (found,) = refused(text, tick_ms=7_000)
    assert found == (
        "10:15: hangup_rate: a window of local days needs a tick that divides 15m, not 7s"
        " (set `tick` to 5s, or to anything that divides 15m)"
    )


def test_the_schema_knows_shorthands() -> None:
    schema = IndicatorFile.model_json_schema()
    by = schema["$defs"]["Indicator"]["properties"]["by"]["items"]
    assert {option["type"] for option in by["anyOf"]} == {"string", "array"}
    assert "class" in schema["$defs"]["Indicator"]["properties"]

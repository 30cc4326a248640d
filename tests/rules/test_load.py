"""Rules from text: what is right loads, what is wrong says where and how to mend it."""

# ruff: noqa: E501 - YAML as its users write it

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest
import yaml
from jsonschema import Draft202012Validator

from monitor.errors import ConfigError, Problem
from monitor.indicators.load import loads_indicators
from monitor.indicators.model import Indicator
from monitor.rules.levels import Sequential
from monitor.rules.load import loads_rules
from monitor.rules.model import Rule, RulesFile

INDICATORS = """\
version: 1
indicators:
  - id: hangup_rate
    kind: ratio
    hits: {count: call.ended, where: "outcome == 'answered' and talk_s < 30"}
    of: {count: call.ended, where: "outcome == 'answered'"}
    by: [number, agent, [number, customer]]
    windows: [30m, 4h, {calendar: day, tz: Asia/Shanghai}]
  - id: effective_talk_ratio
    kind: ratio
    hits: {sum: talk_s, on: call.ended}
    of: {seconds_in: agent.state, where: "state != 'offline'"}
    by: [agent]
    windows: [1h]
  - id: csat
    kind: mean
    value: {mean: score, on: call.rated}
    by: [agent]
    windows: [24h]
  - id: redial_frequency
    kind: count
    value: {count: call.ended}
    by: [[number, customer]]
    windows: [24h]
"""
GOOD = """\
version: 1
rules:
  - id: number-hangup
    indicator: hangup_rate
    by: number
    status: active
    levels:
      warn: {above: 25%, clear: 20%, evidence: {method: sequential, false_alarms: 1 per 5 scope-days}}
      crit: {above: 30%, clear: 25%}
    windows: [30m, 4h]
    evidence: {method: sequential, false_alarms: 1 per 30 scope-days}
    pending:    {for: 1m}
    recovering: {for: 10m, min_of: 20}
    no_data: hold
    except: [{name: hotline, number: ["+862150000001"]}]
    notify: {route: supervisors, repeat: 15m, repeat_max: 4h}
    message: {en: "{number} hangs up {value:%} ({hits}/{of})", zh: "{number} 挂断率 {value:%}({hits}/{of})"}
    action:
      suspend: {ttl: 30m, backoff: double, ttl_max: 24h, probation: {calls: 50, max: 1h}, blame: number}
    jurisdiction: CN
    effective_from: 2026-01-01
    source: practice
  - {id: number-flagged, event: {on: number.flagged, until: number.cleared, where: "label == 'spam'"}, by: number, levels: {crit: {}}, no_data: hold, notify: {route: operations}, action: {suspend: {until: cleared}}}
  - {id: talk, indicator: effective_talk_ratio, by: agent, window: 1h, levels: {warn: {below: 40%}}, evidence: {method: raw, min_of: 1800}}
  - {id: csat, indicator: csat, by: agent, window: 24h, levels: {warn: {below: 4.0, clear: 4.1}}, evidence: {method: raw, min_of: 10}}
  - {id: redial, indicator: redial_frequency, by: [number, customer], window: 24h, levels: {warn: {above: 2}}}
  - {id: day, indicator: hangup_rate, by: number, window: {calendar: day, tz: Asia/Shanghai}, levels: {warn: {above: 30%}}}
"""


def indicators() -> tuple[Indicator, ...]:
    return loads_indicators(INDICATORS, Path("indicators.yaml")).value.indicators


def load(text: str) -> tuple[Rule, ...]:
    return loads_rules(text, Path("rules.yaml"), indicators()).value.rules


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value.problems


def test_the_rules_of_the_design_load() -> None:
    rules = load(GOOD)
    assert [rule.id for rule in rules] == [
        "number-hangup",
        "number-flagged",
        "talk",
        "csat",
        "redial",
        "day",
    ]
    assert rules[0].window_keys == ("30m", "4h")
    assert rules[5].window_keys == ("day@Asia/Shanghai",)
    levels = dict(rules[0].levels.items())
    assert isinstance(levels["warn"].evidence, Sequential)
    assert levels["warn"].evidence.false_alarms == 5
    assert levels["crit"].bound == levels["crit"].above


HEAD = "version: 1\nrules:\n  - id: r\n"
FIGURE = "indicator: hangup_rate\nby: number\nwindow: 30m\nlevels: {crit: {above: 30%}}"


def body(text: str) -> str:
    return HEAD + indent(text.strip("\n"), "    ") + "\n"


CASES = [
    (
        FIGURE.replace("hangup_rate", "hangup_rat"),
        4,
        16,
        "no indicator 'hangup_rat'",
        "hangup_rate",
    ),
    (FIGURE.replace("by: number", "by: team"), 5, 9, "not computed by team", "it is by"),
    (
        FIGURE.replace("by: number", "by: [customer, number]"),
        5,
        9,
        "not computed by",
        "[number, customer]",
    ),
    (FIGURE.replace("30m", "31m"), 6, 13, "no window 31m", "30m, 4h"),
    (FIGURE.replace("window: 30m", "windows: [4h, 30m]"), 6, 19, "shortest to the longest", ""),
    (FIGURE.replace("window: 30m", "windows: [30m, day@Asia/Shanghai]"), 6, 20, "stands alone", ""),
    (FIGURE.replace("window: 30m", "windows: [30m]\nwindow: 30m"), 3, 5, "one of them", ""),
    (FIGURE.replace("window: 30m\n", ""), 3, 5, "one of them", ""),
    (FIGURE.replace("30%", "0.3"), 7, 28, "is a share", '"30%"'),
    (FIGURE.replace("30%", "100%"), 7, 20, "never fire", ""),
    (FIGURE.replace("above: 30%", "below: 0%"), 7, 20, "never fire", ""),
    (FIGURE.replace("30%", "0%"), 7, 20, "between 0% and 100%", "raw"),
    (FIGURE.replace("30%", "30%, clear: 31%"), 7, 20, "clear (31%) must be below", "let go"),
    (FIGURE.replace("above: 30%", "at_least: 30%, clear: 30%"), 7, 20, "must be below", ""),
    (FIGURE.replace("above: 30%", "below: 30%, clear: 29%"), 7, 20, "must be above", ""),
    (FIGURE.replace("30%", "30%, clear: 0.2"), 7, 20, "different kinds", ""),
    (FIGURE.replace("30%", "30%, below: 10%"), 7, 20, "not several", ""),
    (FIGURE.replace("{above: 30%}", "{}"), 3, 5, "needs a threshold", ""),
    (FIGURE.replace("{above: 30%}", "{clear: 30%}"), 7, 20, "clear without a threshold", ""),
    (FIGURE.replace("{crit: {above: 30%}}", "{}"), 7, 13, "needs a level", ""),
    (FIGURE.replace("{crit:", "{warn: {above: 31%}, crit:"), 7, 13, "milder", ""),
    (FIGURE.replace("{crit:", "{warn: {below: 31%}, crit:"), 7, 13, "different directions", ""),
    (FIGURE.replace("30%", '"3 * baseline(7d, same_hour)"'), 3, 5, "raw evidence", "min_of"),
    (FIGURE.replace("30%", '"3 * baseline(7, same_hour)"'), 7, 28, "number of days", "7d"),
    (FIGURE + "\naction: {suspend: {ttl: 30m}}", 3, 5, "must say no_data", "hold"),
    (
        FIGURE.replace("number", "agent") + "\nno_data: hold\naction: {suspend: {ttl: 30m}}",
        3,
        5,
        "must be by number",
        "by agent",
    ),
    (
        FIGURE.replace("crit", "warn") + "\nno_data: hold\naction: {suspend: {ttl: 30m}}",
        3,
        5,
        "only warns",
        "",
    ),
    (
        FIGURE + "\nno_data: hold\naction: {suspend: {until: cleared}}",
        3,
        5,
        "event with `until`",
        "",
    ),
    (FIGURE + "\nno_data: hold\naction: {suspend: {}}", 9, 23, "one end", ""),
    (
        FIGURE + "\nno_data: hold\naction: {suspend: {ttl: 30m, blame: agent}}",
        9,
        41,
        "hangup_rate is not computed by number, agent",
        "add [number, agent] to its `by`",
    ),
    (
        FIGURE + "\nno_data: hold\naction: {suspend: {ttl: 30m, ttl_max: 1m}}",
        9,
        23,
        "shorter than ttl",
        "",
    ),
    (FIGURE + "\nevidence: {method: wilson, confidence: 100%}", 8, 15, "confidence", ""),
    (FIGURE + "\nevidence: {method: guess}", 8, 24, "wilson", ""),
    (
        FIGURE + "\nevidence: {method: sequential, false_alarms: 2}",
        8,
        50,
        "false alarms",
        "1 per 30",
    ),
    (FIGURE + "\nevidence: {method: raw, min_off: 3}", 8, 29, "unknown key", "min_of"),
    (FIGURE + '\nmessage: {en: "{numbr}"}', 8, 19, "{numbr}", "number"),
    (FIGURE + '\nmessage: {en: "{number.x}"}', 8, 19, "not a field", "plain name"),
    (FIGURE + '\nmessage: {en: "{value:d5}"}', 8, 19, "format", ""),
    (FIGURE + '\nmessage: {en: "{value"}', 8, 19, "braces", ""),
    (FIGURE + "\nexcept: [{name: x, campaign: [c]}]", 8, 34, "cannot see 'campaign'", ""),
    (FIGURE + "\nexcept: [{number: [hotline]}]", 8, 23, "'hotline' is no telephone number", "+86"),
    (FIGURE + "\nexcept: [{number: ['+86 21x']}]", 8, 23, "is no telephone number", ""),
    (FIGURE + "\neffective_from: 2026-13-01", 8, 21, "not a date", "2026-12-01"),
    (FIGURE + "\neffective_to: 2026-01-01T00:00:00", 8, 19, "without its zone", "+08:00"),
    (FIGURE + "\nwave: 5/1m", 3, 5, "wave is for rules without figures", ""),
    (FIGURE + "\nexcept: [{name: x}]", 8, 14, "names no dimension", ""),
    (FIGURE + "\nnotify: {repeat: 0s}", 8, 13, "every tick", ""),
    (FIGURE + "\nnotify: {repeat: 10m, repeat_max: 5m}", 8, 13, "not longer", ""),
    (FIGURE + "\nno_dat: hold", 8, 5, "unknown key", "no_data"),
    (FIGURE + "\npending: {for: 60}", 8, 20, "no unit", "60s"),
    (
        "absent: {count: call.ended}\nby: agent\nlevels: {warn: {}}",
        3,
        5,
        "say how long nothing may come",
        "for: 30m",
    ),
    ("all_of: [r, r]\nby: agent\nlevels: {warn: {}}", 3, 5, "stands twice", ""),
    (
        "indicator: csat\nby: agent\nwindow: 24h\nlevels: {warn: {below: 40%}}\nevidence: {method: raw}",
        7,
        28,
        "is a mean",
        "plain",
    ),
    (
        "indicator: csat\nby: agent\nwindow: 24h\nlevels: {warn: {below: 4.0}}",
        7,
        20,
        "has to be said",
        "raw",
    ),
    (
        "indicator: csat\nby: agent\nwindow: 24h\nlevels: {warn: {below: 4.0}}\nevidence: {method: wilson}",
        8,
        24,
        "wilson needs counts",
        "raw",
    ),
    (
        "indicator: effective_talk_ratio\nby: agent\nwindow: 1h\nlevels: {warn: {below: 40%, evidence: {method: sequential}}}",
        7,
        52,
        "sequential needs counts",
        "",
    ),
    (
        "indicator: redial_frequency\nby: [number, customer]\nwindow: 24h\nlevels: {warn: {above: 2}}\nevidence: {method: raw, min_of: 2}",
        8,
        37,
        "nothing below the line",
        "",
    ),
    (
        "indicator: redial_frequency\nby: [number, customer]\nwindow: 24h\nlevels: {warn: {above: 2}}\nno_data: alert",
        8,
        14,
        "counts as 0",
        "",
    ),
    (
        "indicator: redial_frequency\nby: [number, customer]\nwindow: 24h\nlevels: {warn: {above: 2}}\nrecovering: {min_of: 2}",
        8,
        26,
        "nothing below the line",
        "",
    ),
    (
        "event: {on: number.flaged, until: number.cleared}\nby: number\nlevels: {crit: {}}",
        4,
        17,
        "no event type",
        "number.flagged",
    ),
    (
        "event: {on: number.flagged, until: number.flagged}\nby: number\nlevels: {crit: {}}",
        4,
        40,
        "end what it begins",
        "",
    ),
    (
        "event: {on: number.flagged, until: number.cleared, where: \"labl == 'x'\"}\nby: number\nlevels: {crit: {}}",
        4,
        64,
        "no field labl",
        "label",
    ),
    ("event: {on: number.flagged}\nby: number\nlevels: {crit: {}}", 3, 5, "is a moment", "until"),
    (
        "event: {on: number.flagged, until: number.cleared}\nby: number\nlevels: {crit: {above: 3}}",
        3,
        5,
        "no threshold",
        "",
    ),
    (
        "event: {on: number.flagged, until: number.cleared}\nby: number\nlevels: {crit: {}, warn: {}}",
        3,
        5,
        "one level",
        "",
    ),
    (
        "event: {on: number.flagged, until: number.cleared}\nby: number\nlevels: {crit: {}}\nwindow: 30m",
        3,
        5,
        "no window",
        "",
    ),
    (
        "event: {on: number.flagged, until: number.cleared}\nby: number\nlevels: {crit: {}}\npending: {for: 1m}",
        3,
        5,
        "fires at once",
        "",
    ),
    (
        "event: {on: number.flagged, until: number.cleared}\nby: nummer\nlevels: {crit: {}}",
        5,
        9,
        "no dimension",
        "number",
    ),
    ("by: number\nlevels: {crit: {}}", 3, 5, "one of them", ""),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), CASES)
def test_a_fault_says_where_it_is_and_how_to_mend_it(
    text: str, line: int, column: int, message: str, hint: str
) -> None:
    [problem, *more] = problems(body(text))
    assert message in problem.message, problem
    assert hint in problem.hint, problem
    assert (problem.line, problem.column) == (line, column), problem
    assert problem.owner == "r"
    assert not more, more


def test_two_rules_do_not_share_an_id() -> None:
    rule = indent(FIGURE, "    ")
    [problem] = problems(f"version: 1\nrules:\n  - id: r\n{rule}\n  - id: r\n{rule}\n")
    assert (problem.line, problem.column) == (8, 9)
    assert "stands twice" in problem.message


def test_every_fault_is_told_at_once_in_order() -> None:
    bad = FIGURE.replace("30m", "31m").replace("number", "nobody") + '\nmessage: {en: "{x}"}'
    found = problems(body(bad))
    assert [problem.line for problem in found] == [5, 6, 8]


def test_the_schema_for_editors_accepts_what_loads_and_refuses_typing_errors() -> None:
    schema = Draft202012Validator(RulesFile.model_json_schema(by_alias=True))
    written = yaml.load(GOOD, Loader=yaml.BaseLoader)  # noqa: S506 - text only, as in the file
    numbers = {"version": 1}
    for entry in written["rules"]:
        for part, name in ((entry.get("evidence"), "min_of"), (entry.get("recovering"), "min_of")):
            if part and name in part:
                part[name] = int(part[name])
        suspend = entry.get("action", {}).get("suspend", {})
        if "probation" in suspend:
            suspend["probation"]["calls"] = int(suspend["probation"]["calls"])
        for level in entry["levels"].values():
            for key in ("above", "below", "clear"):
                if key in level and "%" not in level[key]:
                    level[key] = float(level[key])
    written.update(numbers)
    assert [error.message for error in schema.iter_errors(written)] == []
    written["rules"][0]["levls"] = {}
    assert "levls" in next(schema.iter_errors(written)).message

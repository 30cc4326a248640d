# ruff: noqa: E501 - YAML as its users write it
"""Users' tests of rules: their events, their verdicts, their words, their XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Alert, Command, Decision, Evidence, Figures, Refusal
from monitor.errors import ConfigError, SourceError
from monitor.indicators.load import loads_indicators
from monitor.rules.cases import CasesFile, Scenario, loads_cases, scenario
from monitor.rules.load import loads_rules
from monitor.rules.testing import junit, run_tests
from monitor.strict_yaml import Loaded
from tests.rules.fakes import rule

START = 1_795_309_200_000  # 2026-11-22T01:00:00Z
N = "+862150000007"
STORY = """\
version: 1
tests:
  - name: eighty short hang-ups in a hundred answered calls suspend the number
    start: 2026-11-22T09:00:00+08:00
    events:
      - {at: 1s, every: 5s, times: 5, type: call.ended, number: "+862150000007", outcome: answered, talk_s: [10, 90]}
      - {at: 0s, type: number.flagged, number: "+862150000007", id: twice}
    expect:
      - {within: 10m, alert: number-hangup, level: crit, number: "+862150000007"}
      - {within: 10m, command: suspend, number: "+862150000007"}
    expect_no: [{alert: number-hangup, state: resolved}, {refusal: frozen}]
"""


def load(text: str = STORY) -> Loaded[CasesFile]:
    return loads_cases(text, Path("x.test.yaml"), [rule()])


def alert(after_s: int, state: str = "firing", level: str = "crit", number: str = N) -> Alert:
    return Alert(
        at_ms=START + after_s * 1000,
        id="a",
        episode="e",
        rule="number-hangup",
        scope=(("number", number),),
        level="crit" if level == "crit" else "warn",
        state="firing" if state == "firing" else "resolved",
        since_ms=START,
        figures=Figures(0.8, 80, 100, "30m"),
        evidence=Evidence("raw", 100, 50),
        reason="breach",
    )


def command(after_s: int, number: str = N) -> Command:
    return Command(
        at_ms=START + after_s * 1000,
        id="c",
        action="suspend",
        number=number,
        until_ms=None,
        reason="admitted",
        rule="number-hangup",
        episode="e",
        figures=None,
        evidence=None,
    )


def refusal() -> Refusal:
    return Refusal(START, "r", N, "frozen", "", "pool", "number-hangup", "e")


def failures(*decisions: Decision, text: str = STORY) -> tuple[str, ...]:
    [result] = run_tests(load(text), lambda _story: decisions, ManualClock())
    return tuple(failure.words for failure in result.failures)


def test_lists_are_taken_in_turn_and_events_come_in_order_of_time() -> None:
    story = scenario(load().value.tests[0], index=3)
    assert story.start_ms == START
    assert story.until_ms == START + 600_000
    assert [event["time"] - START for event in story.events] == [
        0,
        1000,
        6000,
        11_000,
        16_000,
        21_000,
    ]
    assert [event.get("talk_s") for event in story.events[1:]] == [10, 90, 10, 90, 10]
    assert [event["id"] for event in story.events] == [
        "twice",
        *(f"test-3-0-{n}" for n in range(5)),
    ]
    assert json.loads(json.dumps(story.events[1]))["number"] == N


def test_a_story_lasts_at_least_as_long_as_its_events() -> None:
    text = STORY.replace("within: 10m", "within: 1s")
    assert scenario(load(text).value.tests[0]).until_ms == START + 21_000


def test_what_should_come_and_comes_passes() -> None:
    assert failures(alert(600), command(600)) == ()


@pytest.mark.parametrize(
    "came",
    [
        alert(601),
        alert(10, level="warn"),
        alert(10, number="+1"),
        command(10),
    ],
)
def test_what_should_come_must_fit_in_every_respect(came: Decision) -> None:
    [failure, *_] = failures(came, command(10))
    assert failure.startswith(
        f"expected alert number-hangup firing crit number={N} within 10m: it did not come. What came:"
    )
    assert "after 10" in failure


def test_nothing_at_all_is_said_so() -> None:
    first, second = failures()
    assert "Nothing was decided at all" in first
    assert "command suspend" in second


def test_what_should_not_come_is_told_with_its_time() -> None:
    first, second = failures(alert(5), command(5), alert(65, state="resolved"), refusal())
    assert first == (
        "did not expect alert number-hangup resolved: it came, after 1m 5s: "
        f"alert number-hangup resolved crit breach number={N} (80/100)"
    )
    assert "refusal frozen" in second


def test_many_decisions_are_cut() -> None:
    [failure] = failures(command(1), *(alert(n, level="warn") for n in range(20)))
    assert failure.endswith("and 9 more")


def test_a_story_that_cannot_run_fails_alone() -> None:
    def run(_story: Scenario) -> Sequence[Decision]:
        raise SourceError("no such thing")

    [result] = run_tests(load(), run, ManualClock())
    assert result.failures == ((3, "the story could not be run: no such thing"),)
    assert not result.passed
    assert (result.path.name, result.line) == ("x.test.yaml", 3)


def test_junit_holds_any_text() -> None:
    text = STORY.replace("eighty short", 'a <b> & "c"')
    results = run_tests(load(text), lambda _story: [], ManualClock())
    results += run_tests(load(), lambda _story: [alert(5), command(5)], ManualClock())
    suite = ET.fromstring(junit(results)).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    bad, good = suite.findall("testcase")
    assert 'a <b> & "c"' in (bad.get("name") or "")
    assert len(bad.findall("failure")) == 2
    assert not good.findall("failure")


HEAD = "version: 1\ntests:\n  - name: t\n    start: 2026-11-22T09:00:00Z\n"
EVENTS = "events: [{at: 0s, type: call.ended}]\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        (EVENTS, 3, 5, "cannot fail", "expect"),
        (
            EVENTS + "expect: [{alert: number-hangups}]",
            6,
            22,
            "no rule 'number-hangups'",
            "number-hangup",
        ),
        (EVENTS + "expect: [{command: suspend, rule: nobody}]", 6, 39, "no rule 'nobody'", ""),
        (
            EVENTS + "expect: [{alert: number-hangup, numer: x}]",
            6,
            37,
            "unknown key 'numer'",
            "number",
        ),
        (EVENTS + "expect: [{alert: number-hangup, number: 12}]", 6, 45, "is text", '"12"'),
        (EVENTS + "expect: [{alert: number-hangup, command: suspend}]", 6, 14, "of one kind", ""),
        (EVENTS + "expect: [{within: 1m}]", 6, 14, "of one kind", ""),
        (EVENTS + "expect: [{command: suspend, level: crit}]", 6, 14, "go with alert", ""),
        (EVENTS + "expect: [{alert: number-hangup, rule: x}]", 6, 14, "names the rule already", ""),
        (EVENTS + "expect: [{refusal: frozen, reason: x}]", 6, 14, "names its guard", ""),
        (
            "events: [{at: 0s, type: call.endet}]\nexpect: [{refusal: x}]",
            5,
            29,
            "no event type",
            "call.ended",
        ),
        (
            "events: [{at: 0s, type: call.ended, talk: 5}]\nexpect: [{refusal: x}]",
            5,
            41,
            "no field 'talk'",
            "talk_s",
        ),
        (
            "events: [{at: 0s, type: call.ended, score: 5}]\nexpect: [{refusal: x}]",
            5,
            41,
            "no field 'score'",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, talk_s: ten}]\nexpect: [{refusal: x}]",
            5,
            49,
            "is a number",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, talk_s: true}]\nexpect: [{refusal: x}]",
            5,
            49,
            "is a number",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, talk_s: -1}]\nexpect: [{refusal: x}]",
            5,
            49,
            "is from 0 to",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, talk_s: [1, x]}]\nexpect: [{refusal: x}]",
            5,
            49,
            "is a number",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, talk_s: []}]\nexpect: [{refusal: x}]",
            5,
            49,
            "empty list",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, outcome: anwsered}]\nexpect: [{refusal: x}]",
            5,
            50,
            "is one of",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, need_captured: 1}]\nexpect: [{refusal: x}]",
            5,
            56,
            "true or false",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, number: 862}]\nexpect: [{refusal: x}]",
            5,
            49,
            "is text",
            "",
        ),
        (
            "events: [{at: 0s, type: sms.sent, segments: 1.5}]\nexpect: [{refusal: x}]",
            5,
            49,
            "whole number",
            "",
        ),
        (
            "events: [{at: 0s, type: call.ended, started_at: 1.5}]\nexpect: [{refusal: x}]",
            5,
            53,
            "is a time",
            "",
        ),
        (
            "events: [{at: 0s, times: 3, type: call.ended}]\nexpect: [{refusal: x}]",
            5,
            14,
            "needs every",
            "5s",
        ),
    ],
)
def test_a_fault_says_where_it_is_and_how_to_mend_it(
    text: str, line: int, column: int, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(HEAD + indent(text.strip("\n"), "    ") + "\n")
    [problem, *more] = caught.value.problems
    assert message in problem.message, problem
    assert hint in problem.hint, problem
    assert (problem.line, problem.column) == (line, column), problem
    assert not more, more


def test_a_story_has_a_bound() -> None:
    text = (
        HEAD
        + "    events: [{at: 0s, every: 1s, times: 150000, type: call.ended}, {at: 0s, every: 1s, times: 150000, type: call.ended}]\n    expect: [{refusal: x}]\n"
    )
    with pytest.raises(ConfigError, match="at most 200000 events"):
        load(text)


def test_a_failure_stands_at_the_line_of_its_expectation() -> None:
    [result] = run_tests(load(), lambda _story: [alert(65, state="resolved")], ManualClock())
    assert [failure.line for failure in result.failures] == [9, 10, 11]
    assert "x.test.yaml:10: expected command suspend" in junit([result])


STALLED = """
version: 1
indicators:
  - id: stalled
    kind: population
    entity: customer
    from: customer.level
    state: level
    unchanged_for: 30d
    max_age: 90d
    by: [team]
"""


@pytest.mark.parametrize(
    ("wish", "refused"),
    [
        ("{alert: stalled}", "cannot fire before 30d 1h, and nothing is looked at after 1h"),
        ("{within: 29d, alert: stalled}", "after 29d"),
        ("{within: 31d, alert: stalled}", ""),
        ("{alert: stalled, state: resolved}", ""),
    ],
)
def test_silence_before_it_could_fire_is_refused(wish: str, refused: str) -> None:
    figures = loads_indicators(STALLED, Path("i.yaml")).value.indicators
    rules = loads_rules(
        "version: 1\nrules:\n  - {id: stalled, indicator: stalled, by: team, window: now,"
        " levels: {warn: {above: 0%}}, evidence: {method: raw}}\n",
        Path("r.yaml"),
        figures,
    ).value.rules
    text = f"""\
version: 1
tests:
  - name: a story
    start: 2026-11-22T09:00:00+08:00
    events: [{{at: 1h, type: customer.level, customer: c-1, team: t-1, level: 2}}]
    expect_no: [{wish}]
"""
    if not refused:
        loads_cases(text, Path("x.test.yaml"), rules, figures)
        return
    with pytest.raises(ConfigError) as caught:
        loads_cases(text, Path("x.test.yaml"), rules, figures)
    assert refused in str(caught.value)

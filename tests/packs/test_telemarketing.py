"""The shipped pack: it loads, says everything twice over, and its rules do what they say."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.rules.cases import CasesFile, RuleTest, load_cases
from monitor.rules.lint import Surroundings, lint_files
from monitor.rules.model import Rule
from monitor.rules.testing import run_tests
from monitor.site import Site
from monitor.strict_yaml import Loaded
from tests.packs.stories import PACKS, run, shipped

PACK = PACKS / "telemarketing"
DOCS = Path(__file__).parents[2] / "docs"
ROUTES = {"supervisors", "operations", "coaches"}
ACTING = {"number-flagged", "number-complaint", "number-hangup"}


@cache
def site() -> Site:
    return shipped()


@cache
def cases() -> Loaded[CasesFile]:
    return load_cases(PACK / "rules.test.yaml", site().rules)


@pytest.mark.untraced
@pytest.mark.parametrize("index", range(len(cases().value.tests)))
def test_every_story_ends_as_told(index: int) -> None:
    test = cases().value.tests[index]
    only = CasesFile.model_construct(version=1, tests=(test,))
    loaded = Loaded(only, cases().path, cases().root)
    (result,) = run_tests(loaded, lambda story: run(site(), story), SystemClock())
    assert result.passed, f"{test.name}: {'; '.join(result.failures)}"


def told_of(test: RuleTest, rule: str, state: str) -> bool:
    return any(wish.alert == rule and wish.state == state for wish in test.expect)


@pytest.mark.parametrize("rule", [rule.id for rule in site().rules])
def test_every_rule_has_stories_in_which_it_fires_lets_go_and_keeps_quiet(rule: str) -> None:
    tests = cases().value.tests
    assert any(told_of(test, rule, "firing") for test in tests)
    assert any(told_of(test, rule, "resolved") for test in tests) or any(
        wish.command == "resume" and told_of(test, rule, "firing")
        for test in tests
        for wish in test.expect
    )
    quiet = [wish for test in tests for wish in test.expect_no if wish.alert == rule]
    assert any(wish.state == "firing" for wish in quiet)


def test_every_level_is_reached_in_a_story() -> None:
    reached = {
        (wish.alert, wish.level)
        for test in cases().value.tests
        for wish in test.expect
        if wish.state == "firing"
    }
    declared = {(rule.id, name) for rule in site().rules for name, _ in rule.levels.items()}
    # A rule that goes straight to critical in its story shows its warning in another one.
    assert declared - reached <= {("campaign-hangup", "warn"), ("team-hangup", "warn")}


def test_the_pack_has_the_indicators_of_the_domain() -> None:
    indicators = {indicator.id: indicator for indicator in site().indicators}
    assert set(indicators) == {
        "hangup_rate",
        "complaint_rate",
        "number_flag_rate",
        "effective_talk_ratio",
        "answer_rate",
        "csat",
        "auto_log_rate",
        "redial_frequency",
    }
    for indicator in indicators.values():
        assert set(indicator.title) == set(indicator.description) == {"en", "zh"}
        assert indicator.class_ is not None
    assert indicators["redial_frequency"].by == (("number", "customer"),)
    assert indicators["redial_frequency"].window_keys == ("day@Asia/Shanghai",)


def test_exactly_the_rules_on_numbers_that_lose_them_act() -> None:
    acting = {rule.id for rule in site().rules if rule.action is not None}
    assert acting == ACTING
    assert all(rule.no_data == "hold" for rule in site().rules if rule.id in ACTING)
    assert {rule.id for rule in site().rules if rule.status != "active"} == {"number-answer"}


@pytest.mark.parametrize("rule", site().rules, ids=lambda rule: rule.id)
def test_every_rule_speaks_both_languages_and_has_a_listener(rule: Rule) -> None:
    assert set(rule.message) == set(rule.title) == {"en", "zh"}
    assert rule.notify.route in ROUTES


def test_the_linter_has_nothing_against_it() -> None:
    found = lint_files(site().rule_files, site().indicator_files, Surroundings(routes=ROUTES))
    assert [str(each.problem) for each in found if each.severity != "info"] == []
    assert any("false alarm" in each.problem.message for each in found)


@pytest.mark.parametrize("kind", ["indicators", "rules", "tests"])
def test_editors_find_nothing_wrong(kind: str) -> None:
    name = "rules.test.yaml" if kind == "tests" else f"{kind}.yaml"
    first = (PACK / name).read_text().splitlines()[0]
    relative = first.removeprefix("# yaml-language-server: $schema=")
    schema = (PACK / relative).resolve()
    assert schema == DOCS / "schema" / f"{kind}.json"
    checker = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema)]
    done = subprocess.run([*checker, str(PACK / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_names_every_rule_and_indicator(name: str) -> None:
    text = (PACK / name).read_text()
    names = [rule.id for rule in site().rules] + [each.id for each in site().indicators]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_table_of_indicators_is_complete() -> None:
    text = (DOCS / "indicators.md").read_text()
    for indicator in site().indicators:
        assert f"`{indicator.id}`" in text
        assert indicator.title["zh"] in text

"""Every shipped pack: it loads, says everything twice over, and its rules do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monitor.clock import SystemClock
from monitor.config import Config
from monitor.rules.cases import CasesFile, RuleTest
from monitor.rules.lint import Surroundings, lint_files
from monitor.rules.model import Rule
from monitor.rules.testing import run_tests
from monitor.site import load_site
from monitor.strict_yaml import Loaded, loads_yaml
from tests.docs import packs_page
from tests.packs.stories import NAMES, PACKS, cases_of, run, site_of, stories_of

DOCS = Path(__file__).parents[2] / "docs"
ROUTES = {"supervisors", "operations", "coaches"}
READMES = ("README.md", "README.zh-CN.md")
ACTING = {
    "telemarketing": {"number-flagged", "number-complaint", "number-hangup"},
}
"""The rules that take a number out of use; no other pack does more than tell."""
OF_LAW = [name for name in NAMES if name.startswith("compliance-")]
KNOWN = {
    ("compliance-br", "br-short-calls"): "needs 100001 below the line",
}
"""Remarks of the linter that are meant: the limit is one for very large callers."""

OVERLAYS = sorted(PACKS.glob("*/stages/*.yaml"))
RULES = [pytest.param(name, rule, id=rule.id) for name in NAMES for rule in site_of(name).rules]
STORIES = [
    pytest.param(name, index, id=f"{name}-{index}")
    for name in NAMES
    for index in range(len(cases_of(name)))
]


@pytest.mark.untraced
@pytest.mark.parametrize(("name", "index"), STORIES)
def test_every_story_ends_as_told(name: str, index: int) -> None:
    loaded = stories_of(name)
    only = CasesFile.model_construct(version=1, tests=(loaded.value.tests[index],))
    site = site_of(name)
    (result,) = run_tests(
        Loaded(only, loaded.path, loaded.root), lambda story: run(site, story), SystemClock()
    )
    assert result.passed, f"{result.name}: {result.failures}"


def told_of(test: RuleTest, rule: str, state: str) -> bool:
    return any(wish.alert == rule and wish.state == state for wish in test.expect)


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_every_rule_has_stories_in_which_it_fires_lets_go_and_keeps_quiet(
    name: str, rule: Rule
) -> None:
    tests = cases_of(name)
    assert any(told_of(test, rule.id, "firing") for test in tests)
    assert any(told_of(test, rule.id, "resolved") for test in tests) or any(
        wish.command == "resume" and told_of(test, rule.id, "firing")
        for test in tests
        for wish in test.expect
    )
    quiet = [wish for test in tests for wish in test.expect_no if wish.alert == rule.id]
    assert any(wish.state == "firing" for wish in quiet)


@pytest.mark.parametrize("name", NAMES)
def test_every_level_is_reached_in_a_story(name: str) -> None:
    reached = {
        (wish.alert, wish.level)
        for test in cases_of(name)
        for wish in test.expect
        if wish.state == "firing"
    }
    declared = {
        (rule.id, level) for rule in site_of(name).rules for level, _ in rule.levels.items()
    }
    # A rule that goes straight to critical in its story shows its warning in another one.
    assert declared - reached <= {("campaign-hangup", "warn"), ("team-hangup", "warn")}


@pytest.mark.parametrize("name", NAMES)
def test_indicators_speak_both_languages_and_have_a_class(name: str) -> None:
    for indicator in site_of(name).indicators:
        assert set(indicator.title) == set(indicator.description) == {"en", "zh"}, indicator.id
        assert indicator.class_ is not None, indicator.id


@pytest.mark.parametrize("name", NAMES)
def test_exactly_the_rules_on_numbers_that_lose_them_act(name: str) -> None:
    acting = {rule.id for rule in site_of(name).rules if rule.action is not None}
    assert acting == ACTING.get(name, set())
    assert all(rule.no_data == "hold" for rule in site_of(name).rules if rule.id in acting)


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_every_rule_speaks_both_languages_and_has_a_listener(name: str, rule: Rule) -> None:
    assert set(rule.message) == set(rule.title) == {"en", "zh"}, name
    assert rule.notify.route in ROUTES
    # A customer is masked for people, and yet has no business in a text that is read aloud.
    assert not any("customer" in template.fields for template in rule.message.values())


@pytest.mark.parametrize("name", OF_LAW)
def test_rules_of_law_say_whose_and_stop_nobody(name: str) -> None:
    for rule in site_of(name).rules:
        assert rule.jurisdiction, rule.id
        assert rule.source, rule.id
        assert rule.action is None, rule.id
        assert rule.status == "shadow", rule.id


@pytest.mark.parametrize("name", NAMES)
def test_the_linter_has_nothing_against_it(name: str) -> None:
    site = site_of(name)
    found = lint_files(site.rule_files, site.indicator_files, Surroundings(routes=ROUTES))
    meant = {rule: words for (pack, rule), words in KNOWN.items() if pack == name}
    said = [
        each.problem
        for each in found
        if each.severity != "info"
        and meant.get(each.problem.owner, "\0") not in each.problem.message
    ]
    assert [str(problem) for problem in said] == []


@pytest.mark.parametrize("kind", ["indicators", "rules", "tests"])
def test_editors_find_nothing_wrong(kind: str) -> None:
    schema = DOCS / "schema" / f"{kind}.json"
    files = [PACKS / n / ("rules.test.yaml" if kind == "tests" else f"{kind}.yaml") for n in NAMES]
    for file in files:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        relative = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / relative).resolve() == schema
    checker = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema)]
    done = subprocess.run([*checker, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("readme", READMES)
def test_the_readme_names_every_rule_and_indicator(name: str, readme: str) -> None:
    text = (PACKS / name / readme).read_text(encoding="utf-8")
    site = site_of(name)
    names = [rule.id for rule in site.rules] + [each.id for each in site.indicators]
    assert [each for each in names if f"`{each}`" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_both_readmes_have_the_same_parts(name: str) -> None:
    texts = [(PACKS / name / readme).read_text(encoding="utf-8") for readme in READMES]
    depth = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in texts]
    assert depth[0] == depth[1]
    assert len(depth[0]) >= 4
    assert "](README.zh-CN.md)" in texts[0]
    assert "](README.md)" in texts[1]
    blocks = [re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) for text in texts]
    assert [yaml.safe_load(one) for one in blocks[0]] == [yaml.safe_load(one) for one in blocks[1]]


@pytest.mark.parametrize("name", NAMES)
def test_the_configurations_in_the_readme_load(name: str, tmp_path: Path) -> None:
    text = (PACKS / name / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert shown
    for number, block in enumerate(shown):
        config = tmp_path / f"{number}.yaml"
        config.write_text(f"version: 1\n{block}", encoding="utf-8")
        assert name in load_site(config).config.packs


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_an_overlay_is_a_configuration_that_changes_its_pack(path: Path) -> None:
    name = path.parts[-3]
    text = path.read_text(encoding="utf-8")
    assert loads_yaml(text, path, Config).value.override.rules
    laid = {rule.id: rule for rule in load_site(path).rules}
    plain = {rule.id: rule for rule in site_of(name).rules}
    assert laid.keys() >= plain.keys()
    assert any(laid[rule] != plain[rule] for rule in plain)


def test_all_packs_can_be_on_together() -> None:
    together = load_site(None, packs=[PACKS / name for name in NAMES])
    assert len(together.rules) == sum(len(site_of(name).rules) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_in_the_readmes_are_current(name: str) -> None:
    for readme in READMES:
        page = PACKS / name / readme
        assert page.read_text(encoding="utf-8") == packs_page.fill(page), "run: make docs"


def test_the_default_pack_is_the_one_without_statutes() -> None:
    assert load_site(None).config.packs == ("telemarketing",)
    shadows = {rule.id for rule in site_of("telemarketing").rules if rule.status != "active"}
    # A stand-in, the parts of `campaign-funnel`, and what not every site's customers had to give.
    assert shadows == {
        "number-answer",
        "campaign-sms-opened",
        "campaign-opened-unanswered",
        "campaign-without-consent",
    }

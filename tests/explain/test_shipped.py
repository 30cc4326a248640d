"""Alerts of the shipped packs explained: what the log gives is what the engine decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from monitor.decisions import Alert
from monitor.explain.explain import explain
from monitor.explain.gather import gather
from monitor.explain.parts import parts_of
from monitor.explain.question import ask
from monitor.replay import Past, run_story
from monitor.rules.cases import Scenario, scenario
from monitor.rules.model import Rule
from monitor.site import Site
from monitor.source.memory import MemorySource
from tests.explain.made import CALLS
from tests.packs.stories import NAMES, cases_of, site_of

WEEK_MS = 7 * 86_400_000
"""Longer stories take long, and are of the same kinds."""


def is_looked_at(name: str, rule: Rule) -> bool:
    """Of the kinds that are about entities, questions and silence."""
    kinds = {each.id: each.kind for each in site_of(name).indicators}
    return rule.absent is not None or kinds.get(rule.indicator or "") in {"population", "response"}


def stories(name: str, rule: str) -> Iterator[Scenario]:
    for index, test in enumerate(cases_of(name)):
        if any(wish.alert == rule and wish.state == "firing" for wish in test.expect):
            yield scenario(test, index=index)


def lasts_ms(name: str, rule: str) -> int:
    story = next(stories(name, rule))
    return story.until_ms - story.start_ms


RULES = [
    pytest.param(name, rule, id=rule.id)
    for name in NAMES
    for rule in site_of(name).rules
    if is_looked_at(name, rule) and lasts_ms(name, rule.id) <= WEEK_MS
]


def test_every_kind_is_among_them() -> None:
    rules: list[Any] = [each.values[1] for each in RULES]
    kinds = {each.id: each.kind for name in NAMES for each in site_of(name).indicators}
    found = {kinds[rule.indicator] if rule.indicator else "absence" for rule in rules}
    assert found == {"population", "response", "absence"}


def alerts_of(site: Site, story: Scenario) -> list[Alert]:
    return [each for each in run_story(site, story) if isinstance(each, Alert)]


def first(alerts: list[Alert], rule: Rule) -> Alert:
    return next(each for each in alerts if each.rule == rule.id and each.state == "firing")


def log(story: Scenario) -> MemorySource:
    made = MemorySource([CALLS])
    events = [msgspec.json.encode(event) for event in story.events]
    made.append(CALLS, events, timestamp_ms=story.until_ms)
    made.finish()
    return made


@pytest.mark.untraced
@pytest.mark.parametrize(("name", "rule"), RULES)
def test_the_log_gives_what_was_decided(name: str, rule: Rule) -> None:
    site = site_of(name)
    story = next(stories(name, rule.id))
    alert = first(alerts_of(site, story), rule)
    told = explain(
        ask(site, alert), gather(site, ask(site, alert), log(story), Past()), records=5,
        zone=ZoneInfo("Asia/Shanghai"),
    )  # fmt: skip
    assert told.complete, (told.sides.hits, told.sides.of, alert.figures)
    assert told.sides.bad.height


COMBINED = [
    pytest.param(name, rule, id=rule.id)
    for name in NAMES
    for rule in site_of(name).rules
    if rule.parts and lasts_ms(name, rule.id) <= WEEK_MS
]


@pytest.mark.parametrize(("name", "rule"), COMBINED)
def test_a_rule_on_others_rests_on_their_alerts(name: str, rule: Rule) -> None:
    site = site_of(name)
    story = next(stories(name, rule.id))
    told = alerts_of(site, story)
    alert = first(told, rule)
    parts = parts_of(alert, rule, lambda part: (each for each in told if each.rule == part))
    assert {each.rule for each in parts} == set(rule.parts)
    assert all(each.state == "firing" and each.at_ms <= alert.at_ms for each in parts)
    assert all(dict(each.scope).items() <= dict(alert.scope).items() for each in parts)

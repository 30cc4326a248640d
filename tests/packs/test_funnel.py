# ruff: noqa: E501 - YAML as its users write it
"""A funnel in a pack: its rules fire, keep quiet just below, let go; and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.cli.check import findings_of
from monitor.clock import SystemClock
from monitor.errors import ConfigError
from monitor.rules.cases import load_cases
from monitor.rules.testing import run_tests
from monitor.site import Site, load_site
from tests.packs.stories import run

INDICATORS = """\
version: 1
indicators:
  - id: sms_call_funnel
    title: {en: SMS to call, zh: 短信-电话转化漏斗}
    kind: funnel
    entity: customer
    within: 7d
    steps:
      sent: {on: [sms.sent, sms.delivered, sms.opened]}
      opened: {on: sms.opened, target: 30%}
      answered: {on: call.ended, where: "outcome == 'answered'"}
      deal: {on: deal.won}
    by: [campaign, team]
    windows: [1h, 24h]
"""
RULES = """\
version: 1
rules:
  - id: few-answer
    indicator: sms_call_funnel_answered
    by: campaign
    window: 1h
    levels: {warn: {below: 20%, clear: 30%}}
    evidence: {method: raw, min_of: 10}
    no_data: hold
    notify: {route: supervisors}
    message: {en: "{campaign}: {value:.0%} of those who opened answered ({hits:d} of {of:d})"}
"""
TEN = "[c0, c1, c2, c3, c4, c5, c6, c7, c8, c9]"
OPENED = f"- {{at: 0s, every: 1s, times: 10, type: sms.opened, campaign: spring, customer: {TEN}}}"
TESTS = f"""\
version: 1
tests:
  - name: one of ten who opened answers
    start: 2026-11-22T09:00:00+08:00
    events:
      {OPENED}
      - {{at: 5m, type: call.ended, outcome: answered, campaign: spring, customer: c3}}
      - {{at: 6m, every: 1s, times: 10, type: call.ended, outcome: busy, campaign: spring, customer: {TEN}}}
    expect:
      - {{within: 15s, alert: few-answer, level: warn, campaign: spring}}
    expect_no:
      - {{alert: few-answer, state: resolved}}
  - name: two of ten is the threshold itself
    start: 2026-11-22T09:00:00+08:00
    events:
      - {{at: 0s, every: 1s, times: 2, type: sms.opened, campaign: spring, customer: [c0, c1]}}
      - {{at: 5s, every: 1s, times: 2, type: call.ended, outcome: answered, campaign: spring, customer: [c0, c1]}}
      {OPENED.replace("at: 0s", "at: 10s")}
      - {{at: 5m, every: 1s, times: 10, type: call.ended, outcome: answered, campaign: spring, customer: [c0, c1]}}
    expect_no:
      - {{alert: few-answer}}
  - name: a third answer lets it go
    start: 2026-11-22T09:00:00+08:00
    events:
      {OPENED}
      - {{at: 5m, every: 1s, times: 3, type: call.ended, outcome: answered, campaign: spring, customer: [c3, c4, c5]}}
    expect:
      - {{within: 15s, alert: few-answer, level: warn, campaign: spring}}
      - {{within: 20m, alert: few-answer, state: resolved, campaign: spring}}
  - name: a call before the message was opened is no answer to it
    start: 2026-11-22T09:00:00+08:00
    events:
      - {{at: 0s, every: 1s, times: 10, type: call.ended, outcome: answered, campaign: spring, customer: {TEN}}}
      {OPENED.replace("at: 0s", "at: 1m")}
    expect:
      - {{within: 90s, alert: few-answer, level: warn, campaign: spring}}
"""


def pack(folder: Path, indicators: str = INDICATORS) -> Path:
    folder.mkdir()
    (folder / "indicators.yaml").write_text(indicators)
    (folder / "rules.yaml").write_text(RULES)
    (folder / "rules.test.yaml").write_text(TESTS)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_site(None, packs=[pack(tmp_path / "mine")])


def test_its_rule_fires_and_lets_go(site: Site) -> None:
    cases = load_cases(site.rule_files[0].path.with_name("rules.test.yaml"), site.rules)
    results = run_tests(cases, lambda story: run(site, story), SystemClock())
    assert {result.name: result.failures for result in results} == dict.fromkeys(
        (result.name for result in results), ()
    )
    assert len(results) == 4


def test_a_site_has_its_steps(site: Site) -> None:
    assert [each.id for each in site.indicators] == [
        "sms_call_funnel_opened",
        "sms_call_funnel_answered",
        "sms_call_funnel_deal",
    ]


def test_a_funnel_is_looked_at_when_one_of_its_steps_is(site: Site, tmp_path: Path) -> None:
    assert "no rule looks at this indicator" not in str(findings_of(site, routes=False))
    alone = pack(tmp_path / "alone")
    (alone / "rules.yaml").unlink()
    (finding,) = findings_of(load_site(None, packs=[alone]), routes=False)
    assert finding.problem.message == "no rule looks at this indicator"


def test_a_site_may_lay_its_own_values_over_a_funnel(tmp_path: Path) -> None:
    pack(tmp_path / "mine")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"version: 1\nrules_dir: {tmp_path}\npacks: [mine]\n"
        "override: {indicators: {sms_call_funnel: {within: 2d, steps: {deal: {target: 5%}}}}}\n"
    )
    last = load_site(config).indicators[-1]
    assert (last.id, float(last.target or 0)) == ("sms_call_funnel_deal", 0.05)


def test_two_packs_may_not_claim_the_id_of_a_step(tmp_path: Path) -> None:
    other = """\
version: 1
indicators:
  - {id: sms_call_funnel_deal, kind: count, value: {count: deal.won}, by: [team], windows: [1h]}
"""
    packs = [pack(tmp_path / "mine"), tmp_path / "yours"]
    packs[1].mkdir()
    (packs[1] / "indicators.yaml").write_text(other)
    with pytest.raises(ConfigError, match=r"'sms_call_funnel_deal' stands in .* too"):
        load_site(None, packs=packs)

"""Figures of the whole company: one scope, without a field of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.indicators.load import loads_indicators
from monitor.rules.load import loads_rules
from tests.indicators.made import T0, indicators, load, made, row, run, shown

ANSWERED = """
  - id: answered
    kind: ratio
    hits: {count: call.ended, where: outcome == 'answered'}
    of: {count: call.ended}
    by: [team, company]
    windows: [10m]
  - id: reached
    kind: count
    value: {distinct: customer, on: call.ended}
    by: [company]
    windows: [10m]
  - id: close
    kind: population
    entity: customer
    from: customer.graded
    among: grade == 'close'
    max_age: 30d
    by: [company]
"""


def test_every_event_belongs_to_it_with_or_without_dimensions() -> None:
    figures = made(ANSWERED)
    rows = [
        row(T0, outcome="answered", team="a", customer="c-1"),
        row(T0 + 1, outcome="busy", team="b", customer="c-1"),
        row(T0 + 2, outcome="answered", customer="c-2"),
        row(T0 + 3, "customer.graded", customer="c-2", grade="close"),
        row(T0 + 4, "customer.graded", customer="c-3", grade="ordinary"),
    ]
    load(figures, rows)
    run(figures, T0 + 60_000)
    assert shown(figures, "answered", "company", "10m") == {("all",): (2, 3)}
    assert shown(figures, "answered", "team", "10m") == {("a",): (1, 1), ("b",): (0, 1)}
    assert shown(figures, "reached", "company", "10m") == {("all",): (2, 1)}
    assert shown(figures, "close", "company", "now") == {("all",): (1, 1)}


def test_it_is_a_scope_alone() -> None:
    with pytest.raises(ConfigError, match=r"company is a scope alone \(leave it out of the pair\)"):
        loads_indicators(
            "version: 1\nindicators:\n" + ANSWERED.replace("[team, company]", "[[team, company]]"),
            Path("indicators.yaml"),
        )


def faults(rules: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads_rules("version: 1\nrules:\n" + rules, Path("rules.yaml"), indicators(ANSWERED))
    return str(caught.value)


def test_it_has_no_peers_and_no_parts() -> None:
    levels = "{warn: {above: 'peer_quantile(team, 80%)', gap: 5%}}"
    figure = "indicator: answered, window: 10m, evidence: {method: raw, min_of: 5}"
    whole = f"  - {{id: whole, by: company, {figure}, levels: {{warn: {{above: 30%}}}}}}\n"
    assert "there is one company: it has no peers (name another scope)" in faults(
        f"  - {{id: odd, by: company, {figure}, levels: {levels}}}\n"
    )
    team = f"  - {{id: part, by: team, {figure}, levels: {{warn: {{above: 30%}}}}}}\n"
    assert "'whole' is by company, and the rule by team" in faults(
        whole + team + "  - {id: both, all_of: [whole, part], by: team, levels: {crit: {}}}\n"
    )


def test_a_single_event_is_nobody_s_but_its_own() -> None:
    assert "no dimension 'company'" in faults(
        "  - {id: told, event: {on: number.flagged, until: number.cleared}, by: company,"
        " levels: {crit: {}}}\n"
    )

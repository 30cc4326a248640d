"""Rules on trial beside real ones."""

# ruff: noqa: E501 - rules stand on one line

from __future__ import annotations

from pathlib import Path

from monitor.indicators.load import loads_indicators
from monitor.rules.load import loads_rules

INDICATORS = """version: 1
indicators:
  - {id: hangs, kind: ratio, hits: {count: call.ended, where: "hangup_by == 'customer'"}, of: {count: call.ended}, by: [number, agent], windows: [30m]}
  - {id: complaints, kind: ratio, hits: {count: complaint.filed}, of: {count: call.ended}, by: [number], windows: [24h]}
"""
RULES = """version: 1
rules:
  - {id: trial, indicator: hangs, by: number, window: 30m, status: shadow, levels: {warn: {above: 25%}, crit: {above: 30%}}, no_data: hold}
  - {id: by-agent, indicator: hangs, by: agent, window: 30m, status: shadow, levels: {warn: {above: 25%}}, no_data: hold}
  - {id: real, indicator: hangs, by: number, window: 30m, levels: {crit: {above: 60%}}, no_data: hold}
  - {id: flagged, event: {on: number.flagged, until: number.cleared}, by: number, status: shadow, levels: {crit: {}}, no_data: hold}
  - {id: complained, indicator: complaints, by: number, window: 24h, levels: {warn: {above: 1%}}, evidence: {method: raw, min_of: 50}, no_data: hold}
"""
FIGURES = loads_indicators(INDICATORS, Path("indicators.yaml"), tick_ms=5_000).value.indicators
SITE = loads_rules(RULES, Path("rules.yaml"), FIGURES).value.rules

"""How the rules stand, as the exporter and ``status`` show it.

Owns the translation of rules and rows into ``monitor.snapshot``'s shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from monitor.rules.episodes import Row
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.snapshot import AlertStanding, RuleLevel, RuleStanding


class RuleStates(NamedTuple):
    """How the rules stand, for people."""

    rules: tuple[RuleStanding, ...]
    alerts: tuple[AlertStanding, ...]
    """Firing or recovering, most severe first."""


def standing(rule: Rule, row: Row) -> AlertStanding:
    """An episode that is not over; the row must have one."""
    return AlertStanding(
        rule=rule.id,
        level=row.level or "warn",
        scope=row.scope,
        since_ms=row.began,
        episode=row.episode,
        figures=row.figures,
        route=rule.notify.route,
        shadow=rule.shadow,
    )


def rule_standing(rule: Rule, counts: Mapping[str, int], folded: int = 0) -> RuleStanding:
    """A rule with its scopes by state, every state named."""
    return RuleStanding(
        rule=rule.id,
        indicator=rule.indicator or "",
        by=rule.by,
        window=",".join(rule.window_keys),
        status=rule.status,
        levels=tuple(
            RuleLevel(name, float(level.bound), level.direction)
            for name, level in rule.levels.items()
            if level.bound is not None
        ),
        states={str(state): counts.get(str(state), 0) for state in State},
        title={str(language): text for language, text in rule.title.items()},
        folded=folded,
        runbook=rule.runbook,
    )

"""``callcentre_`` metrics from a snapshot: events, rules, alerts, numbers, commands.

Owns where each figure comes from. Windowed figures are ``figures.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice, product
from typing import get_args

from prometheus_client.core import Metric

from monitor.decisions import Action, AlertState, Scope
from monitor.events.batch import PRIVATE_DIMENSIONS
from monitor.events.catalogue import EVENT_TYPES
from monitor.exporter import catalogue as names
from monitor.exporter.families import Rows, counted, single
from monitor.numbers.guards import Guard
from monitor.numbers.lifecycle import State
from monitor.snapshot import Snapshot

COMMAND_RESULTS = ("issued", "applied", "rejected", "stale")
OTHER = "other"
"""The type label of events that the catalogue does not know: a label never grows by input."""


def collect(snapshot: Snapshot, rows_max: int) -> Iterator[Metric]:
    """Every domain metric but the windowed figures.

    ``rows_max`` bounds each list of single things: alerts, numbers, agents.
    """
    yield _events(snapshot)
    yield from _indicators(snapshot)
    yield from _rules(snapshot)
    yield from _alerts(snapshot, rows_max)
    yield from _numbers(snapshot, rows_max)
    yield _agents(snapshot, rows_max)
    commands = product(get_args(Action), COMMAND_RESULTS)
    yield counted(names.COMMANDS, snapshot.stats.commands, commands)
    yield counted(names.LISTINGS, snapshot.stats.listings)
    yield counted(names.REFUSALS, snapshot.stats.refusals, get_args(Guard))


def shown_scope(scope: Scope) -> Scope:
    """The scope without its private dimensions."""
    return tuple(pair for pair in scope if pair[0] not in PRIVATE_DIMENSIONS)


def _events(snapshot: Snapshot) -> Metric:
    totals: Counter[tuple[str, ...]] = Counter()
    for (kind, outcome), count in dict(snapshot.stats.events).items():
        totals[kind if kind in EVENT_TYPES else OTHER, outcome] += count
    return counted(names.EVENTS, totals, ((kind, "accepted") for kind in EVENT_TYPES))


def _indicators(snapshot: Snapshot) -> Iterator[Metric]:
    infos, targets = Rows(names.INDICATOR_INFO), Rows(names.INDICATOR_TARGET)
    for info in snapshot.indicators:
        title = info.title.get("en", info.id)
        title_zh = info.title.get("zh", title)
        infos.add(1, info.id, info.kind, info.of_class, info.better, title, title_zh)
        if info.target is not None:
            targets.add(info.target, info.id)
    yield infos.metric
    yield targets.metric


def _rules(snapshot: Snapshot) -> Iterator[Metric]:
    infos, thresholds = Rows(names.RULE_INFO), Rows(names.RULE_THRESHOLD)
    scopes, folded = Rows(names.RULE_SCOPES), Rows(names.RULE_FOLDED)
    for rule in snapshot.rules:
        scope = "+".join(rule.by)
        infos.add(1, rule.rule, rule.indicator, rule.window, scope, rule.status)
        for level in rule.levels:
            thresholds.add(
                level.bound,
                rule.rule,
                rule.indicator,
                rule.window,
                scope,
                level.level,
                level.direction,
            )
        for state, count in sorted(rule.states.items()):
            scopes.add(count, rule.rule, state)
        if not rule.indicator:
            folded.add(rule.folded, rule.rule)
    yield infos.metric
    yield thresholds.metric
    yield scopes.metric
    yield folded.metric


def _alerts(snapshot: Snapshot, rows_max: int) -> Iterator[Metric]:
    # A rule's levels start at 0, so that "nothing fires" is a figure and not an absence.
    firing: Counter[tuple[str, ...]] = Counter()
    for rule in snapshot.rules:
        for level in rule.levels:
            firing[rule.rule, level.level, _flag(rule.status == "shadow")] = 0
    since: dict[tuple[tuple[str, ...], Scope], int] = {}
    for alert in snapshot.alerts:
        labels: tuple[str, ...] = (alert.rule, alert.level, _flag(alert.shadow))
        firing[labels] += 1
        # Without their customer two episodes may look the same: the elder one speaks for both.
        scope = shown_scope(alert.scope)
        key = ((*labels, "+".join(name for name, _ in alert.scope)), scope)
        since[key] = min(since.get(key, alert.since_ms), alert.since_ms)
    yield counted(names.ALERTS_FIRING, firing)
    rows = Rows(names.ALERT_SINCE)
    for (labels, scope), since_ms in islice(since.items(), rows_max):
        rows.add_scoped(since_ms / 1000, *labels, scope=scope)
    yield rows.metric
    transitions = (
        (rule.rule, level.level, state)
        for rule in snapshot.rules
        for level in rule.levels
        for state in get_args(AlertState)
    )
    yield counted(names.ALERTS, snapshot.stats.alerts, transitions)


def _numbers(snapshot: Snapshot, rows_max: int) -> Iterator[Metric]:
    yield counted(names.NUMBERS, snapshot.numbers, (state.value for state in State))
    yield single(names.NUMBERS_FROZEN, float(snapshot.frozen))
    since, until = Rows(names.NUMBER_SINCE), Rows(names.NUMBER_UNTIL)
    for number in snapshot.standing[:rows_max]:
        since.add(number.since_ms / 1000, number.number, number.state, number.rule)
        if number.until_ms is not None:
            until.add(number.until_ms / 1000, number.number)
    yield since.metric
    yield until.metric


def _agents(snapshot: Snapshot, rows_max: int) -> Metric:
    rows = Rows(names.AGENT_INFO)
    for place in snapshot.agents[:rows_max]:
        rows.add(1, place.agent, place.group, place.team)
    return rows.metric


def _flag(value: bool) -> str:  # noqa: FBT001 - a label is its only use
    return "true" if value else "false"

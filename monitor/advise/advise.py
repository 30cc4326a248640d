"""From a rule and recorded events to advice: two readings of them.

Owns the order: the first reading shows the scopes and what the rule as it stands makes of them; the
second tries other thresholds, all at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.advise import thresholds, weigh
from monitor.advise.advice import (
    Advice,
    Distribution,
    a_week,
    by_scope,
    fired,
    remarks,
    values_of,
)
from monitor.advise.history import History, Run, count_alerts, read
from monitor.advise.weigh import Candidate, LevelAdvice, Volume, Weighed
from monitor.decisions import Level as LevelName
from monitor.errors import UsageError
from monitor.indicators.formula import is_countable
from monitor.indicators.model import Indicator
from monitor.rules.judge import DEFAULT_COUNT, DEFAULT_COUNTABLE
from monitor.rules.levels import EvidenceRule, Level, Sequential
from monitor.rules.model import Rule
from monitor.rules.ports import Float64
from monitor.site import Site
from monitor.source.base import Source
from monitor.units import Threshold

ALERTS_PER_WEEK = 5.0
_JUDGED_FROM = 10
"""Below the line, of windows that thresholds are sought among, where evidence names no least."""


def advise(
    site: Site,
    name: str,
    open_source: Callable[[], Source],
    run: Run,
    *,
    wished: float = ALERTS_PER_WEEK,
) -> Advice:
    """Advice on the rule called ``name``.

    ``open_source`` gives the same finite records each time, already started as far as they are to
    be read; ``run`` works through them.

    Raises:
        UsageError: there is no such rule.
        SourceError: the records cannot be read.
    """
    rule = next((each for each in site.rules if each.id == name), None)
    if rule is None:
        known = ", ".join(sorted(each.id for each in site.rules))
        msg = f"no rule '{name}'; there are: {known or 'none'}"
        raise UsageError(msg)
    indicator = next((each for each in site.indicators if each.id == rule.indicator), None)
    history = read(site, rule, open_source(), run)
    kind = "" if indicator is None else indicator.figure
    volume = weigh.volume_of(history)
    tried = {} if indicator is None else _tried(rule, kind, history, indicator)
    counted = _counted(site, rule, tried, history, open_source, run)
    levels = tuple(
        _level(site, rule, indicator, key, level, history, volume, counted.get(key, ()), wished)
        for key, level in rule.levels.items()
    )
    windows = history.windows
    seen = np.zeros(0) if windows is None else values_of(kind, windows.hits, windows.of)
    return Advice(
        rule=rule.id,
        indicator=rule.indicator,
        by=rule.by,
        window=rule.window_keys[-1] if rule.window_keys else "",
        kind=kind,
        is_share=any(
            each.bound is not None and each.bound.is_share for _, each in rule.levels.items()
        ),
        first_ms=history.first_ms,
        last_ms=history.last_ms,
        days=history.days,
        events=history.events,
        scopes=len(history.scopes),
        fired=fired(history.alerts, history.days),
        over_scopes=Distribution.of(by_scope(kind, history)),
        over_windows=Distribution.of(seen),
        volume=volume,
        levels=levels,
        wished=wished,
        remarks=tuple(remarks(rule, history)),
    )


def _evidence(rule: Rule, level: Level, indicator: Indicator | None) -> EvidenceRule:
    countable = indicator is not None and is_countable(indicator)
    return level.evidence or rule.evidence or (DEFAULT_COUNTABLE if countable else DEFAULT_COUNT)


def _tried(
    rule: Rule, kind: str, history: History, indicator: Indicator
) -> dict[LevelName, list[Threshold]]:
    windows = history.windows
    if windows is None or history.first_ms is None:
        return {}
    found: dict[LevelName, list[Threshold]] = {}
    for name, level in rule.levels.items():
        evidence = _evidence(rule, level, indicator)
        least = getattr(evidence, "min_of", _JUDGED_FROM)
        wide = windows.of >= least if kind != "count" else windows.hits > 0
        values: Float64 = values_of(kind, windows.hits[wide], windows.of[wide])
        if isinstance(evidence, Sequential):  # it goes by what lasts, so scopes count too
            whole = by_scope(kind, history)
            values = np.concatenate([values, whole[np.isfinite(whole) & (history.of >= least)]])
        if thresholds_for := thresholds.worth_a_try(level, values):
            found[name] = thresholds_for
    return found


def _counted(
    site: Site,
    rule: Rule,
    tried: dict[LevelName, list[Threshold]],
    history: History,
    open_source: Callable[[], Source],
    run: Run,
) -> dict[LevelName, tuple[Candidate, ...]]:
    """Each threshold with the alerts that it would have given, the mildest first."""
    variants = thresholds.variants(rule, tried)
    if not variants:
        return {}
    rules = {key: variant for key, (_, _, variant) in variants.items()}
    alerts = count_alerts(site, rule, rules, open_source(), run)
    found: dict[LevelName, tuple[Candidate, ...]] = {}
    for key, (name, threshold, variant) in variants.items():
        level = getattr(variant.levels, name)
        candidate = Candidate(
            threshold,
            level.fixed_clear,
            len(alerts[key]),
            a_week(len(alerts[key]), history.days),
            len({alert.scope for alert in alerts[key]}),
        )
        found[name] = (*found.get(name, ()), candidate)
    return found


def _level(
    site: Site,
    rule: Rule,
    indicator: Indicator | None,
    name: LevelName,
    level: Level,
    history: History,
    volume: Volume | None,
    candidates: tuple[Candidate, ...],
    wished: float,
) -> LevelAdvice:
    evidence = _evidence(rule, level, indicator)
    countable = indicator is not None and is_countable(indicator)
    found = Weighed(None, "", 0, (), None)
    if indicator is not None:
        found = weigh.weigh(
            level, evidence, history, volume, countable=countable, day_ms=site.config.time.scope_day
        )
    usual = Distribution.of(by_scope("" if indicator is None else indicator.figure, history))
    keys = ("above", "below", "at_least", "at_most")
    return LevelAdvice(
        name=name,
        key=next((key for key in keys if getattr(level, key) is not None), "fires"),
        threshold=level.bound,
        evidence=evidence,
        usual=None if usual is None else usual.quantiles[3],
        least=found.least,
        least_is=found.least_is,
        scopes_enough=found.enough,
        scopes=len(history.scopes),
        odds=found.odds,
        false_alarms_a_week=found.a_week,
        candidates=candidates,
        suggested=weigh.suggest(candidates, wished),
    )

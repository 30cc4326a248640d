"""The realistic snapshot with the figures and rules of every shipped pack in it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from monitor.events.batch import SCOPES
from monitor.rules.model import Rule
from monitor.site import load_site
from monitor.snapshot import (
    IndicatorFigures,
    IndicatorInfo,
    RuleLevel,
    RuleStanding,
    Snapshot,
)
from monitor.units import Threshold
from tests.exporter import sample
from tests.packs.stories import NAMES, PACKS

SOME = 1
"""Keys of each scope, besides what the sample has of pack ``telemarketing``."""


def with_packs(picture: Snapshot) -> Snapshot:
    """``picture`` as if all packs were on."""
    infos, figures, rules = _more()
    fires = next(alert for alert in picture.alerts if not alert.shadow)
    return replace(
        picture,
        alerts=(*picture.alerts, replace(fires, level="warn", episode="warned")),
        indicators=(*picture.indicators, *infos),
        figures=(*picture.figures, *figures),
        rules=(*(rule for rule in picture.rules if rule.rule not in _ids(rules)), *rules),
    )


@cache
def _more() -> tuple[
    tuple[IndicatorInfo, ...], tuple[IndicatorFigures, ...], tuple[RuleStanding, ...]
]:
    site = load_site(None, packs=[PACKS / name for name in NAMES])
    known = {told.info.id for told in sample.INDICATORS}
    infos, figures = [], []
    for indicator in site.indicators:
        target = None if indicator.target is None else float(indicator.target)
        info = IndicatorInfo(
            indicator.id,
            indicator.figure,
            indicator.better,
            {str(language): text for language, text in indicator.title.items()},
            indicator.class_ or "",
            target,
        )
        if indicator.id in known:
            continue
        infos.append(info)
        figures += [
            sample.figures(info, by, window, sample.KEYS[by[0]][:SOME])
            for by in indicator.by
            if len(by) == 1 and by[0] in sample.KEYS
            for window in indicator.window_keys
        ]
    return tuple(infos), tuple(figures), tuple(map(_standing, site.rules))


def _standing(rule: Rule) -> RuleStanding:
    levels = tuple(
        RuleLevel(name, float(level.bound), level.direction)
        for name, level in rule.levels.items()
        if isinstance(level.bound, Threshold)
    )
    assert set(rule.by) <= set(SCOPES)
    return RuleStanding(
        rule.id,
        rule.indicator or "",
        rule.by,
        ",".join(rule.window_keys),
        rule.status,
        levels or (RuleLevel("warn", 0.0, "above"),),
        {"ok": 3},
    )


def _ids(rules: tuple[RuleStanding, ...]) -> set[str]:
    return {rule.rule for rule in rules}

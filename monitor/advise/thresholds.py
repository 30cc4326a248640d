"""Other thresholds for a level, and the rules that try them.

Owns which values are worth a try, and how a level looks with one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import numpy as np

from monitor.decisions import Level as LevelName
from monitor.rules.levels import Level, Levels
from monitor.rules.model import Rule
from monitor.rules.ports import Float64
from monitor.units import Threshold

TRIED: Final = 24
"""Thresholds tried for a level: all of them in one replay."""
_DIGITS: Final = 2
"""Significant ones of a threshold that somebody is to remember."""


def worth_a_try(level: Level, values: Float64) -> list[Threshold]:
    """Round thresholds over what the windows show, the mildest first, with the present one.

    ``values``: of windows that can be judged. From their median to their worst.
    """
    bound = level.bound
    if bound is None:
        return []
    found = {Fraction(bound): bound}
    if len(values):
        usual = float(np.median(values))
        worst = float(values.max() if level.direction == "above" else values.min())
        for value in np.linspace(usual, worst, TRIED).tolist():
            tried = _rounded(value)
            if tried > 0 and not (bound.is_share and tried >= 1):
                found.setdefault(tried, Threshold(tried, is_share=bound.is_share))
    return sorted(found.values(), reverse=level.direction == "below")


def _rounded(value: float) -> Fraction:
    """``0.2718`` as 27/100."""
    return Fraction(f"{value:.{_DIGITS}g}")


def with_threshold(rule: Rule, name: LevelName, threshold: Threshold) -> Rule:
    """The rule with this level alone, at another threshold; ``clear`` keeps its proportion."""
    level = getattr(rule.levels, name)
    key = next(key for key in ("above", "below", "at_least", "at_most") if getattr(level, key))
    moved = level.model_copy(update={key: threshold, "clear": _clear(level, threshold)})
    return rule.model_copy(update={"levels": Levels.model_validate({name: moved})})


def _clear(level: Level, threshold: Threshold) -> Threshold | None:
    bound, clear = level.bound, level.fixed_clear
    if bound is None or clear is None or not bound:
        return None
    made = threshold * clear / bound
    if level.direction == "below" and bound.is_share and bound < 1:
        made = 1 - (1 - threshold) * (1 - clear) / (1 - bound)
    return Threshold(made, is_share=bound.is_share)


def variants(
    rule: Rule, tried: Mapping[LevelName, list[Threshold]]
) -> dict[str, tuple[LevelName, Threshold, Rule]]:
    """By a name, each level of the rule at each threshold."""
    return {
        f"{name}-{place}": (name, threshold, with_threshold(rule, name, threshold))
        for name, thresholds in tried.items()
        for place, threshold in enumerate(thresholds)
    }

"""Which records an alert rests on.

Owns the way from a rule and an alert to what is to be read; reading it is
``monitor.explain.gather``, which rows are the bad ones ``monitor.explain.sides``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from monitor.decisions import Alert, Scope
from monitor.errors import UsageError
from monitor.events.batch import COMPANY, DIMENSIONS
from monitor.events.catalogue import EVENT_TYPES
from monitor.indicators.formula import formula, window_specs
from monitor.indicators.model import Indicator
from monitor.indicators.now_model import NOW
from monitor.indicators.population_plan import population
from monitor.indicators.response_plan import response_plan
from monitor.rules.absence_rule import AbsenceRule
from monitor.rules.model import Rule
from monitor.rules.where import read_by
from monitor.site import Site

EVENTS_MS = 86_400_000
"""How far back a rule on events is looked at: it has no window."""
_EXTRA = ("sms_preheated", "call_id")
"""Looked at, or shown, where the events have them."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The rows of an alert's window, the bad ones and the others."""

    bad: pl.DataFrame
    rest: pl.DataFrame
    nested: bool
    """The bad ones are a part of what they are compared with."""
    hits: float | None
    """The alert's figures, worked out anew; None where rows alone do not say them."""
    of: float | None


@dataclass(frozen=True, slots=True)
class Question:
    """One alert and what it is about."""

    alert: Alert
    rule: Rule
    indicator: Indicator | None
    """None: a rule on events."""
    lo_ms: int
    """Rows from here on, and released at the alert's tick or before, are in its window."""
    since_ms: int
    """Rows from here on are read; before the window where what was said then counts in it."""
    tick_ms: int
    types: frozenset[str]
    fields: frozenset[str]
    """Looked at, or shown where the events have them."""
    needed: frozenset[str]
    """Of these, what tells the bad rows from the others."""
    zone: str | None
    """Of the window, where it is one of local days."""

    @property
    def scope(self) -> Scope:
        """Dimensions and values; none of a wave."""
        return self.alert.scope

    @property
    def everybody(self) -> bool:
        """Rows of other scopes are needed too.

        There is no denominator, or a row need not name the scope that it counts in.
        """
        if self.indicator is None:
            return self.rule.absent is None
        return self.indicator.kind in {"count", "population", "response"}

    @property
    def direction(self) -> Literal["above", "below"]:
        """The bad side."""
        level = getattr(self.rule.levels, self.alert.level) or self.rule.levels.crit
        return "above" if level is None else level.direction

    def beyond(self, value: pl.Expr) -> pl.Expr:
        """Which values lie on the bad side of the threshold.

        Where the threshold moves, of what the figure was.
        """
        level = getattr(self.rule.levels, self.alert.level)
        fixed = None if level is None or level.bound is None else float(level.bound)
        bound = self.alert.figures.value if fixed is None else fixed
        inclusive = level is not None and level.inclusive
        if self.direction == "above":
            return value >= bound if inclusive else value > bound
        return value <= bound if inclusive else value < bound

    def in_scope(self) -> pl.Expr:
        """Which rows are the alert's scope's."""
        tests = [pl.col(name).eq_missing(value) for name, value in self.scope if name != COMPANY]
        return pl.all_horizontal(tests) if tests else pl.lit(value=True)


def looked_at(
    rule: Rule, indicator: Indicator | None
) -> tuple[frozenset[str], frozenset[str]] | None:
    """Event types and fields, dimensions aside, by which rows of a rule are told bad.

    None: not by what came lately alone.
    """
    if rule.event is not None:
        types = frozenset({rule.event.on})
        return types, read_by(rule.event.where, types) - {"time", *DIMENSIONS}
    if indicator is None or indicator.kind in {"population", "response"}:
        return None
    return _read(indicator)


def _read(indicator: Indicator) -> tuple[frozenset[str], frozenset[str]]:
    if indicator.kind == "population":
        plan = population(indicator)
        return plan.types, plan.fields - {"time", *DIMENSIONS}
    if indicator.kind == "response":
        asked = response_plan(indicator)
        return asked.types, asked.fields - {"time", *DIMENSIONS}
    counters = formula(indicator).counters
    types = frozenset[str]().union(*(each.types for each in counters))
    fields = frozenset[str]().union(*(each.fields for each in counters))
    return types, fields - {"time", *DIMENSIONS}


def ask(site: Site, alert: Alert) -> Question:
    """What is to be read to explain ``alert``.

    Raises:
        UsageError: its rule, indicator or window is not in the configuration any more, or the
            rule is about others, see :func:`monitor.explain.parts.parts_of`.
    """
    rule = next((each for each in site.rules if each.id == alert.rule), None)
    if rule is None:
        msg = f"rule {alert.rule} is not in the configuration: nobody knows what it looked at"
        raise UsageError(msg)
    if rule.parts:
        msg = f"rule {rule.id} is about other rules: explain theirs"
        raise UsageError(msg)
    tick_ms = site.config.time.tick
    indicator = next((each for each in site.indicators if each.id == rule.indicator), None)
    if indicator is None:
        types, needed, length_ms = _without_indicator(rule)
        lo_ms = alert.at_ms - length_ms
        fields = needed | _extra(types)
        return Question(alert, rule, None, lo_ms, lo_ms, tick_ms, types, fields, needed, None)
    types, needed = _read(indicator)
    lo_ms, zone = _window(indicator, alert, tick_ms)
    # Questions of a response are asked before they are answered in the window.
    since_ms = lo_ms - (indicator.max_age or 0) * (indicator.kind == "response")
    return Question(
        alert, rule, indicator, lo_ms, since_ms, tick_ms, types, needed | _extra(types), needed,
        zone,
    )  # fmt: skip


def _without_indicator(rule: Rule) -> tuple[frozenset[str], frozenset[str], int]:
    """Types, fields, and how far back a rule on events or on absence is looked at."""
    if rule.event is not None:
        types, needed = looked_at(rule, None) or (frozenset(), frozenset())
        return types, needed, EVENTS_MS
    heard = AbsenceRule(rule, tick_ms=1)
    return heard.types, heard.fields - {"time", *DIMENSIONS}, heard.horizon_ms


def _window(indicator: Indicator, alert: Alert, tick_ms: int) -> tuple[int, str | None]:
    """Where the alert's window begins, and its zone where it is one of local days."""
    key = alert.figures.window
    if indicator.kind == "population" and key == NOW:
        return alert.at_ms - (indicator.max_age or 0), None
    specs = zip(indicator.window_keys, window_specs(indicator, tick_ms), strict=False)
    spec = next((spec for name, spec in specs if name == key), None)
    if spec is None:
        msg = f"{indicator.id} has no window {key or 'at all'} any more"
        raise UsageError(msg)
    _, _, zone = key.partition("@")
    return spec.lo(alert.at_ms), zone if zone not in {"", "first"} else None


def _extra(types: frozenset[str]) -> frozenset[str]:
    """Those of ``_EXTRA`` that some of the types have."""
    return frozenset(name for name in _EXTRA for each in types if name in EVENT_TYPES[each].fields)

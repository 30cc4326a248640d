"""Which counters are computed for which scope and window: indicators merged, each counter once.

Owns the merge, no data. A scope is a tuple of dimensions; a window is told by its geometry, so that
two indicators with the same window share its panes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd

from monitor.indicators.formula import Counter, Formula, formula, window_specs
from monitor.indicators.funnel import expanded
from monitor.indicators.model import Indicator
from monitor.indicators.population_plan import Population, population
from monitor.indicators.response_plan import Awaited, Response, response
from monitor.windows.spec import WindowSpec

By = tuple[str, ...]


@dataclass(slots=True)
class WindowPlan:
    """One window of a scope and the counters that run over it, in a fixed order."""

    spec: WindowSpec
    counters: list[Counter] = field(default_factory=list)


@dataclass(slots=True)
class ScopePlan:
    """All that is computed by one tuple of dimensions."""

    by: By
    counters: list[Counter] = field(default_factory=list)
    windows: dict[str, WindowPlan] = field(default_factory=dict)
    """By the window's identity."""
    followed: list[Population | Response] = field(default_factory=list)
    """What needs the rows of single entities or conversations."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The counters of a scope by how they are computed, and the columns they stand in."""

    by: By
    grain_ms: int
    """Divides every pane of the scope's windows."""
    additive: tuple[Counter, ...]
    extreme: tuple[Counter, ...]
    distinct: tuple[Counter, ...]
    seconds: tuple[Counter, ...]
    derived: tuple[Counter, ...] = ()
    followed: tuple[Population | Response, ...] = ()
    chains: tuple[Counter, ...] = ()
    """Of ``reached``, one for all the steps of a funnel."""

    @classmethod
    def of(cls, plan: ScopePlan) -> Layout:
        """The layout of ``plan``."""

        def chosen(*operations: str) -> tuple[Counter, ...]:
            return tuple(each for each in plan.counters if each.operation in operations)

        return cls(
            by=plan.by,
            grain_ms=gcd(*(window.spec.grain_ms for window in plan.windows.values())),
            additive=chosen("count", "sum"),
            extreme=chosen("min", "max"),
            distinct=chosen("distinct"),
            seconds=chosen("seconds"),
            derived=chosen("waits", "answers", "soon"),
            followed=tuple(plan.followed),
            chains=tuple(dict.fromkeys(each.chain for each in chosen("reached"))),
        )

    @property
    def by_rows(self) -> tuple[Counter, ...]:
        """The counters that look at rows one by one."""
        return (*self.additive, *self.extreme, *self.distinct, *self.chains)

    @property
    def summed(self) -> tuple[Counter, ...]:
        """The counters that running sums hold, from column 1 on; column 0 counts rows."""
        return (*self.additive, *self.seconds, *self.derived)

    @property
    def columns(self) -> int:
        """Columns of running sums."""
        return 1 + len(self.summed)


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the figures of one indicator, scope and window are found."""

    indicator: Indicator
    formula: Formula
    by: By
    window: str
    """As written."""
    identity: str
    """Of the window."""


@dataclass(frozen=True, slots=True)
class NowReading:
    """Where the figures of one population and scope are found."""

    indicator: Indicator
    population: Population
    by: By


@dataclass(frozen=True, slots=True)
class Plan:
    """All scopes, in order of first mention, and all readings, in the order of the indicators."""

    scopes: dict[By, ScopePlan]
    readings: tuple[Reading | NowReading, ...]


def make_plan(indicators: Sequence[Indicator], tick_ms: int) -> Plan:
    """Merge ``indicators`` into scopes × windows × counters.

    Raises:
        ExpressionError: a condition is not in the language.
        ValueError: a window does not go with the tick.
    """
    scopes: dict[By, ScopePlan] = {}
    readings: list[Reading | NowReading] = []
    for indicator in expanded(indicators):
        if indicator.kind == "population":
            counted = population(indicator)
            for by in indicator.by:
                _follow(scopes.setdefault(by, ScopePlan(by)), counted)
                readings.append(NowReading(indicator, counted, by))
            continue
        figures = response(indicator) if indicator.kind == "response" else formula(indicator)
        specs = list(window_specs(indicator, tick_ms))
        for by in indicator.by:
            scope = scopes.setdefault(by, ScopePlan(by))
            _add(scope.counters, figures.counters)
            for counter in figures.counters:
                if isinstance(counter, Awaited) and counter.response is not None:
                    _follow(scope, counter.response)
            for spec, key in zip(specs, indicator.window_keys, strict=True):
                window = scope.windows.setdefault(spec.identity, WindowPlan(spec))
                _add(window.counters, figures.counters)
                readings.append(Reading(indicator, figures, by, key, spec.identity))
    return Plan(scopes, tuple(readings))


def _follow(scope: ScopePlan, followed: Population | Response) -> None:
    scope.followed += [] if followed in scope.followed else [followed]


def _add(counters: list[Counter], more: tuple[Counter, ...]) -> None:
    counters += [counter for counter in dict.fromkeys(more) if counter not in counters]

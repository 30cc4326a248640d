"""Which counters are computed for which scope and window: indicators merged, each counter once.

Owns the merge, no data. A scope is a tuple of dimensions; a window is told by its geometry, so that
two indicators with the same window share its panes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import gcd

from monitor.indicators.formula import Counter, Formula, formula, window_specs
from monitor.indicators.funnel import expanded
from monitor.indicators.model import Indicator
from monitor.indicators.now_model import NOW
from monitor.indicators.population_plan import Population, population
from monitor.indicators.response_plan import Awaited, Response, response
from monitor.windows.spec import SlidingWindow, WindowSpec

By = tuple[str, ...]
Asked = tuple[str, By, str]
"""An indicator's id, one of its scopes, and one of its windows as written."""


_BY_ROWS = frozenset({"count", "sum", "min", "max", "distinct", "reached"})


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
    present: list[Counter] = field(default_factory=list)
    """Nobody looks at these: their rows keep a key, and do nothing else."""


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
    present: tuple[Counter, ...] = ()

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
            present=tuple(plan.present),
        )

    @property
    def by_rows(self) -> tuple[Counter, ...]:
        """The counters that look at rows one by one."""
        return (*self.additive, *self.extreme, *self.distinct, *self.chains, *self.present)

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
    spec: WindowSpec

    @property
    def identity(self) -> str:
        """Of the window."""
        return self.spec.identity


@dataclass(frozen=True, slots=True)
class NowReading:
    """Where the figures of one population and scope are found."""

    indicator: Indicator
    population: Population
    by: By
    window: str = NOW


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
    readings: list[Reading | NowReading] = []
    for indicator in expanded(indicators):
        if indicator.kind == "population":
            counted = population(indicator)
            readings += [NowReading(indicator, counted, by) for by in indicator.by]
            continue
        figures = response(indicator) if indicator.kind == "response" else formula(indicator)
        specs = list(window_specs(indicator, tick_ms))
        for by in indicator.by:
            for spec, key in zip(specs, indicator.window_keys, strict=True):
                readings.append(Reading(indicator, figures, by, key, spec))
    return _planned(readings)


def narrowed(plan: Plan, asked: AbstractSet[Asked]) -> Plan:
    """Of ``plan`` what is asked for, and what says as long as ``plan`` does that a key is there.

    Evidence goes with its key, so whoever looks at these figures has to know the same keys: rows
    that nobody counts keep theirs, in the longest window that there was. Pairs, too, find room as
    they would, so what is counted by pairs is kept with all the windows that it has.
    """
    scopes = _with_conversations(plan, {by for _, by, _ in asked})
    held = {
        (reading.by, one)
        for reading in plan.readings
        if _asked_by(reading) in asked
        for one in _pairs_of(reading)
    }
    kept = _planned(
        reading
        for reading in plan.readings
        if _asked_by(reading) in asked
        or (reading.by in scopes and not _by_rows(reading))
        or any((reading.by, one) in held for one in _pairs_of(reading))
    )
    for by, scope in kept.scopes.items():
        whole = plan.scopes[by]
        scope.present = [each for each in whole.counters if each not in scope.counters]
        sliding = {
            identity: window.spec
            for identity, window in whole.windows.items()
            if isinstance(window.spec, SlidingWindow)
        }
        # A window is never shorter than its length but for a pane.
        sure_ms = max((spec.length_ms - spec.pane_ms for spec in sliding.values()), default=0)
        for identity, spec in sliding.items():
            if spec.length_ms > sure_ms:
                scope.windows.setdefault(identity, WindowPlan(spec))
    return kept


def _planned(readings: Iterable[Reading | NowReading]) -> Plan:
    scopes: dict[By, ScopePlan] = {}
    readings = tuple(readings)
    for reading in readings:
        scope = scopes.setdefault(reading.by, ScopePlan(reading.by))
        if isinstance(reading, NowReading):
            _follow(scope, reading.population)
            continue
        counters = reading.formula.counters
        _add(scope.counters, counters)
        for counter in counters:
            if isinstance(counter, Awaited) and counter.response is not None:
                _follow(scope, counter.response)
        window = scope.windows.setdefault(reading.identity, WindowPlan(reading.spec))
        _add(window.counters, counters)
    return Plan(scopes, readings)


def _asked_by(reading: Reading | NowReading) -> Asked:
    """What asks for it."""
    return reading.indicator.id, reading.by, reading.window


def _with_conversations(plan: Plan, scopes: AbstractSet[By]) -> AbstractSet[By]:
    """``scopes``, and those that share a response: a conversation lives as long as in any."""
    while True:
        followed = {
            each for by in scopes for each in plan.scopes[by].followed if isinstance(each, Response)
        }
        more = {by for by, scope in plan.scopes.items() if followed & {*scope.followed}}
        if more <= scopes:
            return scopes
        scopes = scopes | more


def _pairs_of(reading: Reading | NowReading) -> Iterable[Counter]:
    """The counters whose pairs the reading keeps."""
    if isinstance(reading, NowReading):
        return
    for counter in reading.formula.counters:
        if counter.operation == "distinct":
            yield counter
        elif counter.operation == "reached":
            yield counter.chain


def _by_rows(reading: Reading | NowReading) -> bool:
    """Whether it holds keys by the rows in a window that slides, and by nothing else."""
    return (
        isinstance(reading, Reading)
        and isinstance(reading.spec, SlidingWindow)
        and all(counter.operation in _BY_ROWS for counter in reading.formula.counters)
    )


def _follow(scope: ScopePlan, followed: Population | Response) -> None:
    scope.followed += [] if followed in scope.followed else [followed]


def _add(counters: list[Counter], more: tuple[Counter, ...]) -> None:
    counters += [counter for counter in dict.fromkeys(more) if counter not in counters]

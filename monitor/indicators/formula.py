"""An indicator as counters: the shared figures that its hits and its denominator are read from.

Owns the translation of measures, no data. Counters compare by what they compute, so two indicators
that count the same events share one, computed once per scope and window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Literal

from monitor.decisions import derive_id
from monitor.indicators.expression import conjuncts, fields_of, parse_where
from monitor.indicators.funnel import Reached
from monitor.indicators.model import PLUS, Anchored, Calendar, Days, Indicator, Measure
from monitor.indicators.parts import Selection
from monitor.indicators.tree import Field, IsNull, Junction, Node, Not
from monitor.units import parse_duration
from monitor.windows.anchored import AnchoredWindow
from monitor.windows.calendar import CalendarWindow, RollingDays
from monitor.windows.spec import SlidingWindow, WindowSpec, default_pane_ms

SCALE = 1_000
"""Sums and seconds are held in thousandths."""

ENTITY_OF = {"agent.state": "agent"}
"""Types that tell a state, and whose state it is."""

Operation = Literal[
    "count", "sum", "min", "max", "distinct", "seconds", "reached", "waits", "answers", "soon"
]
"""The last three are made of answers, see ``response_plan``."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The events a counter looks at."""

    types: tuple[str, ...]
    where: Node | None

    @property
    def fields(self) -> frozenset[str]:
        """Fields that the condition reads."""
        return frozenset() if self.where is None else fields_of(self.where)

    def within(self, other: Rows) -> bool:
        """Every event here is surely one of ``other``: its types, and all its conditions, recur."""
        return set(self.types) <= set(other.types) and conjuncts(other.where) <= conjuncts(
            self.where
        )


@dataclass(frozen=True, slots=True)
class Counter:
    """One figure by key, in fixed point: what is done with which field of which events."""

    operation: Operation
    sets: tuple[Rows, ...]
    """One, or several: for an intersection of ``distinct``, or all steps for ``reached``."""
    field: str | None = None
    """One, or several that are added up, as in the file."""
    max_age_ms: int = 0
    """How long a state lasts, of ``seconds``."""
    within_ms: int = attribute(default=0, repr=False, kw_only=True)
    """From the first step to the last, of ``reached``. Not in the ``repr``: that is in checkpoints
    of counters that have none."""
    step: int = attribute(default=0, repr=False, kw_only=True)
    """The step that was reached, from 0 on."""

    @property
    def chain(self) -> Counter:
        """Of ``reached``: what stands for all the steps together."""
        return replace(self, step=0)

    @property
    def is_additive(self) -> bool:
        """Rows add to it one by one, so a tick's rows have a figure of their own."""
        return self.operation in {"count", "sum"}

    @property
    def scale(self) -> int:
        """Fixed-point units in one."""
        return 1 if self.operation in {"count", "distinct", "reached", "answers", "soon"} else SCALE

    @property
    def fingerprint(self) -> str:
        """Stands for all that the figure depends on, but scope and window."""
        if self.operation == "reached":
            return derive_id(repr(self), str(self.within_ms), str(self.step))
        return derive_id(repr(self))

    @property
    def fields(self) -> frozenset[str]:
        """Fields it reads, beyond dimensions and envelope as needed."""
        read = frozenset().union(*(rows.fields for rows in self.sets))
        return read.union(self.added)

    @property
    def added(self) -> tuple[str, ...]:
        """The fields whose sum in an event is its value."""
        return () if self.field is None else tuple(self.field.split(PLUS))

    @property
    def types(self) -> frozenset[str]:
        """Event types it looks at."""
        return frozenset(name for rows in self.sets for name in rows.types)


@dataclass(frozen=True, slots=True)
class Formula:
    """What an indicator is read from: ``hits`` over ``of``, or ``hits`` alone."""

    hits: Counter
    of: Counter | None
    countable: bool
    """Hits and of are counts of events, and every hit is one of ``of``."""

    @property
    def counters(self) -> tuple[Counter, ...]:
        """One or two."""
        return (self.hits,) if self.of is None else (self.hits, self.of)


def formula(indicator: Indicator) -> Formula:
    """The counters of ``indicator``.

    Raises:
        ExpressionError: a condition is not in the language.
    """
    measures = indicator.measures
    if indicator.kind == "ratio":
        hits, of = counter(measures["hits"]), counter(measures["of"])
        counts = hits.operation == of.operation == "count"
        return Formula(hits, of, counts and hits.sets[0].within(of.sets[0]))
    value = measures["value"]
    if value.verb == "mean":
        rows = rows_of(value.selections[0])
        present = Rows(rows.types, _and(rows.where, _has_any(value.added)))
        return Formula(
            Counter("sum", (rows,), value.field), Counter("count", (present,)), countable=False
        )
    return Formula(counter(value), None, countable=False)


def is_countable(indicator: Indicator) -> bool:
    """Hits and of are counts of events, and every hit is one of ``of``."""
    return bool(indicator.measures) and formula(indicator).countable


def counter(measure: Measure) -> Counter:
    """The counter of any measure but a mean."""
    sets = tuple(rows_of(selection) for selection in measure.selections)
    if isinstance(measure, Reached):
        return Counter("reached", sets, measure.field, within_ms=measure.within, step=measure.step)
    match measure.verb:
        case "seconds_in":
            return Counter("seconds", sets, max_age_ms=measure.max_age)
        case "mean":
            raise ValueError("a mean is two counters")
        case verb:
            return Counter(verb, sets, measure.field)


def window_specs(indicator: Indicator, tick_ms: int) -> Iterator[WindowSpec]:
    """The windows of ``indicator``, in its order.

    Raises:
        ValueError: a window that does not go with the tick; ``check`` tells which and how to mend.
    """
    for window, key in zip(indicator.windows, indicator.window_keys, strict=True):
        if isinstance(window, Anchored):
            counts = " ".join(each.fingerprint for each in formula(indicator).counters)
            yield AnchoredWindow(key, parse_duration(window.anchored), tick_ms, counts)
            continue
        if not isinstance(window, str):
            yield _local(window, tick_ms)
            continue
        length = parse_duration(window)
        pane = tick_ms if indicator.exact else indicator.pane
        yield SlidingWindow(key, length, pane or default_pane_ms(length, tick_ms), tick_ms)


def _local(window: Calendar | Days, tick_ms: int) -> WindowSpec:
    if isinstance(window, Days):
        return RollingDays(window.days, window.tz, tick_ms)
    return CalendarWindow(window.calendar, window.tz, tick_ms)


def rows_of(selection: Selection) -> Rows:
    """The events that ``selection`` chooses.

    Raises:
        ExpressionError: its condition is not in the language.
    """
    types = tuple(sorted(set(selection.on)))
    return Rows(types, None if selection.where is None else parse_where(selection.where, types))


def _has_any(fields: tuple[str, ...]) -> Node:
    there: list[Node] = [Not(IsNull(Field(name, "number"))) for name in fields]
    return there[0] if len(there) == 1 else Junction("or", tuple(there))


def _and(condition: Node | None, other: Node) -> Node:
    return other if condition is None else Junction("and", (condition, other))

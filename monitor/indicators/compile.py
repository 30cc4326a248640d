"""All indicators at once: released rows in, figures by scope and window out, tick by tick.

Owns the life of the whole set: what must be decoded, loading, stepping, skipping of quiet ticks,
eviction, and the snapshot that carries state over a restart or a reload. ``plan`` says what is
computed, ``scope`` computes it, ``view`` shows it.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, partial
from typing import Any

import polars as pl

from monitor.indicators.formula import Counter
from monitor.indicators.frame import Frame
from monitor.indicators.grouping import any_state, load_scope
from monitor.indicators.model import Indicator
from monitor.indicators.now_view import AnyView, NowView
from monitor.indicators.plan import Asked, By, NowReading, Reading, make_plan, narrowed
from monitor.indicators.population import PopulationState
from monitor.indicators.population_plan import Population
from monitor.indicators.response import ResponseState, ResponseView
from monitor.indicators.response_plan import Awaited, Response
from monitor.indicators.scope import ScopeState, TableName
from monitor.indicators.view import View
from monitor.keys import KeyTable
from monitor.windows.limits import WindowLimits

BEGINNING = -(2**61)
"""``covered_from`` of a log that is complete."""
ALWAYS = BEGINNING // 2
"""Whatever is covered from before this needs no tick to become so."""


class IndicatorSet:
    """Indicators and their living state; one thread uses it."""

    def __init__(
        self,
        indicators: Sequence[Indicator],
        *,
        tick_ms: int,
        limits: WindowLimits,
        covered_from: int,
        asked: AbstractSet[Asked] | None = None,
    ) -> None:
        """Start empty.

        Args:
            indicators: checked for this tick (``monitor.indicators.check``).
            tick_ms: distance of ticks.
            limits: bounds of the tables.
            covered_from: every record with a time from here on will be loaded; ``BEGINNING`` when
                the log is complete.
            asked: the figures that anybody looks at; None: all.

        Raises:
            ExpressionError: a condition is not in the language.
            ValueError: a window does not go with the tick.
        """
        plan = make_plan(indicators, tick_ms)
        if asked is not None:
            plan = narrowed(plan, asked)
        self.tick_ms = tick_ms
        self._scopes = {
            by: ScopeState(scope, tick_ms=tick_ms, limits=limits, covered_from=covered_from)
            for by, scope in plan.scopes.items()
        }
        self._followed: dict[Population | Response, PopulationState | ResponseState] = {}
        for each in dict.fromkeys(one for scope in plan.scopes.values() for one in scope.followed):
            mine = {by: self._scopes[by] for by, of in plan.scopes.items() if each in of.followed}
            self._followed[each] = (
                PopulationState(
                    each, mine, tick_ms=tick_ms, limits=limits, covered_from=covered_from
                )
                if isinstance(each, Population)
                else ResponseState(each, mine, tick_ms=tick_ms, limits=limits)
            )
        views = [self._viewed(reading) for reading in plan.readings]
        self._views = {(view.indicator.id, view.by, view.window): view for view in views}
        self._counters: tuple[Counter, ...] = tuple(
            dict.fromkeys(
                counter
                for scope in plan.scopes.values()
                for counter in (*scope.counters, *scope.present)
            )
        )
        looks: tuple[Counter | Population | Response, ...] = (*self._counters, *self._followed)
        self.fields: frozenset[str] = frozenset().union(*(each.fields for each in looks)) - {"time"}
        self.types: frozenset[str] = frozenset().union(*(each.types for each in looks))
        self._warming = self._covered_ticks()
        self._narrowed = partial(
            IndicatorSet, indicators, tick_ms=tick_ms, limits=limits, covered_from=covered_from
        )
        self._asked: set[Asked] = set()
        self._tick: int | None = None
        self._loaded_until: int | None = None

    @property
    def tick(self) -> int | None:
        """The last tick that was stepped to."""
        return self._tick

    @cached_property
    def horizon_ms(self) -> int:
        """How far before a tick rows can matter: the longest window, and the oldest state in it."""
        return max((view.horizon_ms for view in self._views.values()), default=0)

    def load(self, released: pl.DataFrame) -> Frame:
        """Group released rows of one or several whole ticks by (scope key, tick, pane), once.

        Returns them as columns, for others who look at the same.

        Raises:
            ValueError: a tick that was loaded or stepped already.
        """
        conditions = [rows for counter in self._counters for rows in counter.sets]
        conditions += [
            any_state(counter) for counter in self._counters if counter.operation == "seconds"
        ]
        conditions += [rows for each in self._followed for rows in each.conditions]
        frame = Frame(released, conditions)
        if released.is_empty():
            return frame
        first, last = int(frame.ticks[0]), int(frame.ticks[-1])
        for known in (self._tick, self._loaded_until):
            if known is not None and first <= known:
                message = f"rows of tick {first} come after tick {known} was loaded or stepped"
                raise ValueError(message)
        self._loaded_until = last
        for scope in self._scopes.values():
            scope.add(load_scope(frame, scope.layout))
        for each in self._followed.values():
            each.load(frame)
        return frame

    def step(self, tick: int) -> None:
        """Go to ``tick``: apply its rows, let states accrue, let panes go.

        Ticks ascend; those before :meth:`next_event_tick` may be skipped.

        Raises:
            ValueError: ``tick`` is not after the last one, or rows of an earlier tick wait.
        """
        if self._tick is not None and tick <= self._tick:
            message = f"tick {tick} is not after {self._tick}"
            raise ValueError(message)
        for scope in self._scopes.values():
            waiting = scope.next_load()
            if waiting is not None and waiting < tick:
                message = f"rows of tick {waiting} wait at tick {tick}"
                raise ValueError(message)
        self._tick = tick
        for scope in self._scopes.values():
            scope.step(tick)
        for each in self._followed.values():
            each.step(tick)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest tick after ``after`` at which a figure can change or a window is covered."""
        self._warming = [tick for tick in self._warming if tick > after]
        dues = [*self._warming, *(scope.due for scope in self._scopes.values())]
        dues += [each.due for each in self._followed.values()]
        due = min((due for due in dues if due is not None), default=None)
        return None if due is None else max(due, after + self.tick_ms)

    def view(self, indicator: str, by: tuple[str, ...], window: str) -> AnyView:
        """The figures of one indicator by ``by`` over ``window``, as written: ``30m``.

        Raises:
            KeyError: the indicator has no such scope or window.
        """
        view = self._views[indicator, by, window]
        self._asked.add((indicator, by, window))
        return view

    def narrowed(self) -> IndicatorSet:
        """A fresh set of the figures alone that :meth:`view` was asked for.

        It reads what this one does, and knows the same keys as long as it
        (:func:`monitor.indicators.plan.narrowed`); so whoever looks at these figures decides alike.
        """
        narrow = self._narrowed(asked=frozenset(self._asked))
        narrow.fields, narrow.types, narrow.horizon_ms = self.fields, self.types, self.horizon_ms
        return narrow

    def views(self) -> Iterable[AnyView]:
        """All of them, in the order of the file."""
        return self._views.values()

    def evict(self, pinned: Mapping[By, AbstractSet[int]]) -> dict[By, list[int]]:
        """Free the keys that have no rows in any window and are not pinned.

        Returns:
            The ids released, by scope; they may be given to other names from the next step on.
        """
        if self._tick is None:
            return {}
        for each in self._followed.values():
            each.evict(self._tick)
        released = {
            by: scope.evict(self._tick, pinned.get(by, frozenset()))
            for by, scope in self._scopes.items()
        }
        return {by: ids for by, ids in released.items() if ids}

    def key_tables(self) -> Mapping[By, KeyTable]:
        """The key table of every scope."""
        return {by: scope.keys for by, scope in self._scopes.items()}

    def overflowed(self) -> Tally[tuple[By, TableName]]:
        """Rows that found a table full, by scope and what the table holds.

        Those that found the ``keys`` full count in the scope's bucket (:attr:`View.other`), the
        others are left out of the figures that need the table.
        """
        found: Tally[tuple[By, TableName]] = Tally(
            {
                (by, table): rows
                for by, scope in self._scopes.items()
                for table, rows in scope.beyond().items()
            }
        )
        for each in self._followed.values():
            found[next(iter(each.scopes)), "entities"] += each.table.overflowed
        return found

    def fullest(self) -> dict[TableName, tuple[int, int]]:
        """Entries and limit of the fullest table of ``pairs`` and of ``entities``."""
        found: dict[TableName, tuple[int, int]] = {}
        for scope in self._scopes.values():
            for name, fill in scope.fill():
                found[name] = max(fill, found.get(name, fill))
        for each in self._followed.values():
            fill = len(each.table), each.limit
            found["entities"] = max(fill, found.get("entities", fill))
        return found

    def unattributed(self) -> Tally[By]:
        """Rows left out because a dimension was null, by scope."""
        return Tally({by: scope.unattributed for by, scope in self._scopes.items()})

    def snapshot(self) -> dict[str, Any]:
        """The state as plain values, after a step.

        Raises:
            ValueError: loaded rows wait for their tick; step there first.
        """
        if any(scope.next_load() is not None for scope in self._scopes.values()):
            raise ValueError("loaded rows wait for their tick")
        return {
            "tick": self._tick,
            "tick_ms": self.tick_ms,
            "scopes": {" ".join(by): scope.snapshot() for by, scope in self._scopes.items()},
            "followed": {
                each.fingerprint: state.snapshot() for each, state in self._followed.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what a snapshot has of the same scopes, windows and counters.

        What it does not have stays fresh and keeps its own ``covered_from``. The set was fresh.
        Of one that has not stepped there is nothing else to take over.
        """
        if state["tick_ms"] != self.tick_ms:
            return
        self._tick = None if state["tick"] is None else int(state["tick"])
        for by, scope in self._scopes.items():
            found = state["scopes"].get(" ".join(by))
            if found is None:
                continue
            if self._tick is None:
                scope.cover(found)
            else:
                scope.restore(found, self._tick)
        known = state.get("followed", {})  # checkpoints of an older program have none
        for each, followed in self._followed.items():
            if each.fingerprint not in known:
                continue
            if self._tick is None:
                followed.cover(known[each.fingerprint])
            else:
                followed.restore(known[each.fingerprint], self._tick)
        self._warming = self._covered_ticks()

    def _viewed(self, reading: Reading | NowReading) -> AnyView:
        if isinstance(reading, NowReading):
            population = self._followed[reading.population]
            assert isinstance(population, PopulationState)  # noqa: S101 - made of one
            return NowView(reading.indicator, reading.by, population)
        scope, hits = self._scopes[reading.by], reading.formula.hits
        if isinstance(hits, Awaited) and hits.response is not None:
            waits = self._followed[hits.response]
            assert isinstance(waits, ResponseState)  # noqa: S101 - made of one
            return ResponseView(reading, scope, waits)
        return View(reading, scope)

    def _covered_ticks(self) -> list[int]:
        """The ticks at which windows become covered, short of those that always were."""
        views = (view for view in self._views.values() if view.covered_from > ALWAYS)
        return sorted({view.covered_at() for view in views})

"""The living state of one scope: its keys, and its counters over its windows.

Owns the order in which a tick is applied: ids for new names, panes that leave, rows that enter,
states that accrue. What a window does with rows is ``monitor.windows``; which counters there are is
``plan``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal

import numpy as np

from monitor.events.batch import PRIVATE_DIMENSIONS
from monitor.indicators.formula import Counter
from monitor.indicators.loaded import ScopeLoad
from monitor.indicators.plan import Layout, ScopePlan
from monitor.indicators.population_plan import Population
from monitor.indicators.response_plan import Response
from monitor.indicators.window import make_windows
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.anchored import AnchoredSums
from monitor.windows.arrays import Bool, Int64
from monitor.windows.distinct import DistinctPairs
from monitor.windows.funnel import FunnelPairs
from monitor.windows.limits import WindowLimits
from monitor.windows.lookup import Lookup
from monitor.windows.rows import TickRows
from monitor.windows.spans import StateSpans

TableName = Literal["keys", "pairs", "entities"]

Told = tuple[list[str], Int64, Int64, Bool]
"""Entities, times, keys and matches of state events, in order."""


class ScopeState:
    """Keys, windows, pairs and states of one scope."""

    def __init__(
        self, plan: ScopePlan, *, tick_ms: int, limits: WindowLimits, covered_from: int
    ) -> None:
        self.layout = Layout.of(plan)
        self._bucket = len(plan.by) == 1 and plan.by[0] not in PRIVATE_DIMENSIONS
        """Rows of keys that find the table full count in one bucket, ``keys.other``; those of pairs
        and of customers do not: nobody is shown them, and there are as many as of pairs."""
        self.keys = (
            KeyTable(limits.keys_max, limits.listed.get(plan.by[0], frozenset()))
            if self._bucket
            else KeyTable(limits.pairs_max)
        )
        self._lookup = Lookup()
        self._table, self.windows = make_windows(plan, self.layout, limits, covered_from)
        windows = list(self.windows.values())
        self._paned = [each for each in windows if not isinstance(each.sums, AnchoredSums)]
        self._anchored = [each.sums for each in windows if isinstance(each.sums, AnchoredSums)]
        self.distinct = {
            counter: DistinctPairs(
                [each.spec for each in windows if counter in each.counters],
                len(counter.sets),
                limits.pairs_max,
                limits.lateness_ms,
            )
            for counter in self.layout.distinct
        }
        self.funnels = {
            chain: FunnelPairs(
                [each.spec for each in windows if any(c.chain == chain for c in each.counters)],
                steps=len(chain.sets),
                within_ms=chain.within_ms,
                grain_ms=self.layout.grain_ms,
                pairs_max=limits.pairs_max,
                lateness_ms=limits.lateness_ms,
                tick_ms=tick_ms,
            )
            for chain in self.layout.chains
        }
        self.spans = {
            counter: StateSpans(
                max_age_ms=counter.max_age_ms, entities_max=limits.entities_max, tick_ms=tick_ms
            )
            for counter in self.layout.seconds
        }
        self.overflowed = 0
        """Rows whose key found the table full: in the bucket, if at all."""
        self.unattributed = 0
        """Rows left out because a dimension was null."""
        self.holders: list[Callable[[Bool], None]] = []
        """Who else holds keys: each sets the place of those that it does."""
        self._told_of: dict[Population | Response, Int64] = {}
        self.rows: TickRows | None = None
        """The rows of the last tick."""
        self.due: int | None = None
        """The earliest tick at which anything changes: a load, a pane that leaves, a state."""
        self._limits = limits
        self._loads: deque[ScopeLoad] = deque()
        self._active = False
        self._dues = [*(each.sums for each in windows), *self.spans.values()]
        """What changes by time alone."""
        # Counters are looked up by what they compute, which takes a while; so not at every tick.
        self._pairs: list[DistinctPairs | FunnelPairs] = [
            *self.distinct.values(),
            *self.funnels.values(),
        ]
        self._seconds = [
            (
                spans,
                [(each, each.place[counter]) for each in windows if counter in each.place],
            )
            for counter, spans in self.spans.items()
        ]

    def add(self, load: ScopeLoad) -> None:
        """Queue the groups of a load; its ticks come after those of the loads before."""
        self.unattributed += load.unattributed
        if load.next_tick is not None:
            load.keys.look_up(self._lookup)
            self._loads.append(load)
            self._find_due()

    def next_load(self) -> int | None:
        """The earliest tick whose rows have not been applied."""
        return self._loads[0].next_tick if self._loads else None

    def beyond(self) -> dict[TableName, int]:
        """Rows that found a table full, by what it holds."""
        rows: dict[TableName, int] = {"keys": self.overflowed}
        if self._pairs:
            rows["pairs"] = sum(table.overflowed for table in self._pairs)
        if self.spans:
            rows["entities"] = sum(table.overflowed for table in self.spans.values())
        return rows

    def fill(self) -> Iterator[tuple[TableName, tuple[int, int]]]:
        """Entries and limit of each table beside that of the keys."""
        for pairs in self._pairs:
            yield "pairs", (len(pairs), self._limits.pairs_max)
        for spans in self.spans.values():
            yield "entities", (len(spans), self._limits.entities_max)

    def step(self, tick: int) -> None:
        """Apply everything up to ``tick``."""
        self.rows = None
        self._told_of.clear()
        if self.due is None or self.due > tick:
            if self._active:
                self._active = False
                for window in self.windows.values():
                    window.sums.rest()
            return
        self._active = True
        load = self._loads[0] if self.next_load() == tick else None
        told: dict[int, Told] = {}
        if load is not None:
            self.rows, beyond = load.rows(tick, self.keys, bucket=self._bucket)
            self.overflowed += beyond
            told = self._told(load, tick)
            self._tell(load, tick)
        self._move(tick)
        for table in self._pairs:
            table.begin(tick, self.keys.size)
        if load is not None:
            self._enter_pairs(load, tick)
            load.done()
            if load.next_tick is None:
                self._loads.popleft()
        self._accrue(tick, told)
        self._find_due()

    def _told(self, load: ScopeLoad, tick: int) -> dict[int, Told]:
        """The state events of the tick, by the counter's place in the layout."""
        told: dict[int, Told] = {}
        for place, state in load.states.items():
            taken = state.groups.take(tick)
            if taken is not None:
                keys = self._resolve(load, taken["place"])
                entities = [state.names[index] for index in taken["entity"].tolist()]
                told[place] = entities, taken["time"], keys, taken["match"] > 0
        return told

    def _tell(self, load: ScopeLoad, tick: int) -> None:
        """Keep the keys of the tick's rows for what is followed."""
        for place, groups in load.told.items():
            taken = groups.take(tick)
            if taken is not None:
                self._told_of[self.layout.followed[place]] = self._resolve(load, taken["place"])

    def told(self, followed: Population | Response) -> Int64 | None:
        """The key of each of its rows at the last tick; None when it had none."""
        return self._told_of.get(followed)

    def derive(self, times: Int64, keys: Int64, values: Mapping[Counter, Int64]) -> None:
        """Add rows that were made of others to the windows, after a step."""
        for window in self.windows.values():
            window.derive(times, keys, values)
        self._find_due()

    def _resolve(self, load: ScopeLoad, places: Int64) -> Int64:
        """The id of each row's key, -1 for none; the bucket's where the table is full."""
        keys = places.copy()
        named = keys >= 0
        ids = load.keys.resolve(keys[named], self.keys)
        full = ids == OVERFLOW
        if np.count_nonzero(full):
            self.overflowed += int(np.count_nonzero(full))
            if self._bucket:
                ids = np.where(full, self.keys.bucket(), ids)
        keys[named] = ids
        return keys

    def _move(self, tick: int) -> None:
        """What leaves the windows, and what enters."""
        self._room()
        for window in self.windows.values():
            window.begin(tick, self.keys.size)
        if self.rows is not None:
            self._enter(self.rows)
        for anchored in self._anchored:
            anchored.end(tick)

    def _enter(self, rows: TickRows) -> None:
        added = None
        if all(rows.first_grain >= window.lo for window in self._paned):
            added = self._table.enter(rows)
        for window in self.windows.values():
            window.enter(rows, added)

    def _room(self) -> None:
        self._table.room(self.keys.size)
        for anchored in self._anchored:
            anchored.room(self.keys.size)

    def _enter_pairs(self, load: ScopeLoad, tick: int) -> None:
        for place, pairs in load.pairs.items():
            table = self._pairs[place]
            rows = pairs.take(tick, load.keys, table)
            if rows is not None:
                table.enter(rows)

    def _accrue(self, tick: int, told: dict[int, Told]) -> None:
        for number, (spans, windows) in enumerate(self._seconds):
            accrued = spans.apply(tick, *told[number]) if number in told else spans.advance(tick)
            if accrued:
                for window, place in windows:
                    window.accrue(place, accrued)

    def _find_due(self) -> None:
        earliest = self.next_load()
        for table in self._dues:
            due = table.due
            if due is not None and (earliest is None or due < earliest):
                earliest = due
        self.due = earliest

    def evict(self, tick: int, pinned: AbstractSet[int]) -> list[int]:
        """Release the keys that no window, state or ``pinned`` holds; returns them, ascending."""
        alive = np.zeros(self.keys.size, dtype=np.bool_)
        for place, table in enumerate(self._pairs):
            slots = table.evict(tick)
            for load in self._loads:
                if place in load.pairs:
                    load.pairs[place].forget(slots)
        for spans in self.spans.values():
            spans.evict(tick, self._limits.lateness_ms)
            spans.mark_alive(alive)
        for window in self.windows.values():
            window.sums.mark_alive(tick, alive)
            window.extremes.closing.begin(tick)
        for mark in self.holders:
            mark(alive)
        alive[sorted(pinned)] = True
        living = self.keys.living()
        if self.keys.other is not None:
            living = np.append(living, self.keys.other)
        gone = np.sort(living[~alive[living]])
        if len(gone):
            self.keys.release(gone.tolist())
            self._lookup.drop(gone)
            for load in self._loads:
                load.forget(gone)
        released: list[int] = gone.tolist()
        return released

    def snapshot(self) -> dict[str, Any]:
        """Everything as plain values; all loads have been applied."""
        return {
            "keys": self.keys.snapshot(),
            "overflowed": self.overflowed,
            "unattributed": self.unattributed,
            "windows": {name: window.snapshot() for name, window in self.windows.items()},
            "distinct": {
                counter.fingerprint: pairs.snapshot() for counter, pairs in self.distinct.items()
            },
            "funnels": {
                chain.fingerprint: pairs.snapshot() for chain, pairs in self.funnels.items()
            },
            "spans": {
                counter.fingerprint: spans.snapshot() for counter, spans in self.spans.items()
            },
        }

    def cover(self, state: dict[str, Any]) -> None:
        """Take over since when a snapshot's windows are covered, and nothing else."""
        for name, window in self.windows.items():
            if name in state["windows"]:
                window.cover(state["windows"][name])

    def restore(self, state: dict[str, Any], tick: int) -> None:
        """Take over what a snapshot made after ``tick`` has of the same; the rest stays fresh."""
        self.keys.restore(state["keys"])
        self._lookup.clear()
        self.overflowed = int(state["overflowed"])
        self.unattributed = int(state["unattributed"])
        known = state["distinct"] | state.get("funnels", {})  # older checkpoints have no funnels
        counters = (*self.distinct, *self.funnels)
        for counter, pairs in zip(counters, self._pairs, strict=True):
            if counter.fingerprint in known:
                pairs.restore(known[counter.fingerprint], tick, self.keys.size)
            else:
                pairs.begin(tick, self.keys.size)
        for counter, spans in self.spans.items():
            if counter.fingerprint in state["spans"]:
                spans.restore(state["spans"][counter.fingerprint])
        self._room()
        for name, window in self.windows.items():
            if name in state["windows"]:
                window.restore(state["windows"][name], tick, self.keys.size)
        self._find_due()

"""The living state of one scope: its keys, and its counters over its windows.

Owns the order in which a tick is applied: ids for new names, panes that leave, rows that enter,
states that accrue. What a window does with rows is ``monitor.windows``; which counters there are is
``plan``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from monitor.indicators.formula import Counter
from monitor.indicators.grouping import ScopeLoad
from monitor.indicators.plan import Layout, ScopePlan, WindowPlan
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64
from monitor.windows.distinct import DistinctPairs
from monitor.windows.extremes import Extremes
from monitor.windows.limits import WindowLimits
from monitor.windows.rows import TickRows
from monitor.windows.spans import Pieces, StateSpans
from monitor.windows.sums import RunningSums

Columns = dict[str, Int64]
Told = tuple[list[str], Int64, Int64, Bool]
"""Entities, times, keys and matches of state events, in order."""


class WindowState:
    """One window of a scope: running sums and extremes, and since when each counter is known."""

    def __init__(
        self, plan: WindowPlan, layout: Layout, limits: WindowLimits, covered_from: int
    ) -> None:
        self.spec = plan.spec
        self.counters = tuple(plan.counters)
        summed = [each for each in layout.summed if each in plan.counters]
        self.place = {counter: index for index, counter in enumerate(summed, 1)}
        """Columns of the running sums."""
        self.chosen = None
        """Which of the scope's columns these are; None: all."""
        if len(summed) < len(layout.summed):
            self.chosen = [0, *(1 + layout.summed.index(counter) for counter in summed)]
        self.sums = RunningSums(plan.spec, 1 + len(summed), limits.lateness_ms)
        self.extreme = [each for each in layout.extreme if each in plan.counters]
        self.extreme_chosen = [layout.extreme.index(counter) for counter in self.extreme]
        self.extremes = Extremes(plan.spec, len(self.extreme), limits.lateness_ms)
        self.covered_from = dict.fromkeys(self.counters, covered_from)
        self.lo = 0
        """As of the last tick that was not quiet."""

    def begin(self, tick: int, keys_size: int) -> None:
        """Start a tick: let go what is no longer in."""
        self.lo = self.spec.lo(tick)
        self.sums.begin(tick, self.lo, keys_size)
        if self.extreme:
            self.extremes.begin(tick, self.lo, keys_size)

    def enter(self, rows: TickRows, extremes: Int64) -> None:
        """Take in the rows of a tick."""
        self.sums.enter(rows, self.lo, self.chosen)
        if self.extreme:
            self.extremes.enter(rows.keys, rows.grains, extremes[:, self.extreme_chosen], self.lo)

    def snapshot(self) -> dict[str, Any]:
        """The figures as plain values, with the counters they belong to."""
        return {
            "counters": [counter.fingerprint for counter in self.counters],
            "covered_from": [self.covered_from[counter] for counter in self.counters],
            "summed": [counter.fingerprint for counter in self.place],
            "sums": self.sums.snapshot(),
            "extreme": [counter.fingerprint for counter in self.extreme],
            "extremes": self.extremes.snapshot(),
        }

    def restore(self, state: dict[str, Any], tick: int, keys_size: int) -> None:
        """Take over the counters that the snapshot has too; the others stay fresh."""
        self.lo = self.spec.lo(tick)
        known = dict(zip(state["counters"], state["covered_from"], strict=True))
        for counter in self.counters:
            if counter.fingerprint in known:
                self.covered_from[counter] = int(known[counter.fingerprint])
        summed = {fingerprint: place for place, fingerprint in enumerate(state["summed"], 1)}
        places = [0, *(summed.get(counter.fingerprint, -1) for counter in self.place)]
        self.sums.restore(state["sums"], places, keys_size)
        extreme = {fingerprint: place for place, fingerprint in enumerate(state["extreme"])}
        places = [extreme.get(counter.fingerprint, -1) for counter in self.extreme]
        self.extremes.restore(state["extremes"], places, keys_size)

    def accrue(self, counter: Counter, pieces: Pieces) -> None:
        """Add pieces of time spent in a state to the panes they lie in."""
        earliest = self.spec.pane_of(self.lo - 1) if self.spec.keeps_closed else self.lo
        # What was accrued before this counter was kept here cannot be taken back here either.
        earliest = max(earliest, self.covered_from[counter])
        panes, keys, lengths = pieces.cut(self.spec, earliest)
        if len(keys):
            values = np.zeros((len(keys), 1 + len(self.place)), dtype=np.int64)
            values[:, 0] = 1
            values[:, self.place[counter]] = lengths
            self.sums.add(panes, keys, values, self.lo)


class ScopeState:
    """Keys, windows, pairs and states of one scope."""

    def __init__(
        self, plan: ScopePlan, *, tick_ms: int, limits: WindowLimits, covered_from: int
    ) -> None:
        self.layout = Layout.of(plan)
        self.keys = KeyTable(limits.pairs_max if len(plan.by) > 1 else limits.keys_max)
        self.windows = {
            identity: WindowState(window, self.layout, limits, covered_from)
            for identity, window in plan.windows.items()
        }
        self.distinct = {
            counter: DistinctPairs(
                [each.spec for each in self.windows.values() if counter in each.counters],
                len(counter.sets),
                limits.pairs_max,
                limits.lateness_ms,
            )
            for counter in self.layout.distinct
        }
        self.spans = {
            counter: StateSpans(
                max_age_ms=counter.max_age_ms, entities_max=limits.entities_max, tick_ms=tick_ms
            )
            for counter in self.layout.seconds
        }
        self.overflowed = 0
        """Rows left out because the key table was full."""
        self.unattributed = 0
        """Rows left out because a dimension was null."""
        self.rows: TickRows | None = None
        """The rows of the last tick."""
        self._limits = limits
        self._loads: deque[ScopeLoad] = deque()
        self._active = False

    def add(self, load: ScopeLoad) -> None:
        """Queue the groups of a load; its ticks come after those of the loads before."""
        self.unattributed += load.unattributed
        if load.parts:
            self._loads.append(load)

    def next_load(self) -> int | None:
        """The earliest tick whose rows have not been applied."""
        return self._loads[0].next_tick if self._loads else None

    def left_out(self) -> int:
        """Rows left out because some table was full."""
        pairs = sum(table.overflowed for table in self.distinct.values())
        return self.overflowed + pairs + sum(table.overflowed for table in self.spans.values())

    def due(self) -> int | None:
        """The earliest tick at which anything changes: a load, a pane that leaves, a state."""
        dues = [window.sums.due for window in self.windows.values()]
        dues += [spans.due for spans in self.spans.values()]
        dues.append(self.next_load())
        return min((due for due in dues if due is not None), default=None)

    def step(self, tick: int) -> None:
        """Apply everything up to ``tick``."""
        due = self.due()
        self.rows = None
        if due is None or due > tick:
            if self._active:
                self._active = False
                for window in self.windows.values():
                    window.sums.rest()
            return
        self._active = True
        load = self._loads[0] if self.next_load() == tick else None
        rows, told = (None, {}) if load is None else self._resolved(load, tick)
        for window in self.windows.values():
            window.begin(tick, self.keys.size)
        for pairs in self.distinct.values():
            pairs.begin(tick, self.keys.size)
        if rows is not None:
            self._enter(rows)
        if load is not None:
            self._enter_distinct(load, tick)
            if load.next_tick is None:
                self._loads.popleft()
        self._accrue(tick, told)

    def _resolved(self, load: ScopeLoad, tick: int) -> tuple[Columns | None, dict[Counter, Told]]:
        """The rows of the tick with the ids of their keys, and its state events by counter."""
        rows = None if load.groups is None else load.groups.take(tick)
        if rows is not None:
            rows["key"] = load.keys.resolve(rows["code"], self.keys)
        told: dict[Counter, Told] = {}
        for counter, (groups, names) in load.states.items():
            taken = groups.take(tick)
            if taken is not None:
                keys, named = taken["code"].copy(), taken["code"] >= 0
                keys[named] = load.keys.resolve(keys[named], self.keys)
                entities = [names[index] for index in taken["entity"].tolist()]
                told[counter] = entities, taken["time"], keys, taken["match"] > 0
        return rows, told

    def _enter(self, taken: Columns) -> None:
        keys, values = taken["key"], taken["values"]
        full = keys == OVERFLOW
        if full.any():
            self.overflowed += int(values[full, 0].sum())
            taken = {name: each[~full] for name, each in taken.items()}
            keys, values = taken["key"], taken["values"]
        if len(keys):
            self.rows = TickRows(keys, taken["grain"], values)
            for window in self.windows.values():
                window.enter(self.rows, taken["extremes"])

    def _enter_distinct(self, load: ScopeLoad, tick: int) -> None:
        for counter, (groups, names) in load.distinct.items():
            taken = groups.take(tick)
            if taken is None:
                continue
            keys = load.keys.resolve(taken["code"], self.keys)
            taken = {name: each[keys != OVERFLOW] for name, each in taken.items()}
            values = [names[index] for index in taken["value"].tolist()]
            pairs = self.distinct[counter]
            pairs.enter(keys[keys != OVERFLOW], values, taken["set"], taken["grain"])

    def _accrue(self, tick: int, told: dict[Counter, Told]) -> None:
        for counter, spans in self.spans.items():
            pieces = spans.apply(tick, *told[counter]) if counter in told else spans.advance(tick)
            if len(pieces):
                for window in self.windows.values():
                    if counter in window.counters:
                        window.accrue(counter, pieces)

    def evict(self, tick: int, pinned: AbstractSet[int]) -> list[int]:
        """Release the keys that no window, state or ``pinned`` holds; returns them, ascending."""
        alive = np.zeros(self.keys.size, dtype=np.bool_)
        for pairs in self.distinct.values():
            pairs.evict(tick)
        for spans in self.spans.values():
            spans.evict(tick, self._limits.lateness_ms)
            spans.mark_alive(alive)
        for window in self.windows.values():
            window.sums.mark_alive(tick, alive)
            window.extremes.closing.begin(tick)
        alive[sorted(pinned)] = True
        living = self.keys.living()
        gone = living[~alive[living]]
        if len(gone):
            self.keys.release(gone.tolist())
            for load in self._loads:
                load.keys.forget(gone)
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
            "spans": {
                counter.fingerprint: spans.snapshot() for counter, spans in self.spans.items()
            },
        }

    def restore(self, state: dict[str, Any], tick: int) -> None:
        """Take over what a snapshot made after ``tick`` has of the same; the rest stays fresh."""
        self.keys.restore(state["keys"])
        self.overflowed = int(state["overflowed"])
        self.unattributed = int(state["unattributed"])
        for counter, pairs in self.distinct.items():
            if counter.fingerprint in state["distinct"]:
                pairs.restore(state["distinct"][counter.fingerprint], tick, self.keys.size)
        for counter, spans in self.spans.items():
            if counter.fingerprint in state["spans"]:
                spans.restore(state["spans"][counter.fingerprint])
        for name, window in self.windows.items():
            if name in state["windows"]:
                window.restore(state["windows"][name], tick, self.keys.size)

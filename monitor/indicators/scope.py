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

from monitor.indicators.loaded import ScopeLoad
from monitor.indicators.plan import Layout, ScopePlan, WindowPlan
from monitor.keys import KeyTable
from monitor.windows.arrays import Bool, Int64
from monitor.windows.distinct import DistinctPairs
from monitor.windows.extremes import Extremes
from monitor.windows.limits import WindowLimits
from monitor.windows.rows import TickRows
from monitor.windows.spans import Accrued, Pieces, StateSpans
from monitor.windows.sums import RunningSums

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
        self._since = [covered_from] * (1 + len(summed))
        """The same, by column."""
        self._last: dict[int, tuple[Int64, Int64]] = {}
        """By column: amounts that accrued at the last tick, and rows made of them."""

    def begin(self, tick: int, keys_size: int) -> None:
        """Start a tick: let go what is no longer in."""
        self.lo = self.spec.lo(tick)
        self.sums.begin(tick, self.lo, keys_size)
        if self.extreme:
            self.extremes.begin(tick, self.lo, keys_size)

    def enter(self, rows: TickRows) -> None:
        """Take in the rows of a tick."""
        self.sums.enter(rows, self.lo, self.chosen)
        if self.extreme:
            chosen = rows.extremes[:, self.extreme_chosen]
            self.extremes.enter(rows.keys, rows.grains, chosen, self.lo)

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
                if counter in self.place:
                    self._since[self.place[counter]] = self.covered_from[counter]
        summed = {fingerprint: place for place, fingerprint in enumerate(state["summed"], 1)}
        places = [0, *(summed.get(counter.fingerprint, -1) for counter in self.place)]
        self.sums.restore(state["sums"], places, keys_size)
        extreme = {fingerprint: place for place, fingerprint in enumerate(state["extreme"])}
        places = [extreme.get(counter.fingerprint, -1) for counter in self.extreme]
        self.extremes.restore(state["extremes"], places, keys_size)

    def accrue(self, place: int, accrued: Accrued) -> None:
        """Add time spent in a state to one column, in the panes it lies in.

        What was accrued before the counter was kept here cannot be taken back here either; so
        nothing counts of the tick in which that begins.
        """
        since = -(-self._since[place] // self.spec.tick_ms) * self.spec.tick_ms
        if len(accrued.keys) and accrued.start >= since:
            # Panes are cut at ticks, and no window is shorter than a tick.
            pane = self.spec.pane_of(accrued.start)
            self.sums.add_to(pane, accrued.keys, self._rows(place, accrued.amounts))
        if len(accrued.elsewhere):
            earliest = self.spec.pane_of(self.lo - 1) if self.spec.keeps_closed else self.lo
            self._add(place, accrued.elsewhere, max(earliest, since))

    def _add(self, place: int, pieces: Pieces, earliest: int) -> None:
        panes, keys, lengths = pieces.cut(self.spec, earliest)
        if len(keys):
            self.sums.add(panes, keys, self._row_each(place, lengths), self.lo)

    def _rows(self, place: int, amounts: Int64) -> Int64:
        if place not in self._last or self._last[place][0] is not amounts:
            self._last[place] = amounts, self._row_each(place, amounts)
        return self._last[place][1]

    def _row_each(self, place: int, amounts: Int64) -> Int64:
        values = np.zeros((len(amounts), 1 + len(self.place)), dtype=np.int64)
        values[:, 0] = 1
        values[:, place] = amounts
        return values


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
        windows = list(self.windows.values())
        self.distinct = {
            counter: DistinctPairs(
                [each.spec for each in windows if counter in each.counters],
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
        self.due: int | None = None
        """The earliest tick at which anything changes: a load, a pane that leaves, a state."""
        self._limits = limits
        self._loads: deque[ScopeLoad] = deque()
        self._active = False
        # Counters are looked up by what they compute, which takes a while; so not at every tick.
        self._pairs = list(self.distinct.values())
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
            self._loads.append(load)
            self._find_due()

    def next_load(self) -> int | None:
        """The earliest tick whose rows have not been applied."""
        return self._loads[0].next_tick if self._loads else None

    def left_out(self) -> int:
        """Rows left out because some table was full."""
        pairs = sum(table.overflowed for table in self.distinct.values())
        return self.overflowed + pairs + sum(table.overflowed for table in self.spans.values())

    def step(self, tick: int) -> None:
        """Apply everything up to ``tick``."""
        self.rows = None
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
            self.rows, left_out = load.rows(tick, self.keys)
            self.overflowed += left_out
            told = self._told(load, tick)
        for window in self.windows.values():
            window.begin(tick, self.keys.size)
            if self.rows is not None:
                window.enter(self.rows)
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
                keys = taken["place"].copy()
                named = keys >= 0
                keys[named] = load.keys.resolve(keys[named], self.keys)
                entities = [state.names[index] for index in taken["entity"].tolist()]
                told[place] = entities, taken["time"], keys, taken["match"] > 0
        return told

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
        dues = [window.sums.due for window in self.windows.values()]
        dues += [spans.due for spans in self.spans.values()]
        dues.append(self.next_load())
        self.due = min((due for due in dues if due is not None), default=None)

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
        self._find_due()

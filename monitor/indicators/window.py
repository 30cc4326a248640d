"""The living state of one window of a scope: its figures, and since when each is known.

Owns which columns of the scope's table are the window's, and how time spent in states gets into its
panes. Sums, panes and extremes themselves are ``monitor.windows``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monitor.indicators.formula import Counter
from monitor.indicators.plan import Layout, ScopePlan, WindowPlan
from monitor.windows.anchored import AnchoredSums, AnchoredWindow
from monitor.windows.arrays import Int64
from monitor.windows.extremes import Extremes
from monitor.windows.limits import WindowLimits
from monitor.windows.rows import TickRows
from monitor.windows.spans import Accrued, Pieces
from monitor.windows.sum_table import SumTable
from monitor.windows.sums import RunningSums


class WindowState:
    """One window of a scope: running sums and extremes, and since when each counter is known."""

    def __init__(
        self,
        plan: WindowPlan,
        layout: Layout,
        sums: RunningSums | AnchoredSums,
        limits: WindowLimits,
        covered_from: int,
    ) -> None:
        self.spec = plan.spec
        self.counters = tuple(plan.counters)
        summed = summed_in(plan, layout)
        self.place = {counter: index for index, counter in enumerate(summed, 1)}
        """Columns of the running sums."""
        self.sums = sums
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
        self.sums.begin(tick, self.lo)
        if self.extreme:
            self.extremes.begin(tick, self.lo, keys_size)

    def enter(self, rows: TickRows, added: Int64 | None) -> None:
        """Take in the rows of a tick, which the scope's table may have ``added`` already."""
        if isinstance(self.sums, AnchoredSums):
            self.sums.enter(rows)
        elif added is None:
            self.sums.enter(rows, self.lo)
        else:
            self.sums.entered(rows, added)
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

    def cover(self, state: dict[str, Any]) -> None:
        """Take over since when the counters are covered that the snapshot has too."""
        known = dict(zip(state["counters"], state["covered_from"], strict=True))
        for counter in self.counters:
            if counter.fingerprint in known:
                self.covered_from[counter] = int(known[counter.fingerprint])
                if counter in self.place:
                    self._since[self.place[counter]] = self.covered_from[counter]

    def restore(self, state: dict[str, Any], tick: int, keys_size: int) -> None:
        """Take over the counters that the snapshot has too; the others stay fresh."""
        self.lo = self.spec.lo(tick)
        self.cover(state)
        summed = {fingerprint: place for place, fingerprint in enumerate(state["summed"], 1)}
        places = [0, *(summed.get(counter.fingerprint, -1) for counter in self.place)]
        self.sums.restore(state["sums"], places)
        extreme = {fingerprint: place for place, fingerprint in enumerate(state["extreme"])}
        places = [extreme.get(counter.fingerprint, -1) for counter in self.extreme]
        self.extremes.restore(state["extremes"], places, keys_size)

    def accrue(self, place: int, accrued: Accrued) -> None:
        """Add time spent in a state to one column, in the panes it lies in.

        What was accrued before the counter was kept here cannot be taken back here either; so
        nothing counts of the tick in which that begins.
        """
        assert isinstance(self.sums, RunningSums)  # noqa: S101 - none other has seconds
        since = -(-self._since[place] // self.spec.tick_ms) * self.spec.tick_ms
        if len(accrued.keys) and accrued.start >= since:
            # Panes are cut at ticks, and no window is shorter than a tick.
            pane = self.spec.pane_of(accrued.start)
            self.sums.add_to(pane, accrued.keys, self._rows(place, accrued.amounts))
        if len(accrued.elsewhere):
            earliest = self.spec.pane_of(self.lo - 1) if self.spec.keeps_closed else self.lo
            self._add(place, accrued.elsewhere, max(earliest, since))

    def derive(self, times: Int64, keys: Int64, values: Mapping[Counter, Int64]) -> None:
        """Add rows that were made of others; ``values`` by counter, those kept here count."""
        kept = [counter for counter in values if counter in self.place]
        if not kept or not len(keys):
            return
        assert isinstance(self.sums, RunningSums)  # noqa: S101 - none other has such counters
        rows = np.zeros((len(keys), 1 + len(self.place)), dtype=np.int64)
        rows[:, 0] = 1
        for counter in kept:
            rows[:, self.place[counter]] = values[counter]
        self.sums.add(self.spec.pane_start(times), keys, rows, self.lo)

    def _add(self, place: int, pieces: Pieces, earliest: int) -> None:
        panes, keys, lengths = pieces.cut(self.spec, earliest)
        if len(keys):
            assert isinstance(self.sums, RunningSums)  # noqa: S101 - none other has seconds
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


def summed_in(plan: WindowPlan, layout: Layout) -> list[Counter]:
    """The counters that a window's running sums hold, from its column 1 on."""
    return [counter for counter in layout.summed if counter in plan.counters]


def make_windows(
    plan: ScopePlan, layout: Layout, limits: WindowLimits, covered_from: int
) -> tuple[SumTable, dict[str, WindowState]]:
    """The windows of a scope, and the table that their sums share."""
    places = {counter: place for place, counter in enumerate(layout.summed, 1)}
    source = {
        identity: [places[counter] for counter in summed_in(window, layout)]
        for identity, window in plan.windows.items()
    }
    paned = [
        place
        for identity, window in plan.windows.items()
        if not isinstance(window.spec, AnchoredWindow)
        for place in [0, *source[identity]]
    ]
    table = SumTable(paned)
    windows, first = {}, 0
    for identity, window in plan.windows.items():
        sums: RunningSums | AnchoredSums
        if isinstance(window.spec, AnchoredWindow):
            sums = AnchoredSums(window.spec, source[identity], limits.lateness_ms)
        else:
            columns = slice(first, first + 1 + len(source[identity]))
            sums = RunningSums(window.spec, table, columns, limits.lateness_ms)
            first = columns.stop
        windows[identity] = WindowState(window, layout, sums, limits, covered_from)
    return table, windows

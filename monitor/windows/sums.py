"""Running sums over one window: what enters is added, the pane that leaves is subtracted.

Owns the additive figures of one (scope, window): counts, fixed-point sums, accrued milliseconds.
Column 0 counts the rows themselves, whatever they add, so a key is in the window exactly while it
is above zero. Everything is int64, so the order of additions cannot change a figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.windows.arrays import Bool, Int64, column, grown, reduce_by_key, unique_of
from monitor.windows.closing import Closing
from monitor.windows.panes import Panes, pane_rows
from monitor.windows.rows import TickRows
from monitor.windows.spec import WindowSpec


class RunningSums:
    """Sums by key over one window; ``columns`` of them, the first counting rows."""

    def __init__(self, spec: WindowSpec, columns: int, lateness_ms: int) -> None:
        self.spec = spec
        self.closing = Closing(spec, "add", lateness_ms)
        self._sums = np.zeros((0, columns), dtype=np.int64)
        self._panes = Panes("add")
        self._touched: list[Int64] = []
        self._oldest: int | None = None
        self._leaves: int | None = None

    @property
    def due(self) -> int | None:
        """The tick at which a pane leaves by time alone."""
        return self._leaves

    def begin(self, tick: int, lo: int, keys_size: int) -> None:
        """Start a tick: let the panes go that are no longer in; room for ``keys_size`` ids."""
        self._touched.clear()
        self._sums = grown(self._sums, keys_size)
        self.closing.begin(tick)
        if self._leaves is None or tick < self._leaves:
            return
        for start, table in self._panes.pop_before(lo):
            keys, values = table.total()
            self._sums[keys] -= values
            self._touched.append(keys)
            self.closing.take(start, table)
        self._schedule()

    def enter(self, rows: TickRows, lo: int, chosen: list[int] | None) -> None:
        """Add the rows of a tick; ``chosen`` names the columns kept here, None for all."""
        values = rows.values if chosen is None else rows.values[:, chosen]
        panes = self.spec.pane_start(rows.grains)
        if rows.first_grain < lo:
            self.add(panes, rows.keys, values, lo)
            return
        keys, sums = rows.by_key
        self._sums[keys] += sums if chosen is None else sums[:, chosen]
        self._touched.append(keys)
        self._panes.add(panes, rows.keys, values)
        self._schedule()

    def add(self, panes: Int64, keys: Int64, values: Int64, lo: int) -> None:
        """Add rows to the panes that start at ``panes``.

        Rows before ``lo`` are not in the window; those of the period that closed last go to its
        final figure.
        """
        inside = panes >= lo
        if not inside.all():
            self.closing.add(panes[~inside], keys[~inside], values[~inside], lo)
            panes, keys, values = panes[inside], keys[inside], values[inside]
        if len(keys):
            own, sums = reduce_by_key(keys, values, "add")
            self._sums[own] += sums
            self._touched.append(own)
            self._panes.add(panes, keys, values)
            self._schedule()

    def rest(self) -> None:
        """A tick without anything for this scope."""
        self._touched.clear()

    def touched(self) -> Int64:
        """Ids whose sums this tick changed, ascending."""
        if len(self._touched) > 1:
            self._touched[:] = [unique_of(self._touched)]
        return self._touched[0] if self._touched else column([])

    def at(self, ids: Int64, index: int) -> Int64:
        """Sums of one column for ``ids``."""
        return column(self._sums[ids, index])

    def mark_alive(self, tick: int, alive: Bool) -> None:
        """Set ``alive`` at all ids that have rows here, a period still closing at ``tick`` too."""
        self.closing.begin(tick)
        alive[: len(self._sums)] |= self._sums[: len(alive), 0] > 0
        self.closing.mark_alive(alive)

    def snapshot(self) -> dict[str, Any]:
        """Panes and the closing period as plain values; the sums follow from them."""
        return {"panes": self._panes.snapshot(), "closing": self.closing.snapshot()}

    def restore(self, state: dict[str, Any], columns: list[int], keys_size: int) -> None:
        """Take over a snapshot; ``columns`` as in :func:`pane_rows`. The table was fresh."""
        self._sums = grown(self._sums, keys_size)
        for pane in state["panes"]:
            keys, values = pane_rows(pane, columns, 0)
            self._sums[keys] += values
            self._panes.add_to(int(pane["start"]), keys, values)
        self.closing.restore(state["closing"], columns, 0)
        self._schedule()

    def _schedule(self) -> None:
        if self._panes.oldest != self._oldest:
            self._oldest = self._panes.oldest
            self._leaves = None if self._oldest is None else self.spec.first_tick(self._oldest + 1)

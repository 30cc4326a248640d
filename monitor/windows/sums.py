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
        self._sums = [np.zeros(0, dtype=np.int64) for _ in range(columns)]
        """By column, then id: to gather from or add to one flat array takes numpy a tenth of what
        rows of a matrix do."""
        self._panes = Panes("add")
        self._touched: list[Int64] = []
        self._oldest: int | None = None
        self.due: int | None = None
        """The tick at which a pane leaves by time alone."""

    def begin(self, tick: int, lo: int, keys_size: int) -> None:
        """Start a tick: let the panes go that are no longer in; room for ``keys_size`` ids."""
        self._touched.clear()
        self._room(keys_size)
        self.closing.begin(tick)
        if self.due is None or tick < self.due:
            return
        for start, table in self._panes.pop_before(lo):
            keys, values = table.total()
            for sums, gone in zip(self._sums, values.T, strict=True):
                sums[keys] -= gone
            self._touched.append(keys)
            self.closing.take(start, table)
        self._schedule()

    def enter(self, rows: TickRows, lo: int, chosen: list[int] | None) -> None:
        """Add the rows of a tick; ``chosen`` names the columns kept here, None for all."""
        values = rows.values if chosen is None else rows.values[:, chosen]
        if rows.first_grain < lo:
            self.add(self.spec.pane_start(rows.grains), rows.keys, values, lo)
            return
        entering = rows.sums if chosen is None else [rows.sums[column] for column in chosen]
        for sums, added in zip(self._sums, entering, strict=True):
            sums[rows.ids] += added
        self._touched.append(rows.ids)
        pane = self.spec.pane_of(rows.first_grain)
        if pane == self.spec.pane_of(rows.last_grain):
            self._panes.add_to(pane, rows.keys, values)
        else:
            self._panes.add(self.spec.pane_start(rows.grains), rows.keys, values)
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
            own, entering = reduce_by_key(keys, values, "add")
            for sums, added in zip(self._sums, entering.T, strict=True):
                sums[own] += added
            self._touched.append(own)
            self._panes.add(panes, keys, values)
            self._schedule()

    def add_to(self, pane: int, keys: Int64, values: Int64) -> None:
        """Add rows of ascending distinct ``keys`` to one pane, which is in the window."""
        for sums, added in zip(self._sums, values.T, strict=True):
            sums[keys] += added
        self._touched.append(keys)
        self._panes.add_to(pane, keys, values)
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
        return self._sums[index][ids]

    def mark_alive(self, tick: int, alive: Bool) -> None:
        """Set ``alive`` at all ids that have rows here, a period still closing at ``tick`` too."""
        self.closing.begin(tick)
        rows = self._sums[0]
        alive[: len(rows)] |= rows[: len(alive)] > 0
        self.closing.mark_alive(alive)

    def snapshot(self) -> dict[str, Any]:
        """Panes and the closing period as plain values; the sums follow from them."""
        return {"panes": self._panes.snapshot(), "closing": self.closing.snapshot()}

    def restore(self, state: dict[str, Any], columns: list[int], keys_size: int) -> None:
        """Take over a snapshot; ``columns`` as in :func:`pane_rows`. The table was fresh."""
        self._room(keys_size)
        for pane in state["panes"]:
            keys, values = pane_rows(pane, columns, 0)
            for sums, added in zip(self._sums, values.T, strict=True):
                sums[keys] += added
            self._panes.add_to(int(pane["start"]), keys, values)
        self.closing.restore(state["closing"], columns, 0)
        self._schedule()

    def _schedule(self) -> None:
        if self._panes.oldest != self._oldest:
            self._oldest = self._panes.oldest
            self.due = None if self._oldest is None else self.spec.first_tick(self._oldest + 1)

    def _room(self, keys_size: int) -> None:
        if keys_size > len(self._sums[0]):
            self._sums = [grown(sums, keys_size) for sums in self._sums]

"""Running sums over one window: what enters is added, the pane that leaves is subtracted.

Owns the additive figures of one (scope, window): counts, fixed-point sums, accrued milliseconds.
Column 0 counts the rows themselves, whatever they add, so a key is in the window exactly while it
is above zero. Everything is int64, so the order of additions cannot change a figure.
"""

from __future__ import annotations

from typing import Any

from monitor.windows.arrays import Bool, Int64, column, reduce_by_key, unique_of
from monitor.windows.closing import Closing
from monitor.windows.panes import Panes
from monitor.windows.rows import TickRows
from monitor.windows.spec import WindowSpec
from monitor.windows.sum_table import SumTable


class RunningSums:
    """Sums by key over one window; ``columns`` of them, the first counting rows."""

    def __init__(self, spec: WindowSpec, table: SumTable, columns: slice, lateness_ms: int) -> None:
        """Take over ``columns`` of the scope's table, the first counting rows."""
        self.spec = spec
        self.closing = Closing(spec, "add", lateness_ms)
        self._table = table
        self._columns = columns
        self._panes = Panes("add")
        self._open = table.open_pane(columns, self._panes, spec)
        self._touched: list[Int64] = []
        self._oldest: int | None = None
        self.due: int | None = None
        """The tick at which a pane leaves by time alone."""

    def begin(self, tick: int, lo: int) -> None:
        """Start a tick: let the panes go that are no longer in."""
        self._touched.clear()
        self.closing.begin(tick)
        if self.due is None or tick < self.due:
            return
        if self._open.start is not None and self._open.start < lo:
            self._open.close()
        for start, table in self._panes.pop_before(lo):
            keys, values = table.total()
            self._sum(keys, -values)
            self._touched.append(keys)
            self.closing.take(start, table)
        self._schedule()

    def entered(self, rows: TickRows, added: Int64) -> None:
        """The table took in ``rows``, all of which are in the window; ``added`` as it says."""
        self._touched.append(rows.ids)
        if not self._open.took:
            pane = self.spec.pane_of(rows.first_grain)
            if pane == self.spec.pane_of(rows.last_grain):
                self._panes.add_to(pane, rows.ids, added[self._columns].T)
            else:
                values = rows.values[:, self._table.source[self._columns]]
                self._panes.add(self.spec.pane_start(rows.grains), rows.keys, values)
        self._schedule()

    def enter(self, rows: TickRows, lo: int) -> None:
        """Add rows of which some may be older than the window."""
        values = rows.values[:, self._table.source[self._columns]]
        self.add(self.spec.pane_start(rows.grains), rows.keys, values, lo)

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
            self._sum(own, sums)
            self._touched.append(own)
            self._panes.add(panes, keys, values)
            self._schedule()

    def add_to(self, pane: int, keys: Int64, values: Int64) -> None:
        """Add rows of ascending distinct ``keys`` to one pane, which is in the window."""
        self._sum(keys, values)
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
        sums: Int64 = self._table.columns[self._columns.start + index][ids]
        return sums

    def mark_alive(self, tick: int, alive: Bool) -> None:
        """Set ``alive`` at all ids that have rows here, a period still closing at ``tick`` too."""
        self.closing.begin(tick)
        rows = self._table.columns[self._columns.start]
        alive[: len(rows)] |= rows[: len(alive)] > 0
        self.closing.mark_alive(alive)

    def snapshot(self) -> dict[str, Any]:
        """Panes and the closing period; the sums follow from them."""
        self._open.close()
        return {"panes": self._panes.snapshot(), "closing": self.closing.snapshot()}

    def restore(self, state: dict[str, Any], columns: list[int]) -> None:
        """Take over a snapshot; ``columns`` as in :func:`pane_rows`. The table was fresh."""
        for pane in state["panes"]:
            for keys, values in self._panes.restore(pane, columns, 0):
                self._sum(keys, values)
        self.closing.restore(state["closing"], columns, 0)
        self._schedule()

    def _schedule(self) -> None:
        if self._panes.oldest != self._oldest:
            self._oldest = self._panes.oldest
            self.due = None if self._oldest is None else self.spec.first_tick(self._oldest + 1)

    def _sum(self, keys: Int64, values: Int64) -> None:
        for sums, added in zip(self._table.columns[self._columns], values.T, strict=True):
            sums[keys] += added

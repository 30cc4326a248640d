"""The running sums of all windows of a scope, and the pane of each that still gets rows.

Owns two arrays of one layout, by column, then id, so that a tick's rows are added to all windows by
one loop: what that costs is the call, not the few numbers it moves. A pane's rows of many ticks
would otherwise be put aside and added up by key again and again until it is whole.
"""

from __future__ import annotations

import numpy as np

from monitor.compiled.groups import add_columns
from monitor.windows.arrays import Int64, column, roomy
from monitor.windows.panes import Panes
from monitor.windows.rows import TickRows
from monitor.windows.spec import WindowSpec

OPEN_IDS_MAX = 2**14
"""Where there is room for more ids than these, an open pane would be mostly zeros: they are memory,
and are looked through when it is closed."""


class OpenPane:
    """The newest pane of one window while rows come to it, as columns by id."""

    def __init__(self, table: SumTable, columns: slice, panes: Panes, spec: WindowSpec) -> None:
        """``columns``: the window's, the first counting rows. It is closed into ``panes``."""
        self.start: int | None = None
        self._end = 0
        self.took = False
        """Whether the rows that came last are in it."""
        self.columns = columns
        self._table = table
        self._panes = panes
        self._spec = spec

    def takes(self, rows: TickRows) -> bool:
        """Whether all of ``rows`` belong to it, or to the pane that is open from now on."""
        if self.start is not None and self.start <= rows.first_grain:
            self.took = rows.last_grain < self._end or self._opens(rows)
        else:
            self.took = self.start is None and self._opens(rows)
        return self.took

    def _opens(self, rows: TickRows) -> bool:
        """Open the pane that ``rows`` belong to, where it is one, and close the one before.

        Not one that is over with the tick: it would be opened and closed for its rows alone.
        """
        start = self._spec.pane_of(rows.first_grain)
        end = self._spec.pane_end(start)
        is_over_at_once = end - start <= self._spec.tick_ms
        if rows.last_grain >= end or is_over_at_once or not self._table.is_small:
            return False
        self.close()
        self.start, self._end = start, end
        self._panes.open(start)
        return True

    def close(self) -> None:
        """Put its rows among the panes."""
        if self.start is None:
            return
        values = self._table.open[self.columns]
        ids = np.flatnonzero(values[0])
        if len(ids):
            self._panes.add_to(self.start, ids, values[:, ids].T)
            values[:, ids] = 0
        self.start = None


class SumTable:
    """Sums by column, then id."""

    def __init__(self, source: list[int]) -> None:
        """Make a column for each of ``source``."""
        self.columns: list[Int64] = []
        """Views of each column, as long as there is room for ids."""
        self.open = np.zeros((len(source), 0), dtype=np.int64)
        """As the columns, of the open panes alone; without any id while there are too many."""
        self.source = column(source)
        """The column of the scope's rows that each column sums."""
        self._panes: list[OpenPane] = []
        self._into = np.zeros(len(source), dtype=np.bool_)
        self._size = 0
        self._flat = column([])
        self._firsts = column([])
        self.room(0)

    def open_pane(self, columns: slice, panes: Panes, spec: WindowSpec) -> OpenPane:
        """The open pane of the window that has ``columns``."""
        pane = OpenPane(self, columns, panes, spec)
        self._panes.append(pane)
        return pane

    @property
    def is_small(self) -> bool:
        """There are few enough ids for open panes."""
        return self._size <= OPEN_IDS_MAX

    def room(self, size: int) -> None:
        """Have room for ids below ``size``."""
        if size <= self._size and len(self.columns) == len(self.source):
            return
        larger = np.zeros((len(self.source), roomy(size, self._size)), dtype=np.int64)
        for old, new in zip(self.columns, larger, strict=False):
            new[: self._size] = old
        self.columns = list(larger)
        self._size = larger.shape[1]
        self._flat = larger.reshape(-1)
        self._firsts = np.arange(len(self.source), dtype=np.int64) * self._size
        self._room_for_open()

    def _room_for_open(self) -> None:
        larger = np.zeros((len(self.source), self._size if self.is_small else 0), dtype=np.int64)
        if self.is_small:
            larger[:, : self.open.shape[1]] = self.open
        else:
            for pane in self._panes:
                pane.close()
        self.open = larger

    def enter(self, rows: TickRows) -> Int64:
        """Add rows to every column.

        Returns:
            What was added, shape (columns, ``rows.ids``), to windows whose open pane did not take
            them; of all others nothing is read.
        """
        for pane in self._panes:
            self._into[pane.columns] = pane.takes(rows)
        added = np.empty((len(self.source), len(rows.ids)), dtype=np.int64)
        add_columns(
            self._flat, self.open.reshape(-1), self._firsts, self.source, self._into,
            rows.ids, rows.sums, added,
        )  # fmt: skip
        return added

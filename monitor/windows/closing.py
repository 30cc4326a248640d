"""The calendar period that closed last: its figure until no late row can come any more.

Owns the final figure of a period. Sliding windows have none: for them all of this does nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.windows.arrays import Bool, Combine, Int64
from monitor.windows.panes import PaneTable, snapshot_pane
from monitor.windows.spec import WindowSpec


def final_tick(spec: WindowSpec, period: int, lateness_ms: int) -> int:
    """The last tick at which rows of the period that starts at ``period`` can be released.

    A row of the period is accepted while the watermark is at most its time + lateness, so its
    effective time is before the period's end + lateness.
    """
    return -(-(spec.pane_end(period) + lateness_ms) // spec.tick_ms) * spec.tick_ms


class Closing:
    """At most one period's table, from the tick it left the window to its final tick."""

    def __init__(self, spec: WindowSpec, combine: Combine, lateness_ms: int) -> None:
        self._spec = spec
        self._combine: Combine = combine
        self._lateness_ms = lateness_ms
        self._table: PaneTable | None = None
        self._start = 0
        self.final = 0
        """The last tick of the closing period."""
        self._tick = 0

    @property
    def start(self) -> int | None:
        """Start of the period that is closing, None when there is none."""
        return None if self._table is None else self._start

    def begin(self, tick: int) -> None:
        """Start a tick: forget a period whose figure is final and was seen at its final tick."""
        self._tick = tick
        if self._table is not None and tick > self.final:
            self._table = None

    def take(self, start: int, table: PaneTable) -> None:
        """The pane that starts at ``start`` has left the window."""
        if not self._spec.keeps_closed:
            return
        final = final_tick(self._spec, start, self._lateness_ms)
        if self._tick <= final:
            self._start, self.final, self._table = start, final, table

    def add(self, panes: Int64, keys: Int64, values: Int64, lo: int) -> None:
        """Late rows; those of the period before ``lo`` join its figure while it is not final."""
        if not self._spec.keeps_closed:
            return
        start = self._spec.pane_of(lo - 1)
        chosen = panes == start
        if not chosen.any():
            return
        if self._table is None:
            self.take(start, PaneTable(self._combine))
        if self._table is not None:
            self._table.add(keys[chosen], values[chosen])

    def total(self) -> tuple[Int64, Int64] | None:
        """Keys and values of the closing period, ascending keys."""
        return None if self._table is None else self._table.total()

    def lookup(self, keys: Int64, missing: int) -> Int64:
        """Values of ascending ``keys``, shape ``(len(keys), columns)``; there is a period."""
        assert self._table is not None  # noqa: S101 - the caller asked `start` first
        return self._table.lookup(keys, missing)

    def mark_alive(self, alive: Bool) -> None:
        """Set ``alive`` at the ids of the closing period."""
        if self._table is not None:
            alive[self._table.total()[0]] = np.True_

    def snapshot(self) -> dict[str, Any] | None:
        """The period, for :meth:`restore`."""
        return None if self._table is None else snapshot_pane(self._start, self._table)

    def restore(self, state: dict[str, Any] | None, columns: list[int], missing: int) -> None:
        """Take over a snapshot; ``columns`` as in :func:`monitor.windows.panes.pane_rows`."""
        if state is None:
            return
        self._table = PaneTable(self._combine)
        self._table.restore(state["parts"], columns, missing)
        self._start = int(state["start"])
        self.final = final_tick(self._spec, self._start, self._lateness_ms)

"""Smallest and largest values over one window.

Owns the figures of ``min`` and ``max`` measures of one (scope, window). Every column holds a
maximum: a ``min`` measure stores its values negated. When a pane leaves, only the keys whose
extreme it held are looked up again in the panes that stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.windows.arrays import Int64, column, grown, reduce_by_key
from monitor.windows.closing import Closing
from monitor.windows.panes import Panes, PaneTable
from monitor.windows.spec import WindowSpec

NONE = int(np.iinfo(np.int64).min)
"""The value of a key without rows; no fixed-point value comes near it."""


class Extremes:
    """Maxima by key over one window, ``columns`` of them."""

    def __init__(self, spec: WindowSpec, columns: int, lateness_ms: int) -> None:
        self.spec = spec
        self.closing = Closing(spec, "maximum", lateness_ms)
        self._best = np.full((0, columns), NONE, dtype=np.int64)
        self._panes = Panes("maximum")

    def begin(self, tick: int, lo: int, keys_size: int) -> None:
        """Start a tick: let the panes go that are no longer in; room for ``keys_size`` ids.

        Which ids that touches the running sums of the same window know: they hold the same rows.
        """
        self._best = grown(self._best, keys_size, NONE)
        self.closing.begin(tick)
        left = list(self._panes.pop_before(lo))
        for start, table in left:
            self._forget(table)
            self.closing.take(start, table)

    def enter(self, keys: Int64, grains: Int64, values: Int64, lo: int) -> None:
        """Take in rows of a tick: ids, grain starts, and values of shape (rows, columns)."""
        panes = self.spec.pane_start(grains)
        inside = panes >= lo
        if not inside.all():
            self.closing.add(panes[~inside], keys[~inside], values[~inside], lo)
            panes, keys, values = panes[inside], keys[inside], values[inside]
        if len(keys):
            own, best = reduce_by_key(keys, values, "maximum")
            self._best[own] = np.maximum(self._best[own], best)
            self._panes.add(panes, keys, values)

    def at(self, ids: Int64, index: int) -> Int64:
        """Maxima of one column for ``ids``; ``NONE`` where a key has no value in the window."""
        return column(self._best[ids, index])

    def snapshot(self) -> dict[str, Any]:
        """Panes and the closing period; the maxima follow from them."""
        return {"panes": self._panes.snapshot(), "closing": self.closing.snapshot()}

    def restore(self, state: dict[str, Any], columns: list[int], keys_size: int) -> None:
        """Take over a snapshot; ``columns`` as in :func:`pane_rows`. The table was fresh."""
        self._best = grown(self._best, keys_size, NONE)
        for pane in state["panes"]:
            for keys, values in self._panes.restore(pane, columns, NONE):
                self._best[keys] = np.maximum(self._best[keys], values)
        self.closing.restore(state["closing"], columns, NONE)

    def _forget(self, table: PaneTable) -> None:
        keys, values = table.total()
        held = (values == self._best[keys]).any(axis=1)
        if not held.any():
            return
        keys = keys[held]
        best = np.full((len(keys), self._best.shape[1]), NONE, dtype=np.int64)
        for _, staying in self._panes.tables():
            np.maximum(best, staying.lookup(keys, NONE), out=best)
        self._best[keys] = best

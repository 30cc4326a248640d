"""The rows of one scope at one tick, after grouping: what every window of the scope takes in.

Owns their shape and nothing else; where they come from is ``monitor.indicators.loaded``.
"""

from __future__ import annotations

import numpy as np

from monitor.compiled.groups import turn
from monitor.windows.arrays import Int64


class TickRows:
    """The rows twice: by key and grain for the panes, by key alone for the sums; never empty."""

    def __init__(
        self,
        keys: Int64,
        grains: Int64,
        values: Int64,
        extremes: Int64,
        ids: Int64,
        sums: Int64,
    ) -> None:
        """Take rows in any order.

        Args:
            keys: id of each row, several of which may be the same.
            grains: grain start of each row, ms.
            values: shape (rows, columns), the first counting rows of the input.
            extremes: shape (rows, maxima).
            ids: the distinct keys.
            sums: sums of ``values`` by key over all grains, shape (ids, columns).
        """
        self.keys = keys
        self.grains = grains
        self.values = values
        self.extremes = extremes
        self.first_grain, self.last_grain = int(grains.min()), int(grains.max())
        order = ids.argsort()
        self.ids = ids[order]
        """Ascending."""
        self.sums: Int64 = np.empty(sums.shape[::-1], dtype=np.int64)
        """Beside ``ids``, shape (columns, ids)."""
        turn(sums, order, self.sums)

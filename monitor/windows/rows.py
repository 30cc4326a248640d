"""The rows of one scope at one tick, after grouping: what every window of the scope takes in.

Owns their shape and nothing else; where they come from is ``monitor.indicators.loaded``.
"""

from __future__ import annotations

import numpy as np

from monitor.compiled.groups import turn_each
from monitor.windows.arrays import Int64, column


class TickRows:
    """The rows twice: by key and grain for the panes, by key alone for the sums; never empty."""

    __slots__ = (
        "extremes", "first_grain", "grains", "ids", "keys", "last_grain", "sums", "values",
    )  # fmt: skip

    def __init__(
        self,
        keys: Int64,
        grains: Int64,
        values: Int64,
        extremes: Int64,
        ids: Int64,
        sums: Int64,
        ends: tuple[int, int],
    ) -> None:
        """Take rows as they are kept.

        Args:
            keys: id of each row, several of which may be the same.
            grains: grain start of each row, ms.
            values: shape (rows, columns), the first counting rows of the input.
            extremes: shape (rows, maxima).
            ids: the distinct keys, ascending.
            sums: sums of ``values`` by key over all grains, shape (columns, ids), contiguous.
            ends: the first and the last of ``grains``.
        """
        self.keys = keys
        self.grains = grains
        self.values = values
        self.extremes = extremes
        self.ids = ids
        self.sums = sums
        self.first_grain, self.last_grain = ends

    @classmethod
    def of(
        cls,
        keys: Int64,
        grains: Int64,
        values: Int64,
        extremes: Int64,
        ids: Int64,
        sums: Int64,
    ) -> TickRows:
        """Take rows in any order: ``ids`` too, and ``sums`` of the shape (ids, columns)."""
        order = ids.argsort()
        turned: Int64 = np.empty(sums.shape[::-1], dtype=np.int64)
        turn_each(sums, order, column([0, len(ids)]), turned.reshape(-1))
        ends = int(grains.min()), int(grains.max())
        return cls(keys, grains, values, extremes, ids[order], turned, ends)

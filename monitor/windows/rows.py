"""The rows of one scope at one tick, after grouping: what every window of the scope takes in.

Owns their shape and the one reduction that all windows share.
"""

from __future__ import annotations

from functools import cached_property

from monitor.windows.arrays import Int64, reduce_by_key


class TickRows:
    """Parallel columns, one row for each (key, grain, …) group; never empty."""

    def __init__(self, keys: Int64, grains: Int64, values: Int64) -> None:
        """Take columns of ids, grain starts in ms, and int64 values of shape (rows, columns)."""
        self.keys = keys
        self.grains = grains
        self.values = values
        self.first_grain = int(grains.min())

    @cached_property
    def by_key(self) -> tuple[Int64, Int64]:
        """Ascending distinct keys and the sums of their values over all grains."""
        return reduce_by_key(self.keys, self.values, "add")

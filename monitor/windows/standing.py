"""What stands at a tick, by key: entities each counted under one key, with an amount each.

Owns the sums; who is counted where is told it, and what it means is the caller's.
"""

from __future__ import annotations

import numpy as np

from monitor.windows.arrays import Int64, column, distinct_of, roomy


class StandingSums:
    """How many entities each key of a scope has, and the sum of their amounts."""

    def __init__(self) -> None:
        self._sums = np.zeros((2, 0), dtype=np.int64)
        """Of amounts and of entities, by key."""
        self._key = column([])
        """By entity, the key that it is counted under, -1 for none."""
        self._amount = column([])
        self.count = 0
        """Entities that are counted at all."""
        self.touched = column([])
        """Keys whose sums the last step may have changed, ascending."""

    def move(self, ids: Int64, keys: Int64, amounts: Int64, keys_size: int) -> None:
        """Count distinct entities under other keys, or with other amounts; -1: under none."""
        self._room(int(ids.max(initial=-1)) + 1, keys_size)
        before, was = self._key[ids], self._amount[ids]
        moved = (before != keys) | (was != amounts)
        ids, keys, amounts, before, was = (x[moved] for x in (ids, keys, amounts, before, was))
        self._key[ids], self._amount[ids] = keys, amounts
        for sign, at, amount in ((-1, before, was), (1, keys, amounts)):
            counted = at >= 0
            np.add.at(self._sums[0], at[counted], sign * amount[counted])
            np.add.at(self._sums[1], at[counted], sign)
            self.count += sign * int(np.count_nonzero(counted))
        both = np.concatenate([before, keys])
        self.touched = distinct_of(both[both >= 0])

    def rest(self) -> None:
        """A tick at which nothing changed."""
        self.touched = column([])

    def at(self, ids: Int64, keys_size: int) -> tuple[Int64, Int64]:
        """Sums of amounts, and entities, by key."""
        self._room(0, keys_size)
        return self._sums[0, ids], self._sums[1, ids]

    def counted(self) -> Int64:
        """Keys that have entities, ascending."""
        return np.flatnonzero(self._sums[1])

    def _room(self, entities: int, keys: int) -> None:
        have = len(self._key)
        if entities > have:
            more = roomy(entities, have) - have
            self._key = np.append(self._key, np.full(more, -1, dtype=np.int64))
            self._amount = np.append(self._amount, np.zeros(more, dtype=np.int64))
        have = self._sums.shape[1]
        if keys > have:
            sums = np.zeros((2, roomy(keys, have)), dtype=np.int64)
            sums[:, :have] = self._sums
            self._sums = sums

"""Many texts found in a table at once.

Owns a memory of which id a table gave to which text, by 128 bits of each (``ids``). Whatever it
says is right, and what it does not know the table knows: so it is never written down, and begins
empty.
"""

from __future__ import annotations

import numpy as np

from monitor.compiled.index import drop_ids, find_ids, move_slots, put_ids
from monitor.windows.arrays import Int64, column, grown
from monitor.windows.ids import UInt64

_SLOTS_AT_FIRST = 2**8


class Lookup:
    """Ids by text; whoever releases an id in the table drops it here."""

    def __init__(self) -> None:
        """Know nothing."""
        self.clear()

    def __len__(self) -> int:
        """How many texts are known."""
        return self._size

    def clear(self) -> None:
        """Forget all: the table is another one."""
        self._slots = np.full(_SLOTS_AT_FIRST, -1, dtype=np.int32)
        self._own = np.zeros((0, 2), dtype=np.uint64)
        self._size = 0

    def find(self, low: UInt64, high: UInt64) -> Int64:
        """The id of each text, -1 where it is not known here; shape ``(texts,)``."""
        found = np.empty(len(low), dtype=np.int64)
        find_ids(low, high, self._slots, self._own, found)
        return found

    def put(self, ids: Int64, low: UInt64, high: UInt64) -> None:
        """Remember the ids of texts; what is negative is no id."""
        if len(ids) == 0:
            return
        self._own = grown(self._own, int(ids.max()) + 1)
        if 2 * (self._size + len(ids)) > len(self._slots):
            larger = 1 << (2 * (self._size + len(ids))).bit_length()
            slots = np.full(larger, -1, dtype=np.int32)
            move_slots(self._slots, slots, self._own)
            self._slots = slots
        self._size += put_ids(ids, low, high, self._slots, self._own)

    def drop(self, ids: Int64) -> None:
        """``ids`` are nobody's any more; those that are not known here do not matter."""
        ids = column(ids)
        self._size -= drop_ids(ids[ids < len(self._own)], self._slots, self._own)

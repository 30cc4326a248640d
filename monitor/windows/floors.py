"""The floors of one partition: below which effective time its records may not count any more.

Owns the floors that the journal has for records still to be read, and the question whether a floor
that was made a moment ago matters: one that changes no record need not be kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.source.base import Int64, Partition

Bool = npt.NDArray[np.bool_]
NEVER = -(2**62)
"""Before every event: the watermark of a partition that has shown no record."""


class Floor(NamedTuple):
    """From ``offset`` on, records of this partition count as no earlier than ``floor_ms``.

    Made when ticks were judged without the partition, whether it was left out or not there yet:
    its later records cannot change those ticks any more, now or in a replay. With ``NEVER`` it
    only says that the partition was read before any tick was judged.
    """

    partition: Partition
    offset: int
    floor_ms: int


class Expected:
    """Floors of the journal, for records that are read again; linear in what is given."""

    def __init__(self) -> None:
        self._offsets: list[int] = []
        self._heights: list[int] = []
        """Each with all before it: a watermark never goes back."""
        self._next = 0

    def add(self, floors: Iterable[Floor]) -> None:
        """Expect these, too; before the first record is read."""
        known = zip(self._offsets, self._heights, strict=True)
        places = sorted([*known, *((floor.offset, floor.floor_ms) for floor in floors)])
        self._offsets = [offset for offset, _ in places]
        heights = np.array([height for _, height in places], dtype=np.int64)
        self._heights = np.maximum.accumulate(heights).tolist() if places else []

    def begun_by(self, offset: int) -> bool:
        """Whether an earlier run has read the partition, or waited for it, by then."""
        return bool(self._offsets) and self._offsets[0] <= offset

    def at(self, position: int) -> int:
        """The highest floor at or before ``position``, ms; ``NEVER`` when there is none."""
        found = bisect_right(self._offsets, position)
        return self._heights[found - 1] if found else NEVER

    def take(self, offsets: Int64) -> Int64 | None:
        """The floor of each row, each floor counting once; None when none begins among them."""
        first, self._next = self._next, bisect_right(self._offsets, int(offsets[-1]))
        if first >= self._next:
            return None
        places = self._offsets[first : self._next]
        rows = np.searchsorted(offsets, np.array(places, dtype=np.int64), side="left")
        heights = np.full(len(offsets), NEVER, dtype=np.int64)
        np.maximum.at(heights, rows, self._heights[first : self._next])
        taken: Int64 = np.maximum.accumulate(heights)
        return taken


class Trial:
    """A floor in the journal, and what its partition's watermark would be without it."""

    def __init__(self, floor: Floor, bare: int) -> None:
        """``bare``: the watermark before the floor raised it, ms."""
        self.floor = floor
        self._bare = bare

    def judge(self, times: Int64, steps: Int64, ahead: Bool) -> bool | None:
        """Whether the floor matters to these rows, which come next; None: not known yet."""
        bare = np.maximum.accumulate(np.concatenate(([self._bare], steps)))
        low = bare < self.floor.floor_ms
        if bool(np.any(low[:-1] & ~ahead & (times < self.floor.floor_ms))):
            return True
        self._bare = int(bare[-1])
        return None if low[-1] else False

"""Records as they were read: pieces of one piece of memory, and no object for each.

Owns the view of them as a sequence of bytes, for whoever looks at single ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


class Records(Sequence[bytes]):
    """Records that stand in ``memory`` at ``starts`` … ``ends``, in ascending order.

    They do not overlap; what lies between two of them is nobody's.
    """

    __slots__ = ("ends", "memory", "starts")

    def __init__(self, memory: bytes, starts: Int64, ends: Int64) -> None:
        self.memory = memory
        self.starts = starts
        self.ends = ends

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Records: ...
    def __getitem__(self, at: int | slice) -> bytes | Records:
        """One of them, or several in the same memory."""
        if isinstance(at, slice):
            return Records(self.memory, self.starts[at], self.ends[at])
        return self.memory[self.starts[at] : self.ends[at]]

    def __iter__(self) -> Iterator[bytes]:
        """Each as bytes."""
        memory = self.memory
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield memory[start:end]

    def __contains__(self, value: object) -> bool:
        """Whether some record is ``value``; None, which stands for a tombstone, never is."""
        return value is not None and any(value == record for record in self)

    def __eq__(self, other: object) -> bool:
        """The same records, wherever they stand."""
        if isinstance(other, Sequence) and not isinstance(other, bytes | str):
            return len(self) == len(other) and all(
                mine == theirs for mine, theirs in zip(self, other, strict=True)
            )
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like a list's

    def chosen(self, rows: Int64) -> Records:
        """Those at ``rows``, ascending."""
        return Records(self.memory, self.starts[rows], self.ends[rows])

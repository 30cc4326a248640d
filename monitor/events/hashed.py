"""Texts as 128 bits, to tell which are the same, and how many there are.

Owns the seeds: they are of this process, so nobody outside can make texts that are taken for one
another, and nothing made with them may be written down.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.compiled.tables import add_ids, move_ids, number_ids

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_SEEDS = secrets.randbits(64), secrets.randbits(64)
_SLOTS_AT_FIRST = 2**8
_NOTHING = np.zeros((1, 2), np.uint64)


def halves(texts: pl.Series) -> tuple[UInt64, UInt64]:
    """Two hashes of each text, never both 0; shapes ``(rows,)``. A null has hashes like any text.

    That two of ten million texts share both has odds of about 1 : 2⁸².
    """
    low, high = (texts.hash(seed).to_numpy(writable=True) for seed in _SEEDS)
    low[(low == 0) & (high == 0)] = 1
    return low, high


def numbered(low: UInt64, high: UInt64) -> tuple[Int64, Int64]:
    """By row the number of its two halves, in the order they come; by number the first row of it.

    Quick where the lower bits of ``low`` differ as much as the rows do.
    """
    found, first = np.empty(len(low), np.int64), np.empty(len(low), np.int64)
    slots = np.full(1 << (2 * len(low)).bit_length(), -1, np.int32)
    return found, first[: number_ids(low, high, slots, found, first)]


class Known:
    """Which texts there were, without the texts."""

    def __init__(self) -> None:
        """There were none."""
        self._slots = np.zeros((_SLOTS_AT_FIRST, 2), np.uint64)
        self._size = 0

    def __len__(self) -> int:
        """How many there were, each counted once."""
        return self._size

    def make_room(self, count: int) -> None:
        """See to it that ``count`` further texts find the table large enough.

        At most three quarters of it are taken, and it grows to no more than 8/3 of what it is to
        hold: memory that is used for the first time costs more than looking at some slots in vain.
        """
        wanted = self._size + count
        if 4 * wanted > 3 * len(self._slots):
            larger = np.zeros((1 << (wanted * 4 // 3).bit_length(), 2), np.uint64)
            move_ids(self._slots, larger)
            self._slots = larger

    def add(self, texts: pl.Series) -> None:
        """These are there, too; any of them may come several times."""
        self.take(texts, len(texts))

    def take(
        self, texts: pl.Series, room: int, before: Known | None = None
    ) -> tuple[pl.Series, pl.Series]:
        """Add at most ``room`` texts that are neither here nor in ``before``.

        Returns:
            Which rows have a text that was in neither, of copies among them the first; and which of
            those found no room, and so would each of their copies.
        """
        self.make_room(min(len(texts), room))
        low, high = halves(texts)
        first, refused = np.zeros(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
        others = _NOTHING if before is None else before._slots  # noqa: SLF001 - its own kind
        self._size += add_ids(low, high, self._slots, others, room, first, refused)
        return pl.Series(first), pl.Series(refused)

    def new_among(self, texts: pl.Series) -> int:
        """How many of them are not there, each counted once."""
        return texts.filter(self._refused(texts)).n_unique()

    def among(self, texts: pl.Series) -> pl.Series:
        """Which of them are there."""
        return ~self._refused(texts)

    def _refused(self, texts: pl.Series) -> pl.Series:
        return self.take(texts, 0)[1]

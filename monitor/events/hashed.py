"""Texts as 128 bits, to tell which are the same, and how many there are.

Owns the seeds: they are of this process, so nobody outside can make texts that are taken for one
another, and nothing made with them may be written down.
"""

from __future__ import annotations

import secrets
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.compiled.tables import add_ids, move_ids

UInt64 = npt.NDArray[np.uint64]

_SEEDS = secrets.randbits(64), secrets.randbits(64)
_SLOTS_AT_FIRST = 2**8
_UNLIMITED: Final = 2**62
_NOTHING = np.zeros((1, 2), np.uint64)


def halves(texts: pl.Series) -> tuple[UInt64, UInt64]:
    """Two hashes of each text, never both 0; shapes ``(rows,)``. A null has hashes like any text.

    That two of ten million texts share both has odds of about 1 : 2⁸².
    """
    low, high = (texts.hash(seed).to_numpy(writable=True) for seed in _SEEDS)
    low[(low == 0) & (high == 0)] = 1
    return low, high


class Known:
    """Which texts there were, without the texts."""

    def __init__(self) -> None:
        """There were none."""
        self._slots = np.zeros((_SLOTS_AT_FIRST, 2), np.uint64)
        self._size = 0

    def __len__(self) -> int:
        """How many there were, each counted once."""
        return self._size

    def add(self, texts: pl.Series) -> None:
        """These are there, too; any of them may come several times."""
        wanted = self._size + len(texts)
        if 4 * wanted > 3 * len(self._slots):
            larger = np.zeros((1 << (wanted * 4 // 3).bit_length(), 2), np.uint64)
            move_ids(self._slots, larger)
            self._slots = larger
        self._size += self._put(texts, _UNLIMITED)[0]

    def new_among(self, texts: pl.Series) -> int:
        """How many of them are not there, each counted once."""
        return texts.filter(self._put(texts, 0)[1]).n_unique()

    def among(self, texts: pl.Series) -> pl.Series:
        """Which of them are there."""
        return ~self._put(texts, 0)[1]

    def _put(self, texts: pl.Series, room: int) -> tuple[int, pl.Series]:
        """How many were new and found room, and which rows did not."""
        low, high = halves(texts)
        first, refused = np.zeros(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
        added = add_ids(low, high, self._slots, _NOTHING, room, first, refused)
        return added, pl.Series(refused)

"""Texts as 128 bits, to tell which are the same.

Owns the seeds: they are of this process, so nobody outside can make texts that are taken for one
another, and nothing made with them may be written down.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.compiled.tables import number_ids
from monitor.windows.arrays import Int64

UInt64 = npt.NDArray[np.uint64]

_SEEDS = secrets.randbits(64), secrets.randbits(64)
_ROOM = 2


def halves(texts: pl.Series) -> tuple[UInt64, UInt64]:
    """Two hashes of each text, never both 0; shapes ``(rows,)``. A null has hashes like any text.

    That two of ten million texts share both has odds of about 1 : 2⁸².
    """
    low, high = (texts.hash(seed).to_numpy(writable=True) for seed in _SEEDS)
    low[(low == 0) & (high == 0)] = 1
    return low, high


def coded(texts: pl.Series) -> tuple[pl.Series, Int64]:
    """Distinct texts, ascending, without null; each row's place among them, -1 for null."""
    low, high = halves(texts)
    found = np.empty(len(low), np.int64)
    first = np.empty(len(low), np.int64)
    slots = np.full(1 << (_ROOM * len(low)).bit_length(), -1, np.int32)
    count = number_ids(low, high, slots, found, first)
    names = texts.gather(pl.Series(first[:count]))
    order = names.arg_sort(nulls_last=True).to_numpy()
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    missing = names.null_count()
    if missing:
        place[order[-1]] = -1
    return names.gather(pl.Series(order[: count - missing])), place[found]

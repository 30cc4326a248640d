"""Texts as numbers, by 128 bits of each (``monitor.events.hashed``)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from monitor.events.hashed import UInt64, halves, numbered
from monitor.windows.arrays import Int64

__all__ = ["Coded", "Names", "UInt64", "coded", "halves"]


class Names:
    """Distinct texts, ascending, without null."""

    __slots__ = ("_series", "_texts", "high", "low")

    def __init__(self, series: pl.Series, low: UInt64, high: UInt64) -> None:
        """``low`` and ``high``: what each of them hashes to, see :func:`halves`."""
        self.low = low
        self.high = high
        self._series = series
        self._texts: list[str] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._series)

    @property
    def texts(self) -> list[str]:
        """All of them; made when somebody asks, and the very same for all who do."""
        if self._texts is None:
            self._texts = self._series.to_list()
        return self._texts


class Coded(NamedTuple):
    """The texts of a column as numbers."""

    names: Names
    codes: Int64
    """By row, its place among ``names``; -1 for null."""


def coded(texts: pl.Series) -> Coded:
    """Tell the texts of a column apart."""
    low, high = halves(texts)
    found, first = numbered(low, high)
    count = len(first)
    names = texts[pl.Series(first)]
    order = names.arg_sort(nulls_last=True).to_numpy()
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    missing = names.null_count()
    if missing:
        place[order[-1]] = -1
    order = order[: count - missing]
    rows = first[order]
    return Coded(Names(names[pl.Series(order)], low[rows], high[rows]), place[found])

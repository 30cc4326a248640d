"""One load of released rows as numpy columns: conditions, values and codes, each computed once.

Owns the work on whole columns that all scopes share. Codes are local to one load and in the order
of the names, so that nothing downstream depends on how the input was batched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from monitor.events.batch import COMPANY, EVERYTHING
from monitor.indicators.formula import SCALE, Counter, Rows
from monitor.indicators.predicate import passes
from monitor.windows.arrays import Bool, Int64, begins_of
from monitor.windows.extremes import NONE
from monitor.windows.ids import Coded, coded
from monitor.windows.roll import Float64


class Frame:
    """Columns of one load, one entry a released row."""

    def __init__(self, released: pl.DataFrame, conditions: Iterable[Rows]) -> None:
        """Evaluate every one of ``conditions`` over the whole of ``released``."""
        wanted = tuple(dict.fromkeys(conditions))
        masks = released.select(
            matching(rows).alias(str(index)) for index, rows in enumerate(wanted)
        )
        self._masks = {rows: masks[str(index)].to_numpy() for index, rows in enumerate(wanted)}
        self._released = released
        self._coded: dict[str, Coded] = {}
        self._values: dict[Counter, Int64] = {}
        self._tables: dict[tuple[Counter, ...], Int64] = {}
        self._lags: dict[int, tuple[Int64, int]] = {}
        self.times = released["time"].to_numpy()
        self.tick_of_row = released["tick"].to_numpy()
        begins = begins_of(self.tick_of_row)
        self.ticks = self.tick_of_row[begins]
        self.tick_index = np.cumsum(begins) - 1

    def mask(self, rows: Rows) -> Bool:
        """Which rows of the load are among ``rows``."""
        return self._masks[rows]

    def any_of(self, counters: Sequence[Counter]) -> Bool:
        """Which rows of the load some of ``counters`` looks at."""
        found = np.zeros(len(self.times), dtype=np.bool_)
        for rows in dict.fromkeys(rows for counter in counters for rows in counter.sets):
            found |= self._masks[rows]
        return found

    def codes(self, field: str) -> tuple[list[str], Int64]:
        """Distinct values of a field as text, ascending; each row's place there, -1 for null."""
        names, codes = self.coded(field)
        return names.texts, codes

    def coded(self, field: str) -> Coded:
        """As :meth:`codes`, where few of the texts are wanted, or what they hash to."""
        if field == COMPANY and field not in self._coded:
            everybody = pl.Series([EVERYTHING]).new_from_index(0, self._released.height)
            self._coded[field] = coded(everybody)
        if field not in self._coded:
            values = self._released[field]
            if values.dtype != pl.String:
                values = values.cast(pl.String)
            self._coded[field] = coded(values)
        return self._coded[field]

    def numbers(self, field: str) -> Float64:
        """Values of a field that is no text as floating point, NaN for null."""
        values = self._released[field].cast(pl.Float64)
        return values.fill_null(math.nan).to_numpy()

    def value(self, counter: Counter) -> Int64:
        """What each row adds to ``counter``, or offers as its maximum, in fixed point.

        Rows it does not look at add 0, or offer ``NONE``. Thousandths are rounded half to even,
        row by row, so that sums do not depend on batches.
        """
        if counter not in self._values:
            self._values[counter] = self._value(counter)
        return self._values[counter]

    def table(self, counters: tuple[Counter, ...]) -> Int64:
        """The values of several counters, shape (rows, counters)."""
        if counters not in self._tables:
            table = np.empty((len(self.times), len(counters)), dtype=np.int64)
            for place, counter in enumerate(counters):
                table[:, place] = self.value(counter)
            self._tables[counters] = table
        return self._tables[counters]

    def lag(self, grain_ms: int) -> tuple[Int64, int]:
        """By row, how many grains it is older than its tick; and the most of them."""
        if grain_ms not in self._lags:
            lag = self.tick_of_row // grain_ms - self.times // grain_ms
            self._lags[grain_ms] = lag, int(lag.max(initial=0))
        return self._lags[grain_ms]

    def _value(self, counter: Counter) -> Int64:
        mask = self._masks[counter.sets[0]]
        if counter.field is None:
            return mask.astype(np.int64)
        there = np.zeros(len(mask), dtype=np.bool_)
        fixed = np.zeros(len(mask), dtype=np.int64)
        for name in counter.added:
            values = self._released[name]
            there |= values.is_not_null().to_numpy()
            scaled = np.rint(values.cast(pl.Float64).fill_null(0.0).to_numpy() * SCALE)
            fixed += scaled.astype(np.int64)
        taken = mask & there
        if counter.operation == "sum":
            return np.where(taken, fixed, 0)
        return np.where(taken, -fixed if counter.operation == "min" else fixed, NONE)


def matching(rows: Rows) -> pl.Expr:
    """Which rows of a frame are among ``rows``: a column of booleans without nulls."""
    first, *others = rows.types
    # To be one of a list takes several times as long as to be equal.
    of_type = pl.col("type").is_in(rows.types) if others else pl.col("type") == first
    return of_type if rows.where is None else of_type & passes(rows.where)

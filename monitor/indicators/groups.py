"""Rows of one load of one scope, sorted by tick: the slices that a step takes.

Owns where each tick's rows are. Keys are told by *place*, among those of the load, until
``monitor.indicators.loaded`` has their ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.compiled.groups import order_in, turn_each
from monitor.windows.arrays import Int64, begins_of, column, is_dense
from monitor.windows.rows import TickRows


@dataclass(slots=True)
class Groups:
    """Columns sorted by tick, and where each tick's rows are."""

    ticks: list[int]
    """Distinct, ascending; like ``bounds`` plain integers, for a step asks for one at a time."""
    bounds: list[int]
    """Row numbers; the rows of ``ticks[i]`` are ``bounds[i] … bounds[i + 1] - 1``."""
    columns: dict[str, Any]
    position: int = 0
    """The next of ``ticks`` to be taken."""

    @classmethod
    def of(cls, ticks: Int64, columns: dict[str, Any]) -> Groups:
        """Mark the ticks of columns that are sorted by them."""
        firsts = np.flatnonzero(begins_of(ticks))
        return cls(ticks[firsts].tolist(), [*firsts.tolist(), len(ticks)], columns)

    @property
    def next_tick(self) -> int | None:
        """The earliest tick that was not taken yet."""
        return self.ticks[self.position] if self.position < len(self.ticks) else None

    def take(self, tick: int) -> dict[str, Any] | None:
        """The columns of ``tick``, once; None when it has no rows."""
        if self.next_tick != tick:
            return None
        first, last = self.bounds[self.position], self.bounds[self.position + 1]
        self.position += 1
        return {name: values[first:last] for name, values in self.columns.items()}


class RowsAhead:
    """The rows of all ticks from the next on, each in the order of its ids, made at once.

    What that costs in calls comes once, not for each tick. The ids must not change any more.
    """

    def __init__(self, rows: Groups, sums: Groups, ids_of: Callable[[Int64], Int64]) -> None:
        """Take what :func:`sums_of` made of ``rows``; ``ids_of`` gives the ids of places."""
        self._first = rows.position
        self._row_bounds, self._bounds = _from(rows), _from(sums)
        row_first, first = rows.bounds[self._first], sums.bounds[self._first]
        columns = {name: values[row_first:] for name, values in rows.columns.items()}
        self._keys = ids_of(columns["place"])
        self._grains, self._values = columns["grain"], columns["values"]
        self._extremes = columns["extremes"]
        begins = self._row_bounds[:-1]
        self._first_grains = np.minimum.reduceat(self._grains, begins).tolist()
        self._last_grains = np.maximum.reduceat(self._grains, begins).tolist()
        ids, values = ids_of(sums.columns["place"][first:]), sums.columns["sums"][first:]
        bounds = column(self._bounds)
        order = _in_order(bounds, ids)
        self._ids, self._width = ids[order], values.shape[1]
        self._sums = np.empty(values.size, dtype=np.int64)
        turn_each(values, order, bounds, self._sums)

    def at(self, position: int) -> TickRows:
        """The rows of one tick, by its position among those of the load.

        Keys are copies: panes keep them for a while, and would keep the whole load by them.
        """
        tick = position - self._first
        row_first, row_last = self._row_bounds[tick], self._row_bounds[tick + 1]
        first, last = self._bounds[tick], self._bounds[tick + 1]
        sums = self._sums[first * self._width : last * self._width]
        return TickRows(
            self._keys[row_first:row_last].copy(),
            self._grains[row_first:row_last],
            self._values[row_first:row_last],
            self._extremes[row_first:row_last],
            self._ids[first:last].copy(),
            sums.reshape(self._width, last - first),
            (self._first_grains[tick], self._last_grains[tick]),
        )


def _in_order(bounds: Int64, ids: Int64) -> Int64:
    """Which row comes first, second, … by id, in each of the stretches that ``bounds`` cut."""
    spread = int(ids.max()) + 1
    if is_dense(spread, len(ids)):
        order, by_id = np.empty(len(ids), dtype=np.int64), np.empty((len(ids), 2), dtype=np.int64)
        order_in(bounds, ids, np.zeros(spread + 1, dtype=np.int64), by_id, order)
        return order
    tick = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    return np.argsort(tick * spread + ids)  # no two are equal


def _from(groups: Groups) -> list[int]:
    """The bounds from the next tick on, counted from there."""
    left = groups.bounds[groups.position :]
    return [bound - left[0] for bound in left]


def sums_of(rows: Groups) -> Groups:
    """``place`` and ``sums`` (keys, columns) of rows sorted by tick and place, over all grains."""
    place, values = rows.columns["place"], rows.columns["values"]
    begins = begins_of(place)
    begins[rows.bounds[:-1]] = True
    starts = np.flatnonzero(begins)
    if len(starts) < len(place):
        values = np.add.reduceat(values, starts, axis=0)
    columns = {"place": place[starts], "sums": values}
    return Groups(rows.ticks, np.searchsorted(starts, rows.bounds).tolist(), columns)

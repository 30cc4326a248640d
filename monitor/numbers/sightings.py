"""Which numbers a load of calls shows, and in which campaigns, tick by tick.

Owns the rows: of each number and campaign the first in each hour, in the order of the log. What
they make of a number is ``pools``'s to say.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from monitor.events.hashed import numbered
from monitor.windows.arrays import Bool, Int64, begins_of, column
from monitor.windows.ids import Coded

UNASSIGNED: Final = "unassigned"
"""The pool of numbers whose campaign is not known; guarded by ``defaults`` like any other."""


class Sightings:
    """Rows sorted by tick, taken tick by tick."""

    def __init__(
        self, ticks: Int64, calls: Bool, numbers: Coded, campaigns: Coded, *, hour_ms: int
    ) -> None:
        """Choose among the rows of a load, which are sorted by tick.

        Args:
            ticks: by row.
            calls: by row, whether it is of a call; others show nothing.
            numbers: of each row, with nulls.
            campaigns: likewise.
            hour_ms: so long being told again changes nothing.
        """
        rows = np.flatnonzero(calls & (numbers.codes >= 0))
        named = campaigns.codes[rows]
        if UNASSIGNED in campaigns.names.texts:  # a campaign of that name says nothing
            named = np.where(named == campaigns.names.texts.index(UNASSIGNED), -1, named)
        self._all = ticks[rows], numbers.codes[rows], named
        self._hour_ms = hour_ms
        self.low, self.high = numbers.names.low, numbers.names.high
        """By code, what the number hashes to."""
        self.campaign_names: list[str] = campaigns.names.texts
        """By code."""
        self.as_of: object = None
        """What of the book the two below are right for; they are the book's."""
        self.ids = column([])
        self.places = column([])
        self._numbers = numbers.names
        self._choose(0)

    @property
    def next_tick(self) -> int | None:
        """The earliest tick whose rows were not taken."""
        return self._ticks[self._position] if self._position < len(self._ticks) else None

    def next_rows(self) -> slice:
        """Take the rows of that tick."""
        rows = slice(*self._bounds[self._position : self._position + 2])
        self._position += 1
        return rows

    def tell_again(self, after: int) -> None:
        """Rows of ticks behind ``after`` are told as if the load began with them.

        For when it is no longer so that being told again changes nothing.
        """
        self._choose(int(np.searchsorted(self._all[0], after, side="right")))

    def over(self, tick: int) -> bool:
        """Whether there is no row behind ``tick``, told or not."""
        ticks = self._all[0]
        return len(ticks) == 0 or int(ticks[-1]) <= tick

    def names_of(self, codes: Int64) -> list[str]:
        """The numbers that have these codes."""
        texts = self._numbers.texts
        return [texts[code] for code in codes.tolist()]

    def _choose(self, begin: int) -> None:
        ticks, numbers, campaigns = (each[begin:] for each in self._all)
        rows = _first_rows(ticks // self._hour_ms, numbers, campaigns)
        of_row = ticks[rows]
        begins = np.flatnonzero(begins_of(of_row))
        self.numbers = numbers[rows]
        """By row, the number's code."""
        self.campaigns = campaigns[rows]
        """By row, the campaign's code; -1 for none."""
        self._ticks: list[int] = of_row[begins].tolist()
        self._bounds: list[int] = [*begins.tolist(), len(rows)]
        self._position = 0


def _first_rows(hours: Int64, numbers: Int64, campaigns: Int64) -> Int64:
    """Of rows in order, the first of each hour, number and campaign, ascending."""
    if len(hours) == 0:
        return column([])
    several = int(campaigns.max()) + 2
    hours = (hours - hours[0]) * (int(numbers.max()) + 1) + numbers
    packed = (hours * several + campaigns + 1).view(np.uint64)
    return numbered(packed, packed)[1]

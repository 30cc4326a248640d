"""Panes: what entered a window together and leaves it together, as sparse tables by key.

Owns the tables and their order in time; the running figure over them belongs to ``sums`` and
``extremes``. Memory follows activity: a pane holds rows only for keys that had some.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from monitor.sealed import Sealed
from monitor.windows.arrays import Combine, Int64, column, reduce_by_key

Part = tuple[Int64, Int64]
"""Keys, shape ``(n,)``, and values, shape ``(n, columns)``."""

BUFFERED = 16
"""Ticks whose rows are put aside before they are sorted in together."""

_NARROW = np.iinfo(np.int32)
NARROW_FROM = 64
"""Fewer rows are left as they are: looking at them takes longer than they are worth."""

SETTLING = 2
"""Newest panes that still get most of their rows; older ones are made as small as they can be."""


class PaneTable:
    """Rows ``(key, columns…)`` of one pane, one row a key.

    Rows arrive tick by tick. They are put aside at first, then kept as a few sorted parts, each at
    least twice as long as the next, so that adding a tick costs its own rows times the logarithm of
    the pane, amortised.
    """

    __slots__ = ("_combine", "_fresh", "_parts", "_sealed")

    def __init__(self, combine: Combine) -> None:
        self._combine: Combine = combine
        self._parts: list[Part] = []
        self._fresh: list[Part] = []
        self._sealed: list[tuple[Part, Sealed]] = []
        """Of the parts there were at the last snapshot."""

    def add(self, keys: Int64, values: Int64) -> None:
        """Combine rows into the table; ``keys`` in any order, ``values`` beside them."""
        self._fresh.append((keys, values))
        if len(self._fresh) == BUFFERED:
            self._sort_in()

    def total(self) -> Part:
        """The whole table: ascending distinct keys and their values. The table is not empty."""
        return _wide(self._whole())

    def _whole(self) -> Part:
        """As :meth:`total`, maybe narrow."""
        if self._fresh or len(self._parts) > 1:
            self._parts = [self._merged([*self._parts, *self._fresh])]
            self._fresh = []
        return self._parts[0]

    def settle(self) -> None:
        """Be as small as can be, for hardly any rows are still to come."""
        if self._fresh or self._parts:
            self._parts = [_narrow(self._whole())]

    def lookup(self, keys: Int64, missing: int) -> Int64:
        """Values of ascending ``keys``, shape ``(len(keys), columns)``; ``missing`` where none."""
        own, values = self._whole()
        # Of the same type, or all of its own keys would be made another for each question.
        places = np.minimum(np.searchsorted(own, keys.astype(own.dtype)), len(own) - 1)
        return np.where((own[places] == keys)[:, None], values[places], np.int64(missing))

    def snapshot(self) -> list[Sealed]:
        """The table in parts; those that have not changed since the last snapshot are the same."""
        if self._fresh:
            self._sort_in()
        known = self._sealed
        self._sealed = [
            (part, next((sealed for own, sealed in known if own is part), None) or _sealed(part))
            for part in self._parts
        ]
        return [sealed for _, sealed in self._sealed]

    def restore(self, parts: Sequence[Sealed], columns: list[int], missing: int) -> list[Part]:
        """Take over a snapshot, ``columns`` as in :func:`pane_rows`; the table was fresh.

        Returns:
            Its parts, in which a key may come several times.
        """
        for sealed in parts:
            content = sealed.content()
            part = _narrow(pane_rows(content, columns, missing))
            self._parts.append(part)
            if columns == list(range(content["values"].shape[1])):
                self._sealed.append((part, sealed))
        return list(self._parts)

    def _sort_in(self) -> None:
        parts = self._parts
        parts.append(self._merged(self._fresh))
        self._fresh = []
        while len(parts) > 1 and len(parts[-2][0]) < 2 * len(parts[-1][0]):
            parts[-2:] = [self._merged(parts[-2:])]

    def _merged(self, parts: Sequence[Part]) -> Part:
        rows, columns = sum(len(keys) for keys, _ in parts), parts[0][1].shape[1]
        keys, values = np.empty(rows, np.int64), np.empty((rows, columns), np.int64)
        np.concatenate([keys for keys, _ in parts], out=keys)
        np.concatenate([values for _, values in parts], out=values)
        return reduce_by_key(keys, values, self._combine)


class Panes:
    """The panes of one window, in order of their start."""

    def __init__(self, combine: Combine) -> None:
        self._combine: Combine = combine
        self._tables: dict[int, PaneTable] = {}
        self._starts: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def oldest(self) -> int | None:
        """Start of the oldest pane."""
        return self._starts[0] if self._starts else None

    def add(self, panes: Int64, keys: Int64, values: Int64) -> None:
        """Put rows into the panes that start at ``panes``; same lengths, any order."""
        first, last = int(panes.min()), int(panes.max())
        if first == last:
            self.add_to(first, keys, values)
            return
        for start in np.unique(panes).tolist():
            chosen = panes == start
            self.add_to(start, keys[chosen], values[chosen])

    def add_to(self, start: int, keys: Int64, values: Int64) -> None:
        """Put rows into one pane."""
        self.open(start).add(keys, values)

    def open(self, start: int) -> PaneTable:
        """The pane that starts there; one that is new has to get rows before it is looked at."""
        table = self._tables.get(start)
        if table is None:
            table = self._tables[start] = PaneTable(self._combine)
            insort(self._starts, start)
            if len(self._starts) > SETTLING and start == self._starts[-1]:
                self._tables[self._starts[-1 - SETTLING]].settle()
        return table

    def pop_before(self, lo: int) -> Iterator[tuple[int, PaneTable]]:
        """Take out the panes that start before ``lo``, oldest first."""
        while self._starts and self._starts[0] < lo:
            start = self._starts.pop(0)
            yield start, self._tables.pop(start)

    def tables(self) -> Iterator[tuple[int, PaneTable]]:
        """All panes, oldest first."""
        for start in self._starts:
            yield start, self._tables[start]

    def snapshot(self) -> list[dict[str, Any]]:
        """All panes, for :meth:`restore`."""
        return [snapshot_pane(start, table) for start, table in self.tables()]

    def restore(self, pane: dict[str, Any], columns: list[int], missing: int) -> list[Part]:
        """Take over one pane of a snapshot, a later one than those before it.

        ``columns`` as in :func:`pane_rows`. Returns its parts, see :meth:`PaneTable.restore`.
        """
        start = int(pane["start"])
        table = self._tables[start] = PaneTable(self._combine)
        self._starts.append(start)
        return table.restore(pane["parts"], columns, missing)


def snapshot_pane(start: int, table: PaneTable) -> dict[str, Any]:
    """One pane of a snapshot."""
    return {"start": start, "parts": table.snapshot()}


def _narrow(part: Part) -> Part:
    """The same in half the memory, where no value needs more; tables hold them by the million."""
    keys, values = part
    every = (keys, values)
    if len(keys) < NARROW_FROM or any(
        each.size and not _NARROW.min < each.min() <= each.max() <= _NARROW.max for each in every
    ):
        return part
    return keys.astype(np.int32), values.astype(np.int32)


def _wide(part: Part) -> Part:
    keys, values = part
    return column(keys), column(values)


def _sealed(part: Part) -> Sealed:
    keys, values = part
    return Sealed({"keys": keys, "values": values})


def pane_rows(part: dict[str, Any], columns: list[int], missing: int) -> Part:
    """Keys and values of a stored part of a pane, its columns put in a new order.

    ``columns`` names for each new column the stored one it comes from, -1 for a column that the
    snapshot does not have: that one is filled with ``missing``.
    """
    keys, stored = column(part["keys"]), column(part["values"])
    if columns == list(range(stored.shape[1])):
        return keys, stored
    values = np.full((len(keys), len(columns)), missing, dtype=np.int64)
    for new, old in enumerate(columns):
        if old >= 0:
            values[:, new] = stored[:, old]
    return keys, values

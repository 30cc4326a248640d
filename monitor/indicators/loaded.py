"""What one load brings to one scope, tick by tick.

Owns the way from the load's own codes to the ids of the scope's tables. Ids are given out tick by
tick, so that a table that overflows does so in the same way however the input was batched; all else
is worked out once for the whole load, and where all ids are given already, so is the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from monitor.compiled.groups import number_keys
from monitor.indicators.frame import Frame
from monitor.indicators.groups import Groups, RowsAhead, sums_of
from monitor.indicators.plan import By
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, distinct_of, is_dense
from monitor.windows.distinct import PairRows
from monitor.windows.ids import Names
from monitor.windows.lookup import Lookup
from monitor.windows.rows import TickRows

SEPARATOR = "\x1f"
"""Between the dimensions of a key; keys hold no control characters."""

AHEAD_FROM = 4
"""Ticks from which on their rows are put in order together."""
_UNKNOWN = -2


class LocalKeys:
    """Codes of one load of one scope, and the ids that the scope's table gave them."""

    def __init__(self, frame: Frame, by: By) -> None:
        names, self.of_row = frame.coded(by[0])
        """Each row's code: the dimensions' codes as digits of one number; -1 for a null."""
        self._names: list[Names] = [names]
        for dimension in by[1:]:
            names, codes = frame.coded(dimension)
            self._names.append(names)
            missing = (self.of_row < 0) | (codes < 0)
            self.of_row = np.where(missing, -1, self.of_row * len(names) + codes)
        self._known = column([])
        self._ids = column([])
        self._unknown = 0
        self._lookup: Lookup | None = None

    def keep(self, codes: list[Int64]) -> list[Int64]:
        """Be ready for all of ``codes``; the rows themselves are let go.

        Returns:
            The place of each, -1 for -1.
        """
        whole = np.concatenate([column([]), *codes])
        named = whole[whole >= 0]
        spread = int(named.max(initial=0)) + 1
        if is_dense(spread, len(named)):
            # By code, its place from 1 on, 0 for none; at last that of -1.
            number = np.zeros(spread + 1, dtype=np.int32)
            number_keys(named, number)
            self._known = np.flatnonzero(number)
            places = [number[each] - np.int64(1) for each in codes]
        else:
            self._known = np.unique(named)
            places = [np.where(each < 0, -1, np.searchsorted(self._known, each)) for each in codes]
        self._ids = np.full(len(self._known), _UNKNOWN, dtype=np.int64)
        self._unknown = len(self._ids)
        self.of_row = column([])
        return places

    def look_up(self, lookup: Lookup) -> None:
        """Take the ids of all keys that ``lookup`` knows, and tell it of those to come.

        For keys of one dimension: what several hash to is not known.
        """
        if len(self._names) == 1:
            self._lookup = lookup
            (names,) = self._names
            found = lookup.find(names.low[self._known], names.high[self._known])
            self._ids = np.where(found < 0, self._ids, found)
            self._unknown = int(np.count_nonzero(found < 0))

    def ids(self, places: Int64) -> Int64:
        """Ids of keys that were resolved since the last eviction."""
        return self._ids[places]

    def resolve(self, places: Int64, table: KeyTable) -> Int64:
        """Ids of keys; those without one get it now, in the order of their names."""
        ids = self._ids[places]
        unknown = ids == _UNKNOWN
        if np.count_nonzero(unknown):
            fresh = distinct_of(places[unknown])
            codes = self._known[fresh]
            given = self._ids[fresh] = table.intern(self._named(codes))
            self._unknown -= int(np.count_nonzero(given >= 0))
            if self._lookup is not None:
                self._lookup.put(given, self._names[0].low[codes], self._names[0].high[codes])
            ids = self._ids[places]
        return ids

    def forget(self, ids: Int64) -> bool:
        """``ids`` were released: their names are new again, and names refused may find room.

        Returns whether some of the keys had one of them.
        """
        released = np.isin(self._ids, ids)
        self._ids[released | (self._ids == OVERFLOW)] = _UNKNOWN
        self._unknown += int(np.count_nonzero(released))
        return bool(released.any())

    @property
    def all_known(self) -> bool:
        """Every key has an id."""
        return self._unknown == 0

    def _named(self, codes: Int64) -> list[str]:
        parts: list[list[str]] = []
        for names in reversed(self._names):
            codes, digits = np.divmod(codes, len(names))
            parts.append([names.texts[digit] for digit in digits.tolist()])
        if len(parts) == 1:
            return parts[0]
        return list(map(SEPARATOR.join, zip(*reversed(parts), strict=True)))


class PairTable(Protocol):
    """Where pairs have a place: of a ``distinct`` counter, or of a funnel."""

    def slots(self, keys: Sequence[int], values: Sequence[str]) -> Int64:
        """Where the pairs are; ``OVERFLOW`` for those that find the table full."""
        ...


@dataclass(slots=True)
class PairLoad:
    """What one load brings to one ``distinct`` counter, or to one funnel."""

    groups: Groups
    """``code``, ``pair`` (index into those below), ``set``, ``grain``, and whether a row is the
    ``newest`` of its pair and set at its tick."""
    names: list[str]
    values: Int64
    """The value of each pair, as an index into ``names``."""
    slots: Int64 = field(init=False)
    """Where the counter's table has each pair, as far as asked for."""

    def __post_init__(self) -> None:
        """Know no slot yet."""
        self.slots = np.full(len(self.values), _UNKNOWN, dtype=np.int64)

    def take(self, tick: int, keys: LocalKeys, table: PairTable) -> PairRows | None:
        """The rows of ``tick`` of the keys that have an id, with their slots; None when none."""
        taken = self.groups.take(tick)
        if taken is None:
            return None
        ids = keys.ids(taken["place"])
        pairs, sets, grains = taken["pair"], taken["set"], taken["grain"]
        newest: Bool = taken["newest"]
        full = ids == OVERFLOW
        if np.count_nonzero(full):
            rows = (ids, pairs, sets, grains, newest)
            ids, pairs, sets, grains, newest = (each[~full] for each in rows)
        slots = self.slots[pairs]
        unknown = slots == _UNKNOWN
        if np.count_nonzero(unknown):
            values = [self.names[value] for value in self.values[pairs[unknown]].tolist()]
            slots[unknown] = table.slots(ids[unknown].tolist(), values)
            self.slots[pairs] = slots
        return PairRows(slots, ids, sets, grains, newest)

    def forget(self, slots: Int64) -> None:
        """As :meth:`LocalKeys.forget`."""
        self.slots[np.isin(self.slots, slots) | (self.slots == OVERFLOW)] = _UNKNOWN


@dataclass(slots=True)
class StateLoad:
    """What one load brings to one ``seconds`` counter."""

    groups: Groups
    """``code`` (-1 for none), ``entity`` (index into ``names``), ``time``, ``match``."""
    names: list[str]


class ScopeLoad:
    """All that one load brings to one scope."""

    def __init__(
        self,
        keys: LocalKeys,
        rows: Groups | None,
        pairs: dict[int, PairLoad],
        states: dict[int, StateLoad],
        told: dict[int, Groups],
        unattributed: int,
    ) -> None:
        """Take groups whose keys are told by ``code``; from here on they are told by ``place``.

        Args:
            keys: the codes of the load; its rows are let go.
            rows: ``grain``, ``values`` (rows, columns), ``extremes`` (rows, columns), sorted by
                tick, key and grain.
            pairs: by the counter's place in the layout, those of funnels after the others.
            states: likewise.
            told: by place among those followed in the layout, the keys of its rows.
            unattributed: rows left out because a dimension is null.
        """
        self.keys = keys
        self.pairs = pairs
        self.states = states
        self.told = told
        self.unattributed = unattributed
        parts = [] if rows is None else [rows]
        parts += [pair.groups for pair in pairs.values()]
        parts += [state.groups for state in states.values()]
        parts += told.values()
        places = keys.keep([part.columns.pop("code") for part in parts])
        for part, place in zip(parts, places, strict=True):
            part.columns["place"] = place
        self._rows = rows
        self._sums: Groups | None = None
        self._ahead: RowsAhead | None = None
        """The rows of all ticks to come, once every key is known."""
        self._ticks = sorted({tick for part in parts for tick in part.ticks})
        self._position = 0

    @property
    def next_tick(self) -> int | None:
        """The earliest tick that was not applied yet."""
        return self._ticks[self._position] if self._position < len(self._ticks) else None

    def done(self) -> None:
        """The next tick has been applied."""
        self._position += 1

    def rows(self, tick: int, table: KeyTable, *, bucket: bool) -> tuple[TickRows | None, int]:
        """The rows of ``tick``, None when there are none; how many found ``table`` full.

        These come as rows of the table's bucket, or without ``bucket`` not at all.
        """
        groups = self._rows
        if groups is None or groups.next_tick != tick:
            return None, 0
        left = len(groups.ticks) - groups.position
        if self._ahead is None and left >= AHEAD_FROM and self.keys.all_known:
            self._ahead = RowsAhead(groups, self._by_key(groups), self.keys.ids)
            self._sums = None  # it has them too
        if self._ahead is not None:
            groups.position += 1
            return self._ahead.at(groups.position - 1), 0
        by_key, rows = self._by_key(groups).take(tick), groups.take(tick)
        assert rows is not None  # noqa: S101 - it is the next tick
        assert by_key is not None  # noqa: S101 - both have the same ticks
        ids, sums = self.keys.resolve(by_key["place"], table), by_key["sums"]
        keys = self.keys.ids(rows["place"])
        full = ids == OVERFLOW
        beyond = 0
        if np.count_nonzero(full):
            beyond = int(sums[full, 0].sum())
            own, of_all = ids[~full], sums[full].sum(axis=0, keepdims=True)
            if bucket:
                other = table.bucket()
                keys = np.where(keys == OVERFLOW, other, keys)
                ids, sums = np.append(own, other), np.concatenate([sums[~full], of_all])
            else:
                rows = {name: each[keys != OVERFLOW] for name, each in rows.items()}
                ids, sums, keys = own, sums[~full], keys[keys != OVERFLOW]
        if len(ids) == 0:
            return None, beyond
        taken = TickRows.of(keys, rows["grain"], rows["values"], rows["extremes"], ids, sums)
        return taken, beyond

    def _by_key(self, rows: Groups) -> Groups:
        """Their sums over all grains, at the same tick."""
        if self._sums is None:
            self._sums = sums_of(rows)
        self._sums.position = rows.position
        return self._sums

    def forget(self, ids: Int64) -> None:
        """As :meth:`LocalKeys.forget`."""
        if self.keys.forget(ids):
            self._ahead = None

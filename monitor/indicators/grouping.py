"""Rows of one scope grouped by (tick, key, grain), once per load, before any state is touched.

Owns the group-by and the names behind local codes. What comes out are numpy columns sorted by tick,
from which a step takes a slice; ids of keys are given out tick by tick, by the scope, so that a key
table that overflows does so in the same way however the input was batched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from monitor.indicators.formula import ENTITY_OF, Counter, Rows
from monitor.indicators.frame import Frame
from monitor.indicators.plan import By, Layout
from monitor.keys import KeyTable
from monitor.windows.arrays import Int64, column

SEPARATOR = "\x1f"
"""Between the dimensions of a key; keys hold no control characters."""

_PACKED_MAX = 2**62
_UNKNOWN = -2


@dataclass(slots=True)
class Groups:
    """Columns sorted by tick, and where each tick's rows are."""

    ticks: Int64
    """Distinct, ascending."""
    bounds: Int64
    """Row numbers; the rows of ``ticks[i]`` are ``bounds[i] … bounds[i + 1] - 1``."""
    columns: Mapping[str, Int64]
    position: int = 0
    """The next of ``ticks`` to be taken."""

    @classmethod
    def of(cls, ticks: Int64, columns: Mapping[str, Int64]) -> Groups:
        """Mark the ticks of columns that are sorted by them."""
        distinct, firsts = np.unique(ticks, return_index=True)
        return cls(distinct, np.append(column(firsts), len(ticks)), columns)

    @property
    def next_tick(self) -> int | None:
        """The earliest tick that was not taken yet."""
        return int(self.ticks[self.position]) if self.position < len(self.ticks) else None

    def take(self, tick: int) -> dict[str, Int64] | None:
        """The columns of ``tick``, once; None when it has no rows."""
        if self.next_tick != tick:
            return None
        first, last = self.bounds[self.position], self.bounds[self.position + 1]
        self.position += 1
        return {name: values[first:last] for name, values in self.columns.items()}


class LocalKeys:
    """Codes of one load of one scope, and the ids that the scope's table gave them."""

    def __init__(self, frame: Frame, by: By) -> None:
        self._names: list[list[str]] = []
        self.of_row = np.zeros(len(frame.times), dtype=np.int64)
        """Each row's code: the dimensions' codes as digits of one number; -1 for a null."""
        missing = np.zeros(len(frame.times), dtype=np.bool_)
        for dimension in by:
            names, codes = frame.codes(dimension)
            self._names.append(names)
            self.of_row = self.of_row * len(names) + codes
            missing |= codes < 0
        self.of_row[missing] = -1
        self._known = column([])
        self._ids = column([])

    def keep(self, codes: Int64) -> None:
        """Be ready to resolve ``codes``; the rows themselves are let go."""
        self._known = np.unique(codes)
        self._ids = np.full(len(self._known), _UNKNOWN, dtype=np.int64)
        self.of_row = column([])

    def resolve(self, codes: Int64, table: KeyTable) -> Int64:
        """Ids of ``codes``; those without one get it now, in the order of their names."""
        places = np.searchsorted(self._known, codes)
        ids = self._ids[places]
        if (ids == _UNKNOWN).any():
            fresh = np.unique(places[ids == _UNKNOWN])
            self._ids[fresh] = table.intern(self._named(self._known[fresh].tolist()))
            ids = self._ids[places]
        return ids

    def forget(self, ids: Int64) -> None:
        """``ids`` were released: their names are new again."""
        self._ids[np.isin(self._ids, ids)] = _UNKNOWN

    def _named(self, codes: list[int]) -> list[str]:
        if len(self._names) == 1:
            return [self._names[0][code] for code in codes]
        named: list[str] = []
        for code in codes:
            rest, parts = code, []
            for names in reversed(self._names):
                rest, digit = divmod(rest, len(names))
                parts.append(names[digit])
            named.append(SEPARATOR.join(reversed(parts)))
        return named


@dataclass(slots=True)
class ScopeLoad:
    """All that one load brings to one scope."""

    keys: LocalKeys
    groups: Groups | None
    """``code``, ``grain``, ``values`` (rows, layout.columns), ``extremes`` (rows, extreme)."""
    distinct: dict[Counter, tuple[Groups, list[str]]]
    """``code``, ``value`` (index into the names beside it), ``set``, ``grain``."""
    states: dict[Counter, tuple[Groups, list[str]]]
    """``code`` (-1 for none), ``entity`` (index into the names beside it), ``time``, ``match``."""
    unattributed: int
    """Rows left out because a dimension is null."""

    @property
    def parts(self) -> list[Groups]:
        """All groups."""
        rows = [] if self.groups is None else [self.groups]
        return [*rows, *(groups for groups, _ in (*self.distinct.values(), *self.states.values()))]

    @property
    def next_tick(self) -> int | None:
        """The earliest tick that was not taken yet."""
        ticks = [part.next_tick for part in self.parts]
        return min((tick for tick in ticks if tick is not None), default=None)


def load_scope(frame: Frame, layout: Layout) -> ScopeLoad:
    """Group one load for one scope."""
    keys = LocalKeys(frame, layout.by)
    looked_at = frame.any_of(layout.by_rows)
    attributed = keys.of_row >= 0
    unattributed = int((looked_at & ~attributed).sum())
    chosen = np.flatnonzero(looked_at & attributed)
    groups = _group(frame, layout, chosen, keys.of_row) if len(chosen) else None
    grains = frame.times - frame.times % layout.grain_ms
    distinct = {}
    for counter in layout.distinct:
        found = _distinct(frame, counter, keys.of_row, grains)
        if found is not None:
            distinct[counter] = found
    states = {}
    for counter in layout.seconds:
        told, left_out = _states(frame, counter, keys.of_row)
        unattributed += left_out
        if told is not None:
            states[counter] = told
    codes = [column([])] if groups is None else [groups.columns["code"]]
    codes += [groups_of.columns["code"] for groups_of, _ in states.values()]
    keys.keep(np.concatenate(codes))
    return ScopeLoad(keys, groups, distinct, states, unattributed)


def _group(frame: Frame, layout: Layout, chosen: Int64, codes: Int64) -> Groups:
    codes, ticks, times = codes[chosen], frame.tick_index[chosen], frame.times[chosen]
    grains = times - times % layout.grain_ms
    # A row is older than its tick by at most the lateness, so this stays small.
    lag = (frame.tick_of_row[chosen] - grains) // layout.grain_ms
    columns = {"packed": _pack(_pack(ticks, codes), lag), "first": np.arange(len(chosen))}
    operations = [pl.col("first").first(), pl.len().cast(pl.Int64).alias("rows")]
    for counter in (*layout.additive, *layout.extreme):
        name = f"figure {len(columns)}"
        columns[name] = frame.value(counter)[chosen]
        operations.append(pl.col(name).sum() if counter.is_additive else pl.col(name).max())
    names = list(columns)[2:]
    grouped = pl.DataFrame(columns).group_by("packed").agg(operations).sort("packed")
    first = grouped["first"].to_numpy()
    values = np.zeros((len(first), layout.columns), dtype=np.int64)
    values[:, 0] = grouped["rows"].to_numpy()
    for place, name in enumerate(names[: len(layout.additive)], 1):
        values[:, place] = grouped[name].to_numpy()
    extremes = np.empty((len(first), len(layout.extreme)), dtype=np.int64)
    for place, name in enumerate(names[len(layout.additive) :]):
        extremes[:, place] = grouped[name].to_numpy()
    found = {"code": codes[first], "grain": grains[first], "values": values, "extremes": extremes}
    return Groups.of(frame.ticks[ticks[first]], found)


def _pack(major: Int64, minor: Int64) -> Int64:
    """One number for each pair, in the order of the pairs; no value is negative."""
    width = int(minor.max()) + 1
    if (int(major.max()) + 1) * width >= _PACKED_MAX:
        major = column(np.unique(major, return_inverse=True)[1])
    if (int(major.max()) + 1) * width >= _PACKED_MAX:
        minor = column(np.unique(minor, return_inverse=True)[1])
        width = int(minor.max()) + 1
    return major * width + minor


def _distinct(
    frame: Frame, counter: Counter, codes: Int64, grains: Int64
) -> tuple[Groups, list[str]] | None:
    assert counter.field is not None  # noqa: S101 - a distinct has one, by its model
    names, values = frame.codes(counter.field)
    parts = []
    for index, rows in enumerate(counter.sets):
        chosen = np.flatnonzero(frame.mask(rows) & (codes >= 0) & (values >= 0))
        parts.append(
            pl.DataFrame(
                {
                    "tick": frame.tick_of_row[chosen],
                    "code": codes[chosen],
                    "value": values[chosen],
                    "set": np.full(len(chosen), index),
                    "grain": grains[chosen],
                }
            )
        )
    order = ["tick", "code", "value", "set"]
    table = pl.concat(parts).group_by(order).agg(pl.col("grain").max()).sort(order)
    if table.is_empty():
        return None
    columns = {name: table[name].to_numpy() for name in ("code", "value", "set", "grain")}
    return Groups.of(table["tick"].to_numpy(), columns), names


def _states(
    frame: Frame, counter: Counter, codes: Int64
) -> tuple[tuple[Groups, list[str]] | None, int]:
    (rows,) = counter.sets
    names, entities = frame.codes(ENTITY_OF[rows.types[0]])
    told, match = frame.mask(any_state(counter)), frame.mask(rows)
    left_out = int((told & ((entities < 0) | (match & (codes < 0)))).sum())
    chosen = np.flatnonzero(told & (entities >= 0))
    if len(chosen) == 0:
        return None, left_out
    columns = {
        "code": np.where(match, codes, -1)[chosen],
        "entity": entities[chosen],
        "time": frame.times[chosen],
        "match": match[chosen].astype(np.int64),
    }
    return (Groups.of(frame.tick_of_row[chosen], columns), names), left_out


def any_state(counter: Counter) -> Rows:
    """All events that tell the states a ``seconds`` counter is about, whichever they are."""
    return Rows(counter.sets[0].types, None)

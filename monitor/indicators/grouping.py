"""Rows of one scope grouped by (tick, key, grain), once per load, before any state is touched.

Owns the group-by. What comes out are numpy columns sorted by tick (``groups``), from which a step
takes a slice.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from monitor.compiled.groups import add_up, number_groups, number_keys
from monitor.indicators.formula import ENTITY_OF, Counter, Rows
from monitor.indicators.frame import Frame
from monitor.indicators.groups import Groups
from monitor.indicators.loaded import LocalKeys, PairLoad, ScopeLoad, StateLoad
from monitor.indicators.plan import Layout
from monitor.indicators.population_plan import Population
from monitor.indicators.response_plan import Response
from monitor.windows.arrays import Bool, Int64, column, is_dense
from monitor.windows.extremes import NONE
from monitor.windows.funnel import steps_of

_PACKED_MAX = 2**62


def load_scope(frame: Frame, layout: Layout) -> ScopeLoad:
    """Group one load for one scope."""
    keys = LocalKeys(frame, layout.by)
    looked_at = frame.any_of(layout.by_rows)
    attributed = keys.of_row >= 0
    unattributed = int((looked_at & ~attributed).sum())
    chosen = looked_at & attributed
    rows = _group(frame, layout, chosen, keys.of_row) if chosen.any() else None
    pairs = {
        place: found
        for place, counter in enumerate(layout.distinct)
        if (found := _pairs(frame, counter, keys.of_row, layout.grain_ms)) is not None
    }
    for place, counter in enumerate(layout.chains, len(layout.distinct)):
        if (taken := _steps(frame, counter, keys.of_row)) is not None:
            pairs[place] = taken
    states = {}
    for place, counter in enumerate(layout.seconds):
        told, left_out = _states(frame, counter, keys.of_row)
        unattributed += left_out
        if told is not None:
            states[place] = told
    named = {
        place: groups
        for place, followed in enumerate(layout.followed)
        if (groups := _told(frame, followed, keys.of_row)) is not None
    }
    return ScopeLoad(keys, rows, pairs, states, named, unattributed)


def _group(frame: Frame, layout: Layout, chosen: Bool, codes: Int64) -> Groups:
    """The chosen rows by tick, key and grain."""
    # A row is older than its tick by at most the lateness, so this stays small.
    lag, oldest = frame.lag(layout.grain_ms)
    keys, lags = int(codes.max()) + 1, oldest + 1
    spread = len(frame.ticks) * keys * lags
    if is_dense(spread, len(codes)):
        group, number = np.empty(len(codes), dtype=np.int64), np.zeros(spread, dtype=np.int32)
        groups = number_groups(chosen, frame.tick_index, codes, lag, keys, lags, group, number)
    else:
        packed = _pack(_pack(frame.tick_index, np.where(chosen, codes, 0)), lag)
        names, group = np.unique(packed, return_inverse=True)
        number = np.zeros(len(names), dtype=np.int32)
        groups = number_keys(group[chosen], number)
    sums = np.zeros((groups, layout.columns), dtype=np.int64)
    tops = np.full((groups, len(layout.extreme)), NONE, dtype=np.int64)
    row = np.zeros(groups, dtype=np.int64)
    added, most = frame.table(layout.additive), frame.table(layout.extreme)
    add_up(chosen, group, number, added, most, sums, tops, row)
    grain = frame.times[row] - frame.times[row] % layout.grain_ms
    found = {"code": codes[row], "grain": grain, "values": sums, "extremes": tops}
    return Groups.of(frame.tick_of_row[row], found)


def _pack(major: Int64, minor: Int64) -> Int64:
    """One number for each pair, in the order of the pairs; no value is negative."""
    width = int(minor.max()) + 1
    if (int(major.max()) + 1) * width >= _PACKED_MAX:
        major = column(np.unique(major, return_inverse=True)[1])
    if (int(major.max()) + 1) * width >= _PACKED_MAX:
        minor = column(np.unique(minor, return_inverse=True)[1])
        width = int(minor.max()) + 1
    return major * width + minor


def _pairs(frame: Frame, counter: Counter, codes: Int64, grain_ms: int) -> PairLoad | None:
    assert counter.field is not None  # noqa: S101 - a distinct has one, by its model
    names, values = frame.codes(counter.field)
    grains = frame.times - frame.times % grain_ms
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
    order = ["tick", "code", "value", "set", "grain"]
    table = pl.concat(parts).unique().sort(order)
    if table.is_empty():
        return None
    code, value = table["code"].to_numpy(), table["value"].to_numpy()
    _, first, pair = np.unique(_pack(code, value), return_index=True, return_inverse=True)
    newest = pl.struct(order[:-1]).is_last_distinct()
    columns = {
        "code": code,
        "pair": column(pair),
        "set": table["set"].to_numpy(),
        # Or the loop that takes them would be compiled once more, for what cannot be written.
        "grain": table["grain"].to_numpy(writable=True),
        "newest": table.select(newest).to_series().to_numpy(),
    }
    return PairLoad(Groups.of(table["tick"].to_numpy(), columns), names, value[first])


def _steps(frame: Frame, counter: Counter, codes: Int64) -> PairLoad | None:
    """The steps of a funnel: ``set`` is those a row serves as bits, ``grain`` its very time."""
    assert counter.field is not None  # noqa: S101 - a funnel has an entity, by its model
    names, values = frame.codes(counter.field)
    bits = steps_of([frame.mask(rows) for rows in counter.sets])
    chosen = np.flatnonzero((bits > 0) & (codes >= 0) & (values >= 0))
    if len(chosen) == 0:
        return None
    ticks, code, value = frame.tick_of_row[chosen], codes[chosen], values[chosen]
    order = np.lexsort((frame.times[chosen], value, code, ticks))
    chosen, ticks, code, value = chosen[order], ticks[order], code[order], value[order]
    _, first, pair = np.unique(_pack(code, value), return_index=True, return_inverse=True)
    pair = column(pair)
    newest = np.ones(len(pair), dtype=np.bool_)
    newest[:-1] = (pair[1:] != pair[:-1]) | (ticks[1:] != ticks[:-1])
    columns = {
        "code": code,
        "pair": pair,
        "set": bits[chosen],
        "grain": frame.times[chosen],
        "newest": newest,
    }
    return PairLoad(Groups.of(ticks, columns), names, value[first])


def _states(frame: Frame, counter: Counter, codes: Int64) -> tuple[StateLoad | None, int]:
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
    return StateLoad(Groups.of(frame.tick_of_row[chosen], columns), names), left_out


def _told(frame: Frame, followed: Population | Response, codes: Int64) -> Groups | None:
    """The keys of its rows; of those with which an entity leaves they do not matter."""
    chosen, leaves = followed.rows(frame)
    if not len(chosen):
        return None
    found = {"code": np.where(leaves, -1, codes[chosen])}
    return Groups.of(frame.tick_of_row[chosen], found)


def any_state(counter: Counter) -> Rows:
    """All events that tell the states a ``seconds`` counter is about, whichever they are."""
    return Rows(counter.sets[0].types, None)

"""Rows, frames and indicators as the tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from monitor.events.catalogue import columns_for, polars_dtype
from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.indicators.load import loads_indicators
from monitor.indicators.model import Indicator
from monitor.windows.limits import WindowLimits

TICK = 5_000
T0 = 1_795_996_800_000
"""2026-11-30 00:00 UTC, a Monday."""

Row = dict[str, Any]


def row(time: int, type_: str = "call.ended", *, eff: int | None = None, **fields: Any) -> Row:
    """A released row; ``eff`` is its effective time, by default its own."""
    eff = time if eff is None else eff
    return {"type": type_, "time": time, "eff": eff, "tick": eff - eff % TICK + TICK, **fields}


def frame(rows: Iterable[Row], fields: Iterable[str]) -> pl.DataFrame:
    """Rows as the engine releases them, in their order, with all dimensions and ``fields``."""
    names = [column.name for column in columns_for(fields)]
    schema: dict[str, Any] = {"id": pl.String, "type": pl.String, "time": pl.Int64}
    schema |= {"tick": pl.Int64} | {name: polars_dtype(name) for name in names}
    data: dict[str, list[Any]] = {name: [] for name in schema}
    for number, each in enumerate(sorted(rows, key=lambda row: (row["eff"], row["time"]))):
        for name, values in data.items():
            values.append(str(number) if name == "id" else each.get(name))
    return pl.DataFrame(data, schema=schema)


def indicators(yaml: str, tick_ms: int = TICK) -> tuple[Indicator, ...]:
    text = "version: 1\nindicators:\n" + yaml
    return loads_indicators(text, Path("indicators.yaml"), tick_ms=tick_ms).value.indicators


def made(
    yaml: str, *, covered_from: int = BEGINNING, limits: WindowLimits | None = None
) -> IndicatorSet:
    return IndicatorSet(
        indicators(yaml), tick_ms=TICK, limits=limits or WindowLimits(), covered_from=covered_from
    )


def load(figures: IndicatorSet, rows: Sequence[Row]) -> None:
    figures.load(frame(rows, figures.fields))


def run(figures: IndicatorSet, until: int) -> None:
    """Step at every tick that matters, as the engine does, and at ``until``."""
    while True:
        after = until - 10**12 if figures.tick is None else figures.tick
        due = figures.next_event_tick(after)
        if due is None or due >= until:
            break
        figures.step(due)
    figures.step(until)


def shown(
    figures: IndicatorSet, indicator: str, by: str | Sequence[str], window: str
) -> Mapping[tuple[str, ...], tuple[int, int]]:
    """(hits, of) by values of the scope, of keys that have either."""
    dimensions = (by,) if isinstance(by, str) else tuple(by)
    view = figures.view(indicator, dimensions, window)
    ids = view.keys.living()
    hits, of = view.figures(ids)
    return {
        tuple(value for _, value in view.scope(key)): (one, other)
        for key, one, other in zip(ids.tolist(), hits.tolist(), of.tolist(), strict=True)
        if one or (other and view.kind != "count")
    }


def beyond(figures: IndicatorSet) -> Mapping[tuple[tuple[str, ...], str], int]:
    """Rows that found a table full, by scope and table; of those that some row did."""
    return {place: rows for place, rows in figures.overflowed().items() if rows}


def bucket(figures: IndicatorSet, indicator: str, by: str, window: str) -> tuple[int, int] | None:
    """(hits, of) of the keys that found the table full; None where there is no such bucket."""
    view = figures.view(indicator, (by,), window)
    if view.other is None:
        return None
    hits, of = view.figures(np.array([view.other]))
    return int(hits[0]), int(of[0])

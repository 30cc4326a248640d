"""Funnels by person and period: how many entities came to each step.

Owns the events of one funnel and the walk over them. What it is to reach a step is
``monitor.windows.funnel``'s definition, with the period in the place of a window: events
t1 <= t2 <= … <= tk of the steps 1 to k, all of one person and period, with tk - t1 at most
``within``; one event may serve several steps, and so may events of one millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from monitor.indicators.formula import Counter
from monitor.indicators.frame import matching

KEY = ("period_", "person_", "team_")
Key = tuple[int, str, str]


class Steps:
    """One funnel; the counters of its steps share it."""

    def __init__(self, chain: Counter) -> None:
        """``chain``: of any of its steps (``Counter.chain``)."""
        self.held = 0
        """Events that are kept: who came to which step shows when all are known."""
        self._chain = chain
        self._rows: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Rows with ``time``, the columns of :data:`KEY` and the fields of the funnel."""
        sets = enumerate(self._chain.sets)
        serves = [matching(each).cast(pl.Int64) * 2**step for step, each in sets]
        entity = pl.col(self._chain.field or "").cast(pl.String)
        taken = rows.select(*KEY, "time", entity_=entity, steps_=pl.sum_horizontal(serves))
        taken = taken.filter(pl.col("entity_").is_not_null(), pl.col("steps_") > 0)
        if taken.height:
            self._rows.append(taken)
            self.held += taken.height

    def reached(self) -> list[tuple[dict[Key, int], dict[Key, int]]]:
        """For each step by key: entities that came to it, and events of it and those before."""
        levels: list[tuple[dict[Key, int], dict[Key, int]]] = [({}, {}) for _ in self._chain.sets]
        if not self._rows:
            return levels
        rows = pl.concat(self._rows)
        for step, (_, events) in enumerate(levels):
            serving = rows.filter(pl.col("steps_") % 2 ** (step + 1) > 0)
            for *key, count in serving.group_by(*KEY).agg(pl.len()).iter_rows():
                events[key[0], key[1], key[2]] = count
        together = rows.group_by(*KEY, "entity_", "time").agg(pl.col("steps_").bitwise_or())
        walks = together.sort("time").group_by(*KEY, "entity_").agg("time", "steps_")
        for *key, _, times, steps in walks.iter_rows():
            at = (key[0], key[1], key[2])
            last = furthest(times, steps, len(levels), self._chain.within_ms)
            for step, (entities, _) in enumerate(levels):
                entities[at] = entities.get(at, 0) + (step <= last)
        return levels


def furthest(times: Sequence[int], steps: Sequence[int], count: int, within_ms: int) -> int:
    """The last step that one entity came to, from 0 on; -1: none.

    ``steps``: by moment, in order, the steps it serves as bits. Of all chains that come to a step
    the one that began last is the best.
    """
    starts: list[int | None] = [None] * count
    last = -1
    for time, bits in zip(times, steps, strict=True):
        for step in range(count):
            start = time if step == 0 else starts[step - 1]
            if not bits >> step & 1 or start is None:
                continue
            known = starts[step]
            starts[step] = start if known is None else max(known, start)
            if time - start <= within_ms:
                last = max(last, step)
    return last

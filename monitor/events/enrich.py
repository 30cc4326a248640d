"""Feedback takes the dimensions it lacks from its call, or from the last owner of its number.

Owns two bounded tables learnt from ``call.*`` rows in the order in which rows are released:

* *Calls*: what the last ``calls`` call rows said of each ``call_id``.
* *Owners*: what was last said of each number's agent, group, team, campaign and type. Past
  ``numbers`` of them, at the first row of the next tick, the quarter least recently used is
  forgotten.

Both take, dimension by dimension, the last value that was there: a call's queueing names no agent,
an unanswered call none of its number's. A row whose call is known takes nothing from its number's
owner, who need not be who made the call. Agent, group and team come together: they are left alone
where the row itself names one of them differently.

Everything is a function of the rows and their order; how they are cut into frames does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from monitor.events.batch import DIMENSIONS
from monitor.events.call_log import FOUND, ROW, SEQ, CallLog
from monitor.events.catalogue import CALL_TYPES, FEEDBACK_TYPES
from monitor.events.hashed import Known
from monitor.events.settings import OwnerSettings

_PLACE = ("agent", "group", "team")
_OWNED = (*_PLACE, "campaign", "number_type")


class Owners:
    """The two tables; one thread uses them."""

    def __init__(self, settings: OwnerSettings) -> None:
        self._limits = settings
        self._calls = CallLog("call_id", DIMENSIONS, keep_all=True)
        self._owners = CallLog("number", _OWNED, keep_all=False)
        self._seq = 0
        """Call rows seen so far: the next one's place."""
        self._tick: int | None = None
        self._numbers = Known()

    def apply(self, released: pl.DataFrame) -> pl.DataFrame:
        """``released`` with null dimensions of feedback rows filled where they are known.

        Needs the columns ``type``, ``tick``, ``call_id`` and the dimensions; rows, their order and
        the other columns stay as they are.
        """
        if released.is_empty():
            return released
        (calls, used), room = _calls_of(released), self._limits.numbers - len(self._numbers)
        if len(used) <= room or self._numbers.new_among(used) <= room:
            return self._pass(released, calls, used)
        ticks = released.partition_by("tick", maintain_order=True)
        return pl.concat(self._pass(tick, *_calls_of(tick)) for tick in ticks)

    def _pass(self, released: pl.DataFrame, calls: pl.Series, used: pl.Series) -> pl.DataFrame:
        """Rows of one tick, or of several that cannot fill the table of owners.

        ``calls``: which of them are calls; ``used``: the numbers of those.
        """
        if released["tick"][0] != self._tick and len(self._numbers) > self._limits.numbers:
            self._owners.trim(self._limits.numbers - self._limits.numbers // 4)
            self._count_numbers()
        self._tick = int(released["tick"][-1])
        is_call = calls.to_numpy()
        before = np.cumsum(is_call, dtype=np.int64) - is_call + self._seq
        rows = np.arange(released.height, dtype=np.uint32)
        placed = released[["type", "call_id", *DIMENSIONS]].hstack(
            [pl.Series(SEQ, before), pl.Series(ROW, rows)]
        )
        said = placed if is_call.all() else placed.filter(calls)
        self._calls.add(said)
        self._owners.add(said)
        self._numbers.add(used)
        self._seq += said.height
        lacking = pl.any_horizontal(pl.col(DIMENSIONS).is_null())
        is_feedback = pl.col("type").is_in(FEEDBACK_TYPES)
        told = placed.head(0) if is_call.all() else placed.filter(is_feedback)
        asking = told.filter(lacking)
        filled = released if asking.is_empty() else self._fill(released, asking)
        self._calls.forget(self._seq - self._limits.calls)
        return filled

    def _fill(self, released: pl.DataFrame, asking: pl.DataFrame) -> pl.DataFrame:
        call = self._calls.last_known(asking, pl.col(SEQ) - self._limits.calls)
        known = call[FOUND]
        rest = asking.filter(~known)
        parts = [
            _merge(asking.filter(known), call.filter(known), DIMENSIONS),
            _merge(rest, self._owners.last_known(rest, pl.lit(0)), _OWNED),
        ]
        merged = pl.concat(parts)
        columns = []
        for name in DIMENSIONS:
            column = released[name].clone()
            columns.append(column.scatter(merged[ROW], merged[name]))
        return released.with_columns(columns)

    @property
    def calls_held(self) -> int:
        """Call rows remembered, for the gauge of bounded tables."""
        return self._calls.rows

    @property
    def owners_held(self) -> int:
        """Numbers whose last owner is remembered."""
        return len(self._numbers)

    def snapshot(self) -> dict[str, Any]:
        """Both tables; what was there before is written once and given again."""
        return {
            "seq": self._seq,
            "tick": self._tick,
            "calls": self._calls.snapshot(),
            "owners": self._owners.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue as if never stopped after :meth:`snapshot` gave ``state``."""
        self._seq = state["seq"]
        self._tick = state["tick"]
        self._calls.restore(state["calls"])
        self._owners.restore(state["owners"])
        self._count_numbers()

    def _count_numbers(self) -> None:
        self._numbers = Known()
        self._numbers.add(self._owners.keys())


def _calls_of(released: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Which rows are calls, and the numbers of those."""
    calls, numbers = released["type"].is_in(CALL_TYPES), released["number"]
    # Of one column: to filter all of them takes twice as long.
    return calls, (numbers if calls.all() else numbers.filter(calls)).drop_nulls()


def _merge(asking: pl.DataFrame, known: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """``asking`` with its nulls in ``names`` filled from the rows of ``known`` beside them."""
    theirs = {name: known[name] for name in names}
    agrees = pl.all_horizontal(
        pl.col(name).is_null() | (pl.col(name) == theirs[name]).fill_null(True) for name in _PLACE
    )
    return asking.with_columns(
        pl.when(agrees).then(pl.col(name).fill_null(theirs[name])).otherwise(pl.col(name))
        if name in _PLACE
        else pl.col(name).fill_null(theirs[name])
        for name in names
    ).select(ROW, *DIMENSIONS)

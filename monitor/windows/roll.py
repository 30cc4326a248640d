"""Who there is and what was last told of each: the entities of a population, at a tick.

Owns the last values of each entity, when it leaves, and since when its state has not changed;
which values make it a hit is asked of a callback. All is a function of the rows in their order
(docs/semantics.md, 7):

* a row of a time before the one that a field's value was told at does not change that field, nor
  does one of a time before the entity left;
* leaving forgets all that was told up to then; what is told from that time on begins anew;
* an entity is there at tick T while less than ``max_age`` has passed since it was last heard of;
  what comes after that begins anew too;
* its state is unchanged since the row that told a value other than the one before.

The table is bounded: rows of an entity that finds it full are left out and counted. An entity has
its place until no accepted row can be about the time when it was there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.compiled.roll import NEVER, tell
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, distinct_of, roomy

Float64 = npt.NDArray[np.float64]
FOREVER = 2**62

Chooses = Callable[[Float64], tuple[Bool, Bool]]
"""Of last values, shape (fields, entities): which are looked at, and which of these are hits."""


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of a tick, in order."""

    entities: list[str]
    times: Int64
    leaves: Bool
    values: Float64
    """Shape (fields, rows), NaN where a row does not have the field."""


@dataclass(frozen=True, slots=True)
class RollPlan:
    """What a roll is asked to know."""

    fields: int
    """How many values are kept of each entity."""
    state: int
    """Which of them may not change for ``unchanged_ms``; -1 for none."""
    unchanged_ms: int
    max_age_ms: int
    tick_ms: int
    lateness_ms: int
    entities_max: int


class Roll:
    """The entities of one population."""

    def __init__(self, plan: RollPlan, chooses: Chooses) -> None:
        self.plan = plan
        self.overflowed = 0
        """Rows of entities that found the table full."""
        self._chooses = chooses
        self._entities = KeyTable(plan.entities_max)
        self._held = np.zeros((plan.fields, 0))
        self._told = np.zeros((plan.fields, 0), dtype=np.int64)
        self._times = np.zeros((4, 0), dtype=np.int64)
        """When last heard of, when it left, since when unchanged, when time alone changes it."""
        self._among = np.zeros((2, 0), dtype=np.bool_)
        """Whether its values make it one of those looked at, and a hit."""
        self._next = FOREVER

    def __len__(self) -> int:
        """Entities that have a place."""
        return len(self._entities)

    @property
    def due(self) -> int | None:
        """The first tick at which time alone may change something."""
        return (
            None
            if self._next == FOREVER
            else -(-self._next // self.plan.tick_ms) * self.plan.tick_ms
        )

    def apply(self, tick: int, rows: Told | None) -> tuple[Int64, Int64]:
        """Apply the rows of a tick.

        Returns:
            The entities that may have changed, ascending; and each row's entity, -1 for none.
        """
        ids = column([])
        if rows is not None and len(rows.entities):
            ids = self._entities.intern(rows.entities)
            self.overflowed += int(np.count_nonzero(ids == OVERFLOW))
            self._room(self._entities.size)
            heard, left, since, _ = self._times
            tell(
                ids, rows.times, rows.leaves, rows.values, self._held, self._told,
                heard, left, since, self.plan.state, self.plan.max_age_ms,
            )  # fmt: skip
        told = distinct_of(ids[ids >= 0])
        if len(told):
            self._among[:, told] = self._chooses(self._held[:, told])
        over = np.flatnonzero(self._times[3] <= tick) if self._next <= tick else column([])
        changed = np.union1d(told, over)
        if len(changed):
            self._times[3, changed] = self._dues(changed, tick)
            self._next = int(self._times[3].min())
        return changed, ids

    def _dues(self, ids: Int64, tick: int) -> Int64:
        """When time alone next changes each entity, ms, ``FOREVER`` for never."""
        heard, _, since, _ = self._times[:, ids]
        leaves = np.where(heard == NEVER, FOREVER, heard + self.plan.max_age_ms)
        dues = np.where(leaves > tick, leaves, FOREVER)
        if self.plan.state >= 0:
            turns = np.where(since == NEVER, FOREVER, since + self.plan.unchanged_ms)
            dues = np.minimum(dues, np.where(turns > tick, turns, FOREVER))
        return dues

    def standing(self, ids: Int64, tick: int) -> tuple[Bool, Bool]:
        """Which of ``ids`` are there and looked at, and which of those are hits, at ``tick``."""
        heard, _, since, _ = self._times[:, ids]
        there = (heard != NEVER) & (tick - heard < self.plan.max_age_ms) & self._among[0, ids]
        hits = there & self._among[1, ids]
        if self.plan.state >= 0:
            hits &= (since != NEVER) & (tick - since >= self.plan.unchanged_ms)
        return there, hits

    def held(self, field: int, ids: Int64) -> Float64:
        """The last value of one field of each of ``ids``, NaN for none."""
        found: Float64 = self._held[field, ids]
        return found

    def values(self, field: int) -> Float64:
        """The last values of one field, of all that have one."""
        held = self._held[field]
        found: Float64 = held[~np.isnan(held)]
        return found

    def evict(self, tick: int) -> Int64:
        """Free the places of those whom no accepted row can still be about; returns them."""
        living = self._entities.living()
        heard, left, _, _ = self._times[:, living]
        past = tick - self.plan.lateness_ms
        gone: Int64 = living[(heard + self.plan.max_age_ms < past) & (left < past)]
        if len(gone):
            self._clear(gone)
            self._entities.release(gone.tolist())
        return gone

    def snapshot(self) -> dict[str, Any]:
        """The entities as plain values."""
        size = self._entities.size
        return {
            "entities": self._entities.snapshot(),
            "held": self._held[:, :size].copy(),
            "told": self._told[:, :size].copy(),
            "times": self._times[:3, :size].copy(),
            "overflowed": self.overflowed,
        }

    def restore(self, state: dict[str, Any], places: Sequence[int], tick: int) -> None:
        """Take over a snapshot made after ``tick``; ``places``: of each field there, -1: new."""
        self._entities.restore(state["entities"])
        size = self._entities.size
        self._room(size)
        for own, stored in enumerate(places):
            if stored >= 0:
                self._held[own, :size] = state["held"][stored]
                self._told[own, :size] = state["told"][stored]
        self._times[:3, :size] = state["times"]
        self.overflowed = int(state["overflowed"])
        ids = self._entities.living()
        if len(ids):
            self._among[:, ids] = self._chooses(self._held[:, ids])
            self._times[3, ids] = self._dues(ids, tick)
            self._next = int(self._times[3].min())

    def living(self) -> Int64:
        """All that have a place."""
        return self._entities.living()

    def _room(self, size: int) -> None:
        have = self._held.shape[1]
        if size <= have:
            return
        fields, size = self.plan.fields, roomy(size, have)
        held, told = np.full((fields, size), np.nan), np.full((fields, size), NEVER)
        times, among = np.full((4, size), NEVER), np.zeros((2, size), dtype=np.bool_)
        times[3] = FOREVER
        held[:, :have], told[:, :have] = self._held, self._told
        times[:, :have], among[:, :have] = self._times, self._among
        self._held, self._told, self._times, self._among = held, told, times, among

    def _clear(self, ids: Int64) -> None:
        self._held[:, ids] = np.nan
        self._told[:, ids] = NEVER
        self._times[:, ids] = NEVER
        self._times[3, ids] = FOREVER
        self._among[:, ids] = False

"""Open questions of conversations, and what answers them.

Owns which question is open in each conversation, since when, and under which key of each scope.
All is a function of the rows in their order (docs/semantics.md, 7):

* of several questions before an answer the first one counts, by its time;
* an answer is to the open question, unless it is of a time before that was asked;
* a question of a time before the last answer has been answered by that: it is left out;
* after ``max_age`` a question is given up: nothing answers it, and it is open no longer;
* an open question is *ripe* once ``open_after`` has counted since it was asked, on the clock given
  (``monitor.windows.hours``); the clock is looked at every ``step``, so that those who wait for
  weeks cost no tick each.

Keys are those of the rows; a question without one takes what its conversation last told, within
``max_age``, or tells next; an answer without one takes its question's. The table is bounded: rows
of a conversation that finds it full are left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.compiled.waits import NEVER, answer
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, distinct_of, roomy
from monitor.windows.hours import Hours

FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Said:
    """Rows of a tick, in order."""

    talks: list[str]
    times: Int64
    asks: Bool
    replies: Bool
    keys: Int64
    """Shape (scopes, rows), -1 for none."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Questions that a tick answered."""

    rows: Int64
    """The answer's place in the tick's rows."""
    since: Int64
    """When the question was asked, ms."""
    keys: Int64
    """Shape (scopes, answers), -1 for none."""


@dataclass(frozen=True, slots=True)
class WaitsPlan:
    """What is asked of the table."""

    scopes: int
    open_after_ms: int
    max_age_ms: int
    step_ms: int
    """A multiple of the tick."""
    tick_ms: int
    lateness_ms: int
    talks_max: int


class Waits:
    """The conversations of one response."""

    def __init__(self, plan: WaitsPlan, hours: Hours) -> None:
        self.plan = plan
        self.overflowed = 0
        """Rows of conversations that found the table full."""
        self._hours = hours
        self._talks = KeyTable(plan.talks_max)
        self._times = np.zeros((3, 0), dtype=np.int64)
        """When the open question was asked, when one was last answered, when time alone changes
        something."""
        self._keys = np.zeros((3, plan.scopes, 0), dtype=np.int64)
        """By scope: the open question's, the last known, and when that was told."""
        self._next = FOREVER

    def __len__(self) -> int:
        """Conversations that have a place."""
        return len(self._talks)

    @property
    def due(self) -> int | None:
        """The first tick at which time alone may make a question ripe, or have it given up."""
        tick_ms = self.plan.tick_ms
        return None if self._next == FOREVER else -(-self._next // tick_ms) * tick_ms

    def apply(self, tick: int, rows: Said | None) -> tuple[Int64, Answers]:
        """Apply the rows of a tick; returns the conversations that may have changed, ascending."""
        ids, answers = column([]), _NONE
        if rows is not None and len(rows.talks):
            ids = self._talks.intern(rows.talks)
            self.overflowed += int(np.count_nonzero(ids == OVERFLOW))
            self._room(self._talks.size)
            answers = self._answer(ids, rows)
        told = distinct_of(ids[ids >= 0])
        over = np.flatnonzero(self._times[2] <= tick) if self._next <= tick else column([])
        changed = np.union1d(told, over)
        if len(changed):
            self._times[2, changed] = self._dues(changed, tick)
            self._next = int(self._times[2].min())
        return changed, answers

    def _answer(self, ids: Int64, rows: Said) -> Answers:
        asked, replied, _ = self._times
        asker, known, told = self._keys
        found, since = np.empty(len(ids), dtype=np.int64), np.empty(len(ids), dtype=np.int64)
        under = np.empty((self.plan.scopes, len(ids)), dtype=np.int64)
        count = answer(
            ids, rows.times, rows.asks, rows.replies, rows.keys,
            asked, replied, asker, known, told, self.plan.max_age_ms, found, since, under,
        )  # fmt: skip
        return Answers(found[:count], since[:count], under[:, :count])

    def _dues(self, ids: Int64, tick: int) -> Int64:
        """When time alone next changes each conversation, ms, ``FOREVER`` for never."""
        asked = self._times[0, ids]
        dues = np.full(len(ids), FOREVER, dtype=np.int64)
        is_open = asked != NEVER
        since = asked[is_open]
        ends = since + self.plan.max_age_ms
        step = self.plan.step_ms
        ripens = -(-self._hours.after(since, self.plan.open_after_ms) // step) * step
        dues[is_open] = np.where(ripens > tick, np.minimum(ripens, ends), ends)
        return np.where(dues > tick, dues, FOREVER)

    def ripe(self, ids: Int64, tick: int) -> Bool:
        """Which of the conversations have a ripe question at ``tick``."""
        asked = self._times[0, ids]
        ripe: Bool = (asked != NEVER) & (tick - asked < self.plan.max_age_ms)
        looked = tick - tick % self.plan.step_ms
        ripe[ripe] = self._hours.after(asked[ripe], self.plan.open_after_ms) <= looked
        return ripe

    def talk(self, place: int) -> str:
        """The conversation that has this place."""
        return self._talks.name(place)

    def asked(self, ids: Int64) -> Int64:
        """When the open question of each was asked."""
        found: Int64 = self._times[0, ids]
        return found

    def asker(self, scope: int, ids: Int64) -> Int64:
        """The key of the open question of each, -1 for none."""
        found: Int64 = self._keys[0, scope, ids]
        return found

    def held(self, scope: int) -> Int64:
        """All keys of one scope that something may still be counted under."""
        asker, known, _ = self._keys[:, scope]
        keys = np.concatenate([asker[self._times[0] != NEVER], known])
        return keys[keys >= 0]

    def living(self) -> Int64:
        """All conversations that have a place."""
        return self._talks.living()

    def evict(self, tick: int) -> None:
        """Free the places of conversations that no accepted row can still be about."""
        living = self._talks.living()
        asked, replied, _ = self._times[:, living]
        told = self._keys[2][:, living].max(axis=0, initial=NEVER)
        past = tick - self.plan.lateness_ms
        over = (np.maximum(asked, told) + self.plan.max_age_ms < past) & (replied < past)
        gone = living[over]
        if len(gone):
            self._times[:, gone] = np.array([[NEVER], [NEVER], [FOREVER]])
            self._keys[:, :, gone] = np.array([-1, -1, NEVER])[:, np.newaxis, np.newaxis]
            self._talks.release(gone.tolist())

    def snapshot(self) -> dict[str, Any]:
        """The conversations as plain values."""
        size = self._talks.size
        return {
            "talks": self._talks.snapshot(),
            "times": self._times[:2, :size].copy(),
            "keys": self._keys[:, :, :size].copy(),
            "overflowed": self.overflowed,
        }

    def restore(self, state: dict[str, Any], places: Sequence[int], tick: int) -> None:
        """Take over a snapshot made after ``tick``; ``places``: of each scope there, -1: new."""
        self._talks.restore(state["talks"])
        size = self._talks.size
        self._room(size)
        for own, stored in enumerate(places):
            if stored >= 0:
                self._keys[:, own, :size] = state["keys"][:, stored]
        self._times[:2, :size] = state["times"]
        self.overflowed = int(state["overflowed"])
        ids = self._talks.living()
        if len(ids):
            self._times[2, ids] = self._dues(ids, tick)
            self._next = int(self._times[2].min())

    def _room(self, size: int) -> None:
        have = self._times.shape[1]
        if size <= have:
            return
        size = roomy(size, have)
        times, keys = np.full((3, size), NEVER), np.full((3, self.plan.scopes, size), -1)
        times[2], keys[2] = FOREVER, NEVER
        times[:, :have], keys[:, :, :have] = self._times, self._keys
        self._times, self._keys = times, keys


_NONE = Answers(column([]), column([]), np.empty((0, 0), dtype=np.int64))

"""Responses: how long answers took, and how long those who wait have waited, by scope.

Owns the way of a load's rows, tick by tick, through the open questions into the windows of the
scopes, and the part that open questions have in the figures. Which question is open is
``monitor.windows.waits``'s, what is measured is ``response_plan``'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from monitor.indicators.formula import Counter
from monitor.indicators.frame import Frame
from monitor.indicators.groups import Groups
from monitor.indicators.plan import By, Reading
from monitor.indicators.response_plan import Response
from monitor.indicators.scope import ScopeState
from monitor.indicators.view import View
from monitor.windows.arrays import Bool, Int64, column, unique_of
from monitor.windows.limits import WindowLimits
from monitor.windows.standing import StandingSums
from monitor.windows.waits import Answers, Said, Waits


class ResponseState:
    """One response by all its scopes."""

    def __init__(
        self, plan: Response, scopes: Mapping[By, ScopeState], *, tick_ms: int, limits: WindowLimits
    ) -> None:
        self.plan = plan
        self.scopes = dict(scopes)
        self.sums = {by: StandingSums() for by in self.scopes}
        """Of ripe questions, by what the clock showed when they were asked."""
        self._clock = plan.clock
        waits = plan.waits_plan(
            scopes=len(self.scopes),
            tick_ms=tick_ms,
            lateness_ms=limits.lateness_ms,
            talks_max=limits.entities_max,
        )
        self.table = Waits(waits, self._clock)
        self.limit = limits.entities_max
        self._loads: deque[tuple[Groups, list[str]]] = deque()
        self._now = self._before = 0
        """What the clock showed when it was looked at, as of this tick and of the one before."""
        self._tick: int | None = None
        for place, scope in enumerate(self.scopes.values()):
            scope.holders.append(partial(self._mark_alive, place))

    # --- a tick -----------------------------------------------------------------------------------

    @property
    def due(self) -> int | None:
        """The earliest tick at which time alone may change something."""
        dues = [] if self.table.due is None else [self.table.due]
        waiting = any(sums.count for sums in self.sums.values())
        if waiting and self.plan.within_ms is None and self._tick is not None:
            dues.append(self._clock.next_moving(self._tick, self.table.plan.step_ms))
        return min(dues, default=None)

    def load(self, frame: Frame) -> None:
        """Queue the rows of a load."""
        chosen, _ = self.plan.rows(frame)
        if not len(chosen):
            return
        names, talks = frame.coded(self.plan.per)
        times, asks = frame.times[chosen], frame.mask(self.plan.asks)[chosen]
        asks = asks & self.plan.looked_at(times)
        found = {
            "talk": talks[chosen],
            "time": times,
            "asks": asks,
            "replies": frame.mask(self.plan.replies)[chosen],
        }
        self._loads.append((Groups.of(frame.tick_of_row[chosen], found), names.texts))

    def step(self, tick: int) -> None:
        """Apply everything up to ``tick``, after the scopes have."""
        rows = self._rows(tick)
        changed, answers = self.table.apply(tick, rows)
        self._tell_time(tick)
        for sums in self.sums.values():
            sums.rest()
        if len(changed):
            self._count(changed, tick)
        if rows is not None and len(answers.rows):
            self._derive(rows, answers)

    def _tell_time(self, tick: int) -> None:
        self._tick, self._before = tick, self._now
        looked = tick - tick % self.table.plan.step_ms
        self._now = int(self._clock.worked(column([looked]))[0])

    def _rows(self, tick: int) -> Said | None:
        if not self._loads or self._loads[0][0].next_tick != tick:
            return None
        groups, names = self._loads[0]
        taken = groups.take(tick)
        assert taken is not None  # noqa: S101 - it is the next tick
        if groups.next_tick is None:
            self._loads.popleft()
        keys = np.full((len(self.scopes), len(taken["time"])), -1, dtype=np.int64)
        for place, scope in enumerate(self.scopes.values()):
            told = scope.told(self.plan)
            if told is not None:
                keys[place] = told
        talks = [names[code] for code in taken["talk"].tolist()]
        return Said(talks, taken["time"], taken["asks"], taken["replies"], keys)

    def _count(self, ids: Int64, tick: int) -> None:
        """Count ripe questions under the keys that they have now."""
        ripe = self.table.ripe(ids, tick)
        asked = np.zeros(len(ids), dtype=np.int64)
        asked[ripe] = self._clock.worked(self.table.asked(ids[ripe]))
        for place, (by, scope) in enumerate(self.scopes.items()):
            keys = np.where(ripe, self.table.asker(place, ids), -1)
            self.sums[by].move(ids, keys, asked, scope.keys.size)

    def _derive(self, rows: Said, answers: Answers) -> None:
        """Answers enter the windows at their own time."""
        times = rows.times[answers.rows]
        waits = self._clock.worked(times) - self._clock.worked(answers.since)
        plan, within = self.plan, self.plan.within_ms
        found: dict[Counter, Int64] = {plan.counter("answers"): np.ones(len(times), dtype=np.int64)}
        if within is None:
            found[plan.counter("waits")] = waits
        else:
            found[plan.counter("soon")] = (waits <= within).astype(np.int64)
        for place, scope in enumerate(self.scopes.values()):
            keys = answers.keys[place]
            named = keys >= 0
            scope.unattributed += int(np.count_nonzero(~named))
            values = {counter: each[named] for counter, each in found.items()}
            scope.derive(times[named], keys[named], values)

    # --- figures ----------------------------------------------------------------------------------

    def waiting(self, by: By, ids: Int64) -> tuple[Int64, Int64]:
        """(hits, of) that ripe questions add."""
        asked, of = self.sums[by].at(ids, self.scopes[by].keys.size)
        if self.plan.within_ms is not None:
            return np.zeros(len(ids), dtype=np.int64), of
        return of * self._now - asked, of

    def touched(self, by: By) -> Int64:
        """Keys whose part of ripe questions the last step changed, ascending."""
        sums = self.sums[by]
        if self.plan.within_ms is None and self._now != self._before:
            return unique_of([sums.touched, sums.counted()])
        return sums.touched

    # --- keys and state ---------------------------------------------------------------------------

    def _mark_alive(self, place: int, alive: Bool) -> None:
        """Set ``alive`` at the keys that something may still be counted under."""
        alive[self.table.held(place)] = True

    def evict(self, tick: int) -> None:
        """Let go of conversations that were over long ago."""
        self.table.evict(tick)

    def snapshot(self) -> dict[str, Any]:
        """Everything as plain values; all loads have been applied."""
        return {"scopes": [" ".join(by) for by in self.scopes], "table": self.table.snapshot()}

    def cover(self, state: Mapping[str, Any]) -> None:
        """Nothing: the windows know since when they are covered."""

    def restore(self, state: Mapping[str, Any], tick: int) -> None:
        """Take over a snapshot made after ``tick``; the scopes have taken over their keys."""
        stored = {name: place for place, name in enumerate(state["scopes"])}
        places = [stored.get(" ".join(by), -1) for by in self.scopes]
        self.table.restore(state["table"], places, tick)
        self._tell_time(tick)
        self._before = self._now
        self._count(self.table.living(), tick)
        for sums in self.sums.values():
            sums.rest()


class ResponseView(View):
    """The answers in a window, and those who wait now."""

    def __init__(self, reading: Reading, scope: ScopeState, state: ResponseState) -> None:
        super().__init__(reading, scope)
        self._response = state

    def touched(self) -> Int64:
        """Ids whose figures may have changed at the last step, ascending and unique."""
        ids, other = self._response.touched(self.by), self.keys.other
        ids = ids if other is None else ids[ids != other]
        return unique_of([super().touched(), ids])

    def figures(self, ids: Int64) -> tuple[Int64, Int64]:
        """(hits, of) at the last step, each of the shape of ``ids``."""
        hits, of = super().figures(ids)
        more, waiting = self._response.waiting(self.by, ids)
        return hits + more, of + waiting

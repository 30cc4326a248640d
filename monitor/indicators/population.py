"""Populations: how many entities are in which state now, by scope.

Owns the way of a load's rows, tick by tick, through the roll into the counts of the scopes. Who is
there is ``monitor.windows.roll``'s, keys are the scopes', what is counted is ``population_plan``'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from monitor.events.catalogue import FIELDS
from monitor.indicators.frame import Frame
from monitor.indicators.groups import Groups
from monitor.indicators.population_plan import Population
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column
from monitor.windows.limits import WindowLimits
from monitor.windows.roll import Float64, Roll, RollPlan, Told
from monitor.windows.standing import StandingSums

By = tuple[str, ...]


class KeyedScope(Protocol):
    """What a population needs of a scope: ids of keys."""

    keys: KeyTable
    unattributed: int
    holders: list[Callable[[Bool], None]]

    def told(self, followed: Population, /) -> Int64 | None:
        """The key of each row of the tick, -1 for none; None when there are no rows."""
        ...


class PopulationState:
    """One population by all its scopes."""

    def __init__(
        self,
        plan: Population,
        scopes: Mapping[By, KeyedScope],
        *,
        tick_ms: int,
        limits: WindowLimits,
        covered_from: int,
    ) -> None:
        self.plan = plan
        self.scopes = dict(scopes)
        self.covered_from = dict.fromkeys(self.scopes, covered_from)
        """By scope: since when its rows are known."""
        self.sums = {by: StandingSums() for by in self.scopes}
        self._place = {by: len(plan.values) + n for n, by in enumerate(self.scopes)}
        """Where the roll keeps the key that an entity has in a scope."""
        texts = [FIELDS[name].is_text for name in plan.values]
        self._texts = KeyTable(max(1, 2 * sum(texts)) * limits.entities_max)
        """What text fields hold, as numbers."""
        self.table = Roll(
            RollPlan(
                fields=len(plan.values) + len(self.scopes),
                state=-1 if plan.state is None else plan.values.index(plan.state),
                unchanged_ms=plan.unchanged_ms,
                max_age_ms=plan.max_age_ms,
                tick_ms=tick_ms,
                lateness_ms=limits.lateness_ms,
                entities_max=limits.entities_max,
            ),
            self._chooses,
        )
        self.limit = limits.entities_max
        self._loads: deque[tuple[Groups, list[str], dict[str, list[str]]]] = deque()
        self._active = False
        for by, scope in self.scopes.items():
            scope.holders.append(partial(self._mark_alive, by))

    # --- a tick -----------------------------------------------------------------------------------

    @property
    def due(self) -> int | None:
        """The earliest tick at which time alone may change something."""
        return self.table.due

    def load(self, frame: Frame) -> None:
        """Queue the rows of a load."""
        chosen, leaves = self.plan.rows(frame)
        if not len(chosen):
            return
        names, entities = frame.coded(self.plan.entity)
        found: dict[str, Any] = {
            "entity": entities[chosen],
            "time": frame.times[chosen],
            "leaves": leaves,
        }
        texts: dict[str, list[str]] = {}
        for name in self.plan.values:
            if FIELDS[name].is_text:
                coded = frame.coded(name)
                texts[name], found[f"of {name}"] = coded.names.texts, coded.codes[chosen]
            else:
                found[f"of {name}"] = frame.numbers(name)[chosen]
        self._loads.append((Groups.of(frame.tick_of_row[chosen], found), names.texts, texts))

    def step(self, tick: int) -> None:
        """Apply everything up to ``tick``, after the scopes have."""
        rows = self._rows(tick)
        if rows is None and (self.due is None or self.due > tick):
            if self._active:
                self._active = False
                for sums in self.sums.values():
                    sums.rest()
            return
        self._active = True
        changed, ids = self.table.apply(tick, rows)
        self._count(changed, tick)
        if rows is not None:
            known = ids[(ids >= 0) & ~rows.leaves]
            for by, scope in self.scopes.items():
                lacking = np.isnan(self.table.held(self._place[by], known))
                scope.unattributed += int(np.count_nonzero(lacking))

    def _rows(self, tick: int) -> Told | None:
        if not self._loads or self._loads[0][0].next_tick != tick:
            return None
        groups, names, texts = self._loads[0]
        taken = groups.take(tick)
        assert taken is not None  # noqa: S101 - it is the next tick
        if groups.next_tick is None:
            self._loads.popleft()
        values = np.full((self.table.plan.fields, len(taken["time"])), np.nan)
        for place, name in enumerate(self.plan.values):
            found = taken[f"of {name}"]
            values[place] = self._numbered(found, texts[name]) if name in texts else found
        for by, scope in self.scopes.items():
            keys = scope.told(self.plan)
            if keys is not None:
                values[self._place[by]] = np.where(keys < 0, np.nan, keys)
        entities = [names[code] for code in taken["entity"].tolist()]
        return Told(entities, taken["time"], taken["leaves"], values)

    def _numbered(self, codes: Int64, texts: list[str]) -> Float64:
        """Texts as numbers of the table, NaN for null and for what finds it full."""
        numbers = np.full(len(codes), np.nan)
        there = codes >= 0
        ids = self._texts.intern([texts[code] for code in codes[there].tolist()])
        numbers[there] = np.where(ids == OVERFLOW, np.nan, ids)
        return numbers

    def _count(self, ids: Int64, tick: int) -> None:
        """Count entities under the keys that they have now."""
        there, hits = self.table.standing(ids, tick)
        for by, scope in self.scopes.items():
            held = self.table.held(self._place[by], ids)
            counted = there & ~np.isnan(held)
            keys = np.where(counted, np.nan_to_num(held), -1).astype(np.int64)
            self.sums[by].move(ids, keys, (hits & counted).astype(np.int64), scope.keys.size)

    def _chooses(self, held: Float64) -> tuple[Bool, Bool]:
        """Which entities, by their last values, are looked at, and which are hits."""
        return self.plan.chosen(held, self._texts.name)

    # --- keys and state ---------------------------------------------------------------------------

    def _mark_alive(self, by: By, alive: Bool) -> None:
        """Set ``alive`` at the keys that some entity may be counted under."""
        alive[self.table.values(self._place[by]).astype(np.int64)] = True

    def evict(self, tick: int) -> None:
        """Let go of those who left long ago, and of the texts that nobody holds."""
        self.table.evict(tick)
        used = [column([])]
        for place, name in enumerate(self.plan.values):
            if FIELDS[name].is_text:
                used.append(self.table.values(place).astype(np.int64))
        self._texts.release(np.setdiff1d(self._texts.living(), np.concatenate(used)).tolist())

    def snapshot(self) -> dict[str, Any]:
        """Everything as plain values; all loads have been applied."""
        return {
            "scopes": [" ".join(by) for by in self.scopes],
            "covered_from": list(self.covered_from.values()),
            "texts": self._texts.snapshot(),
            "roll": self.table.snapshot(),
        }

    def cover(self, state: Mapping[str, Any]) -> None:
        """Take over since when a snapshot's scopes are covered, and nothing else."""
        known = dict(zip(state["scopes"], state["covered_from"], strict=True))
        for by in self.scopes:
            if " ".join(by) in known:
                self.covered_from[by] = int(known[" ".join(by)])

    def restore(self, state: Mapping[str, Any], tick: int) -> None:
        """Take over a snapshot made after ``tick``; the scopes have taken over their keys."""
        self.cover(state)
        self._texts.restore(state["texts"])
        stored = {name: len(self.plan.values) + n for n, name in enumerate(state["scopes"])}
        places: Sequence[int] = [
            *range(len(self.plan.values)),
            *(stored.get(" ".join(by), -1) for by in self.scopes),
        ]
        self.table.restore(state["roll"], places, tick)
        self._count(self.table.living(), tick)
        for sums in self.sums.values():
            sums.rest()

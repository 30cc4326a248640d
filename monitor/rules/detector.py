"""Sequential evidence on all keys of a scope, for all the rules that judge one indicator there.

Owns the state of the e-detectors (``monitor.rules.evidence`` has the formula): they are fed the
same events and differ in their thresholds, so they stand side by side and are fed together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np

from monitor.compiled import detectors as loops
from monitor.rules.backlog import Backlog, mean
from monitor.rules.evidence import ALTERNATIVES, BREAK_MS, SCORE_MAX, alternatives
from monitor.rules.ports import Bool, Float64, Int64
from monitor.rules.ratios import Ratios
from monitor.windows.arrays import roomy

MANY = 16
"""So many detectors side by side let groups wait: of fewer, what waits would be more memory than
they are."""


class Detector:
    """The e-detectors of one threshold, for all keys of a scope: a column of a bank.

    State per key: M for each alternative, and the tick of its last group.
    """

    def __init__(
        self,
        threshold: Fraction,
        direction: Literal["above", "below"],
        *,
        tick_ms: int,
        scope_day_ms: int,
        needed: float = math.inf,
    ) -> None:
        """``needed``: the score from which on a key counts in :attr:`Bank.over`.

        Raises:
            ValueError: the threshold is 0 or 1.
        """
        # Below θ in hits is above 1 - θ in misses: one formula serves both.
        mirrored = direction == "below"
        bad = 1 - threshold if mirrored else threshold
        if not 0 < bad < 1:
            msg = f"no evidence can be gathered against a threshold of {threshold}"
            raise ValueError(msg)
        grid = alternatives(bad)
        log_bad = np.array([math.log(p / bad) for p in grid])
        log_good = np.array([math.log((1 - p) / (1 - bad)) for p in grid])
        self.log_hit, self.log_miss = (log_good, log_bad) if mirrored else (log_bad, log_good)
        """Of the likelihood ratio, by alternative."""
        self.needed = needed
        self.tick_ms = tick_ms
        self.scope_day_ms = scope_day_ms
        self.place: tuple[Bank, int] = Bank([self]), 0
        """The bank, and its column there."""

    def feed(self, tick: int, ids: Int64, hits: Int64, of: Int64) -> None:
        """Feed the whole bank; see :meth:`Bank.feed`."""
        self.place[0].feed(tick, ids, hits, of)

    @property
    def over(self) -> int:
        """How many keys have the score that is needed."""
        bank, column = self.place
        return int(bank.over[column])

    def score(self, ids: Int64) -> Float64:
        """The mean of M for each of ``ids`` (ascending), in scope-days; 0 where nothing was fed."""
        bank, column = self.place
        return bank.score(ids, column)

    def enough(self, ids: Int64) -> Bool:
        """Which of ``ids`` (ascending) have the score that is needed."""
        bank, column = self.place
        return bank.enough(ids, column)

    def reset(self, ids: Int64) -> None:
        """Begin again from nothing: an episode ended."""
        bank, column = self.place
        bank.reset(ids, slice(column, column + 1))

    def fed(self) -> Int64:
        """Ids with any evidence, ascending."""
        bank, column = self.place
        return bank.fed(column)

    def snapshot(self) -> dict[str, Any]:
        """The state, for :meth:`restore`; by id, as far as any has been fed."""
        bank, column = self.place
        bank.settle()
        fed = np.flatnonzero(bank.last != loops.NEVER)
        size = int(fed[-1]) + 1 if len(fed) else 0
        return {"m": bank.m[:size, :, column].copy(), "last": bank.last[:size].copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state that :meth:`snapshot` gave."""
        bank, column = self.place
        bank.put(column, state["m"], state["last"])


class Bank:
    """Detectors that are fed the same events, side by side.

    Where they are many, groups wait by key until they can matter: until what none of the detectors
    exceeds reaches what one of them needs. Then all that waits is taken in at once, while the key's
    detectors are in the cache. Every question about a key is answered after that.
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Take them in; none has been fed yet, and all count time alike."""
        count = len(detectors)
        self._log_hit = np.array([each.log_hit for each in detectors]).T.copy()
        self._log_miss = np.array([each.log_miss for each in detectors]).T.copy()
        self._needed = np.array([each.needed for each in detectors])
        self._bounds = float(self._needed.min()), SCORE_MAX
        first = detectors[0]
        self._times = first.tick_ms, BREAK_MS, first.scope_day_ms
        self.m = np.zeros((0, len(ALTERNATIVES), count))
        """Shape (keys, alternatives, detectors); of a key for which groups wait, as it was."""
        self.last = np.zeros(0, dtype=np.int64)
        """By key, the tick of its last group: a detector that is new was not there, and that
        counts as if it had been."""
        self.over = np.zeros(count, dtype=np.int64)
        """By detector, how many keys have the score that it needs."""
        self._backlog = Backlog() if count >= MANY else None
        for column, detector in enumerate(detectors):
            detector.place = self, column

    @cached_property
    def _ratios(self) -> Ratios:
        """Made when the first group comes: most detectors are soon taken into another bank."""
        return Ratios(self._log_hit, self._log_miss)

    def feed(self, tick: int, ids: Int64, hits: Int64, of: Int64) -> None:
        """Take in one group for each of ``ids`` (ascending): ``hits`` among ``of`` new events.

        Once a tick for each key, in ascending ticks; of groups without events nothing is taken.
        """
        some = of.nonzero()[0]
        if not len(some):
            return
        self.grow(int(ids[some[-1]]) + 1)
        times = (tick, *self._times)
        large = self._feed_small(ids, hits, of, times)
        if len(large):
            self._feed_large(ids[large], hits[large], of[large], times)

    def _feed_small(self, ids: Int64, hits: Int64, of: Int64, times: tuple[int, ...]) -> Int64:
        """Take in the groups whose ratios are listed; which ones are left."""
        state, ratios = (self.m, self.last, self.over, self._needed), self._ratios
        large = np.empty(len(ids), dtype=np.int64)
        groups = (ratios.width, ids, hits, of, large, times)
        if self._backlog is None:
            return large[: loops.feed_listed(*state, ratios.listed, *groups, SCORE_MAX)]
        given = (self._backlog.arrays, ratios.listed, ratios.peaks, *groups, self._bounds)
        return large[: loops.put_off(*state, *given)]

    def _feed_large(self, ids: Int64, hits: Int64, of: Int64, times: tuple[int, ...]) -> None:
        """Take in the groups whose ratios are not."""
        ratios, cells = self._ratios.of(hits, of)
        state, groups = (self.m, self.last, self.over, self._needed), (ratios, cells, ids, times)
        if self._backlog is None:
            loops.feed(*state, *groups, SCORE_MAX)
        else:
            backlog, listed = self._backlog.arrays, self._ratios.listed
            loops.take_at_once(*state, backlog, listed, *groups, self._bounds)

    def score(self, ids: Int64, column: int) -> Float64:
        """The mean of M of one detector for each of ``ids`` (ascending)."""
        if len(ids):
            self.grow(int(ids[-1]) + 1)
        self._settle(ids)
        return mean(self.m[ids, :, column])

    def enough(self, ids: Int64, column: int) -> Bool:
        """Which of ``ids`` (ascending) have the score that one detector needs."""
        found = np.zeros(len(ids), dtype=np.bool_)
        if not self.over[column]:
            return found
        asked = np.flatnonzero(ids < len(self.m))
        if self._backlog is not None:  # of those that are warm nothing waits
            asked = asked[self._backlog.warm[ids[asked]]]
        found[asked] = mean(self.m[ids[asked], :, column]) >= self._needed[column]
        return found

    def fed(self, column: int | None = None) -> Int64:
        """Ids with evidence of one detector, or of any, or that had some, ascending."""
        if column is None:
            return np.flatnonzero(self.last != loops.NEVER)
        self.settle()
        return np.flatnonzero(self.m[:, 0, column])

    def reset(self, ids: Int64, columns: slice = slice(None)) -> None:
        """Let these detectors begin again from nothing."""
        known = ids[ids < len(self.m)]
        if len(known):
            self._settle(known)
            self.over[columns] -= self._enough(self.m[known, :, columns], columns)
            self.m[known, :, columns] = 0.0

    def forget(self, ids: Int64) -> None:
        """The keys are gone; their ids may come back as others."""
        self.reset(ids)
        self.last[ids[ids < len(self.last)]] = loops.NEVER

    def put(self, column: int, m: Float64, last: Int64) -> None:
        """Give one detector a state of its own."""
        self.grow(len(m))
        self.settle()
        self.m[:, :, column] = 0.0
        self.m[: len(m), :, column] = m
        self.last[: len(last)] = np.maximum(self.last[: len(last)], last)
        columns = slice(column, column + 1)
        self.over[columns] = self._enough(self.m[:, :, columns], columns)
        if self._backlog is not None:
            self._backlog.raise_to(self.m[:, :, column], self._bounds[0])

    def settle(self) -> None:
        """Take in all that waits."""
        if self._backlog is not None:
            self._settle(np.flatnonzero(self._backlog.waiting))

    def _settle(self, ids: Int64) -> None:
        if self._backlog is not None:
            state = (self.m, self.over, self._needed, self._backlog.arrays, self._ratios.listed)
            loops.take_waiting(*state, ids, self._times[2], self._bounds)

    def grow(self, size: int) -> None:
        """Have room for so many keys."""
        have = len(self.m)
        if size <= have:
            return
        size = roomy(size, have)
        more, last = np.zeros((size, *self.m.shape[1:])), np.full(size, loops.NEVER)
        more[:have], last[:have] = self.m, self.last
        self.m, self.last = more, last
        if self._backlog is not None:
            self._backlog.grow(size)

    def _enough(self, m: Float64, columns: slice) -> Int64:
        """By detector, how many keys of ``m`` have what it needs."""
        enough: Int64 = np.count_nonzero(mean(m) >= self._needed[columns], axis=0)
        return enough

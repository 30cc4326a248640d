"""Sequential evidence on all keys of a scope, for all the rules that judge one indicator there.

Owns the state of the e-detectors (``monitor.rules.evidence`` has the formula): they are fed the
same events and differ in their thresholds, so they stand side by side and are fed together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np

from monitor.compiled import detectors as loops
from monitor.rules.evidence import ALTERNATIVES, BREAK_MS, SCORE_MAX, alternatives
from monitor.rules.ports import Float64, Int64

_LOG_MAX = 600.0
_NEVER: Final = loops.NEVER


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
        """``needed``: the score from which on a key is :attr:`hot`.

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
        """Feed this one alone; see :meth:`Bank.feed`."""
        bank, column = self.place
        bank.feed(tick, ids, hits, of, np.array([column]))

    def score(self, ids: Int64) -> Float64:
        """The mean of M for each of ``ids`` (ascending), in scope-days; 0 where nothing was fed."""
        bank, column = self.place
        if len(ids):
            bank.grow(int(ids[-1]) + 1)
        scores: Float64 = bank.mean[ids, column]
        return scores

    @property
    def hot(self) -> bool:
        """Some key has the score that is needed."""
        bank, column = self.place
        return bool(bank.over[column])

    def reset(self, ids: Int64) -> None:
        """Begin again from nothing: an episode ended."""
        bank, column = self.place
        bank.reset(ids, slice(column, column + 1))

    def fed(self) -> Int64:
        """Ids with any evidence, ascending."""
        bank, column = self.place
        return np.flatnonzero(bank.mean[:, column]).astype(np.int64)

    def snapshot(self) -> dict[str, Any]:
        """The state, for :meth:`restore`; by id, as far as any has been fed."""
        bank, column = self.place
        fed = np.flatnonzero(bank.last[:, column] != _NEVER)
        size = int(fed[-1]) + 1 if len(fed) else 0
        return {"m": bank.m[:size, column].copy(), "last": bank.last[:size, column].copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state that :meth:`snapshot` gave."""
        bank, column = self.place
        bank.put(column, state["m"], state["last"])


class Bank:
    """Detectors that are fed the same events, side by side.

    Arrays are (keys, detectors), those of M have the alternatives besides.
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Take them in; none has been fed yet, and all count time alike."""
        shape = len(detectors), len(ALTERNATIVES)
        self._log_hit = np.array([each.log_hit for each in detectors]).reshape(shape)
        self._log_miss = np.array([each.log_miss for each in detectors]).reshape(shape)
        self._needed = np.array([each.needed for each in detectors])
        self._tick_ms, self._scope_day_ms = detectors[0].tick_ms, detectors[0].scope_day_ms
        hits, misses = np.divmod(np.arange(loops.LISTED**2), loops.LISTED)
        log_ratio = np.multiply.outer(hits, self._log_hit)
        log_ratio += np.multiply.outer(misses, self._log_miss)
        self._table: Float64 = np.exp(np.clip(log_ratio, -_LOG_MAX, _LOG_MAX))
        self.m = np.zeros((0, *shape))
        self.mean = np.zeros((0, shape[0]))
        """Of ``m``, over the alternatives; asked for far more often than it changes."""
        self.last = np.zeros((0, shape[0]), dtype=np.int64)
        """The tick of the last group."""
        self.over = np.zeros(shape[0], dtype=np.int64)
        """By detector, how many keys have the score that it needs."""
        for column, detector in enumerate(detectors):
            detector.place = self, column

    def feed(self, tick: int, ids: Int64, hits: Int64, of: Int64, columns: Int64) -> None:
        """Take in one group for each of ``ids`` (ascending): ``hits`` among ``of`` new events.

        Once a tick for each key, in ascending ticks; groups without events are left out.
        ``columns`` are the detectors that take them.
        """
        if not len(ids):
            return
        self.grow(int(ids[-1]) + 1)
        state = self.m, self.mean, self.last, self.over, self._needed
        ratios = self._table, self._log_hit, self._log_miss
        times = tick, self._tick_ms, BREAK_MS, self._scope_day_ms
        loops.feed(state, ratios, (columns, ids, hits, of), times, (_LOG_MAX, SCORE_MAX))

    def fed(self) -> Int64:
        """Ids with evidence of any of them, ascending."""
        return np.flatnonzero(self.mean.any(axis=1)).astype(np.int64)

    def reset(self, ids: Int64, columns: slice = slice(None)) -> None:
        """Let these detectors begin again from nothing."""
        known = ids[ids < len(self.m)]
        if len(known):
            self.m[known, columns] = 0.0
            self.mean[known, columns] = 0.0
            self._count(columns)

    def forget(self, ids: Int64) -> None:
        """The keys are gone; their ids may come back as others."""
        self.reset(ids)
        self.last[ids[ids < len(self.last)]] = _NEVER

    def put(self, column: int, m: Float64, last: Int64) -> None:
        """Give one detector a state of its own."""
        self.grow(len(m))
        self.m[:, column] = 0.0
        self.last[:, column] = _NEVER
        self.m[: len(m), column] = m
        self.last[: len(last), column] = last
        self.mean[:, column] = _mean(self.m[:, column])
        self._count(slice(column, column + 1))

    def grow(self, size: int) -> None:
        """Have room for so many keys."""
        have = len(self.m)
        if size <= have:
            return
        size = max(size, 2 * have)
        self.m = _longer(self.m, size, 0.0)
        self.mean = _longer(self.mean, size, 0.0)
        self.last = _longer(self.last, size, _NEVER)

    def _count(self, columns: slice) -> None:
        enough = self.mean[:, columns] >= self._needed[columns]
        self.over[columns] = np.count_nonzero(enough, axis=0)


def _longer(array: Any, size: int, filled: float) -> Any:
    longer = np.full((size, *array.shape[1:]), filled, dtype=array.dtype)
    longer[: len(array)] = array
    return longer


def _mean(m: Float64) -> Float64:
    """Of each row; summed in the order in which the loop does."""
    return (m[:, 0] + m[:, 1] + m[:, 2] + m[:, 3]) / len(ALTERNATIVES)

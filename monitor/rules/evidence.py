"""How sure a figure is: Wilson's interval, and the sequential e-detector.

Owns the formulas, on arrays; docs/evidence.md explains them and shows what they cost. Who feeds
and asks them is ``monitor.rules.judge``.

**Wilson**: the bound of the score interval of a binomial share (Wilson, JASA 22, 1927), without
continuity correction, one-sided: ``confidence`` is how sure one look is that the share lies beyond.
It does not hold for a look at every tick.

**Sequential**: the Shiryaev-Roberts e-detector (Shin, Ramdas, Rinaldo, *E-detectors: a
nonparametric framework for sequential change detection*, arXiv:2203.03532, section 4). For each
group, the new events of a scope at one tick, and each alternative j::

    M_j ← (w + M_j) · L_j        L_j = (p_j/θ)^hits · ((1-p_j)/(1-θ))^misses

It fires when the mean of the M_j reaches ``needed``. ``w`` is the scope's active time since its
previous group, in scope-days, so M is in scope-days too and the sum of all w is the time watched.
Given when events come and how many, L_j has an expectation of at most 1 for every true rate up to
θ; so M_j minus the time watched is a supermartingale, and at the time of a false alarm
``needed ≤ E[M] ≤ E[scope-days watched]``. That is the promise, for every volume and every true
rate on the good side. With w constant it is the usual form, which counts groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from monitor.rules.ports import Float64, Int64

ALTERNATIVES = (Fraction(115, 100), Fraction(130, 100), Fraction(160, 100), Fraction(2))
"""How much worse than the threshold, as factors: what the detector looks for."""
BREAK_MS = 3_600_000
"""A longer pause between two groups is a break: it does not count as active time."""
SCORE_MAX = 1e18
"""Scope-days at which M is capped; a smaller M only makes alarms rarer."""

_NEVER = -1
_LOG_MAX = 600.0
_SMALL = 32
"""Groups of fewer events have their likelihood ratios looked up, not worked out: nearly all have,
and to work one out takes four times as long."""


def wilson_bound(
    hits: Int64, of: Int64, confidence: Fraction, side: Literal["lower", "upper"]
) -> Float64:
    """Wilson's one-sided bound on the share behind ``hits / of``; NaN where ``of`` is 0.

    Arguments are counts of the same shape, 0 ≤ hits ≤ of; the result has that shape, in [0, 1].
    """
    z = NormalDist().inv_cdf(float(confidence))
    n = of.astype(np.float64)
    share = np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = share + z * z / (2 * n)
        spread = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        bound: Float64 = (centre - spread if side == "lower" else centre + spread) / scale
    # Rounding leaves a few ulps beside the exact ends of the range.
    bound = np.where((hits == 0) & (of > 0) & (side == "lower"), 0.0, bound)
    return np.where((hits == of) & (of > 0) & (side == "upper"), 1.0, bound)


def alternatives(threshold: Fraction) -> tuple[Fraction, ...]:
    """Shares worse (larger) than ``threshold``, one for each factor in ``ALTERNATIVES``.

    ``factor · θ``, or, where that would come close to 1 or beyond, the share whose *misses* are
    rarer by the factor: ``1 - (1 - θ) / factor``. Both lie in (θ, 1); the smaller is taken.
    """
    return tuple(min(f * threshold, 1 - (1 - threshold) / f) for f in ALTERNATIVES)


class Detector:
    """The e-detectors of one threshold, for all keys of a scope.

    State per key: M for each alternative, and the tick of its last group.
    """

    def __init__(
        self,
        threshold: Fraction,
        direction: Literal["above", "below"],
        *,
        tick_ms: int,
        scope_day_ms: int,
    ) -> None:
        # Below θ in hits is above 1 - θ in misses: one formula serves both.
        self._mirrored = direction == "below"
        bad = 1 - threshold if self._mirrored else threshold
        if not 0 < bad < 1:
            msg = f"no evidence can be gathered against a threshold of {threshold}"
            raise ValueError(msg)
        grid = alternatives(bad)
        self._log_hit = np.array([math.log(p / bad) for p in grid])
        self._log_miss = np.array([math.log((1 - p) / (1 - bad)) for p in grid])
        self._tick_ms = tick_ms
        self._scope_day_ms = scope_day_ms
        counts = np.arange(_SMALL)
        bad_counts, good_counts = np.repeat(counts, _SMALL), np.tile(counts, _SMALL)
        self._small = self._ratio(bad_counts, good_counts)
        """By bad · _SMALL + good."""
        self._m = np.zeros((0, len(grid)))
        self._mean = np.zeros(0)
        """Of each row of ``_m``; asked for far more often than it changes."""
        self._last = np.zeros(0, dtype=np.int64)

    def feed(self, tick: int, ids: Int64, hits: Int64, of: Int64) -> None:
        """Take in one group for each of ``ids`` (ascending): ``hits`` among ``of`` new events.

        Once a tick for each key, in ascending ticks; groups without events are left out.
        """
        some = of > 0
        if np.count_nonzero(some) < len(some):
            ids, hits, of = ids[some], hits[some], of[some]
        if not len(ids):
            return
        self._grow(int(ids[-1]) + 1)
        bad, good = (of - hits, hits) if self._mirrored else (hits, of - hits)
        if int(of.max()) < _SMALL:
            ratio = self._small.take(bad * _SMALL + good, axis=0)
        else:
            ratio = self._ratio(bad, good)
        grown = (self._m.take(ids, axis=0) + self._watched(tick, ids)[:, np.newaxis]) * ratio
        self._m[ids] = grown = np.minimum(grown, SCORE_MAX)
        self._mean[ids] = _mean(grown)
        self._last[ids] = tick

    def score(self, ids: Int64) -> Float64:
        """The mean of M for each of ``ids`` (ascending), in scope-days; 0 where nothing was fed."""
        if len(ids) and ids[-1] >= len(self._mean):
            self._grow(int(ids[-1]) + 1)
        return self._mean[ids]

    def reset(self, ids: Int64) -> None:
        """Begin again from nothing: an episode ended."""
        known = ids[ids < len(self._m)]
        self._m[known] = 0.0
        self._mean[known] = 0.0

    def forget(self, ids: Int64) -> None:
        """The keys are gone; their ids may come back as others."""
        self.reset(ids)
        self._last[ids[ids < len(self._last)]] = _NEVER

    def fed(self) -> Int64:
        """Ids with any evidence, ascending."""
        return np.flatnonzero(self._mean).astype(np.int64)

    def snapshot(self) -> dict[str, Any]:
        """The state, for :meth:`restore`; by id, as far as any has been fed."""
        fed = np.flatnonzero(self._last != _NEVER)
        size = int(fed[-1]) + 1 if len(fed) else 0
        return {"m": self._m[:size].copy(), "last": self._last[:size].copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state that :meth:`snapshot` gave."""
        self._m = state["m"].copy()
        self._mean = _mean(self._m)
        self._last = state["last"].copy()

    def _ratio(self, bad: Int64, good: Int64) -> Float64:
        """The likelihood ratio of each group for each alternative, shape ``(n, alternatives)``."""
        log_ratio = np.multiply.outer(bad, self._log_hit)
        log_ratio += np.multiply.outer(good, self._log_miss)
        ratio: Float64 = np.exp(np.clip(log_ratio, -_LOG_MAX, _LOG_MAX))
        return ratio

    def _watched(self, tick: int, ids: Int64) -> Float64:
        """Active time of each key since its previous group, in scope-days."""
        last = self._last[ids]
        gap = tick - last
        new = (last == _NEVER) | (gap > BREAK_MS)
        return np.where(new, self._tick_ms, gap) / self._scope_day_ms

    def _grow(self, size: int) -> None:
        if size <= len(self._m):
            return
        more = max(size, 2 * len(self._m)) - len(self._m)
        self._m = np.vstack([self._m, np.zeros((more, len(ALTERNATIVES)))])
        self._mean = np.concatenate([self._mean, np.zeros(more)])
        self._last = np.concatenate([self._last, np.full(more, _NEVER, dtype=np.int64)])


def _mean(m: Float64) -> Float64:
    """Of each row; summed in a fixed order, so that it cannot depend on how many rows there are."""
    return (m[:, 0] + m[:, 1] + m[:, 2] + m[:, 3]) / len(ALTERNATIVES)

"""How sure a figure is: Wilson's interval, and the sequential e-detector.

Owns the formulas; docs/evidence.md explains them and shows what they cost. The detectors' state is
``monitor.rules.detector``'s, who asks them is ``monitor.rules.judge``.

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

from fractions import Fraction
from statistics import NormalDist
from typing import Literal

import numpy as np

from monitor.rules.ports import Float64, Int64

ALTERNATIVES = (Fraction(115, 100), Fraction(130, 100), Fraction(160, 100), Fraction(2))
"""How much worse than the threshold, as factors: what the detector looks for."""
BREAK_MS = 3_600_000
"""A longer pause between two groups is a break: it does not count as active time."""
SCORE_MAX = 1e18
"""Scope-days at which M is capped; a smaller M only makes alarms rarer."""


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

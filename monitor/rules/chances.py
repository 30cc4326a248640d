"""How often a level is wrong and how fast it is right, at a stated volume: closed formulas.

Owns the arithmetic behind ``monitor check``'s figures, in floats (they advise, they never decide).
The detector itself is ``monitor.rules.evidence``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import NormalDist

import numpy as np

from monitor.events.batch import COMPANY
from monitor.rules.evidence import ALTERNATIVES, alternatives, wilson_bound

SCOPE_DAY_MS = 28_800_000
HOUR_MS = 3_600_000

EVENTS_PER_HOUR: Mapping[str, float] = {
    "number": 40,
    "agent": 20,
    "group": 150,
    "team": 600,
    "campaign": 600,
    "number_type": 600,
    "customer_tag": 600,
    "customer": 0.1,
    COMPANY: 2_400,
}
"""Calls an hour of one scope in an ordinary outbound centre: what is meant by usual volume."""
AGENTS: Mapping[str, float] = {"agent": 1, "group": 8, "team": 30, "campaign": 30, COMPANY: 120}
"""Agents signed in at a time."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What one scope of each dimension usually sees; a pair sees what its rarest part sees."""

    events_per_hour: Mapping[str, float] = field(default_factory=lambda: dict(EVENTS_PER_HOUR))
    agents: Mapping[str, float] = field(default_factory=lambda: dict(AGENTS))
    answered: float = 0.3
    """Share of the calls that somebody answers."""
    scope_day_ms: int = SCOPE_DAY_MS

    def events(self, by: tuple[str, ...], length_ms: int) -> float:
        """Events in a window of ``length_ms``, of which at most a scope-day a day is worked."""
        least = min(self.events_per_hour.get(name, math.inf) for name in by)
        return least * self._worked_ms(length_ms) / HOUR_MS

    def signed_in_s(self, by: tuple[str, ...], length_ms: int) -> float:
        """Agent-seconds signed in during a window of ``length_ms``."""
        least = min(self.agents.get(name, math.inf) for name in by)
        return least * self._worked_ms(length_ms) / 1_000

    def _worked_ms(self, length_ms: int) -> float:
        days, rest = divmod(length_ms, 24 * HOUR_MS)
        return days * self.scope_day_ms + min(rest, self.scope_day_ms)


def sequential_events(
    threshold: Fraction, rate: float, needed: float, per_day: float, *, above: bool = True
) -> float:
    """Events until the e-detector fires, about the median, when the true share is ``rate``.

    With g the gain of one event for an alternative, the expected log of its likelihood ratio, M
    grows like ``w · e^(g·n) / (1 - e^-g)``, with ``w = 1 / per_day`` scope-days added by each event
    (renewal argument; Pollak, Annals of Statistics 13, 1985). The mean of the alternatives reaches
    ``needed`` when the best of them reaches as many times that as there are alternatives. Infinity
    where no alternative gains.
    """
    bad = threshold if above else 1 - threshold
    share = rate if above else 1 - rate
    best = math.inf
    for alternative in alternatives(bad):
        hit = math.log(alternative / bad)
        miss = math.log((1 - alternative) / (1 - bad))
        gain = share * hit + (1 - share) * miss
        if gain <= 0:
            continue
        target = len(ALTERNATIVES) * needed * per_day * -math.expm1(-gain)
        best = min(best, max(math.log(target), 0.0) / gain + 1 if target > 1 else 1.0)
    return best


def false_alarms_most(
    threshold: Fraction, rate: float, needed: float, per_day: float, *, above: bool = True
) -> float:
    """False alarms a scope-day of the e-detector, at most, when the true share is ``rate``.

    On the good side of the threshold, that is; on it this is the promise, ``1 / needed``. Further
    off it is less: for every s ≥ 1 with φ = max_j E[L_j^s] < 1,

        at most  Γ(s + 1) / needed · (w / (needed · (t - 1)))^(s - 1),   t = φ^(-1 / (s - 1))

    alarms a scope-day, w = 1 / ``per_day``; the smallest is taken. It is the promise's own
    argument (docs/evidence.md) with M^s in the place of M: by Minkowski a group makes the mean of
    the M_j no more than φ^(1/s) · (w + M) in the norm of s; so E[M^s] grows by no more than the
    largest φ · (w + m)^s - m^s, which is w^s · (t - 1)^(1 - s); and each alarm takes ``needed``^s
    away. Events come one by one as a Poisson process, for which E[w^s] = Γ(s + 1) / per_day^s.
    """
    bad = float(threshold if above else 1 - threshold)
    share = rate if above else 1 - rate
    best = 1 / needed
    if share >= bad or per_day <= 0:
        return best
    ratios = [
        (math.log(float(p) / bad), math.log((1 - float(p)) / (1 - bad)))
        for p in alternatives(threshold if above else 1 - threshold)
    ]
    for step in range(1, 400):
        s = 1 + 0.02 * step * (1 + step / 50)
        phi = max(
            share * math.exp(s * hit) + (1 - share) * math.exp(s * miss) for hit, miss in ratios
        )
        if phi >= 1:
            break  # φ is convex in s, and 1 or less at s = 1
        room = math.expm1(-math.log(phi) / (s - 1))
        log_most = math.lgamma(s + 1) - (s - 1) * math.log(needed * per_day * room)
        best = min(best, math.exp(log_most) / needed)
    return best


def wilson_chance(
    threshold: Fraction,
    confidence: Fraction,
    min_hits: int,
    of: int,
    rate: float,
    *,
    above: bool = True,
) -> float:
    """P(one look at a window of ``of`` events breaches), when each is a hit with chance ``rate``.

    The binomial tail, exact: the bound moves with the hits, so they breach from some count on.
    """
    bad = np.arange(of + 1, dtype=np.int64)
    hits = bad if above else of - bad
    bound = wilson_bound(hits, np.full(of + 1, of), confidence, "lower" if above else "upper")
    beyond = bound > float(threshold) if above else bound < float(threshold)
    breach = np.flatnonzero(beyond & (bad >= min_hits))
    return at_least(int(breach[0]), of, rate if above else 1 - rate) if len(breach) else 0.0


def at_least(count: int, of: int, rate: float) -> float:
    """P(``count`` or more of ``of`` independent events are hits)."""
    if count <= 0 or rate >= 1:
        return 1.0
    if rate <= 0 or count > of:
        return 0.0
    counts = np.arange(of + 1, dtype=np.float64)
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((of - counts[:-1]) / (counts[:-1] + 1)))])
    log_chance = log_choose + counts * math.log(rate) + (of - counts) * math.log1p(-rate)
    return float(min(np.exp(log_chance[count:]).sum(), 1.0))


def poisson_limits(count: int, z: float = 1.959964) -> tuple[float, float]:
    """Limits of the mean of a Poisson ``count``, by Wilson and Hilferty's cube root.

    95 % by default.
    """
    low = 0.0
    if count:
        low = count * (1 - 1 / (9 * count) - z / (3 * math.sqrt(count))) ** 3
    more = count + 1
    return low, more * (1 - 1 / (9 * more) + z / (3 * math.sqrt(more))) ** 3


def wilson_least(threshold: Fraction, confidence: Fraction, min_hits: int) -> int:
    """Events after which Wilson's bound can lie beyond ``threshold`` at all: when all are bad.

    The lower bound of n in n is ``n / (n + z²)``.
    """
    z = NormalDist().inv_cdf(float(confidence))
    bad = float(threshold)
    if not 0 < bad < 1:
        return min_hits
    return max(math.floor(z * z * bad / (1 - bad)) + 1, min_hits)


def exceeds(count: float, mean: float) -> float:
    """P(a Poisson count of this ``mean`` is above ``count``): chance for one look at rare hits."""
    if mean <= 0:
        return 0.0
    terms = (
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
        for k in range(math.floor(count) + 1)
    )
    return min(max(1.0 - math.fsum(terms), 0.0), 1.0)

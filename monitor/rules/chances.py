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

from monitor.events.batch import COMPANY
from monitor.rules.evidence import ALTERNATIVES, alternatives

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

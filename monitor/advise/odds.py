"""How wrong and how fast a level is at a stated volume, each figure with its error.

Owns what ``monitor advise`` works out without history: a level's evidence, at so many events an
hour. Closed formulas are ``monitor.rules.chances``'; where there is none, the detector's own
recursion is run on made-up numbers, always the same ones. docs/evidence.md says what is meant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from monitor.rules import chances
from monitor.rules.evidence import alternatives
from monitor.rules.levels import EvidenceRule, Raw, Sequential, Wilson

NUMBERS: Final = 1_000
"""Made-up numbers on which detection is worked out."""
DAYS_MAX: Final = 20
"""Scope-days after which nobody waits for an alarm any more."""
EVENTS_MAX: Final = 20_000
"""Likewise, of one number."""
_SEED: Final = 20_261_130
_Z95: Final = 1.959964
_LOOKED_AT: Final = 0.95
"""Share of the numbers that have to be found; the 90th percentile is known then."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its error: the truth lies from ``low`` to ``high``."""

    value: float
    low: float
    high: float

    def to_json(self) -> list[float | None]:
        """Value, low, high; null for what is not reached."""
        return [_finite(each) for each in (self.value, self.low, self.high)]


@dataclass(frozen=True, slots=True)
class Detection:
    """How soon a true rate beyond the threshold is seen."""

    rate: float
    calls: Estimate
    """Events until half of the scopes are seen; infinite: not within ``DAYS_MAX``."""
    calls_90: float
    """Events until nine of ten are."""
    hours: float
    """Of the scope's own work, to ``calls``."""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "rate": round(self.rate, 6),
            "calls": self.calls.to_json(),
            "calls_90": _finite(self.calls_90),
            "hours": _finite(self.hours),
        }


def sequential_detection(
    threshold: Fraction,
    rate: float,
    needed: float,
    per_day: float,
    *,
    above: bool = True,
) -> tuple[Estimate, float]:
    """Events until the e-detector fires at a true share of ``rate``: the median, and nine in ten.

    The recursion of docs/evidence.md, event by event, on :data:`NUMBERS` numbers whose events come
    as a Poisson process. The error is that of the median of so many, 95 %: the order statistics
    ``n/2 ± 1.96 · √n/2``.
    """
    bad = threshold if above else 1 - threshold
    share = rate if above else 1 - rate
    grid = np.array([float(p) for p in alternatives(bad)])
    hit = (grid / float(bad))[:, None]
    miss = ((1 - grid) / float(1 - bad))[:, None]
    rng = np.random.default_rng(_SEED)
    m = np.zeros((len(grid), NUMBERS))
    found = np.full(NUMBERS, np.inf)
    waiting = np.arange(NUMBERS)
    for count in range(1, min(EVENTS_MAX, math.ceil(DAYS_MAX * per_day)) + 1):
        # Before the first there was nothing: it counts for a tick, which is next to no time.
        w = rng.exponential(1 / per_day, len(waiting)) if count > 1 else 1e-4 / needed
        m = (m + w) * np.where(rng.random(len(waiting)) < share, hit, miss)
        over = m.mean(axis=0) >= needed
        if over.any():
            found[waiting[over]] = count
            waiting, m = waiting[~over], m[:, ~over]
            if len(waiting) <= NUMBERS * (1 - _LOOKED_AT):
                break
    found.sort()
    half = NUMBERS / 2
    off = _Z95 * math.sqrt(NUMBERS) / 2
    places = (round(half), math.floor(half - off), math.ceil(half + off))
    median, low, high = (float(found[place - 1]) for place in places)
    return Estimate(median, low, high), float(found[round(0.9 * NUMBERS) - 1])


def detection(
    evidence: EvidenceRule,
    threshold: Fraction,
    rate: float,
    *,
    per_day: float,
    day_h: float,
    window: int,
    above: bool = True,
) -> Detection:
    """How soon ``rate`` is seen by ``evidence``.

    Args:
        evidence: of the level.
        threshold: strictly between 0 and 1.
        rate: beyond it.
        per_day: events in a scope-day.
        day_h: hours of a scope-day.
        window: events in the window.
        above: beyond is above.
    """
    if isinstance(evidence, Sequential):
        needed = float(evidence.false_alarms)
        calls, most = sequential_detection(threshold, rate, needed, per_day, above=above)
    else:
        half = _calls_for(evidence, threshold, rate, 0.5, window, above=above)
        # By then a single look sees half of them; those before have seen some already.
        calls = Estimate(half, 1.0, half)
        most = _calls_for(evidence, threshold, rate, 0.9, window, above=above)
    return Detection(rate, calls, most, calls.value / per_day * day_h if per_day else math.inf)


def _calls_for(
    evidence: Wilson | Raw,
    threshold: Fraction,
    rate: float,
    chance: float,
    window: int,
    *,
    above: bool,
) -> float:
    """The fewest events, up to a window of them, of which a look sees ``rate`` with ``chance``."""
    low, high = 1, max(window, 1)
    if look(evidence, threshold, rate, high, above=above) < chance:
        return math.inf
    while low < high:  # the chance grows with the events, but for a saw's teeth
        middle = (low + high) // 2
        if look(evidence, threshold, rate, middle, above=above) >= chance:
            high = middle
        else:
            low = middle + 1
    return float(high)


def look(
    evidence: Wilson | Raw, threshold: Fraction, rate: float, of: int, *, above: bool = True
) -> float:
    """P(one look at ``of`` events breaches at a true share of ``rate``); the binomial tail."""
    if isinstance(evidence, Wilson):
        return chances.wilson_chance(
            threshold, evidence.confidence, evidence.min_hits, of, rate, above=above
        )
    if of < evidence.min_of:
        return 0.0
    bad = threshold if above else 1 - threshold
    return chances.at_least(math.floor(bad * of) + 1, of, rate if above else 1 - rate)


def false_alarms(
    evidence: EvidenceRule,
    threshold: Fraction,
    rate: float,
    *,
    per_day: float,
    window: int,
    above: bool = True,
) -> float:
    """False alarms a scope-day at a true share of ``rate`` on the good side, at most.

    ``sequential``: :func:`monitor.rules.chances.false_alarms_most`. Others: an alarm begins at an
    event, so there are no more of them than events times the chance that one look breaches, at the
    window's usual ``window`` events.
    """
    if isinstance(evidence, Sequential):
        needed = float(evidence.false_alarms)
        return chances.false_alarms_most(threshold, rate, needed, per_day, above=above)
    return per_day * look(evidence, threshold, rate, max(window, 1), above=above)


def least_volume(
    evidence: EvidenceRule, threshold: Fraction | None, per_day: float, *, above: bool = True
) -> int:
    """Events below which a scope cannot be judged: even if all were bad, nothing would fire."""
    if isinstance(evidence, Raw):
        return evidence.min_of
    if threshold is None or not 0 < threshold < 1:
        return 1
    if isinstance(evidence, Wilson):
        bad = threshold if above else 1 - threshold
        return chances.wilson_least(bad, evidence.confidence, evidence.min_hits)
    # All bad: M of each alternative only grows, by the same factor at each event.
    bad = threshold if above else 1 - threshold
    grid = np.array([float(p / bad) for p in alternatives(bad)])
    m = np.zeros(len(grid))
    for count in range(1, EVENTS_MAX):
        m = (m + 1 / max(per_day, 1e-9)) * grid
        if m.mean() >= float(evidence.false_alarms):
            return count
    return EVENTS_MAX


def worse(threshold: Fraction, factor: float, *, above: bool = True) -> float:
    """A true rate ``factor`` times as bad as the threshold, short of all being bad."""
    bad = float(threshold if above else 1 - threshold)
    rate = min(factor * bad, 1 - (1 - bad) / factor)
    return rate if above else 1 - rate


def _finite(number: float) -> float | None:
    return float(f"{number:.6g}") if math.isfinite(number) else None

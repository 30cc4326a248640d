"""A level against its scopes: volume, odds, and what other thresholds would have made of them.

Owns the part of the advice that is about evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from monitor.advise import odds
from monitor.advise.history import History
from monitor.advise.odds import Detection, Estimate
from monitor.decisions import Level as LevelName
from monitor.rules.levels import EvidenceRule, Level, Raw, Sequential, Wilson
from monitor.rules.ports import Float64
from monitor.units import Threshold

HOUR_MS: Final = 3_600_000
FACTORS: Final = (1.5, 2.0)
"""True rates that detection is worked out for, in thresholds."""
BUSY: Final = (0.25, 0.5, 0.75)
"""Quantiles of volume: a quiet scope, the usual one, a busy one."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What stands below the line."""

    per_hour: tuple[float, ...]
    """Of a scope's working hour, at :data:`BUSY`."""
    hours_a_day: float
    """Worked by the usual scope."""
    in_window: tuple[float, ...]
    """At :data:`BUSY`, over all windows with anything in them."""


@dataclass(frozen=True, slots=True)
class Odds:
    """One volume."""

    per_hour: float
    at_threshold: float
    """False alarms a scope-day, at most, of a scope right at the threshold."""
    at_usual: float | None
    """Likewise of a scope at the usual rate; None: that lies beyond the threshold."""
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A threshold, and what it would have made of the history."""

    threshold: Threshold
    clear: Threshold | None
    alerts: int
    a_week: Estimate
    scopes: int

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "threshold": str(self.threshold),
            "clear": None if self.clear is None else str(self.clear),
            "alerts": self.alerts,
            "a_week": self.a_week.to_json(),
            "scopes": self.scopes,
        }


@dataclass(frozen=True, slots=True)
class LevelAdvice:
    """One level."""

    name: LevelName
    key: str
    """``above``, ``below``, ``at_least`` or ``at_most``."""
    threshold: Threshold | None
    """None: it moves, or there is none."""
    evidence: EvidenceRule
    usual: float | None
    """The usual scope's rate."""
    least: int | None
    """Below the line, the fewest with which a scope is judged; see ``least_is``."""
    least_is: str
    scopes_enough: int
    scopes: int
    odds: tuple[Odds, ...]
    """By volume; none for figures that are no shares of events."""
    false_alarms_a_week: float | None
    """Of all scopes together, each at its own rate where that is good, at most."""
    candidates: tuple[Candidate, ...]
    suggested: Candidate | None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "level": self.name,
            self.key: None if self.threshold is None else str(self.threshold),
            "evidence": self.evidence.model_dump(mode="json"),
            "usual": self.usual,
            "least": self.least,
            "least_is": self.least_is,
            "scopes_enough": self.scopes_enough,
            "scopes": self.scopes,
            "odds": [
                {
                    "per_hour": each.per_hour,
                    "false_alarms_a_scope_day_at_most": {
                        "at_threshold": each.at_threshold,
                        "at_usual": each.at_usual,
                    },
                    "detection": [found.to_json() for found in each.detections],
                }
                for each in self.odds
            ],
            "false_alarms_a_week_at_most": self.false_alarms_a_week,
            "candidates": [each.to_json() for each in self.candidates],
            "suggested": None if self.suggested is None else self.suggested.to_json(),
        }


def per_hour(history: History) -> Float64:
    """Below the line, by scope, in an hour of its work; of less than an hour's work, in that."""
    if not len(history.of):
        return np.zeros(0)
    return history.of / (np.maximum(history.active_ms, HOUR_MS) / HOUR_MS)


def volume_of(history: History) -> Volume | None:
    """None: nothing adds up below the line."""
    rates = per_hour(history)
    windows = history.windows
    if not rates.any() or windows is None or not len(windows.of):
        return None
    hours = np.median(history.active_ms) / HOUR_MS / max(history.days, 1)
    return Volume(
        tuple(np.quantile(rates, BUSY).tolist()),
        float(hours),
        tuple(np.quantile(windows.of, BUSY).tolist()),
    )


@dataclass(frozen=True, slots=True)
class Weighed:
    """A level's evidence at the scopes' volumes."""

    least: int | None
    least_is: str
    enough: int
    odds: tuple[Odds, ...]
    a_week: float | None


def weigh(
    level: Level,
    evidence: EvidenceRule,
    history: History,
    volume: Volume | None,
    *,
    countable: bool,
    day_ms: int,
) -> Weighed:
    """What the level's evidence is worth with these scopes."""
    bound = level.bound
    if volume is None or history.windows is None:
        return Weighed(None, "nothing is counted below its line", 0, (), None)
    if not countable or bound is None or not 0 < bound < 1:
        least = evidence.min_of if isinstance(evidence, Raw) else 1
        return Weighed(least, "in its window", _enough(history, least), (), None)
    day_h, above = day_ms / HOUR_MS, level.direction == "above"
    usual = _usual(history)
    ratio = volume.in_window[1] / volume.per_hour[1] if volume.per_hour[1] else 0.0
    found = tuple(
        _odds(evidence, bound, usual, hourly, day_h, hourly * ratio, above=above)
        for hourly in volume.per_hour
        if hourly > 0
    )
    weekly = _all_a_week(evidence, bound, history, day_h, ratio, above=above)
    if isinstance(evidence, Sequential):
        middle = found[len(found) // 2].detections[-1]
        calls = middle.calls.value
        if math.isinf(calls):
            return Weighed(None, f"to see {middle.rate:.3g} at all", 0, found, weekly)
        enough = int((per_hour(history) * day_h >= calls).sum())
        words = f"a day's work, to see a true {middle.rate * 100:.3g}% within it"
        return Weighed(math.ceil(calls), words, enough, found, weekly)
    least = odds.least_volume(evidence, bound, volume.per_hour[1] * day_h, above=above)
    return Weighed(least, "in its window", _enough(history, least), found, weekly)


def _usual(history: History) -> float:
    known = history.of > 0
    return float(np.median(history.hits[known] / history.of[known])) if known.any() else math.nan


def _enough(history: History, least: int) -> int:
    """Scopes whose usual window has so much."""
    windows = history.windows
    assert windows is not None  # noqa: S101 - the caller looked
    wide = np.bincount(windows.scope, windows.of >= least, len(history.scopes))
    there = np.bincount(windows.scope, minlength=len(history.scopes))
    return int(((there > 0) & (2 * wide >= there)).sum())


def _odds(
    evidence: EvidenceRule,
    bound: Fraction,
    usual: float,
    hourly: float,
    day_h: float,
    window: float,
    *,
    above: bool,
) -> Odds:
    per_day = hourly * day_h
    held = round(window)
    good = usual < bound if above else usual > bound

    def wrong(rate: float) -> float:
        return odds.false_alarms(evidence, bound, rate, per_day=per_day, window=held, above=above)

    return Odds(
        hourly,
        wrong(float(bound)),
        wrong(usual) if good else None,
        tuple(
            odds.detection(
                evidence,
                bound,
                odds.worse(bound, factor, above=above),
                per_day=per_day,
                day_h=day_h,
                window=held,
                above=above,
            )
            for factor in FACTORS
        ),
    )


def _all_a_week(
    evidence: EvidenceRule,
    bound: Fraction,
    history: History,
    day_h: float,
    ratio: float,
    *,
    above: bool,
) -> float | None:
    """False alarms of all good scopes in a week of such days, at most.

    Each at the rate that it was seen to have; one beyond the threshold has true alarms instead.
    """
    if not isinstance(evidence, Sequential | Wilson):
        return None
    total = 0.0
    days = history.active_ms / HOUR_MS / day_h / max(history.days, 1)
    rows = np.stack([history.hits, history.of, per_hour(history), days], axis=1)
    for hits, of, hourly, worked in rows[history.of > 0].tolist():
        rate = hits / of
        if rate < bound if above else rate > bound:
            total += worked * odds.false_alarms(
                evidence,
                bound,
                rate,
                per_day=hourly * day_h,
                window=round(hourly * ratio),
                above=above,
            )
    return 7 * total


def suggest(candidates: tuple[Candidate, ...], wished: float) -> Candidate | None:
    """The mildest from which on all have no more alerts a week; None: there is none.

    ``candidates``: the mildest first.
    """
    chosen: Candidate | None = None
    for each in reversed(candidates):
        if each.a_week.value > wished:
            break
        chosen = each
    return chosen

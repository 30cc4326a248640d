"""What evidence costs: false alarms and delay of ``sequential`` and ``wilson``, simulated.

Owns the simulation and the tables in docs/evidence.md (``--write``); the detectors are the
production ones, ``monitor.rules.evidence``. Calls are answered as a Poisson process, tick by tick,
8 hours a day, every call a miss or a hit on its own; a number starts each day with an empty window,
and the e-detector goes on over the night. Numbers of one setting are independent.

    python bench/evidence.py --seed 20261122 --write
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.rules.chances import poisson_limits
from monitor.rules.conditions import Bounds
from monitor.rules.detector import Detector
from monitor.rules.evidence import wilson_bound
from monitor.rules.levels import Level

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

THRESHOLD = Fraction(30, 100)
TICK_MS = 5_000
DAY_MS = 8 * 3_600_000
TICKS_A_DAY = DAY_MS // TICK_MS
NIGHT_MS = 16 * 3_600_000
WINDOW_TICKS = 30 * 60_000 // TICK_MS
PANE_TICKS = 30_000 // TICK_MS
"""A 30 min window moves by panes of 30 s (docs/semantics.md, 2)."""
MIN_HITS = 3
CONFIDENCE = Fraction(99, 100)
DAYS_WANTED = 30
BAD_DAYS = 5
"""Bad numbers are found within days, not months."""
VOLUMES = (10, 40, 120)
RATES = (
    Fraction(25, 100),
    Fraction(30, 100),
    Fraction(40, 100),
    Fraction(50, 100),
    Fraction(60, 100),
)
DOC = Path(__file__).resolve().parent.parent / "docs" / "evidence.md"
MARKS = ("<!-- tables by bench/evidence.py -->", "<!-- end of tables -->")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Numbers that behave alike."""

    numbers: int
    days: int
    answered_per_h: int
    rate: Fraction

    def day(self, rng: np.random.Generator) -> Iterator[tuple[Int64, Int64, Int64]]:
        """(ids, hits, answered) of the numbers with answered calls, tick by tick through one day.

        A Poisson process for all numbers together, each call on a number drawn evenly, is one
        Poisson process for each number.
        """
        mean = self.numbers * self.answered_per_h * TICK_MS / 3_600_000
        for calls in rng.poisson(mean, TICKS_A_DAY).tolist():
            ids, place = np.unique(rng.integers(self.numbers, size=calls), return_inverse=True)
            hit = rng.random(calls) < float(self.rate)
            answered = np.bincount(place, minlength=len(ids))
            yield ids, np.bincount(place[hit], minlength=len(ids)), answered


@dataclass(frozen=True, slots=True)
class Seen:
    """What one method made of a traffic."""

    method: str
    traffic: Traffic
    alarms: int
    """Episodes that began: each alarm starts the method anew."""
    days_with_alarm: float
    """Share of the scope-days in which one began."""
    delays_h: npt.NDArray[np.float64]
    """Hours from the start of each number to its first alarm, infinite where there is none."""

    @property
    def days(self) -> int:
        """Scope-days watched."""
        return self.traffic.numbers * self.traffic.days

    def interval(self) -> tuple[float, float]:
        """95 % limits of the alarms per scope-day, as a Poisson count."""
        low, high = poisson_limits(self.alarms)
        return low / self.days, high / self.days


def sequential(traffic: Traffic, rng: np.random.Generator, wanted: int = DAYS_WANTED) -> Seen:
    """The e-detector, started anew after each alarm, as a rule does when an episode ends."""
    detector = Detector(THRESHOLD, "above", tick_ms=TICK_MS, scope_day_ms=DAY_MS)
    log = _Log(traffic)
    tick = 0
    for day in range(traffic.days):
        for step, (ids, hits, answered) in enumerate(traffic.day(rng)):
            tick += TICK_MS
            detector.feed(tick, ids, hits, answered)
            fired = ids[detector.score(ids) >= wanted]
            log.alarm(fired, day, step)
            detector.reset(fired)
        tick += NIGHT_MS
    return log.seen("sequential")


def wilson(traffic: Traffic, rng: np.random.Generator) -> Seen:
    """Wilson's lower bound on a sliding 30 min window, looked at whenever the window changes."""
    bounds = Bounds.of(Level.model_validate({"above": "30%"}), scale_hits=1, scale_of=1)
    log = _Log(traffic)
    everyone = np.arange(traffic.numbers, dtype=np.int64)
    for day in range(traffic.days):
        panes = np.zeros((WINDOW_TICKS // PANE_TICKS, 2, traffic.numbers), dtype=np.int64)
        window = np.zeros((2, traffic.numbers), dtype=np.int64)
        down = np.zeros(traffic.numbers, dtype=np.bool_)
        for step, (ids, hits, answered) in enumerate(traffic.day(rng)):
            pane = step // PANE_TICKS % len(panes)
            changed = ids
            if step % PANE_TICKS == 0:
                window -= panes[pane]
                panes[pane] = 0
                changed = everyone
            new = np.stack([hits, answered])
            panes[pane][:, ids] += new
            window[:, ids] += new
            hit, of = window[:, changed]
            lower = wilson_bound(hit, of, CONFIDENCE, "lower")
            breach = (lower > float(THRESHOLD)) & (hit >= MIN_HITS)
            # An episode lasts until the value lets go; only its beginning is an alarm.
            before = down[changed] & ~bounds.cleared(hit, of)
            log.alarm(changed[breach & ~before], day, step)
            down[changed] = before | breach
    return log.seen("wilson")


class _Log:
    """Alarms as they come."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._alarms = 0
        self._first_h = np.full(traffic.numbers, np.inf)
        self._days = np.zeros((traffic.days, traffic.numbers), dtype=np.bool_)

    def alarm(self, ids: Int64, day: int, step: int) -> None:
        """These numbers fired at a tick of a day."""
        self._alarms += len(ids)
        self._days[day, ids] = True
        hours = (day * TICKS_A_DAY + step + 1) * TICK_MS / 3_600_000
        self._first_h[ids] = np.minimum(self._first_h[ids], hours)

    def seen(self, method: str) -> Seen:
        """The sums."""
        return Seen(method, self._traffic, self._alarms, float(self._days.mean()), self._first_h)


def simulate(numbers: int, days: int, seed: int) -> Iterator[Seen]:
    """All settings, sequential and Wilson in turn."""
    for volume in VOLUMES:
        for rate in RATES:
            bad = rate > THRESHOLD
            traffic = Traffic(numbers, BAD_DAYS if bad else days, volume, rate)
            where = [seed, volume, rate.numerator * 100 // rate.denominator]
            yield sequential(traffic, np.random.default_rng([*where, 1]))
            yield wilson(traffic, np.random.default_rng([*where, 2]))


def tables(results: list[Seen], seed: int) -> str:
    """Markdown of all results."""
    first = results[0].traffic
    lines = [
        MARKS[0],
        "",
        (
            f"Seed {seed}; {first.numbers} numbers, {first.days} days of 8 h "
            f"(bad rates: {BAD_DAYS} days). Threshold 30 %; one false alarm per {DAYS_WANTED} "
            f"scope-days asked for, that is {1 / DAYS_WANTED:.4f} a day."
        ),
        "",
        (
            "**False alarms** (true rate on the good side): alarms per scope-day with 95 % "
            "interval, and share of the days with one."
        ),
        "",
        "| answered/h | true rate | sequential | Wilson 99 %, ≥ 3 hits, 30 min |",
        "|---:|---:|---:|---:|",
    ]
    pairs = list(zip(results[::2], results[1::2], strict=True))
    for ours, theirs in pairs:
        if ours.traffic.rate <= THRESHOLD:
            cells = [_false(ours), _false(theirs)]
            lines.append(_row(ours.traffic, cells))
    lines += [
        "",
        (
            "**Detection** (true rate beyond the threshold): share found on the first day; "
            "median and 90th percentile of the hours until found, over all numbers."
        ),
        "",
        "| answered/h | true rate | sequential | Wilson 99 %, ≥ 3 hits, 30 min |",
        "|---:|---:|---:|---:|",
    ]
    for ours, theirs in pairs:
        if ours.traffic.rate > THRESHOLD:
            lines.append(_row(ours.traffic, [_found(ours), _found(theirs)]))
    return "\n".join([*lines, "", MARKS[1]])


def _row(traffic: Traffic, cells: list[str]) -> str:
    return f"| {traffic.answered_per_h} | {float(traffic.rate):.0%} | {' | '.join(cells)} |"


def _false(seen: Seen) -> str:
    low, high = seen.interval()
    rate = seen.alarms / seen.days
    return f"{rate:.4f} ({low:.4f}–{high:.4f}); {seen.days_with_alarm:.3f}"


def _found(seen: Seen) -> str:
    first_day = float((seen.delays_h <= DAY_MS / 3_600_000).mean())
    quantiles = np.quantile(seen.delays_h, (0.5, 0.9), method="higher").tolist()
    return f"{first_day:.3f}; {' / '.join(_hours(hours) for hours in quantiles)}"


def _hours(hours: float) -> str:
    return f"not in {BAD_DAYS} days" if math.isinf(hours) else f"{hours:.2f} h"


def main() -> None:
    """Simulate, print, and write the tables into the document when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--write", action="store_true", help=f"replace the tables in {DOC.name}")
    options = parser.parse_args()
    text = tables(list(simulate(options.numbers, options.days, options.seed)), options.seed)
    print(text)
    if options.write:
        document = DOC.read_text(encoding="utf-8")
        before, _, rest = document.partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        DOC.write_text(before + text + after, encoding="utf-8")


if __name__ == "__main__":
    main()

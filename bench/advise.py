"""What ``monitor advise`` says of evidence against simulation: does it hold within its error?

Owns the simulation and its table in docs/evidence.md (``--write``). What is simulated is the
production detector, tick by tick, 8 hours a day, with calls as a Poisson process; what is held
against it is worked out by ``monitor.advise.odds``. ``tests/advise/test_odds.py`` runs a part.

    python -m bench.advise --write
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.advise.odds import Estimate, sequential_detection
from monitor.rules.chances import false_alarms_most, poisson_limits
from monitor.rules.detector import Detector
from monitor.rules.fields import Direction

Float64 = npt.NDArray[np.float64]

TICK_MS = 5_000
DAY_H = 8
DAY_MS = DAY_H * 3_600_000
NIGHT_MS = 16 * 3_600_000
NUMBERS = 1_000
SEED = 20_261_130
DOC = Path(__file__).resolve().parent.parent / "docs" / "evidence.md"
MARKS = ("<!-- table by bench/advise.py -->", "<!-- end of the table -->")


@dataclass(frozen=True, slots=True)
class Level:
    """Evidence against a threshold, at a volume."""

    threshold: Fraction
    above: bool = True
    needed: float = 30
    per_hour: float = 40

    @property
    def per_day(self) -> float:
        """Calls of a scope-day."""
        return self.per_hour * DAY_H

    def detector(self) -> Detector:
        """The production one."""
        side: Direction = "above" if self.above else "below"
        times = {"tick_ms": TICK_MS, "scope_day_ms": DAY_MS}
        return Detector(self.threshold, side, needed=self.needed, **times)


class Rate(NamedTuple):
    """Events in so much watching, and the 95 % limits of their rate as a Poisson count."""

    alarms: int
    scope_days: float

    @property
    def limits(self) -> tuple[float, float]:
        """A scope-day."""
        low, high = poisson_limits(self.alarms)
        return low / self.scope_days, high / self.scope_days


def false_alarms(level: Level, rate: float, days: int, rng: np.random.Generator) -> Rate:
    """Alarms of :data:`NUMBERS` numbers at a true ``rate``; each begins anew after one."""
    detector, alarms = level.detector(), 0
    for tick, ids, hits, of in _ticks(level, rate, days, rng):
        detector.feed(tick, ids, hits, of)
        fired = ids[detector.score(ids) >= level.needed]
        alarms += len(fired)
        detector.reset(fired)
    return Rate(alarms, NUMBERS * days)


def calls_to_detection(level: Level, rate: float, days: int, rng: np.random.Generator) -> Float64:
    """Calls of each number until its alarm, ascending; infinite where there is none."""
    detector = level.detector()
    calls, found = np.zeros(NUMBERS), np.full(NUMBERS, np.inf)
    for tick, ids, hits, of in _ticks(level, rate, days, rng):
        detector.feed(tick, ids, hits, of)
        calls[ids] += of
        fired = ids[(detector.score(ids) >= level.needed) & np.isinf(found[ids])]
        found[fired] = calls[fired]
        if np.isfinite(found).mean() > 0.95:
            break
    found.sort()
    return found


def median(sample: Float64) -> Estimate:
    """Of a sorted sample, with its 95 % limits by order statistics."""
    half, off = len(sample) / 2, 1.96 * math.sqrt(len(sample)) / 2
    places = (round(half), math.floor(half - off), math.ceil(half + off))
    return Estimate(*(float(sample[place - 1]) for place in places))


def agree(ours: Estimate, theirs: Estimate) -> bool:
    """Two medians, each with its error, can be the same one."""
    return ours.low <= theirs.high and theirs.low <= ours.high


def _ticks(
    level: Level, rate: float, days: int, rng: np.random.Generator
) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(tick, ids, hits, of) of all numbers together; each is a Poisson process of its own."""
    mean = NUMBERS * level.per_hour * TICK_MS / 3_600_000
    tick = 0
    for _ in range(days):
        for calls in rng.poisson(mean, DAY_MS // TICK_MS).tolist():
            tick += TICK_MS
            of = np.bincount(rng.integers(NUMBERS, size=calls), minlength=NUMBERS)
            ids = np.flatnonzero(of)
            yield tick, ids, rng.binomial(of[ids], rate), of[ids]
        tick += NIGHT_MS


LEVELS = (
    Level(Fraction(3, 10), per_hour=10),
    Level(Fraction(3, 10)),
    Level(Fraction(3, 10), per_hour=120),
    Level(Fraction(3, 10), needed=5),
    Level(Fraction(1, 100), per_hour=120),
    Level(Fraction(2, 10), above=False),
)
CALM = (1.0, 0.9, 0.7)
"""True rates that are good, in thresholds (of the bad side)."""
BAD = (1.5, 2.0)


def table() -> str:
    """Markdown of all levels."""
    lines = [
        MARKS[0],
        "",
        f"Seed {SEED}; {NUMBERS:,} numbers, 10 days of {DAY_H} h.",
        "",
        "| level | calls/h | true rate | said | simulated | holds |",
        "|---|---:|---:|---|---|---|",
    ]
    for place, level in enumerate(LEVELS):
        side = "above" if level.above else "below"
        name = f"{side} {float(level.threshold):.0%}, 1 per {level.needed:g}"
        bad = float(level.threshold if level.above else 1 - level.threshold)
        for factor in (*CALM, *BAD):
            share = min(factor * bad, 1 - (1 - bad) / factor) if factor > 1 else factor * bad
            rate = share if level.above else 1 - share
            rng = np.random.default_rng([SEED, place, round(factor * 10)])
            said, seen, holds = _row(level, rate, rng, good=factor <= 1)
            cells = (
                name,
                f"{level.per_hour:g}",
                f"{rate:.3g}",
                said,
                seen,
                "yes" if holds else "NO",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", MARKS[1]])


def _row(
    level: Level, rate: float, rng: np.random.Generator, *, good: bool
) -> tuple[str, str, bool]:
    given = (level.threshold, rate, level.needed, level.per_day)
    if good:
        most = false_alarms_most(*given, above=level.above)
        found = false_alarms(level, rate, 10, rng)
        low, high = found.limits
        seen = f"{found.alarms / found.scope_days:.5f} ({low:.5f}–{high:.5f})"
        return f"at most {most:.5f} a scope-day", seen, low <= most
    ours, _ = sequential_detection(*given, above=level.above)
    theirs = median(calls_to_detection(level, rate, 20, rng))
    words = [f"{each.value:g} calls ({each.low:g}–{each.high:g})" for each in (ours, theirs)]
    return words[0], words[1], agree(ours, theirs)


def main() -> None:
    """Simulate, print, and write the table into the document when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"replace the table in {DOC.name}")
    text = table()
    print(text)
    if parser.parse_args().write:
        document = DOC.read_text(encoding="utf-8")
        before, _, rest = document.partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        DOC.write_text(before + text + after, encoding="utf-8")


if __name__ == "__main__":
    main()

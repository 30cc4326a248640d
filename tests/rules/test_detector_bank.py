"""Detectors side by side do as each does alone."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.detector import Bank, Detector
from monitor.rules.evidence import BREAK_MS, SCORE_MAX, alternatives

TICK_MS, DAY_MS = 5_000, 8 * 3_600_000
KINDS: list[tuple[Fraction, Literal["above", "below"], float]] = [
    (Fraction(3, 10), "above", 0.01),
    (Fraction(1, 2), "above", 1e-4),
    (Fraction(1, 10), "below", 0.5),
]
groups = st.dictionaries(st.integers(0, 9), st.tuples(st.integers(0, 16), st.integers(0, 16)))
steps = st.lists(
    st.tuples(
        st.sampled_from([TICK_MS, 3 * TICK_MS, BREAK_MS, BREAK_MS + TICK_MS]),
        groups,
        st.sampled_from(["nothing", "nothing", "reset_one", "reset_all", "forget", "restore"]),
    ),
    max_size=12,
)


class Plain:
    """The formula of ``monitor.rules.evidence``, one key and one detector at a time."""

    def __init__(self, threshold: Fraction, direction: str) -> None:
        self.bad = 1 - threshold if direction == "below" else threshold
        self.mirrored = direction == "below"
        self.m: dict[int, list[float]] = {}
        self.last: dict[int, int] = {}

    def feed(self, tick: int, key: int, hits: int, misses: int) -> None:
        if not hits + misses:
            return
        bad, good = (misses, hits) if self.mirrored else (hits, misses)
        gap = tick - self.last[key] if key in self.last else TICK_MS
        watched = (TICK_MS if gap > BREAK_MS else gap) / DAY_MS
        before = self.m.get(key, [0.0] * 4)
        ratios = [
            float(p / self.bad) ** bad * float((1 - p) / (1 - self.bad)) ** good
            for p in alternatives(self.bad)
        ]
        self.m[key] = [
            min((m + watched) * r, SCORE_MAX) for m, r in zip(before, ratios, strict=True)
        ]
        self.last[key] = tick

    def reset(self, gone: list[int]) -> None:
        self.m = {key: m for key, m in self.m.items() if key not in gone}

    def score(self, key: int) -> float:
        return sum(self.m.get(key, [0.0])) / 4


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def made() -> list[Detector]:
    return [
        Detector(threshold, direction, tick_ms=TICK_MS, scope_day_ms=DAY_MS, needed=needed)
        for threshold, direction, needed in KINDS
    ]


class Pair:
    """A bank, and what it should be."""

    def __init__(self) -> None:
        self.detectors = made()
        self.bank = Bank(self.detectors)
        self.plain = [Plain(threshold, direction) for threshold, direction, _ in KINDS]

    def feed(self, tick: int, found: dict[int, tuple[int, int]]) -> None:
        ids = sorted(found)
        hits, of = ints(*(found[k][0] for k in ids)), ints(*(sum(found[k]) for k in ids))
        self.bank.feed(tick, ints(*ids), hits, of)
        for each in self.plain:
            for key, (hit, miss) in found.items():
                each.feed(tick, key, hit, miss)

    def nothing(self, _gone: list[int]) -> None:
        pass

    def reset_one(self, gone: list[int]) -> None:
        self.detectors[1].reset(ints(*gone, 77))
        self.plain[1].reset(gone)

    def reset_all(self, gone: list[int]) -> None:
        self.bank.reset(ints(*gone))
        for each in self.plain:
            each.reset(gone)

    def forget(self, gone: list[int]) -> None:
        self.bank.forget(ints(*gone, 77))
        for each in self.plain:
            each.reset(gone)
            each.last = {key: at for key, at in each.last.items() if key not in gone}

    def restore(self, _gone: list[int]) -> None:
        states = [detector.snapshot() for detector in self.detectors]
        self.detectors = made()
        self.bank = Bank(self.detectors)
        for detector, state in zip(self.detectors, states, strict=True):
            detector.restore(state)

    def check(self) -> None:
        pairs = zip(self.detectors, self.plain, strict=True)
        for column, (detector, alone) in enumerate(pairs):
            scores = detector.score(ints(*range(12)))
            assert scores == pytest.approx([alone.score(key) for key in range(12)], rel=1e-9)
            assert self.bank.over[column] == (scores >= detector.needed).sum()
            assert detector.fed().tolist() == [key for key in range(12) if alone.score(key)]


@given(steps=steps)
def test_a_bank_is_its_detectors(steps: Any) -> None:
    pair, tick = Pair(), 0
    for gap, found, then in steps:
        tick += gap
        pair.feed(tick, found)
        getattr(pair, then)(sorted(found)[:2])
        pair.check()


def test_one_detector_of_a_bank_is_fed_as_it_would_be_alone_to_the_last_bit() -> None:
    together, alone = made(), made()
    bank = Bank(together)
    random = np.random.default_rng(5)
    for tick in range(TICK_MS, 60 * TICK_MS, TICK_MS):
        ids = np.flatnonzero(random.random(50) < 0.4)
        of = random.integers(0, 40, len(ids))
        hits = random.binomial(of, 0.35)
        bank.feed(tick, ids, hits, of)
        for detector in alone:
            detector.feed(tick, ids, hits, of)
    for one, other in zip(together, alone, strict=True):
        assert one.snapshot()["m"].tobytes() == other.snapshot()["m"].tobytes()

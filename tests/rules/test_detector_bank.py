"""Detectors side by side do as each does alone."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.rules.detector import MANY, Bank, Detector
from monitor.rules.evidence import BREAK_MS, SCORE_MAX, alternatives

TICK_MS, DAY_MS = 5_000, 8 * 3_600_000
Kind = tuple[Fraction, Literal["above", "below"], float]
pytestmark = pytest.mark.untraced

KINDS: list[Kind] = [
    (Fraction(3, 10), "above", 0.01),
    (Fraction(1, 2), "above", 1e-4),
    (Fraction(1, 10), "below", 0.5),
]
MANY_KINDS: list[Kind] = [
    (threshold + Fraction(n, 50), direction, needed * (n + 1))
    for n in range(8)
    for threshold, direction, needed in KINDS
]
"""Enough of them that groups wait; of two sides, so that what none exceeds is far from them all."""
ONE_SIDE: list[Kind] = [(Fraction(30 + n, 100), "above", 0.01) for n in range(20)]
ALL_KINDS = pytest.mark.parametrize(
    "kinds", [KINDS, MANY_KINDS, ONE_SIDE], ids=["few", "many", "one side"]
)
sizes = st.integers(0, 16) | st.integers(0, 70)
"""Small ones, and larger than those whose ratios are listed."""
groups = st.dictionaries(st.integers(0, 9), st.tuples(sizes, sizes))
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


def made(kinds: list[Kind] = KINDS) -> list[Detector]:
    return [
        Detector(threshold, direction, tick_ms=TICK_MS, scope_day_ms=DAY_MS, needed=needed)
        for threshold, direction, needed in kinds
    ]


class Pair:
    """A bank, and what it should be."""

    def __init__(self, kinds: list[Kind]) -> None:
        self.kinds = kinds
        self.detectors = made(kinds)
        self.bank = Bank(self.detectors)
        self.plain = [Plain(threshold, direction) for threshold, direction, _ in kinds]

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
        self.detectors = made(self.kinds)
        self.bank = Bank(self.detectors)
        for detector, state in zip(self.detectors, states, strict=True):
            detector.restore(state)

    def check(self) -> None:
        pairs = zip(self.detectors, self.plain, strict=True)
        for column, (detector, alone) in enumerate(pairs):
            enough = detector.enough(ints(*range(12)))
            scores = detector.score(ints(*range(12)))
            assert enough.tolist() == (scores >= detector.needed).tolist()
            assert scores == pytest.approx([alone.score(key) for key in range(12)], rel=1e-9)
            assert self.bank.over[column] == (scores >= detector.needed).sum()
            assert detector.fed().tolist() == [key for key in range(12) if alone.score(key)]


@ALL_KINDS
@given(steps=steps, asks=st.booleans())
@settings(deadline=None)
def test_a_bank_is_its_detectors(kinds: list[Kind], steps: Any, *, asks: bool) -> None:
    pair, tick = Pair(kinds), 0
    for gap, found, then in steps:
        tick += gap
        pair.feed(tick, found)
        getattr(pair, then)(sorted(found)[:2])
        if asks:  # to ask takes in what waits
            pair.check()
    pair.check()


@ALL_KINDS
def test_one_detector_of_a_bank_is_fed_as_it_would_be_alone_to_the_last_bit(
    kinds: list[Kind],
) -> None:
    together, alone = made(kinds), made(kinds)
    bank = Bank(together)
    random = np.random.default_rng(5)
    for tick in range(TICK_MS, 90 * TICK_MS, TICK_MS):
        ids = np.flatnonzero(random.random(50) < 0.4)
        of = random.integers(0, 200 if tick % 7 == 0 else 10, len(ids))
        hits = random.binomial(of, np.where(ids < 5, 0.8, 0.2))
        bank.feed(tick, ids, hits, of)
        for detector in alone:
            detector.feed(tick, ids, hits, of)
        if tick % 9 == 0:
            for detector in (together[-1], alone[-1]):
                detector.reset(ids[:7])
    assert bank.over.any()
    for one, other in zip(together, alone, strict=True):
        assert (one.over, other.over) == (one.place[0].over[one.place[1]], one.over)
        assert one.snapshot()["m"].tobytes() == other.snapshot()["m"].tobytes()


def test_keys_to_which_nothing_was_added_take_no_memory() -> None:
    for count in (1, MANY):
        bank = Bank(
            [
                Detector(Fraction(1, 2), "above", tick_ms=TICK_MS, scope_day_ms=DAY_MS)
                for _ in range(count)
            ]
        )
        ids, none = np.array([3, 100_000]), np.zeros(2, np.int64)
        bank.feed(5_000, ids, none, none)
        assert len(bank.m) == 0
        bank.feed(5_000, ids, np.array([1, 0]), np.array([1, 0]))
        assert 4 <= len(bank.m) < 100
        assert bank.fed().tolist() == [3]


def test_groups_of_many_detectors_wait_until_they_can_matter() -> None:
    detectors = made([(Fraction(30 + n, 100), "above", 1.0) for n in range(MANY)])
    bank = Bank(detectors)
    for tick in range(TICK_MS, 4 * TICK_MS, TICK_MS):
        bank.feed(tick, ints(0, 1), ints(0, 0), ints(1, 1))
    assert not bank.m.any()
    bank.feed(4 * TICK_MS, ints(1), ints(20), ints(20))
    assert bank.over[0] == 1
    assert bank.m[1].all()
    assert not bank.m[0].any()
    bank.feed(5 * TICK_MS, ints(1), ints(0), ints(20))
    assert not bank.over.any()
    assert bank.score(ints(0), 0) > 0

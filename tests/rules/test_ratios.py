"""Ratios of groups that are not listed are those of the formula, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.hashed import UInt64, numbered
from monitor.rules import ratios as module
from monitor.rules.ports import Float64, Int64
from monitor.rules.ratios import Ratios

DETECTORS = 5
_RANDOM = np.random.default_rng(4)
LOG_HIT = _RANDOM.normal(0.0, 1.0, (4, DETECTORS))
LOG_MISS = _RANDOM.normal(0.0, 1.0, (4, DETECTORS))
sizes = st.integers(0, 3) | st.integers(0, 10_000)
"""Some that are alike, and some whose ratio no float could hold."""


def of_numpy(hits: Int64, misses: Int64) -> Float64:
    """Each step rounded by itself: multiplied and added at once, the last bit would differ."""
    logs = np.multiply.outer(hits.astype(np.float64), LOG_HIT)
    logs += np.multiply.outer(misses.astype(np.float64), LOG_MISS)
    ratios: Float64 = np.exp(np.clip(logs, -600.0, 600.0))
    return ratios


@given(groups=st.lists(st.tuples(sizes, sizes), min_size=1, max_size=40))
def test_each_group_has_its_own(groups: list[tuple[int, int]]) -> None:
    hits, misses = (np.array(each, dtype=np.int64) for each in zip(*groups, strict=True))

    ratios, cells = Ratios(LOG_HIT, LOG_MISS).of(hits, hits + misses)

    np.testing.assert_array_equal(ratios[cells], of_numpy(hits, misses))
    assert len(ratios) == len(set(groups)), "what is alike is worked out once"


@pytest.mark.parametrize("of", [1, 7])
def test_those_that_are_listed_are_the_same(of: int) -> None:
    ratios = Ratios(LOG_HIT, LOG_MISS)
    hits = np.arange(of + 1)

    listed = ratios.listed[of * (of + 1) // 2 + hits]

    np.testing.assert_array_equal(listed, of_numpy(hits, of - hits))


def test_groups_without_hits_are_numbered_as_fast_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Open addressing is quick where the places that texts or groups begin at differ."""
    given: list[UInt64] = []

    def noting(low: UInt64, high: UInt64) -> tuple[Int64, Int64]:
        given.append(low)
        return numbered(low, high)

    monkeypatch.setattr(module, "numbered", noting)
    ratios = Ratios(LOG_HIT, LOG_MISS)
    for hits in (0, 1, 7):
        of = np.arange(1_000, 3_000)
        ratios.of(np.full(len(of), hits), of)

    starts = [len(np.unique(low & np.uint64(2**12 - 1))) for low in given]
    assert starts == [2_000] * 3

"""Boundaries of each guard: exactly at it, one above, one below."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.numbers import guards
from monitor.numbers.guards import PoolStanding
from monitor.units import Rate

TEN_PERCENT = Fraction(1, 10)


def pool(size: int, out: int, fraction: Fraction = TEN_PERCENT, left: int = 0) -> PoolStanding:
    return PoolStanding("p", size, out, fraction, left)


@pytest.mark.parametrize(
    ("size", "most"),
    [(1, 1), (2, 1), (3, 1), (9, 1), (10, 1), (11, 1), (19, 1), (20, 2), (29, 2), (30, 3)],
)
def test_ten_percent_of_small_pools(size: int, most: int) -> None:
    assert guards.limit(TEN_PERCENT, size) == most
    assert guards.max_fraction(pool(size, most - 1)) is None
    verdict = guards.max_fraction(pool(size, most))
    assert verdict is not None
    assert verdict.guard == "max_fraction"
    assert verdict.detail == f"{most} of {size} are out of service; the limit is {most}"


@given(size=st.integers(1, 10_000), percent=st.integers(1, 100))
def test_the_limit_is_the_floor_and_at_least_one(size: int, percent: int) -> None:
    most = guards.limit(Fraction(percent, 100), size)
    assert most == 1 or most * 100 <= percent * size < (most + 1) * 100
    assert 1 <= most <= size


def test_half_of_three_is_one_as_if_done() -> None:
    # Computed before the action, 1 of 3 out is 33 % < 50 %, and a second would go: 67 %.
    assert guards.max_fraction(pool(3, 0, Fraction(1, 2))) is None
    assert guards.max_fraction(pool(3, 1, Fraction(1, 2))) is not None


@pytest.mark.parametrize(("out", "refused"), [(1, False), (2, True), (3, True)])
def test_min_left_counts_those_left_after_it(out: int, refused: bool) -> None:
    verdict = guards.min_left(pool(5, out, Fraction(1), left=3))
    assert (verdict is not None) is refused
    if verdict is not None:
        assert verdict.guard == "min_left"


def test_a_pool_smaller_than_min_left_is_never_touched() -> None:
    assert guards.min_left(pool(2, 0, left=2)) is not None
    assert guards.min_left(pool(3, 0, left=2)) is None


def test_the_global_rate_slides_by_event_time() -> None:
    rate = Rate(2, 1_000)
    assert guards.global_rate(rate, [], 5_000) is None
    assert guards.global_rate(rate, [4_500], 5_000) is None
    assert guards.global_rate(rate, [4_500, 5_000], 5_000) is not None
    # One exactly a period ago is out of the period, one a millisecond later is in it.
    assert guards.global_rate(rate, [4_000, 5_000], 5_000) is None
    assert guards.global_rate(rate, [4_001, 5_000], 5_000) is not None


def test_a_rate_of_nothing_lets_nothing_through() -> None:
    assert guards.global_rate(Rate(0, 1_000), [], 5_000) is not None


def test_each_pool_of_a_number_must_agree() -> None:
    free, full = pool(100, 0), PoolStanding("q", 10, 1, TEN_PERCENT, 0)
    assert guards.pool_guards([free, free]) is None
    for both in ([free, full], [full, free]):
        verdict = guards.pool_guards(both)
        assert verdict is not None
        assert (verdict.guard, verdict.pool) == ("max_fraction", "q")
    assert guards.pool_guards([]) is None


def test_freeze_and_never_name_themselves() -> None:
    assert guards.never(listed=False) is None
    assert guards.frozen(by="") is None
    listed, by_mei = guards.never(listed=True), guards.frozen(by="mei")
    assert listed is not None
    assert listed.guard == "never"
    assert by_mei is not None
    assert by_mei.guard == "frozen"
    assert "mei" in by_mei.detail

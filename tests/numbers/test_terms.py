"""Growth and healing of the ttl."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.numbers.terms import grown_ttl_ms, healed_level, pause_ms


@pytest.mark.parametrize(
    ("backoff", "grown"),
    [("none", [10, 10, 10, 10]), ("linear", [10, 20, 30, 40]), ("double", [10, 20, 40, 80])],
)
def test_growth(backoff: Literal["none", "linear", "double"], grown: list[int]) -> None:
    assert [grown_ttl_ms(10, backoff, level, 10_000) for level in range(4)] == grown


def test_growth_stops_at_the_longest() -> None:
    assert grown_ttl_ms(10, "double", 3, 80) == 80
    assert grown_ttl_ms(10, "double", 3, 79) == 79
    assert grown_ttl_ms(10, "linear", 1_000_000, 100) == 100
    assert grown_ttl_ms(10, "none", 0, 5) == 5
    assert grown_ttl_ms(10, "double", 10**9, 10**15) == 10 << 40


@pytest.mark.parametrize(
    ("clean", "level"), [(-1, 2), (0, 2), (99, 2), (100, 1), (199, 1), (200, 0), (10**9, 0)]
)
def test_one_step_heals_per_clean_period(clean: int, level: int) -> None:
    assert healed_level(2, clean, 100) == level


@given(level=st.integers(0, 20), first=st.integers(0, 10**9), second=st.integers(0, 10**9))
def test_healing_never_grows(level: int, first: int, second: int) -> None:
    shorter, longer = sorted((first, second))
    assert healed_level(level, longer, 1_000) <= healed_level(level, shorter, 1_000) <= level


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause_ms(n, 30, 100) for n in (1, 2, 3, 4)] == [30, 60, 100, 100]
    assert pause_ms(10**9, 1, 7) == 7

"""Sliding geometry: which panes are in at a tick, by counting."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from monitor.windows.arrays import column
from monitor.windows.spec import PANES_MS, SlidingWindow, default_pane_ms

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def sliding(length: int, pane: int, tick: int = 5_000) -> SlidingWindow:
    return SlidingWindow("w", length, pane, tick)


@pytest.mark.parametrize(
    ("length", "pane"),
    [
        (5_000, 5_000),
        (MINUTE, 5_000),
        (5 * MINUTE, 5_000),
        (10 * MINUTE - 5_000, 5_000),  # a sixtieth is 9.9 s
        (10 * MINUTE, 10_000),
        (30 * MINUTE, 30_000),
        (HOUR, MINUTE),
        (4 * HOUR, 2 * MINUTE),  # 4 min, and 3 is not on the list
        (8 * HOUR, 5 * MINUTE),
        (DAY, 15 * MINUTE),
        (7 * DAY, 2 * HOUR),
        (30 * DAY, 12 * HOUR),
        (61 * DAY, DAY),
        (400 * DAY, DAY),
    ],
)
def test_a_pane_is_a_sixtieth_rounded_down_to_the_list(length: int, pane: int) -> None:
    assert default_pane_ms(length, 5_000) == pane


def test_a_pane_is_at_least_one_tick_and_a_multiple_of_it() -> None:
    assert default_pane_ms(MINUTE, 7_000) == 7_000
    assert default_pane_ms(30 * MINUTE, 20_000) == 20_000, "30 s would split a tick"
    assert default_pane_ms(30 * MINUTE, 250) == 30_000
    assert default_pane_ms(10_000, 250) == 250


def test_lo_draws_in_to_the_next_pane() -> None:
    #  pane 30 s, window 1 m; times in s:
    #   0         30        60        90        120       150
    #   |---------|---------|---------|---------|---------|
    #                       T = 90: T - W = 30, on a boundary: [30, 90)
    #                         T = 95: T - W = 35, inside a pane: [60, 95)
    window = sliding(MINUTE, 30_000)
    assert window.lo(90_000) == 30_000
    assert window.lo(95_000) == 60_000
    assert window.lo(120_000) == 60_000
    assert window.lo(125_000) == 90_000
    assert window.lo(60_000) == 0
    assert window.lo(55_000) == 0
    assert window.lo(30_000) == -30_000


def test_a_pane_is_half_open() -> None:
    window = sliding(MINUTE, 30_000)
    times = column([-1, 0, 29_999, 30_000, 59_999])
    assert window.pane_start(times).tolist() == [-30_000, 0, 0, 30_000, 30_000]
    assert [window.pane_of(time) for time in times.tolist()] == window.pane_start(times).tolist()
    assert window.pane_end(30_000) == 60_000


def test_a_pane_of_one_tick_is_exact_at_every_tick() -> None:
    window = sliding(10 * MINUTE, 5_000)
    for tick in range(0, 60_000, 5_000):
        assert window.lo(tick) == tick - 10 * MINUTE


@given(
    st.sampled_from([250, 1_000, 5_000, 7_000]),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(-500, 500),
)
def test_geometry_by_counting(tick_ms: int, ticks: int, per_pane: int, at: int) -> None:
    assume(per_pane <= ticks)
    window = sliding(ticks * tick_ms, per_pane * tick_ms, tick_ms)
    tick = at * tick_ms
    lo = window.lo(tick)
    assert lo % window.pane_ms == 0
    assert tick - window.length_ms <= lo < tick - window.length_ms + window.pane_ms
    assert lo < tick
    for bound in (lo - 1, lo, lo + 1, lo + window.pane_ms):
        first = window.first_tick(bound)
        assert first % tick_ms == 0
        assert window.lo(first) >= bound > window.lo(first - tick_ms)


@given(st.integers(-10_000, 10_000), st.integers(1, 100_000))
def test_edges_cover_a_range_and_nothing_more(start: int, length: int) -> None:
    window = sliding(MINUTE, 5_000)
    edges = window.edges(start, start + length)
    assert edges[0] <= start < edges[0] + 5_000
    assert edges[-1] < start + length <= edges[-1] + 5_000
    assert (np.diff(edges) == 5_000).all()


@pytest.mark.parametrize(
    ("length", "pane", "fault"),
    [
        (0, 5_000, "window of 0 ms"),
        (7_000, 5_000, "window of 7000 ms is not a multiple of the tick"),
        (10_000, 7_000, "pane of 7000 ms is not a multiple of the tick"),
        (10_000, 0, "pane of 0 ms"),
        (10_000, 15_000, "longer than the window"),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(length: int, pane: int, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        sliding(length, pane)


def test_listed_panes_are_those_of_the_contract() -> None:
    seconds, minutes, hours = (1, 2, 5, 10, 15, 30), (1, 2, 5, 10, 15, 30), (1, 2, 3, 6, 12, 24)
    listed = [*seconds, *(60 * each for each in minutes), *(3_600 * each for each in hours)]
    assert [pane // 1_000 for pane in PANES_MS] == listed


def test_identity_tells_windows_apart_that_cut_differently() -> None:
    assert sliding(MINUTE, 5_000).identity != sliding(MINUTE, 10_000).identity
    assert sliding(MINUTE, 5_000).identity != sliding(2 * MINUTE, 5_000).identity
    assert sliding(MINUTE, 5_000).identity == SlidingWindow("1m", MINUTE, 5_000, 5_000).identity
    assert not sliding(MINUTE, 5_000).keeps_closed
    assert sliding(MINUTE, 5_000).grain_ms == 5_000

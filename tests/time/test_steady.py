"""A machine's clock that is set, and what the engine makes of it."""

from __future__ import annotations

import pytest

from monitor.windows.steady import SteadyTime
from tests.e2e.live import SteppedClock

NOW = 1_800_000_000_000
HOUR = 3_600_000


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW)


@pytest.fixture
def steady(clock: SteppedClock) -> SteadyTime:
    made = SteadyTime(clock)
    assert made.earliest_ms() == made.latest_ms() == NOW
    return made


def test_it_goes_on_with_the_clock(clock: SteppedClock, steady: SteadyTime) -> None:
    clock.advance(12_345)
    assert steady.earliest_ms() == steady.latest_ms() == NOW + 12_345


def test_a_step_forward_moves_no_idle_stream(clock: SteppedClock, steady: SteadyTime) -> None:
    clock.advance(1_000)
    clock.wrong_by_ms = HOUR
    assert steady.earliest_ms() == NOW + 1_000
    assert steady.latest_ms() == NOW + 1_000 + HOUR
    clock.wrong_by_ms = 0
    clock.advance(1_000)
    assert steady.earliest_ms() == steady.latest_ms() == NOW + 2_000


def test_a_step_back_makes_nothing_the_future(clock: SteppedClock, steady: SteadyTime) -> None:
    clock.advance(1_000)
    clock.wrong_by_ms = -HOUR
    assert steady.latest_ms() == NOW + 1_000
    assert steady.earliest_ms() == NOW + 1_000 - HOUR


def test_records_show_that_the_clock_was_right_to_be_set(
    clock: SteppedClock, steady: SteadyTime
) -> None:
    clock.wrong_by_ms = HOUR
    steady.heard(NOW + HOUR - 300)
    assert steady.earliest_ms() == NOW + HOUR - 300
    clock.advance(200)
    assert steady.earliest_ms() == NOW + HOUR - 100


def test_records_alone_do_not_push_it_on(clock: SteppedClock, steady: SteadyTime) -> None:
    for ahead in range(29_000, 290_000, 29_000):
        steady.heard(NOW + ahead)
    assert steady.latest_ms() == NOW
    clock.advance(5)
    assert steady.earliest_ms() == NOW + 5


def test_an_old_record_does_not_hold_it_back(clock: SteppedClock, steady: SteadyTime) -> None:
    steady.heard(NOW - HOUR)
    clock.advance(7)
    assert steady.earliest_ms() == NOW + 7

"""What is said of evidence against simulations of the detectors themselves: 1 000 numbers each."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from bench import advise as bench
from bench.evidence import Traffic, wilson
from monitor.advise import odds
from monitor.rules import chances
from monitor.rules.levels import Raw, Sequential, Wilson

THETA = Fraction(3, 10)
SEQUENTIAL = Sequential(method="sequential")
WILSON = Wilson(method="wilson")


@pytest.mark.parametrize(
    ("level", "rate"),
    [
        (bench.Level(THETA), 0.30),
        (bench.Level(THETA, needed=5), 0.27),
        (bench.Level(Fraction(1, 100), per_hour=120), 0.009),
        (bench.Level(Fraction(2, 10), above=False), 0.20),
    ],
)
def test_false_alarms_are_no_more_than_is_said(level: bench.Level, rate: float) -> None:
    most = chances.false_alarms_most(
        level.threshold, rate, level.needed, level.per_day, above=level.above
    )
    found = bench.false_alarms(level, rate, 1, np.random.default_rng(7))
    assert found.limits[0] <= most <= 1 / level.needed
    # No empty words either: at the threshold it comes near.
    if rate == float(level.threshold) and level.threshold > Fraction(1, 10):
        assert found.limits[1] > most / 2


@pytest.mark.parametrize(
    ("level", "rate"),
    [
        (bench.Level(THETA, per_hour=10), 0.60),
        (bench.Level(THETA), 0.45),
        (bench.Level(THETA, needed=5), 0.45),
        (bench.Level(Fraction(2, 10), above=False), 0.10),
    ],
)
def test_calls_to_detection_are_as_said(level: bench.Level, rate: float) -> None:
    calls, most = odds.sequential_detection(
        level.threshold, rate, level.needed, level.per_day, above=level.above
    )
    found = bench.calls_to_detection(level, rate, 3, np.random.default_rng(7))
    theirs = bench.median(found)
    assert bench.agree(calls, theirs), (calls, theirs)
    assert most == pytest.approx(found[round(0.9 * bench.NUMBERS) - 1], rel=0.1)


def test_wilson_is_wrong_no_more_often_and_right_no_later_than_is_said() -> None:
    held: dict[str, Any] = {"per_day": 320.0, "window": 20}
    calm = wilson(Traffic(1_000, 1, 40, Fraction(25, 100)), np.random.default_rng(7))
    most = odds.false_alarms(WILSON, THETA, 0.25, **held)
    assert calm.interval()[0] <= most
    bad = wilson(Traffic(1_000, 1, 40, Fraction(60, 100)), np.random.default_rng(7))
    said = odds.detection(WILSON, THETA, 0.6, day_h=8, **held)
    assert np.median(bad.delays_h) <= said.hours
    assert said.calls.high == said.calls.value <= said.calls_90


def test_a_share_that_one_window_cannot_show_is_never_seen() -> None:
    held: dict[str, Any] = {"per_day": 32.0, "window": 2}
    assert math.isinf(odds.detection(WILSON, THETA, 0.45, day_h=8, **held).hours)
    raw = odds.detection(Raw(method="raw", min_of=50), THETA, 0.45, day_h=8, **held)
    assert raw.to_json()["calls"] == [None, 1.0, None]


@given(
    of=st.integers(1, 400),
    rate=st.floats(0.001, 0.999),
    count=st.integers(-1, 410),
)
@settings(max_examples=60)
def test_tails_are_those_of_the_binomial(of: int, rate: float, count: int) -> None:
    expected = float(binom.sf(count - 1, of, rate))
    assert chances.at_least(count, of, rate) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(
    percent=st.integers(2, 90),
    part=st.floats(0, 1),
    per_day=st.floats(5, 5_000),
    needed=st.integers(1, 200),
    above=st.booleans(),
)
@settings(max_examples=80)
def test_the_bound_is_the_promise_at_the_threshold_and_less_beyond(
    percent: int, part: float, per_day: float, needed: int, above: bool
) -> None:
    theta = Fraction(percent, 100)
    good = float(theta) * part if above else float(theta) + (1 - float(theta)) * (1 - part)
    given_ = (float(needed), per_day)
    near = chances.false_alarms_most(theta, float(theta), *given_, above=above)
    found = chances.false_alarms_most(theta, good, *given_, above=above)
    assert near == 1 / needed
    assert 0 <= found <= near
    further = good * 0.8 if above else 1 - (1 - good) * 0.8
    assert chances.false_alarms_most(theta, further, *given_, above=above) <= found * (1 + 1e-9)


def test_the_least_volume_is_what_can_fire_at_all() -> None:
    assert odds.least_volume(Raw(method="raw", min_of=50), THETA, 320) == 50
    assert odds.least_volume(WILSON, THETA, 320) == chances.wilson_least(
        THETA, Fraction(99, 100), 3
    )
    few = odds.least_volume(SEQUENTIAL, THETA, 320)
    assert few < odds.sequential_detection(THETA, 0.95, 30, 320)[0].value + 2
    assert odds.least_volume(SEQUENTIAL, None, 320) == 1
    rare = Sequential(method="sequential", false_alarms=Fraction(10**12))
    assert odds.least_volume(rare, Fraction(999, 1000), 320) == odds.EVENTS_MAX


def test_rates_worse_than_a_threshold_stay_shares() -> None:
    assert odds.worse(Fraction(6, 10), 2) == pytest.approx(0.8)
    assert odds.worse(Fraction(2, 10), 2, above=False) == pytest.approx(0.1)


def test_limits_of_a_count() -> None:
    low, high = chances.poisson_limits(0)
    assert (low, round(high, 1)) == (0, 3.7)
    low, high = chances.poisson_limits(100)
    assert (round(low), round(high)) == (81, 122)

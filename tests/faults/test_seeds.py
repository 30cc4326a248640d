"""Seeds of the simulation: the fixed ones, or one by its number; in CI, half of as many as fit."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults import budget
from tests.faults.playing import play_more, play_one
from tests.faults.seeds import run_seed

pytestmark = pytest.mark.untraced


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        one = metafunc.config.getoption("--seed", default=None)
        metafunc.parametrize("seed", budget.fixed() if one is None else [one])


@pytest.fixture(scope="module", autouse=True)
def began_s() -> float:
    return time.monotonic()


def test_a_seed_decides_as_if_nothing_had_failed(seed: int) -> None:
    play_one(seed)


@pytest.mark.timeout(900)  # a seed that fails is shortened after the time is over
@pytest.mark.skipif(not budget.seconds(), reason=budget.WHEN)
def test_so_do_as_many_more_as_there_is_time_for(
    began_s: float, record_property: Callable[[str, object], None]
) -> None:
    play_more(0, began_s + budget.seconds(), record_property)


def test_a_seed_is_the_same_each_time() -> None:
    first, second = run_seed(6), run_seed(6)
    assert first.lines == second.lines
    assert first.faults, "nothing failed"


def test_without_its_faults_a_seed_has_none() -> None:
    faults = frozenset(run_seed(6).faults)
    again = run_seed(6, without=faults)
    assert not faults & set(again.faults)
    assert not again.violations

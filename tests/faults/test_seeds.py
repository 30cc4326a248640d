"""Seeds of the simulation: as many as fit, or one by its number, or as many as CI asks for."""

from __future__ import annotations

import os

import pytest

from tests.faults.__main__ import shortened, told
from tests.faults.seeds import run_seed

USUAL = 30
"""About a minute's worth; ``MONITOR_FAULT_SEEDS=2000`` plays more (docs/reliability.md)."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        one = metafunc.config.getoption("--seed", default=None)
        count = int(os.environ.get("MONITOR_FAULT_SEEDS", USUAL))
        metafunc.parametrize("seed", range(count) if one is None else [one])


def test_a_seed_decides_as_if_nothing_had_failed(seed: int) -> None:
    report = run_seed(seed)
    if report.violations:
        pytest.fail(told(shortened(report, tries=30)), pytrace=False)


def test_a_seed_is_the_same_each_time() -> None:
    first, second = run_seed(6), run_seed(6)
    assert first.lines == second.lines
    assert first.faults, "nothing failed"


def test_without_its_faults_a_seed_has_none() -> None:
    faults = frozenset(run_seed(6).faults)
    again = run_seed(6, without=faults)
    assert not faults & set(again.faults)
    assert not again.violations

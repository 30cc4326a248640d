"""The simulation can fail: a daemon with one promise taken out is found out."""

from __future__ import annotations

import pytest

from tests.faults.chance import Fault
from tests.faults.mutants import MUTANTS
from tests.faults.seeds import Report, run_seed
from tests.faults.shrink import shrink

pytestmark = pytest.mark.untraced

WITHIN = 300
"""Seeds that may be needed to find a mutant."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_promise_is_found(name: str) -> None:
    mutant, known = MUTANTS[name]
    for seed in (known, *range(WITHIN)):
        with mutant():
            report = run_seed(seed)
        if report.violations:
            break
    else:
        pytest.fail(f"{name}: not noticed in {WITHIN} seeds")
    assert not run_seed(seed).violations, "the seed fails without the mutant, too"


def test_the_trace_is_cut_to_the_faults_that_matter() -> None:
    faults = [Fault("a", 1), Fault("a", 2), Fault("b", 1), Fault("c", 1), Fault("c", 2)]

    def again(away: frozenset[Fault]) -> Report:
        left = [fault for fault in faults if fault not in away]
        bad = Fault("a", 2) in left and Fault("c", 1) in left
        return Report(7, ["bad"] if bad else [], left, [], 0, 0)

    shortest = shrink(again(frozenset()), again)
    assert shortest.faults == [Fault("a", 2), Fault("c", 1)]

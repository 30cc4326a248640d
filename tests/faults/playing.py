"""Seeds as tests: played, and told when they fail.

Owns the words; which seeds they are is ``budget``'s.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import budget
from tests.faults.__main__ import shortened, told
from tests.faults.seeds import run_seed
from tests.workers import TOLD

TRIES = 30
"""Runs to shorten a failing seed's trace by."""


def play_one(seed: int) -> None:
    """Fails with the shortest way there that was found."""
    report = run_seed(seed)
    if report.violations:
        pytest.fail(told(shortened(report, tries=TRIES)), pytrace=False)


def play_more(half: int, until_s: float, record: Callable[[str, object], None]) -> None:
    """One half of the further seeds, until the monotonic time is ``until_s``."""
    played: list[int] = []
    for seed in budget.more(half, until_s):
        played.append(seed)
        play_one(seed)
    assert played, "there was no time for any"
    record(TOLD, f"faults: {len(played)} more seeds, every other from {played[0]} to {played[-1]}")

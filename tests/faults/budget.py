"""Which seeds a run of the tests plays.

Owns the fixed ones, and in CI those that follow: as many as fit into the time given, from a place
that is another for each commit, so that in the long run ever new ones are played.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

FIXED = 30
"""Played everywhere; half a minute. ``MONITOR_FAULT_SEEDS=2000`` plays more of them."""
CI_S = 50.0
"""On each of two workers, the fixed ones included. ``MONITOR_FAULT_SECONDS`` is another time."""
WHEN = "in CI, or for MONITOR_FAULT_SECONDS=…"
HALVES = 2
"""Files of tests that play seeds, each on a worker of its own."""
_FIRST = 1_000_000
"""Where the further ones begin at the earliest."""


def fixed() -> range:
    """The seeds of every run."""
    return range(int(os.environ.get("MONITOR_FAULT_SEEDS", FIXED)))


def seconds() -> float:
    """How long one worker may play; 0: the fixed ones only."""
    usual = CI_S if os.environ.get("CI") == "true" else 0.0
    return float(os.environ.get("MONITOR_FAULT_SECONDS", usual))


def more(half: int, until_s: float) -> Iterator[int]:
    """Every other seed from where this commit begins, up to the monotonic time ``until_s``.

    The two halves take turns, so that together they leave none out.
    """
    seed = _FIRST + _commit() * 8 + half  # a multiple of 8: all kinds of run, see ``kind_of``
    while time.monotonic() < until_s:
        yield seed
        seed += HALVES


def _commit() -> int:
    """The commit that is tested, as a number; 0 outside a repository."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout[:7], 16) if done.returncode == 0 else 0

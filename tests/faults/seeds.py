"""One seed, start to verdict.

Owns which kind of run a seed is, its directory, and the report of what came of it.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from tests.faults.chance import Fault
from tests.faults.once import once_for_all_lives
from tests.faults.reference import with_answers
from tests.faults.schedule import play
from tests.faults.sites import EXACT
from tests.faults.traffic import traffic
from tests.faults.verdict import violations
from tests.faults.world import Kind
from tests.small_parts import small_parts

EXACT_EVERY = 4
"""Each so many-th seed is an exact one."""
REBUILT_EVERY = 8
"""One in so many may lose all its checkpoints."""
_SHM = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it


def kind_of(seed: int) -> Kind:
    """Which kind of run a seed is."""
    if seed % EXACT_EVERY == 0:
        return "exact"
    return "rebuilt" if seed % REBUILT_EVERY == 3 else "live"


@dataclass
class Report:
    """What came of one seed."""

    seed: int
    violations: list[str]
    faults: list[Fault]
    lines: list[str]
    """The trace."""
    deaths: int
    decisions: int


def run_seed(seed: int, *, without: frozenset[Fault] = frozenset()) -> Report:
    """Play it, and compare with the run that nothing disturbs."""
    kind = kind_of(seed)
    exact = kind == "exact"
    sent = traffic(seed, exact=exact)
    expected = with_answers(EXACT, sent, seed) if exact else None
    with _quiet(), once_for_all_lives(), small_parts(), _directory() as directory:
        played = play(
            seed,
            directory,
            sent,
            kind=kind,
            inputs=[] if expected is None else expected.inputs,
            without=without,
        )
        try:
            found, decided = violations(played, expected)
        except ValueError as error:  # records that come in a tick that was judged, say
            found, decided = [*played.stuck, f"no undisturbed run: {error}"], 0
    chance = played.world.chance
    return Report(seed, found, chance.struck, chance.lines, played.deaths, decided)


@contextmanager
def _directory() -> Iterator[Path]:
    """An empty one, by the same name for each seed of a process: see ``once_for_all_lives``."""
    base = _SHM if _SHM.is_dir() else Path(tempfile.gettempdir())
    directory = base / f"monitor-faults-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def _quiet() -> Iterator[None]:
    """The daemon's log is not what is looked at."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)

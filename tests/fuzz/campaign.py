"""A run of many inputs in chunks: bounds on time and memory, progress, and what failed.

Owns the loop alone; inputs and promises are ``records`` and ``documents``.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

Input = TypeVar("Input")

GROWTH_BYTES_MAX = 64 * 2**20
"""Memory may grow so much after the first tenth: allocators keep some; a leak grows on and on."""
CHUNK_S_MAX = 60.0
"""Far more than a chunk takes on a slow core; a hang takes longer."""


@dataclass(frozen=True)
class Target(Generic[Input]):
    """What is fuzzed."""

    name: str
    make: Callable[[int, int], Input]
    check: Callable[[Sequence[Input]], int]
    chunk: int


@dataclass(frozen=True)
class Outcome:
    """The figures of a run without a failure."""

    count: int
    accepted: int
    """By the fast reading, or by the loader."""
    seconds: float
    slowest_chunk_s: float
    rss_before: int
    """Bytes, after the first tenth."""
    rss_after: int

    def __str__(self) -> str:
        return (
            f"{self.count} inputs, {self.accepted} accepted, {self.seconds:.0f} s, slowest chunk "
            f"{self.slowest_chunk_s:.2f} s, memory {self.rss_before / 2**20:.0f} MB after a tenth, "
            f"{self.rss_after / 2**20:.0f} MB at the end"
        )


class FuzzError(Exception):
    """An input that broke a promise, or a chunk out of bounds; ``number`` makes it again."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def run(
    target: Target[Any],
    *,
    seed: int,
    count: int,
    first: int = 0,
    progress: Callable[[int], None] = lambda _done: None,
) -> Outcome:
    """Make and check inputs ``first`` … ``first + count - 1``.

    Raises:
        FuzzError: the first input that breaks a promise, a slow chunk, or memory that grew.
    """
    begun = time.monotonic()
    warm, rss_before = max(1, count // 10), 0
    accepted, slowest, done = 0, 0.0, 0
    while done < count:
        numbers = range(first + done, first + min(done + target.chunk, count))
        inputs = [target.make(seed, number) for number in numbers]
        # The processor's time: another process on the machine is no hang of ours.
        start = time.process_time()
        try:
            accepted += target.check(inputs)
        except Exception as fault:
            number = _blame(target, seed, numbers)
            msg = f"{target.name} --seed {seed} --first {number} --count 1: {fault!r}"[:4_000]
            raise FuzzError(number, msg) from fault
        took = time.process_time() - start
        if took > CHUNK_S_MAX:
            msg = f"{target.name} --seed {seed} --first {numbers[0]}: a chunk took {took:.0f} s"
            raise FuzzError(numbers[0], msg)
        slowest, done = max(slowest, took), done + len(numbers)
        if not rss_before and done >= warm:
            rss_before = _rss()
        progress(done)
    rss_after = _rss()
    if rss_after - rss_before > GROWTH_BYTES_MAX:
        grown = (rss_after - rss_before) / 2**20
        raise FuzzError(first, f"{target.name} --seed {seed}: memory grew by {grown:.0f} MB")
    return Outcome(count, accepted, time.monotonic() - begun, slowest, rss_before, rss_after)


def save(target: Target[Any], seed: int, number: int, folder: Path) -> Path:
    """Write an input where it can be looked at."""
    made = target.make(seed, number)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.name}-{seed}-{number}"
    path.write_bytes(made if isinstance(made, bytes) else made.text.encode("utf-8", "replace"))
    return path


def _blame(target: Target[Any], seed: int, numbers: Sequence[int]) -> int:
    """The first input that fails alone; where none does, the first of the chunk."""
    for number in numbers:
        try:
            target.check([target.make(seed, number)])
        except Exception:  # noqa: BLE001 - whatever it is, it is this one
            return number
    return numbers[0]


def _rss() -> int:
    """Resident memory in bytes (Linux; elsewhere 0, and growth is not seen)."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")

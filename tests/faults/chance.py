"""Draws of one seed: what fails, when, and how the pieces interleave.

Owns the streams of random numbers. Each place that can fail draws from a stream of its own, so
that leaving out one fault (to find the shortest trace) leaves the draws of all others as they were.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")

CRASHES_MAX = 5
"""Per seed: each costs a restart, and further ones show little that is new."""
_QUIET_SHARE = 0.35
"""Of the places, so many never fail in a given seed: some faults only show when others do not
hide them (swarm testing, Groce et al., ISSTA 2012)."""


class Fault(NamedTuple):
    """The ``nth`` time that ``place`` was asked, it failed."""

    place: str
    nth: int

    def __str__(self) -> str:
        return f"{self.place}#{self.nth}"


class Crash(BaseException):
    """The process is gone. Not an Exception: nothing in the product may catch it."""


class Chance:
    """All that is left to chance in one run."""

    def __init__(self, seed: int, *, without: frozenset[Fault] = frozenset()) -> None:
        """``without``: faults that are not to happen this time."""
        self.seed = seed
        self.calm = False
        """From now on nothing fails."""
        self.mortal = True
        """The process may die."""
        self.struck: list[Fault] = []
        self.lines: list[str] = []
        """The trace: what happened, in order."""
        self.now: Callable[[], float] = lambda: 0.0
        """Seconds since the run began, for the trace."""
        self._without = without
        self._streams: dict[str, random.Random] = {}
        self._weights: dict[str, float] = {}
        self._asked: Counter[str] = Counter()
        self._crashes = 0

    def strikes(self, place: str, odds: float) -> bool:
        """Whether ``place`` fails now; ``odds`` are those of a middling seed."""
        if self.calm:
            return False
        stream = self.stream(place)
        if place not in self._weights:
            quiet = stream.random() < _QUIET_SHARE
            self._weights[place] = 0.0 if quiet else stream.uniform(0.3, 2.5)
        self._asked[place] += 1
        fault = Fault(place, self._asked[place])
        if stream.random() >= odds * self._weights[place] or fault in self._without:
            return False
        self.struck.append(fault)
        self.say(f"FAULT {fault}")
        return True

    def crash(self, place: str, odds: float = 0.01) -> None:
        """Perhaps the process dies here.

        Raises:
            Crash: it does.
        """
        if self.mortal and self._crashes < CRASHES_MAX and self.strikes(f"crash {place}", odds):
            self._crashes += 1
            raise Crash(place)

    def die(self, place: str) -> Crash:
        """The crash that belongs to a fault that has struck already."""
        self._crashes += 1
        return Crash(place)

    def pick(self, place: str, options: Sequence[T]) -> T:
        """One of several, none of them a fault."""
        return self.stream(place).choice(options)

    def stream(self, place: str) -> random.Random:
        """The numbers of one place."""
        found = self._streams.get(place)
        if found is None:
            found = self._streams[place] = random.Random(f"{self.seed} {place}")
        return found

    def say(self, text: str) -> None:
        """A line of the trace."""
        self.lines.append(f"{self.now():8.3f} s  {text}")

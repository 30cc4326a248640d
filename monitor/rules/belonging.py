"""Which group an agent is in, which campaign a number calls for: as last seen.

Owns the last value of one dimension for each value of another, tick by tick. Past a bound the ones
seen longest ago are forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from monitor.rules.ports import Int64
from monitor.sealed import Later, plain
from monitor.windows.arrays import grown

MEMBERS_MAX = 200_000
"""Past it those seen longest ago are forgotten."""
PLACES_MAX = 4 * MEMBERS_MAX
NOWHERE = -1
"""In the place of a group's number: not seen in any."""


class Belonging:
    """The ``group`` of each ``member``; both are dimensions."""

    def __init__(self, member: str, group: str) -> None:
        self.member = member
        self.group = group
        self.version = 0
        """Grows whenever somebody belongs elsewhere than before."""
        self.era = 0
        """Grows when places (:meth:`place`) stand for other members than before."""
        self._groups: dict[str, str] = {}
        self._waiting: dict[int, list[tuple[str, str]]] = {}
        self._places: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._codes: Int64 = np.full(0, NOWHERE, dtype=np.int64)

    def of(self, member: str) -> str | None:
        """The group that was seen last."""
        return self._groups.get(member)

    @property
    def codes(self) -> Int64:
        """By place, the number of the group seen last, below :attr:`count`; else ``NOWHERE``."""
        return self._codes

    @property
    def count(self) -> int:
        """How many groups have a number."""
        return len(self._numbers)

    def place(self, member: str) -> int:
        """Where to find ``member`` in :attr:`codes` for the rest of this era, seen or not."""
        found = self._places.get(member)
        if found is None:
            found = self._places[member] = len(self._places)
            self._codes = grown(self._codes, found + 1, NOWHERE)
        return found

    def load(self, released: pl.DataFrame) -> None:
        """Keep what rows say until their ticks."""
        both = pl.col(self.member).is_not_null() & pl.col(self.group).is_not_null()
        said = released.lazy().select("tick", self.member, self.group).filter(both)
        last = said.unique(["tick", self.member], keep="last", maintain_order=True).collect()
        for tick, member, group in last.iter_rows():
            self._waiting.setdefault(tick, []).append((member, group))

    def step(self, tick: int) -> None:
        """Take in what was said up to ``tick``."""
        for member, group in self._waiting.pop(tick, ()):
            before = self._groups.pop(member, None)
            self._groups[member] = group
            if before != group:
                self.version += 1
                self._put(member, group)
        while len(self._groups) > MEMBERS_MAX:
            member = next(iter(self._groups))
            del self._groups[member]
            self.version += 1
            place = self.place(member)
            self._codes[place] = NOWHERE
        if len(self._places) > PLACES_MAX:
            self._begin_era()

    def __len__(self) -> int:
        return len(self._groups)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        waiting = [[tick, *pair] for tick in sorted(self._waiting) for pair in self._waiting[tick]]
        return {"groups": Later(list(self._groups.items()), _plain), "waiting": waiting}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self._groups = dict(plain(state["groups"]))
        self._waiting = {}
        for tick, member, group in state["waiting"]:
            self._waiting.setdefault(tick, []).append((member, group))
        self._begin_era()

    def _begin_era(self) -> None:
        """Places and numbers anew, for those alone who are known."""
        self.era += 1
        self._places, self._numbers = {}, {}
        self._codes = np.full(0, NOWHERE, dtype=np.int64)
        for member, group in self._groups.items():
            self._put(member, group)

    def _put(self, member: str, group: str) -> None:
        number = self._numbers.setdefault(group, len(self._numbers))
        place = self.place(member)
        self._codes[place] = number


def _plain(pairs: list[tuple[str, str]]) -> list[list[str]]:
    """Pairs as a checkpoint may hold them: no tuples."""
    return [list(pair) for pair in pairs]

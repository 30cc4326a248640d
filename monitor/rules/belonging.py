"""Which group an agent is in, which campaign a number calls for: as last seen.

Owns the last value of one dimension for each value of another, tick by tick. Past a bound the ones
seen longest ago are forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from monitor.sealed import Later, plain

MEMBERS_MAX = 200_000
"""Past it those seen longest ago are forgotten."""


class Belonging:
    """The ``group`` of each ``member``; both are dimensions."""

    def __init__(self, member: str, group: str) -> None:
        self.member = member
        self.group = group
        self.version = 0
        """Grows whenever somebody belongs elsewhere than before."""
        self._groups: dict[str, str] = {}
        self._waiting: dict[int, list[tuple[str, str]]] = {}

    def of(self, member: str) -> str | None:
        """The group that was seen last."""
        return self._groups.get(member)

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
            self.version += before != group
        while len(self._groups) > MEMBERS_MAX:
            del self._groups[next(iter(self._groups))]
            self.version += 1

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


def _plain(pairs: list[tuple[str, str]]) -> list[list[str]]:
    """Pairs as a checkpoint may hold them: no tuples."""
    return [list(pair) for pair in pairs]

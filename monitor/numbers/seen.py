"""Where numbers were last seen in traffic, as the parts of a snapshot.

Owns the layers that a changing table is kept in: the lowest has all of it once, those above what
has changed since, each at least twice as large as the next. A number of a later layer stands for
the one below it; without pools it is gone. Layers are joined where they are written, so a snapshot
costs what has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from monitor.sealed import Sealed

Seen = dict[str, dict[str, int]]
"""By number, then pool: when it was last seen there, ms."""


class Taken(NamedTuple):
    """A table as it is at a moment, in flat lists: a hundred thousand small copies take longer."""

    numbers: list[str]
    counts: list[int]
    """How many pools each number has."""
    pools: list[str]
    ticks: list[int]

    @classmethod
    def of(cls, seen: Mapping[str, Mapping[str, int]]) -> Taken:
        """The table, which may change from now on."""
        pools = seen.values()
        ticks = chain.from_iterable(each.values() for each in pools)
        return cls(list(seen), list(map(len, pools)), list(chain.from_iterable(pools)), list(ticks))

    def with_more(self, more: Taken) -> Taken:
        """One after the other."""
        return Taken(
            self.numbers + more.numbers,
            self.counts + more.counts,
            self.pools + more.pools,
            self.ticks + more.ticks,
        )

    def table(self) -> Seen:
        """The table again."""
        rows = zip(self.pools, self.ticks, strict=True)
        return {
            number: dict(islice(rows, count))
            for number, count in zip(self.numbers, self.counts, strict=True)
        }


class SeenLayers:
    """The layers of one table."""

    def __init__(self, sealed: Sequence[Sealed] = ()) -> None:
        """``sealed``: layers that there are, the lowest first."""
        self._sealed = list(sealed)
        self._sizes = [len(each.content()["numbers"]) for each in sealed]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._sealed)

    def put(self, changed: Taken) -> None:
        """Lay what has changed on top."""
        if not changed.numbers:
            return
        size, below = len(changed.numbers), len(self._sealed)
        while below and self._sizes[below - 1] < 2 * size:
            below -= 1
            size += self._sizes[below]
        joined = _Joined(self._sealed[below:], changed, lowest=below == 0)
        self._sealed[below:] = [Sealed(joined, _Joined.columns)]
        self._sizes[below:] = [size]

    def layers(self) -> list[Sealed]:
        """All of them, the lowest first."""
        return list(self._sealed)


class _Joined:
    """Layers, and what was laid on top: one table of columns once somebody asks for it."""

    def __init__(self, layers: Sequence[Sealed], top: Taken, *, lowest: bool) -> None:
        self._layers = layers
        self._top = top
        self._lowest = lowest
        self._columns: dict[str, Any] | None = None

    def columns(self) -> dict[str, Any]:
        if self._columns is None:
            seen = over(self._layers) | self._top.table()
            if self._lowest:
                seen = {number: pools for number, pools in seen.items() if pools}
            self._columns = to_columns(seen)
            self._layers, self._top = (), Taken.of({})
        return self._columns


def over(layers: Sequence[Sealed]) -> Seen:
    """What layers say together, the later ones over those before."""
    seen: Seen = {}
    for layer in layers:
        seen |= from_columns(layer.content())
    return seen


def to_columns(seen: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The table as columns: how many pools each number has, and these one after the other."""
    taken, names = Taken.of(seen), dict[str, int]()
    pools = [names.setdefault(pool, len(names)) for pool in taken.pools]
    return {
        "numbers": taken.numbers,
        "counts": np.array(taken.counts, dtype=np.int64),
        "names": list(names),
        "pools": np.array(pools, dtype=np.int64),
        "ticks": np.array(taken.ticks, dtype=np.int64),
    }


def from_columns(content: Mapping[str, Any]) -> Seen:
    """The table again."""
    names: list[str] = content["names"]
    pools = [names[pool] for pool in np.asarray(content["pools"]).tolist()]
    counts, ticks = (np.asarray(content[name]).tolist() for name in ("counts", "ticks"))
    return Taken(content["numbers"], counts, pools, ticks).table()

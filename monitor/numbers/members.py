"""Numbers that traffic shows, with the pools they were seen in, as columns.

Owns the table: by number, when it was last seen in each of its pools. Nearly all are in one pool,
which is two entries of an array; those in several have a dictionary. What makes a number a member
is ``pools``'s to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monitor.keys import KeyTable
from monitor.numbers.seen import Seen, Taken
from monitor.windows.arrays import Bool, Int64, column, grown
from monitor.windows.ids import UInt64
from monitor.windows.lookup import Lookup

_SEVERAL, _NOBODY = -1, -2
_NAMES_LEAST: Final = 1_024
_UNLIMITED: Final = 2**62


class Members:
    """By number, when it was last seen in each of its pools."""

    def __init__(self) -> None:
        """Begin with none."""
        self.as_of = object()
        """Another one whenever ids or places that were given out are no longer good."""
        self.seen = column([])
        """By id of a number in one pool, when it was last seen there, ms."""
        self.pool = np.zeros(0, dtype=np.int32)
        """By id, the place of its one pool; negative for several, and for an id of nobody."""
        self.changed = np.zeros(0, dtype=np.bool_)
        """By id, whether something else was taken of it, or nothing."""
        self._table = KeyTable(_UNLIMITED)
        self._lookup = Lookup()
        self._several: dict[int, dict[str, int]] = {}
        self._names: list[str] = []
        """Of pools, by place."""
        self._places: dict[str, int] = {}
        self._names_most = _NAMES_LEAST
        self._gone: dict[str, None] | None = None
        """Numbers that are gone since something was taken; None: nothing ever was."""

    def __contains__(self, number: object) -> bool:
        """Whether the number is in some pool."""
        return isinstance(number, str) and self._table.find(number) is not None

    def __len__(self) -> int:
        """Numbers in some pool."""
        return len(self._table)

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        return iter(self._table.names(self._table.living().tolist()))

    def get(self, number: str) -> dict[str, int]:
        """When the number was last seen in each of its pools; a copy."""
        key = self._table.find(number)
        return {} if key is None else self._pools(key)

    def put(self, number: str, pools: Mapping[str, int]) -> None:
        """These are the number's pools from now on; none: it is not known any more."""
        if not pools:
            key = self._table.find(number)
            if key is not None:
                self.drop([key])
            return
        (key,) = self._table.intern([number]).tolist()
        self._room()
        self._several.pop(key, None)
        if len(pools) > 1:
            self.pool[key] = _SEVERAL
            self._several[key] = dict(pools)
        else:
            ((name, when),) = pools.items()
            self.pool[key], self.seen[key] = self._take_place(name), when
        self.changed[key] = True
        if self._gone is not None:
            self._gone.pop(number, None)

    def put_new(
        self, numbers: list[str], low: UInt64, high: UInt64, pools: Int64, when: int
    ) -> tuple[Int64, Bool]:
        """Each of distinct numbers was last seen in the pool at its place, where it is new.

        ``low`` and ``high`` are what they hash to. Returns their ids, and which were new.
        """
        ids = self._table.intern(numbers)
        self._room()
        new = self.pool[ids] == _NOBODY
        fresh = ids[new]
        self.pool[fresh], self.seen[fresh], self.changed[fresh] = pools[new], when, True
        self._lookup.put(ids, low, high)
        if self._gone:
            for number in numbers:
                self._gone.pop(number, None)
        return ids, new

    def drop(self, keys: Sequence[int]) -> None:
        """The numbers of these ids are not known any more."""
        if self._gone is not None:
            self._gone.update(dict.fromkeys(self._table.names(keys)))
        self._table.release(keys)
        ids = column(keys)
        self._lookup.drop(ids)
        self.pool[ids], self.changed[ids] = _NOBODY, False
        for key in keys:
            self._several.pop(key, None)
        self.as_of = object()

    def find(self, number: str) -> int | None:
        """The number's id, or None."""
        return self._table.find(number)

    def find_all(self, low: UInt64, high: UInt64) -> Int64:
        """Ids of many numbers by what they hash to, -1 for one that is not known by that."""
        return self._lookup.find(low, high)

    def known_by(self, ids: Int64, low: UInt64, high: UInt64) -> None:
        """From now on numbers of ``ids`` are known by what they hash to."""
        self._lookup.put(ids, low, high)

    def place(self, pool: str) -> int:
        """The place of a pool, -1 where it has none."""
        return self._places.get(pool, -1)

    def before(self, cutoff: int) -> list[tuple[int, str, dict[str, int]]]:
        """Id, number and pools of those that were last seen in some pool before ``cutoff``."""
        keys = np.flatnonzero((self.pool >= 0) & (self.seen < cutoff)).tolist()
        keys += [key for key, pools in self._several.items() if min(pools.values()) < cutoff]
        return [(key, self._table.name(key), self._pools(key)) for key in keys]

    def sizes(self) -> Counter[str]:
        """How many numbers are in each pool."""
        counts = np.bincount(self.pool[self.pool >= 0], minlength=len(self._names)).tolist()
        named = zip(self._names, counts, strict=True)
        sizes = Counter({name: count for name, count in named if count})
        for pools in self._several.values():
            sizes.update(pools.keys())
        return sizes

    def take(self) -> Taken:
        """What is new since the last time: of a number that is gone, that it is in no pool."""
        if self._gone is None:
            ids = self._table.living()
            self._gone = {}
        else:
            ids = np.flatnonzero(self.changed)
        self.changed[:] = False
        gone, self._gone = list(self._gone), {}
        one = self.pool[ids] >= 0
        alone, several = ids[one], ids[~one].tolist()
        taken = Taken(
            self._table.names(alone.tolist()),
            [1] * len(alone),
            [self._names[place] for place in self.pool[alone].tolist()],
            self.seen[alone].tolist(),
        )
        rest = {self._table.name(key): self._several[key] for key in several}
        more = Taken.of(rest | {number: {} for number in gone})
        return taken.with_more(more)

    def fill(self, seen: Seen) -> None:
        """Begin with what was taken; there were none."""
        known = {number: pools for number, pools in seen.items() if pools}
        ids = self._table.intern(list(known))
        self._room()
        # One after the other: names are forgotten by what the columns say of those before.
        for key, pools in zip(ids.tolist(), known.values(), strict=True):
            if len(pools) > 1:
                self.pool[key] = _SEVERAL
                self._several[key] = pools
            else:
                ((name, when),) = pools.items()
                self.pool[key], self.seen[key] = self._take_place(name), when
        self._gone = {}

    def _pools(self, key: int) -> dict[str, int]:
        if self.pool[key] == _SEVERAL:
            return dict(self._several[key])
        return {self._names[self.pool[key]]: int(self.seen[key])}

    def _room(self) -> None:
        size = self._table.size
        self.pool = grown(self.pool, size, _NOBODY)
        self.seen = grown(self.seen, size)
        self.changed = grown(self.changed, size)

    def _take_place(self, name: str) -> int:
        place = self._places.get(name)
        if place is None:
            if len(self._names) >= self._names_most:
                self._forget_names()
            place = self._places[name] = len(self._names)
            self._names.append(name)
        return place

    def _forget_names(self) -> None:
        """Pools come and go for years: keep the names of those that have a number."""
        one = self.pool >= 0
        used, places = np.unique(self.pool[one], return_inverse=True)
        self.pool[one] = places
        self._names = [self._names[place] for place in used.tolist()]
        self._places = {name: place for place, name in enumerate(self._names)}
        self._names_most = max(_NAMES_LEAST, 2 * len(self._names))
        self.as_of = object()

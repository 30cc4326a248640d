"""Numbers that were given up, and those that stand in for them.

Owns who has taken whose place in which pool. A pool lists its standby numbers in the order in which
they are taken; one that stands in is a member like any other until the number is released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any


class Retired:
    """Who has left which pools, and who has come for them."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, str]] = {}
        """By number, then pool it has left: who stands in; empty: nobody."""
        self._stands_in: dict[str, list[tuple[str, str]]] = {}
        """By who stands in: for whom, and in which pool."""
        self._taken_to: dict[str, int] = {}
        """By pool, how many of the first of its standby numbers are taken or given up."""

    def __contains__(self, number: object) -> bool:
        """Whether the number was given up."""
        return number in self._places

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        return iter(self._places)

    def __len__(self) -> int:
        """How many were."""
        return len(self._places)

    def left(self, number: str) -> tuple[str, ...]:
        """The pools that the number has left."""
        return tuple(sorted(self._places.get(number, ())))

    def lay_over(self, listed: MutableMapping[str, tuple[str, ...]]) -> None:
        """Of the inventory (pools by number) take out who is gone, and put in who has come.

        The pools' standby numbers may be others than before.
        """
        self._taken_to.clear()
        for number in [*self._places, *self._stands_in]:
            pools = self.pools_of(number, listed.pop(number, ()))
            if pools:
                listed[number] = pools

    def pools_of(self, number: str, listed: Sequence[str]) -> tuple[str, ...]:
        """The pools of a number that the inventory lists in ``listed``."""
        if number in self._places:
            return ()
        more = (pool for _, pool in self._stands_in.get(number, ()))
        return tuple(dict.fromkeys([*listed, *more]))

    def retire(
        self,
        number: str,
        pools: Iterable[str],
        standby: Callable[[str], Sequence[str]],
        fit: Callable[[str], bool],
    ) -> list[str]:
        """Give ``number`` up; who takes its place in its pools, in their order: nobody, mostly.

        Args:
            number: a member of ``pools``.
            pools: in order.
            standby: the standby numbers of a pool, in order.
            fit: whether one may be taken: it is in no pool, and not out of service.
        """
        places = self._places[number] = {}
        for pool in pools:
            places[pool] = stand_in = self._free(pool, standby(pool), fit)
            if stand_in:
                self._stands_in.setdefault(stand_in, []).append((number, pool))
        return [who for who in places.values() if who]

    def reinstate(self, number: str) -> list[str]:
        """The number is back, and whoever stood in for it is standby again; these are named."""
        self._taken_to.clear()
        freed = [who for who in self._places.pop(number, {}).values() if who]
        for who in freed:
            left = [each for each in self._stands_in[who] if each[0] != number]
            if left:
                self._stands_in[who] = left
            else:
                del self._stands_in[who]
        return freed

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return {number: dict(places) for number, places in self._places.items()}

    def restore(self, state: Mapping[str, Mapping[str, str]]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self._places = {number: dict(places) for number, places in state.items()}
        self._taken_to, self._stands_in = {}, {}
        for number, places in self._places.items():
            for pool, who in places.items():
                if who:
                    self._stands_in.setdefault(who, []).append((number, pool))

    def _free(self, pool: str, standby: Sequence[str], fit: Callable[[str], bool]) -> str:
        """The first of a pool's standby numbers that may be taken; empty: there is none."""
        first = self._taken_to.get(pool, 0)
        while first < len(standby) and self._is_taken(standby[first]):
            first += 1  # so that those before are looked at once, however many are given up
        self._taken_to[pool] = first
        rest = (standby[place] for place in range(first, len(standby)))
        return next((who for who in rest if not self._is_taken(who) and fit(who)), "")

    def _is_taken(self, number: str) -> bool:
        return number in self._stands_in or number in self._places

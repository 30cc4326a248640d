"""Numbers that were given up, and those that stand in for them.

Owns who has taken whose place in which pool. A pool lists its standby numbers in the order in which
they are taken; one that stands in is a member like any other until the number is released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any


class Retired:
    """Who has left which pools, and who has come for them."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, str]] = {}
        """By number, then pool it has left: who stands in; empty: nobody."""

    def __contains__(self, number: object) -> bool:
        """Whether the number was given up."""
        return number in self._places

    def __len__(self) -> int:
        """How many were."""
        return len(self._places)

    def left(self, number: str) -> tuple[str, ...]:
        """The pools that the number has left."""
        return tuple(sorted(self._places.get(number, ())))

    def lay_over(self, listed: MutableMapping[str, list[str]]) -> None:
        """Of the inventory (pools by number) take out who is gone, and put in who has come."""
        for number, places in self._places.items():
            listed.pop(number, None)
            for pool, stand_in in places.items():
                pools = listed.setdefault(stand_in, []) if stand_in else []
                if pool not in pools:
                    pools.append(pool)

    def retire(
        self,
        number: str,
        pools: Iterable[str],
        standby: Callable[[str], Iterable[str]],
        fit: Callable[[str], bool],
    ) -> str | None:
        """Give ``number`` up; who takes its place in the first of its pools that has somebody.

        Args:
            number: a member of ``pools``.
            pools: in order.
            standby: the standby numbers of a pool, in order.
            fit: whether one may be taken: it is in no pool, and not out of service.
        """
        places = self._places[number] = {}
        for pool in pools:
            taken = {who for each in self._places.values() for who in each.values()}
            free = (who for who in standby(pool) if who not in taken | self._places.keys())
            places[pool] = next(filter(fit, free), "")
        return next(filter(None, places.values()), None)

    def reinstate(self, number: str) -> None:
        """The number is back, and whoever stood in for it is standby again."""
        self._places.pop(number, None)

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return {number: dict(places) for number, places in self._places.items()}

    def restore(self, state: Mapping[str, Mapping[str, str]]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self._places = {number: dict(places) for number, places in state.items()}

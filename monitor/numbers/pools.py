"""Which numbers belong to which pool: the inventory, and what traffic shows.

Owns membership and sizes. A number in the inventory belongs to the pools that list it; any other
number belongs to the campaigns it was lately seen in, and to ``unassigned`` while none is known.
Whether a member is in service is ``desk``'s to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator
from typing import Any, Final

from monitor.numbers.guards import PoolStanding
from monitor.numbers.seen import SeenLayers, Taken, over
from monitor.numbers.settings import PoolsSettings

UNASSIGNED: Final = "unassigned"
"""The pool of numbers whose campaign is not known; guarded by ``defaults`` like any other."""
CAMPAIGNS_PER_NUMBER_MAX: Final = 16
_ALONE_MAX: Final = 10_000


class PoolBook:
    """The pools with their members, bounded by ``numbers_max``."""

    def __init__(
        self,
        settings: PoolsSettings,
        *,
        numbers_max: int = 200_000,
        normalise: Callable[[str], str] = str,
    ) -> None:
        """``normalise`` turns a number as people write it into the one that events carry."""
        self.overflowed = 0
        """Numbers left out because the book was full, since construction."""
        self._normalise = normalise
        self._seen: dict[str, dict[str, int]] = {}
        """By number, when it was last seen in each of its pools. What a number has is replaced and
        never changed: it may be another's too."""
        self._alone: dict[tuple[str, int], dict[str, int]] = {}
        """Of numbers that are in one pool, which nearly all are: one for all that were last seen
        there in the same hour. With one for each number they were most of its memory."""
        self._layers = SeenLayers()
        """What the last snapshot had of ``_seen``."""
        self._changed: dict[str, None] = {}
        """Numbers of which it has something else; kept once there was a snapshot."""
        self.reconfigure(settings, numbers_max=numbers_max)

    def reconfigure(self, settings: PoolsSettings, *, numbers_max: int) -> None:
        """Take a new inventory; numbers seen in traffic stay where they were seen."""
        self._settings = settings
        self._numbers_max = numbers_max
        listed: dict[str, list[str]] = {}
        for pool in sorted(settings.pools):
            for number in settings.pools[pool].numbers:
                pools = listed.setdefault(self._normalise(number), [])
                if pool not in pools:
                    pools.append(pool)
        self._listed = {number: tuple(pools) for number, pools in listed.items()}
        self._drop_listed()

    def __contains__(self, number: object) -> bool:
        """Whether the number is listed or was seen lately."""
        return number in self._listed or number in self._seen

    def __len__(self) -> int:
        """Numbers known."""
        return len(self._listed) + len(self._seen)

    def __iter__(self) -> Iterator[str]:
        """The numbers known, in order of their text."""
        return iter(sorted([*self._listed, *self._seen]))

    def is_seen(self, number: str) -> bool:
        """Whether the number is known from traffic only."""
        return number in self._seen

    def pools_of(self, number: str) -> tuple[str, ...]:
        """The number's pools, in order of their names; none for an unknown number."""
        listed = self._listed.get(number)
        return tuple(sorted(self._seen.get(number, ()))) if listed is None else listed

    def names(self) -> list[str]:
        """Pools that are configured or have members, in order."""
        return sorted({*self._settings.pools, *self._sizes})

    def join(self, number: str, campaign: str | None, tick: int) -> bool:
        """Note that the number was seen, in ``campaign`` where known.

        Returns false when the book is full and the number is not in it.
        """
        pools = self._seen.get(number)
        if pools is not None and campaign in pools and len(pools) == 1:  # nearly always
            if pools[campaign] != tick:
                self._note(number)
                self._keep(number, {campaign: tick})
            return True
        if number in self._listed:
            return True
        if pools is None and len(self) >= self._numbers_max:
            self.overflowed += 1
            return False
        pools = dict(pools or {})
        self._note(number)
        if campaign is not None:
            self._enter(pools, campaign, tick)
            if campaign != UNASSIGNED:
                self._leave(pools, UNASSIGNED)
        elif pools:
            # Still in traffic, and nothing says that it left its campaigns.
            for pool in pools:
                pools[pool] = tick
        else:
            self._enter(pools, UNASSIGNED, tick)
        self._keep(number, pools)
        return True

    def lapse(self, cutoff: int, keep: Container[str]) -> None:
        """Forget memberships last seen before ``cutoff``, of numbers that are not in ``keep``.

        Without this a pool would count numbers that left it long ago, and its guards would let
        too many of the living ones go.
        """
        for number in [n for n in self._seen if n not in keep]:
            gone = [p for p, seen in self._seen[number].items() if seen < cutoff]
            if not gone:
                continue
            pools = dict(self._seen[number])
            for pool in gone:
                self._leave(pools, pool)
            self._note(number)
            self._keep(number, pools)

    def standing(self, pool: str, out: int) -> PoolStanding:
        """The pool with ``out`` of its members out of service, and the guards it is under."""
        own, defaults = self._settings.pools.get(pool), self._settings.defaults
        fraction = None if own is None else own.max_fraction
        left = None if own is None else own.min_left
        return PoolStanding(
            name=pool,
            size=self._sizes[pool],
            out=out,
            max_fraction=defaults.max_fraction if fraction is None else fraction,
            min_left=defaults.min_left if left is None else left,
        )

    def snapshot(self) -> dict[str, Any]:
        """What traffic showed; the inventory comes from the configuration."""
        seen = self._seen
        if self._layers:
            seen = {number: seen.get(number, {}) for number in self._changed}
        self._layers.put(Taken.of(seen))
        self._changed = {}
        return {"seen": self._layers.layers(), "overflowed": self.overflowed}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self._seen = {}
        for number, pools in over(state["seen"]).items():
            self._keep(number, pools)
        self.overflowed = state["overflowed"]
        self._layers, self._changed = SeenLayers(state["seen"]), {}
        self._drop_listed()

    def _drop_listed(self) -> None:
        """What is listed is in its pools whatever traffic shows."""
        for number in [number for number in self._seen if number in self._listed]:
            del self._seen[number]
            self._note(number)
        self._count()

    def _note(self, number: str) -> None:
        if self._layers:
            self._changed[number] = None

    def _keep(self, number: str, pools: dict[str, int]) -> None:
        """These are the number's pools from now on; none: it is not known any more."""
        if not pools:
            self._seen.pop(number, None)
        elif len(pools) > 1:
            self._seen[number] = pools
        else:
            if len(self._alone) >= _ALONE_MAX:
                self._alone.clear()
            (alone,) = pools.items()
            self._seen[number] = self._alone.setdefault(alone, pools)

    def _enter(self, pools: dict[str, int], pool: str, tick: int) -> None:
        if pool not in pools:
            if len(pools) >= CAMPAIGNS_PER_NUMBER_MAX:
                oldest = min(pools, key=lambda name: (pools[name], name))
                if pools[oldest] >= tick:  # or two would put each other out, once a batch
                    return
                self._leave(pools, oldest)
            self._sizes[pool] += 1
        pools[pool] = tick

    def _leave(self, pools: dict[str, int], pool: str) -> None:
        if pools.pop(pool, None) is not None:
            self._sizes[pool] -= 1
            if not self._sizes[pool]:
                del self._sizes[pool]

    def _count(self) -> None:
        self._sizes = Counter(pool for pools in self._listed.values() for pool in pools)
        self._sizes.update(pool for pools in self._seen.values() for pool in pools)

"""Which numbers belong to which pool: the inventory, and what traffic shows.

Owns membership and sizes. A number in the inventory belongs to the pools that list it; any other
number belongs to the campaigns it was lately seen in, and to ``unassigned`` while none is known.
Whether a member is in service is ``desk``'s to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final

import numpy as np

from monitor.compiled.sightings import note_seen
from monitor.numbers.guards import PoolStanding
from monitor.numbers.members import Members
from monitor.numbers.retired import Retired
from monitor.numbers.seen import SeenLayers, over
from monitor.numbers.settings import PoolsSettings
from monitor.numbers.sightings import UNASSIGNED, Sightings
from monitor.windows.arrays import Bool, Int64, column

CAMPAIGNS_PER_NUMBER_MAX: Final = 16


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
        self.is_out: Callable[[str], bool] = lambda _number: False
        """Whether a number is out of service: it stays in the pool that it is out of."""
        self._as_in_events = normalise
        self._known_as: dict[str, str] = {}
        """What it makes of the numbers of the inventory: to work it out takes a while."""
        self._retired = Retired()
        self._seen = Members()
        self._layers = SeenLayers()
        """What the last snapshot had of ``_seen``."""
        self.reconfigure(settings, numbers_max=numbers_max)

    def reconfigure(self, settings: PoolsSettings, *, numbers_max: int) -> None:
        """Take a new inventory; numbers seen in traffic stay where they were seen."""
        self._settings = settings
        self._numbers_max = numbers_max
        written = {n for pool in settings.pools.values() for n in (*pool.numbers, *pool.standby)}
        self._known_as = {n: e for n, e in self._known_as.items() if n in written}
        self._standby_of = {
            pool: tuple(dict.fromkeys(map(self._normalise, settings.pools[pool].standby)))
            for pool in sorted(settings.pools)
        }
        self._stands_by: dict[str, tuple[str, ...]] = {}
        for pool, standby in self._standby_of.items():
            for number in standby:
                self._stands_by[number] = (*self._stands_by.get(number, ()), pool)
        self._inventory: dict[str, tuple[str, ...]] = {}
        for pool in sorted(settings.pools):
            for number in dict.fromkeys(map(self._normalise, settings.pools[pool].numbers)):
                self._inventory[number] = (*self._inventory.get(number, ()), pool)
        self._listed = dict(self._inventory)
        self._retired.lay_over(self._listed)
        self._drop_listed()

    def __contains__(self, number: object) -> bool:
        """Whether the number is listed, was seen lately, or was given up."""
        return number in self._listed or number in self._seen or number in self._retired

    def __len__(self) -> int:
        """Numbers known."""
        return len(self._listed) + len(self._seen) + len(self._retired)

    def __iter__(self) -> Iterator[str]:
        """The numbers known, in order of their text."""
        return iter(sorted([*self._listed, *self._seen]))

    def is_seen(self, number: str) -> bool:
        """Whether the number is known from traffic only."""
        return number in self._seen

    def pools_of(self, number: str) -> tuple[str, ...]:
        """The number's pools, in order of their names; none for an unknown number."""
        listed = self._listed.get(number)
        return tuple(sorted(self._seen.get(number))) if listed is None else listed

    def dialled_for(self, number: str) -> tuple[str, ...]:
        """The pools that dial with the number, did until it was retired, or may as it stands by.

        Where it is suspended and resumed follows from these: it has to be the same place.
        """
        here = self.pools_of(number) or self._retired.left(number)
        return here or self._stands_by.get(number, ())

    def names(self) -> list[str]:
        """Pools that are configured or have members, in order."""
        return sorted({*self._settings.pools, *self._sizes})

    def join(self, number: str, campaign: str | None, tick: int) -> bool:
        """Note that the number was seen, in ``campaign`` where known.

        A campaign of the name of the pool of those without one says nothing.

        Returns false when the book is full and the number is not in it.
        """
        if number in self._listed or number in self._retired:
            return True
        pools = self._seen.get(number)
        if not pools and len(self) >= self._numbers_max:
            self.overflowed += 1
            return False
        if campaign is not None and campaign != UNASSIGNED:
            self._enter(pools, campaign, tick)
            if not self.is_out(number):
                self._leave(pools, UNASSIGNED)
        elif pools:
            # Still in traffic, and nothing says that it left its campaigns.
            pools = dict.fromkeys(pools, tick)
        else:
            self._enter(pools, UNASSIGNED, tick)
        self._seen.put(number, pools)
        return True

    def seen_in(self, number: str) -> dict[str, int]:
        """When traffic last showed the number in each of its pools; none where it is listed."""
        return self._seen.get(number)

    def put_seen(self, number: str, pools: Mapping[str, int]) -> None:
        """Traffic showed the number in these and in no others, whatever was told."""
        if number in self._listed or number in self._retired:
            return
        for pool in self._seen.get(number):
            self._shrink(pool)
        self._sizes.update(dict.fromkeys(pools, 1))
        self._seen.put(number, pools)

    def see(self, told: Sightings, tick: int) -> None:
        """As :meth:`join` for each row of the next tick of ``told``, in order."""
        rows = told.next_rows()
        seen, codes, campaigns = self._seen, told.numbers[rows], told.campaigns[rows]
        if told.as_of is not seen.as_of:
            told.as_of = seen.as_of
            told.ids = seen.find_all(told.low, told.high)
            told.places = column([seen.place(name) for name in told.campaign_names])
        rest, first = np.empty(len(codes), dtype=np.int64), np.empty(len(codes), dtype=np.bool_)
        count = note_seen(
            codes,
            campaigns,
            told.ids,
            told.places,
            seen.pool,
            seen.seen,
            seen.changed,
            tick,
            rest,
            first,
        )
        if count:
            rest, first = rest[:count], first[:count]
            codes, campaigns = codes[rest], campaigns[rest]
            left = self._enter_new(told, codes, campaigns, first, tick)
            self._join_rest(told, codes[left], campaigns[left], tick)

    def _enter_new(
        self, told: Sightings, codes: Int64, campaigns: Int64, first: Bool, tick: int
    ) -> Bool:
        """Of rows in order, take in those that make a number known and do nothing else.

        ``first``: of numbers that may be new, the first row. Returns which rows are left.
        """
        left = np.ones(len(codes), dtype=np.bool_)
        if len(self) + np.count_nonzero(first) > self._numbers_max:
            return left  # they are asked in order until it is full
        rows = np.flatnonzero(first & (campaigns >= 0))
        rows = rows[told.places[campaigns[rows]] >= 0]
        names = told.names_of(codes[rows])
        if self._listed or self._retired:
            elsewhere = [name in self._listed or name in self._retired for name in names]
            rows = rows[~np.array(elsewhere, dtype=np.bool_)]
            names = told.names_of(codes[rows])
        if len(rows) == 0:
            return left
        own, low, high = codes[rows], told.low[codes[rows]], told.high[codes[rows]]
        told.ids[own], new = self._seen.put_new(
            names, low, high, told.places[campaigns[rows]], tick
        )
        left[rows[new]] = False
        for campaign, count in Counter(campaigns[rows[new]].tolist()).items():
            self._sizes[told.campaign_names[campaign]] += count
        return left

    def _join_rest(self, told: Sightings, codes: Int64, campaigns: Int64, tick: int) -> None:
        """Rows of numbers that are elsewhere than they were, one by one."""
        for row, name in enumerate(told.names_of(codes)):
            campaign = None if campaigns[row] < 0 else told.campaign_names[campaigns[row]]
            self.join(name, campaign, tick)
            key, code = self._seen.find(name), codes[row : row + 1]
            told.ids[code] = -1 if key is None else key
            self._seen.known_by(told.ids[code], told.low[code], told.high[code])
            if campaign is not None:
                told.places[campaigns[row]] = self._seen.place(campaign)

    def retire(self, number: str, fit: Callable[[str], bool]) -> str | None:
        """The number is in no pool any more; who takes its place, if somebody is listed for it.

        ``fit``: whether one that is in no pool may: it is not out of service.
        """
        pools = self.pools_of(number)
        stand_ins = self._retired.retire(
            number,
            pools,
            lambda pool: self._standby_of.get(pool, ()),
            lambda who: who not in self._listed and fit(who),
        )
        self._list_again(number, *stand_ins)
        return next(iter(stand_ins), None)

    def reinstate(self, number: str) -> None:
        """The number is in its pools again, and whoever took its place in none."""
        left = self._retired.left(number)
        self._list_again(number, *self._retired.reinstate(number))
        if number not in self._listed:
            # As last seen: where it was suspended it is let go. Without traffic it lapses.
            pools = self._seen.get(number)
            for pool in left:
                self._enter(pools, pool, 0)
            self._seen.put(number, pools)

    def _normalise(self, number: str) -> str:
        found = self._known_as.get(number)
        if found is None:
            found = self._known_as[number] = self._as_in_events(number)
        return found

    def _list_again(self, *numbers: str) -> None:
        """These were given up, stand in, or do no more; all others are where they were."""
        for number in numbers:
            for pool in self._listed.pop(number, ()):
                self._shrink(pool)
            pools = self._retired.pools_of(number, self._inventory.get(number, ()))
            if pools:
                self._listed[number] = pools
                self._sizes.update(pools)
            key = self._seen.find(number)
            if key is not None and (pools or number in self._retired):
                for pool in self._seen.get(number):
                    self._shrink(pool)
                self._seen.drop([key])

    def lapse(self, cutoff: int, keep: Container[str]) -> None:
        """Forget memberships last seen before ``cutoff``, of numbers that are not in ``keep``.

        Without this a pool would count numbers that left it long ago, and its guards would let
        too many of the living ones go.
        """
        gone: list[int] = []
        for key, number, pools in self._seen.before(cutoff):
            if number in keep:
                continue
            for pool in [pool for pool, when in pools.items() if when < cutoff]:
                self._leave(pools, pool)
            if pools:
                self._seen.put(number, pools)
            else:
                gone.append(key)
        if gone:
            self._seen.drop(gone)

    def standing(self, pool: str, out: int) -> PoolStanding:
        """The pool with ``out`` of its members out of service, and the guards it is under."""
        return PoolStanding(pool, self._sizes[pool], out, **self._settings.guards_of(pool))

    def snapshot(self) -> dict[str, Any]:
        """What traffic showed; the inventory comes from the configuration."""
        self._layers.put(self._seen.take())
        return {
            "seen": self._layers.layers(),
            "overflowed": self.overflowed,
            "retired": self._retired.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self._seen = Members()
        self._seen.fill(over(state["seen"]))
        self.overflowed = state["overflowed"]
        self._layers = SeenLayers(state["seen"])
        self._retired.restore(state.get("retired", {}))  # older programs retired none
        self.reconfigure(self._settings, numbers_max=self._numbers_max)

    def _drop_listed(self) -> None:
        """What is listed is in its pools whatever traffic shows, and what was given up in none."""
        keys = [self._seen.find(number) for number in (*self._listed, *self._retired)]
        listed = [key for key in keys if key is not None]
        if listed:
            self._seen.drop(listed)
        self._count()

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
            self._shrink(pool)

    def _shrink(self, pool: str) -> None:
        self._sizes[pool] -= 1
        if not self._sizes[pool]:
            del self._sizes[pool]

    def _count(self) -> None:
        self._sizes = Counter(pool for pools in self._listed.values() for pool in pools)
        self._sizes.update(self._seen.sizes())

"""Quantiles of a figure among the scopes of the same group.

Owns which scopes are peers, and the quantiles at a tick: those of the linear interpolation that
numpy and R (type 7) take for the usual one, over the peers with data, the scope itself among them.
"""

from __future__ import annotations

import numpy as np

from monitor.rules.belonging import NOWHERE, Belonging
from monitor.rules.past import value_of
from monitor.rules.ports import FigureView, Float64, Int64
from monitor.rules.relative import LEAST_PEERS, PeerQuantile
from monitor.windows.arrays import grown

_UNKNOWN = -2


class Peers:
    """The peers of one figure by one dimension."""

    def __init__(
        self, view: FigureView, by: tuple[str, ...], dimension: str, belonging: Belonging | None
    ) -> None:
        """``belonging`` says where a scope is whose ``by`` does not name the dimension itself."""
        self._view = view
        self._position = by.index(dimension) if dimension in by else None
        self._belonging = belonging
        self._member = 0 if belonging is None else by.index(belonging.member)
        self._era = 0
        self._numbers: dict[str, int] = {}
        """Of groups that the scope's own name tells."""
        self._place = np.full(0, _UNKNOWN, dtype=np.int64)
        """By id: the number of its group, or where its member stands with ``belonging``."""
        self._made: dict[PeerQuantile, Float64] = {}

    def step(self) -> None:
        """Another tick: what was worked out was of an earlier one."""
        self._made.clear()

    def at(self, call: PeerQuantile, ids: Int64, least: int) -> Float64:
        """What ``call`` gives for ``ids``, NaN where peers are too few; shape of ``ids``.

        ``least``: with less below the line, in fixed point, a scope is nobody's peer.
        """
        if call not in self._made:
            self._made[call] = self._make(call, least)
        made, groups = self._made[call], self._group_of(ids)
        found = np.full(len(ids), np.nan)
        has = groups != NOWHERE
        found[has] = made[groups[has]]
        return found

    def forget(self, ids: Int64) -> None:
        """These ids may come back as other scopes."""
        self._place[ids[ids < len(self._place)]] = _UNKNOWN

    def _make(self, call: PeerQuantile, least: int) -> Float64:
        ids = self._view.keys.living()
        hits, of = self._view.figures(ids)
        groups = self._group_of(ids)
        has = (of >= max(least, 1)) & (groups != NOWHERE)
        groups, values = groups[has], value_of(self._view, hits[has], of[has])
        order = np.lexsort((values, groups))
        groups, values = groups[order], values[order]
        made = np.full(self._count(), np.nan)
        present, first, count = np.unique(groups, return_index=True, return_counts=True)
        enough = count >= LEAST_PEERS
        place = first[enough] + float(call.share) * (count[enough] - 1)
        low = np.floor(place).astype(np.int64)
        high = np.ceil(place).astype(np.int64)
        made[present[enough]] = values[low] + (place - low) * (values[high] - values[low])
        return made

    def _count(self) -> int:
        return len(self._numbers) if self._belonging is None else self._belonging.count

    def _group_of(self, ids: Int64) -> Int64:
        """The number of each id's group; ``NOWHERE`` while it is not known."""
        belonging = self._belonging
        if belonging is not None and belonging.era != self._era:
            self._era = belonging.era
            self._place.fill(_UNKNOWN)
        if len(ids) and int(ids.max()) >= len(self._place):
            self._place = grown(self._place, int(ids.max()) + 1, _UNKNOWN)
        places: Int64 = self._place[ids]
        for index in np.flatnonzero(places == _UNKNOWN).tolist():
            key = int(ids[index])
            places[index] = self._place[key] = self._place_of(key)
        return places if belonging is None else belonging.codes[places]

    def _place_of(self, key: int) -> int:
        scope = self._view.scope(key)
        if self._belonging is not None:
            return self._belonging.place(scope[self._member][1])
        assert self._position is not None  # noqa: S101 - one of the two tells the group
        return self._numbers.setdefault(scope[self._position][1], len(self._numbers))

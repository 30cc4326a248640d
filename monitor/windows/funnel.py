"""Funnels: how many entities of each key took steps in order, over windows.

Owns the pairs (key, entity) of one funnel of one scope, what of their past still matters, and a
count per step and window. An entity has reached step k in a window when it has events
t1 <= t2 <= … <= tk of the steps 1 to k, all in the window, with tk - t1 at most ``within``. One
event may serve several steps, and so may events of the same millisecond.

Of all chains that come to a step within the time, only the one that began last matters: it is in a
window as long as its first event is. So a pair is one time for each step, ``reached``, and a window
counts the pairs whose time is not before its ``lo``: order and ``within`` are kept to the
millisecond, and windows are left pane by pane, as everywhere. An event that comes late may make a
chain begin later, never earlier: so these times only grow.

Events wait in a list, by time, as long as one that is earlier may still come, which is the
lateness; then they are folded into one time for each step. So a pair's state is bounded by that and
by ``EVENTS_MAX``: of a pair with more of them the earliest are folded before their time, and
what then comes before those is left out, and counted in ``overflowed``, as is a pair that finds the
table full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.compiled.funnel import END, NEVER, fold, listed, newest, put_in, walk
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, grown, roomy
from monitor.windows.distinct import DistinctWindow, PairRows, seen_later
from monitor.windows.spec import WindowSpec

EVENTS_MAX = 256
"""Different milliseconds of one pair whose order may still change."""
_ALL = 2**62


class Level:
    """The pairs that reached one step, and the windows that count them."""

    def __init__(self, specs: Sequence[WindowSpec], lateness_ms: int) -> None:
        self.last = np.full((0, 1), NEVER, dtype=np.int64)
        """Per pair: the grain in which the latest chain to this step began."""
        self.key = column([])
        """Per pair: the scope's key."""
        self.windows = {spec.identity: DistinctWindow(spec, self, lateness_ms) for spec in specs}

    def raise_to(self, slots: Int64, grains: Int64) -> None:
        """The latest chains of different pairs began in these grains; or earlier ones did not."""
        moved, before, after = seen_later(slots, grains, self.last)
        if len(moved):
            for window in self.windows.values():
                window.move(moved, before, after)


class FunnelPairs:
    """Pairs of one funnel of one scope; it is asked as :class:`DistinctPairs` is."""

    def __init__(
        self,
        specs: Sequence[WindowSpec],
        *,
        steps: int,
        within_ms: int,
        grain_ms: int,
        pairs_max: int,
        lateness_ms: int,
        tick_ms: int,
    ) -> None:
        """``grain_ms`` divides every pane of ``specs``."""
        self.levels = [Level(specs, lateness_ms) for _ in range(steps)]
        self.overflowed = 0
        """Rows left out because the pair table, or the list of a pair, was full."""
        self._within_ms = within_ms
        self._grain_ms = grain_ms
        self._lateness_ms = lateness_ms
        self._tick_ms = tick_ms
        self._tick = 0
        self._pairs = KeyTable(pairs_max)
        self._key = column([])
        self._starts = np.full((0, steps), NEVER, dtype=np.int64)
        self._reached = np.full((0, steps), NEVER, dtype=np.int64)
        self._folded = column([])
        self._heads = column([])
        self._held = column([])
        self._times = column([])
        self._bits = column([])
        self._follows = column([])
        self._free = column([0])
        self._scratch = np.zeros(steps, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._pairs)

    def begin(self, tick: int, keys_size: int) -> None:
        """Start a tick: stop counting the pairs that are no longer in."""
        self._tick = tick
        for level in self.levels:
            for window in level.windows.values():
                window.begin(tick, window.spec.lo(tick), keys_size)

    def slots(self, keys: Sequence[int], values: Sequence[str]) -> Int64:
        """Where the pairs are in the table; ``OVERFLOW`` for those that find it full."""
        return self._pairs.intern(
            [f"{key}\x1f{value}" for key, value in zip(keys, values, strict=True)]
        )

    def enter(self, rows: PairRows) -> None:
        """Take in rows of a tick: ``sets`` are the steps each serves as bits, ``grains`` its time.

        The rows of a pair are beside each other, in order of time, the last of them ``newest``.
        """
        full = rows.slots == OVERFLOW
        if np.count_nonzero(full):
            self.overflowed += int(np.count_nonzero(full & rows.newest))
            rows = rows.of(~full)
        if len(rows.slots) == 0:
            return
        self._room(self._pairs.size, len(rows.slots))
        self._key[rows.slots] = rows.keys
        slots = rows.slots[rows.newest]
        # Nothing older than this comes with the rows of this tick, or later.
        self._fold(slots, self._tick - self._tick_ms - self._lateness_ms)
        self.overflowed += put_in(
            rows.slots, rows.grains, rows.sets, self._folded,
            self._heads, self._held, self._times, self._bits, self._follows, self._free,
        )  # fmt: skip
        reached = self._walk(slots, self._reached[slots], _ALL)
        self._reached[slots] = reached
        self._fold(slots, -_ALL)
        self._count(slots, reached)
        self._join(rows)

    def evict(self, tick: int) -> Int64:
        """Free the pairs that no window can count any more, nor a period closing at ``tick``.

        Returns:
            Their slots, which may come back as others.
        """
        size = self._pairs.size
        if size == 0:
            return column([])
        living = self._pairs.living()
        self._fold(living, tick - self._lateness_ms)
        first = self.levels[0].windows.values()
        bound = min(window.lo for window in first)
        used = self.levels[0].last[:size, 0] >= bound
        for window in first:
            window.mark_used(tick, used)
            bound = min([bound, *window.closing_spans()])
        waiting = np.full(len(living), NEVER, dtype=np.int64)
        newest(living, self._heads, self._times, self._follows, waiting)
        used[living[waiting >= bound]] = True
        gone: Int64 = living[~used[living]]
        self._fold(gone, _ALL)
        self._starts[gone] = self._reached[gone] = NEVER
        self._folded[gone] = NEVER
        for level in self.levels:
            level.last[gone] = NEVER
        self._pairs.release(gone.tolist())
        return gone

    def snapshot(self) -> dict[str, Any]:
        """Pairs, their waiting events and closing periods; counts follow from them."""
        size = self._pairs.size
        slots = np.arange(size)
        events = np.empty(int(self._held[:size].sum()), dtype=np.int64)
        listed(slots, self._heads, self._follows, events)
        identities = self.levels[0].windows
        return {
            "pairs": self._pairs.snapshot(),
            "starts": self._starts[:size].copy(),
            "reached": self._reached[:size].copy(),
            "folded": self._folded[:size].copy(),
            "held": self._held[:size].copy(),
            "times": self._times[events],
            "bits": self._bits[events],
            "overflowed": self.overflowed,
            "closing": {
                name: [level.windows[name].snapshot(size) for level in self.levels]
                for name in identities
            },
        }

    def restore(self, state: dict[str, Any], tick: int, keys_size: int) -> None:
        """Take over a snapshot made after the step at ``tick``. The table was fresh."""
        self._tick = tick
        self._pairs.restore(state["pairs"])
        self.overflowed = int(state["overflowed"])
        held = column(state["held"])
        self._room(len(held), len(state["times"]))
        self._starts[: len(held)] = column(state["starts"]).reshape(-1, len(self.levels))
        self._reached[: len(held)] = column(state["reached"]).reshape(-1, len(self.levels))
        self._folded[: len(held)] = column(state["folded"])
        put_in(
            np.repeat(np.arange(len(held)), held), column(state["times"]), column(state["bits"]),
            np.full(len(held), NEVER), self._heads, self._held, self._times, self._bits,
            self._follows, self._free,
        )  # fmt: skip
        names = [name for part in state["pairs"] for name in part.content()]
        keys = [-1 if name is None else int(name.partition("\x1f")[0]) for name in names]
        self._key[: len(keys)] = keys
        living = self._pairs.living()
        grains = self._grains(self._reached)
        for step, level in enumerate(self.levels):
            level.last[:, 0] = grains[:, step]
            for name, window in level.windows.items():
                closing = state["closing"].get(name)
                closed = None if closing is None else closing[step]
                met = level.last[living, 0]
                window.rebuild(window.spec.lo(tick), keys_size, living, met, closed)

    def _count(self, slots: Int64, reached: Int64) -> None:
        grains = self._grains(reached)
        for step, level in enumerate(self.levels):
            level.raise_to(slots, grains[:, step])

    def _join(self, rows: PairRows) -> None:
        """Rows of closing periods join their final figures."""
        for name, first in self.levels[0].windows.items():
            for start in first.closing_spans():
                chosen = (rows.grains >= start) & (rows.grains < first.lo)
                if not np.count_nonzero(chosen):
                    continue
                slots = np.unique(rows.slots[chosen])
                nothing = np.full((len(slots), len(self.levels)), NEVER, dtype=np.int64)
                grains = self._grains(self._walk(slots, nothing, first.lo))
                for step, level in enumerate(self.levels):
                    level.windows[name].late_at(slots, grains[:, step])

    def _walk(self, slots: Int64, reached: Int64, until: int) -> Int64:
        walk(
            slots, until, self._within_ms, self._starts, self._folded,
            self._heads, self._times, self._bits, self._follows, self._scratch, reached,
        )  # fmt: skip
        return reached

    def _fold(self, slots: Int64, before: int) -> None:
        fold(
            slots, before, EVENTS_MAX, self._within_ms, self._starts, self._reached, self._folded,
            self._heads, self._held, self._times, self._bits, self._follows, self._free,
        )  # fmt: skip

    def _grains(self, times: Int64) -> Int64:
        return times - times % self._grain_ms

    def _room(self, pairs: int, events: int) -> None:
        """Have room for so many pairs, and for so many events more."""
        self._key = grown(self._key, pairs)
        self._starts = grown(self._starts, pairs, NEVER)
        self._reached = grown(self._reached, pairs, NEVER)
        self._folded = grown(self._folded, pairs, NEVER)
        self._heads = grown(self._heads, pairs, END)
        self._held = grown(self._held, pairs)
        for level in self.levels:
            level.last = grown(level.last, pairs, NEVER)
            level.key = self._key
        have, free = len(self._times), int(self._free[0])
        if events > free:
            size = roomy(have + events - free, have)
            self._times = grown(self._times, size)
            self._bits = grown(self._bits, size)
            self._follows = grown(self._follows, size, END)
            self._free = grown(self._free, len(self._times) + 1)
            fresh = np.arange(have, len(self._times))
            self._free[free + 1 : free + 1 + len(fresh)] = fresh[::-1]
            self._free[0] = free + len(fresh)


def steps_of(sets: Sequence[Bool]) -> Int64:
    """By row, which of the steps it serves, as bits."""
    bits = np.zeros(len(sets[0]), dtype=np.int64)
    for step, chosen in enumerate(sets):
        bits |= chosen.astype(np.int64) << step
    return bits

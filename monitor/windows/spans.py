"""Time spent in a state: the intervals between an entity's state events, as they accrue.

Owns the latest state of each entity for one ``seconds_in`` measure of one scope, and the pieces of
time that a tick adds to or takes from the scope's keys. Panes and sums over them are
``monitor.windows.sums``. Milliseconds are exact: thousandths of a second.

What counts at tick T, always, is a function of the accepted state events with effective time
before T, in their order:

* an event at ``t`` is accepted when ``t`` is not before the entity's current state; others are
  ignored and counted, since the order of events is what tells the state;
* a state lasts from its event to the next accepted one, or up to T, and in any case at most
  ``max_age`` after its event, so that a lost sign-out ends;
* it accrues to the scope key that stood in its event.

A late event closes the state before it in the already accrued past; what was accrued after it is
taken back.

At nearly every tick nearly all entities stay as they are and accrue the same interval. They are
kept counted by key (:class:`Steady`), so that a tick's work is that of its events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, grown
from monitor.windows.spec import WindowSpec

NEVER = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Intervals ``[start, end)`` in ms to be added to a key or taken back."""

    keys: Int64
    starts: Int64
    ends: Int64
    times: Int64
    """How often each is to be added; -1 takes it back."""

    def __len__(self) -> int:
        return len(self.keys)

    def cut(self, spec: WindowSpec, earliest: int) -> tuple[Int64, Int64, Int64]:
        """The pieces from ``earliest`` on, cut at pane boundaries.

        Returns:
            Pane starts, keys, and signed milliseconds, one row for each piece and pane.
        """
        starts = np.maximum(self.starts, earliest)
        kept = starts < self.ends
        starts, ends, keys, times = starts[kept], self.ends[kept], self.keys[kept], self.times[kept]
        if len(keys) == 0:
            return keys, keys, keys
        edges = spec.edges(int(starts.min()), int(ends.max()))
        first = np.searchsorted(edges, starts, side="right") - 1
        counts = np.searchsorted(edges, ends, side="left") - first
        row = np.repeat(np.arange(len(keys)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        place = first[row] + within
        upper = np.append(edges[1:], ends.max())[place]
        length = np.minimum(ends[row], upper) - np.maximum(starts[row], edges[place])
        return edges[place], keys[row], length * times[row]


@dataclass(frozen=True, slots=True)
class Steady:
    """One interval for all the entities whose state goes on."""

    keys: Int64
    """Ascending and distinct."""
    counts: Int64
    """Entities of each."""
    start: int
    end: int

    def pieces(self) -> Pieces:
        """The same, one by one."""
        n = len(self.keys)
        return Pieces(self.keys, np.full(n, self.start), np.full(n, self.end), self.counts)


_NONE = column([])
_NOTHING = Pieces(_NONE, _NONE, _NONE, _NONE)


class StateSpans:
    """The latest state of each entity, and how far it has accrued."""

    def __init__(self, *, max_age_ms: int, entities_max: int, tick_ms: int) -> None:
        self.max_age_ms = max_age_ms
        self.ignored = 0
        """Events older than the entity's current state."""
        self.overflowed = 0
        """Events of entities that found the table full."""
        self._tick_ms = tick_ms
        self._entities = KeyTable(entities_max)
        self._start = np.zeros(0, dtype=np.int64)
        self._key = np.zeros(0, dtype=np.int64)
        self._open = np.zeros(0, dtype=np.bool_)
        self._accrued = NEVER
        self._running = False
        self._counts: tuple[Int64, Int64] | None = None
        """States that go on, by key, as in :class:`Steady`; None: to be counted anew."""
        self._ends = NEVER
        """When the first of them reaches its greatest age."""

    @property
    def due(self) -> int | None:
        """The next tick when something accrues until then, else None."""
        return self._accrued + self._tick_ms if self._running else None

    def advance(self, tick: int) -> tuple[Steady | None, Pieces]:
        """Let all states accrue up to ``tick``, without new events."""
        if not self._running:
            self._accrued = tick
            return None, _NOTHING
        steady = self._go_on(tick)
        if steady is None:
            return self.apply(tick, [], _NONE, _NONE, np.empty(0, dtype=np.bool_))
        self._accrued = tick
        return steady, _NOTHING

    def apply(
        self, tick: int, entities: list[str], times: Int64, keys: Int64, matches: Bool
    ) -> tuple[Steady | None, Pieces]:
        """Apply the state events of a tick, in order, and accrue up to it.

        Args:
            tick: later than any before it.
            entities: the entity of each event.
            times: the events' times, all before ``tick``.
            keys: the scope's key in each event, -1 where it has none.
            matches: whether the event's state is one whose time counts.

        Returns:
            What is to be added; both together.
        """
        ids = self._entities.intern(entities)
        size = self._entities.size
        self._start = grown(self._start, size, NEVER)
        self._key = grown(self._key, size, -1)
        self._open = grown(self._open, size)
        accepted = self._accepted(ids, times)
        order = accepted[np.argsort(ids[accepted], kind="stable")]
        ids, times = ids[order], times[order]
        keys, matches = keys[order], matches[order] & (keys[order] >= 0)
        changed, firsts = np.unique(ids, return_index=True)
        steady = self._go_on(tick)
        if steady is not None:
            # All go on to the tick; from those that changed the rest is then taken back.
            self._accrued = tick
        made = [
            self._close(changed, times[firsts]),
            self._new(tick, ids, times, keys, matches),
        ]
        if steady is None:
            made.append(self._accrue(np.setdiff1d(np.flatnonzero(self._open), changed), tick))
        lasts = np.searchsorted(ids, changed, side="right") - 1
        self._start[changed] = times[lasts]
        self._key[changed] = np.where(matches[lasts], keys[lasts], -1)
        self._open[changed] = matches[lasts]
        self._accrued = tick
        self._counts = None
        cap = self._start[self._open] + self.max_age_ms
        self._running = bool((cap > tick).any())
        return steady, Pieces(*(np.concatenate(columns) for columns in zip(*made, strict=True)))

    def _go_on(self, tick: int) -> Steady | None:
        """What all states that go on accrue up to ``tick``, if it is the same for all of them."""
        if not self._running:
            return None
        if self._counts is None:
            ends = self._start + self.max_age_ms
            going = self._open & (ends > self._accrued)
            counts = np.bincount(self._key[going])
            keys = np.flatnonzero(counts)
            self._counts = keys, counts[keys]
            self._ends = int(ends[going].min())
        return Steady(*self._counts, self._accrued, tick) if tick < self._ends else None

    def _accepted(self, ids: Int64, times: Int64) -> Int64:
        """Positions of the events that are accepted, by entity and then in order."""
        full = ids == OVERFLOW
        self.overflowed += int(full.sum())
        order = column(np.argsort(ids, kind="stable")[int(full.sum()) :])  # OVERFLOW sorts first
        if len(order) == 0:
            return order
        ids, times = ids[order], times[order]
        # An event is accepted when nothing of its entity before it is later: when it equals the
        # running maximum within its entity. One accumulate serves all entities, each lifted above
        # the one before it.
        floor = np.maximum(self._start[ids], times.min())
        value = np.maximum(times, floor) - times.min()
        rank = np.cumsum(np.append(False, ids[1:] != ids[:-1]))
        lift = rank * (int(value.max()) + 1)
        latest = np.maximum.accumulate(value + lift) - lift + times.min()
        kept = times == latest
        self.ignored += len(order) - int(kept.sum())
        return column(order[kept])

    def _close(self, ids: Int64, times: Int64) -> tuple[Int64, ...]:
        """End the states of ``ids`` at ``times``, taking back what had accrued beyond."""
        chosen = self._open[ids]
        ids, times = ids[chosen], times[chosen]
        cap = self._start[ids] + self.max_age_ms
        end, accrued = np.minimum(times, cap), np.minimum(self._accrued, cap)
        low, high = np.minimum(end, accrued), np.maximum(end, accrued)
        kept = low < high
        sign = np.where(end > accrued, 1, -1)
        return self._key[ids][kept], low[kept], high[kept], sign[kept]

    def _accrue(self, ids: Int64, tick: int) -> tuple[Int64, ...]:
        """Let open states go on to ``tick``."""
        cap = self._start[ids] + self.max_age_ms
        low, high = np.minimum(self._accrued, cap), np.minimum(tick, cap)
        kept = low < high
        return self._key[ids][kept], low[kept], high[kept], np.ones(int(kept.sum()), dtype=np.int64)

    def _new(
        self, tick: int, ids: Int64, times: Int64, keys: Int64, matches: Bool
    ) -> tuple[Int64, ...]:
        """Intervals of the new states, up to the entity's next event or ``tick``."""
        ends = np.full(len(ids), tick, dtype=np.int64)
        same = np.flatnonzero(ids[1:] == ids[:-1])
        ends[same] = times[same + 1]
        ends = np.minimum(ends, times + self.max_age_ms)
        kept = matches & (times < ends)
        return keys[kept], times[kept], ends[kept], np.ones(int(kept.sum()), dtype=np.int64)

    def mark_alive(self, alive: Bool) -> None:
        """Set ``alive`` at the keys that open states may still add to."""
        alive[self._key[self._open]] = True

    def evict(self, tick: int, lateness_ms: int) -> None:
        """Free entities whose state ended so long ago that no accepted event can touch it."""
        living = self._entities.living()
        over = self._start[living] + self.max_age_ms + lateness_ms < tick
        gone = living[over]
        self._start[gone], self._key[gone], self._open[gone] = NEVER, -1, False
        self._counts = None
        self._entities.release(gone.tolist())

    def snapshot(self) -> dict[str, Any]:
        """The states as plain values."""
        size = self._entities.size
        return {
            "entities": self._entities.snapshot(),
            "start": self._start[:size].copy(),
            "key": self._key[:size].copy(),
            "open": self._open[:size].copy(),
            "accrued": self._accrued,
            "running": self._running,
            "ignored": self.ignored,
            "overflowed": self.overflowed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a snapshot."""
        self._entities.restore(state["entities"])
        self._start = column(state["start"]).copy()
        self._key = column(state["key"]).copy()
        self._open = np.array(state["open"], dtype=np.bool_)
        self._counts = None
        self._accrued = int(state["accrued"])
        self._running = bool(state["running"])
        self.ignored = int(state["ignored"])
        self.overflowed = int(state["overflowed"])

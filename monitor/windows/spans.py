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

A late event closes the state before it in the already accrued past, in the same way.

At nearly every tick nearly all states go on. So all of them first accrue up to the tick, which is
one sum a key as long as none reaches its greatest age; then the tick's events take back what came
after them, and add what they begin. A tick's work is that of its events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, grown, reduce_by_key
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

    @classmethod
    def joined(cls, parts: Sequence[Pieces]) -> Pieces:
        """All of ``parts``."""
        columns = ((each.keys, each.starts, each.ends, each.times) for each in parts)
        return cls(*(np.concatenate(of_all) for of_all in zip(*columns, strict=True)))

    def of(self, chosen: Bool) -> Pieces:
        """Those of the pieces."""
        return Pieces(self.keys[chosen], self.starts[chosen], self.ends[chosen], self.times[chosen])

    def lengths(self) -> Int64:
        """Milliseconds that each adds."""
        return (self.ends - self.starts) * self.times

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
class Accrued:
    """What a tick adds to the time of the scope's keys."""

    start: int
    """Of the tick's own interval, one tick long."""
    keys: Int64
    """Ascending and distinct."""
    amounts: Int64
    """Milliseconds of each within the interval; the same array again when they are the same."""
    elsewhere: Pieces
    """What lies before the interval."""

    def __bool__(self) -> bool:
        return len(self.keys) > 0 or len(self.elsewhere) > 0


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
        self._steady: tuple[Int64, Int64] | None = None
        """What the states that go on add in a tick, by key; None: to be worked out anew."""
        self._ends = NEVER
        """When the first of them reaches its greatest age."""

    def __len__(self) -> int:
        """Entities whose state is known."""
        return len(self._entities)

    @property
    def due(self) -> int | None:
        """The next tick when something accrues until then, else None."""
        return self._accrued + self._tick_ms if self._running else None

    def advance(self, tick: int) -> Accrued:
        """Let all states accrue up to ``tick``, without new events."""
        return self.apply(tick, [], _NONE, _NONE, np.empty(0, dtype=np.bool_))

    def apply(
        self, tick: int, entities: list[str], times: Int64, keys: Int64, matches: Bool
    ) -> Accrued:
        """Apply the state events of a tick, in order, and accrue up to it.

        Args:
            tick: later than any before it.
            entities: the entity of each event.
            times: the events' times, all before ``tick``.
            keys: the scope's key in each event, -1 where it has none.
            matches: whether the event's state is one whose time counts.
        """
        start = tick - self._tick_ms
        together = self._together(start, tick)
        made = [] if together is not None or not self._running else [self._one_by_one(tick)]
        self._accrued = tick
        if entities:
            ids = self._entities.intern(entities)
            self._room()
            for chosen in self._rounds(ids):
                event = ids[chosen], times[chosen], keys[chosen], matches[chosen]
                made += self._change(tick, *event)
        if made:
            self._steady = None
            self._running = bool((self._start[self._open] + self.max_age_ms > tick).any())
        return _sum_up(start, together or (_NONE, _NONE), made)

    def _together(self, start: int, tick: int) -> tuple[Int64, Int64] | None:
        """What all states that go on accrue from ``start`` to ``tick``, by key.

        None when there are none, or when they do not all accrue the whole of it.
        """
        if not self._running or self._accrued != start:
            return None
        if self._steady is None:
            ends = self._start + self.max_age_ms
            going = self._open & (ends > start)
            counts = np.bincount(self._key[going])
            keys = np.flatnonzero(counts)
            self._steady = keys, counts[keys] * self._tick_ms
            self._ends = int(ends[going].min())
        return self._steady if tick < self._ends else None

    def _one_by_one(self, tick: int) -> Pieces:
        """What each open state accrues up to ``tick``."""
        ids = np.flatnonzero(self._open)
        ends = np.minimum(self._start[ids] + self.max_age_ms, tick)
        since = np.full(len(ids), self._accrued, dtype=np.int64)
        return Pieces(self._key[ids], since, ends, np.ones(len(ids), dtype=np.int64))

    def _rounds(self, ids: Int64) -> Iterator[Int64]:
        """Positions of the events, in rounds in which no entity comes twice; mostly one round."""
        full = ids == OVERFLOW
        self.overflowed += int(np.count_nonzero(full))
        waiting = np.flatnonzero(~full)
        while len(waiting):
            if len(set(ids[waiting].tolist())) == len(waiting):
                yield waiting
                return
            _, firsts = np.unique(ids[waiting], return_index=True)
            yield waiting[firsts]
            waiting = np.delete(waiting, firsts)

    def _change(
        self, tick: int, ids: Int64, times: Int64, keys: Int64, matches: Bool
    ) -> list[Pieces]:
        """Apply one event of each of ``ids``, all of which have accrued up to ``tick``."""
        accepted = times >= self._start[ids]
        if np.count_nonzero(accepted) < len(accepted):
            self.ignored += int(np.count_nonzero(~accepted))
            ids, times = ids[accepted], times[accepted]
            keys, matches = keys[accepted], matches[accepted]
        ends = np.minimum(self._start[ids] + self.max_age_ms, tick)
        over = self._open[ids]
        back = np.full(len(ids), -1, dtype=np.int64)
        ended = Pieces(self._key[ids][over], times[over], ends[over], back[over])
        begins = matches & (keys >= 0)
        ends = np.minimum(times + self.max_age_ms, tick)
        begun = Pieces(keys[begins], times[begins], ends[begins], -back[begins])
        self._start[ids] = times
        self._key[ids] = np.where(begins, keys, -1)
        self._open[ids] = begins
        return [ended, begun]

    def _room(self) -> None:
        size = self._entities.size
        self._start = grown(self._start, size, NEVER)
        self._key = grown(self._key, size, -1)
        self._open = grown(self._open, size)

    def mark_alive(self, alive: Bool) -> None:
        """Set ``alive`` at the keys that open states may still add to."""
        alive[self._key[self._open]] = True

    def evict(self, tick: int, lateness_ms: int) -> None:
        """Free entities whose state ended so long ago that no accepted event can touch it."""
        living = self._entities.living()
        over = self._start[living] + self.max_age_ms + lateness_ms < tick
        gone = living[over]
        self._start[gone], self._key[gone], self._open[gone] = NEVER, -1, False
        self._steady = None
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
        self._steady = None
        self._accrued = int(state["accrued"])
        self._running = bool(state["running"])
        self.ignored = int(state["ignored"])
        self.overflowed = int(state["overflowed"])


def _sum_up(start: int, steady: tuple[Int64, Int64], made: list[Pieces]) -> Accrued:
    """One sum a key within the tick's interval, and the pieces that lie before it."""
    if not made:
        return Accrued(start, *steady, _NOTHING)
    pieces = Pieces.joined(made)
    some = pieces.starts < pieces.ends
    here = some & (pieces.starts >= start)
    keys, amounts = reduce_by_key(
        np.concatenate([steady[0], pieces.keys[here]]),
        np.concatenate([steady[1], pieces.lengths()[here]])[:, np.newaxis],
        "add",
    )
    return Accrued(start, keys, amounts[:, 0], pieces.of(some & ~here))

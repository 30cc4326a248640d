"""Different values per key over windows: one pair table, and a count per window.

Owns ``distinct`` figures of one (scope, measure) over all its windows. A pair (key, value) keeps
the last grain in which each of the measure's sets saw it; it counts in a window while the oldest
of these is in it (so several sets make an intersection). Pairs are bounded: a pair that finds the
table full is left out and counted in ``overflowed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from monitor.compiled.pairs import count_entered, see
from monitor.keys import OVERFLOW, KeyTable
from monitor.windows.arrays import Bool, Int64, column, grown, unique_of
from monitor.windows.closing import final_tick
from monitor.windows.spec import WindowSpec

NEVER = int(np.iinfo(np.int64).min)


class PairRows(NamedTuple):
    """Rows of a tick, one for each pair, set and grain, beside each other."""

    slots: Int64
    """Of the pair table, ``OVERFLOW`` where it was full."""
    keys: Int64
    sets: Int64
    """Number of the set that saw the pair."""
    grains: Int64
    newest: Bool
    """The row is the one of its pair and set with the latest grain."""

    def of(self, chosen: Bool) -> PairRows:
        """Those of the rows."""
        slots, keys, sets, grains, newest = self
        return PairRows(slots[chosen], keys[chosen], sets[chosen], grains[chosen], newest[chosen])


class Seen(Protocol):
    """Pairs as their windows see them."""

    @property
    def last(self) -> Int64:
        """Per pair and set: the latest grain; shape (pairs, sets)."""
        ...

    @property
    def key(self) -> Int64:
        """Per pair: the scope's key."""
        ...


def seen_later(slots: Int64, grains: Int64, last: Int64) -> tuple[Int64, Int64, Int64]:
    """Note in ``last``, shape (pairs, 1), when different pairs are seen.

    Returns:
        Those that were seen later than ever before, that before, and when.
    """
    later = np.empty((3, len(slots)), dtype=np.int64)
    moved, before, after = later[:, : see(slots, column(grains), last, later)]
    return moved.copy(), before, after  # windows keep the first, and would keep all with it


class DistinctPairs:
    """Pairs of one measure of one scope, and the windows that count them."""

    def __init__(
        self, specs: Sequence[WindowSpec], sets: int, pairs_max: int, lateness_ms: int
    ) -> None:
        self.windows = {spec.identity: DistinctWindow(spec, self, lateness_ms) for spec in specs}
        self.overflowed = 0
        """Rows left out because the pair table was full."""
        self.last = np.full((0, sets), NEVER, dtype=np.int64)
        """Per pair and set: the latest grain; ``NEVER`` where the set has not seen the pair."""
        self.key = np.zeros(0, dtype=np.int64)
        """Per pair: the scope's key."""
        self._pairs = KeyTable(pairs_max)

    def __len__(self) -> int:
        return len(self._pairs)

    def begin(self, tick: int, keys_size: int) -> None:
        """Start a tick: stop counting the pairs that are no longer in."""
        for window in self.windows.values():
            window.begin(tick, window.spec.lo(tick), keys_size)

    def slots(self, keys: Sequence[int], values: Sequence[str]) -> Int64:
        """Where the pairs are in the table; ``OVERFLOW`` for those that find it full."""
        return self._pairs.intern(
            [f"{key}\x1f{value}" for key, value in zip(keys, values, strict=True)]
        )

    def enter(self, rows: PairRows) -> None:
        """Take in rows of a tick."""
        full = rows.slots == OVERFLOW
        if np.count_nonzero(full):
            self.overflowed += int(np.count_nonzero(full & rows.newest))
            rows = rows.of(~full)
        if len(rows.slots) == 0:
            return
        self.last = grown(self.last, self._pairs.size, NEVER)
        self.key = grown(self.key, self._pairs.size)
        self.key[rows.slots] = rows.keys
        for window in self.windows.values():
            window.late(rows)
        if np.count_nonzero(rows.newest) < len(rows.newest):
            rows = rows.of(rows.newest)
        self._see(rows.slots, rows.sets, rows.grains)

    def _see(self, slots: Int64, sets: Int64, grains: Int64) -> None:
        if self.last.shape[1] == 1:
            # With one set a pair has one row, and what the set has seen is what all have.
            changed, before, after = seen_later(slots, grains, self.last)
        else:
            changed = unique_of([slots])
            before = self.last[changed].min(axis=1)
            np.maximum.at(self.last, (slots, sets), grains)
            after = self.last[changed].min(axis=1)
            moved = after > before
            changed, before, after = changed[moved], before[moved], after[moved]
        if len(changed):
            for window in self.windows.values():
                window.move(changed, before, after)

    def evict(self, tick: int) -> Int64:
        """Free the pairs that no window can count any more, nor a period closing at ``tick``.

        Returns:
            Their slots, which may come back as others.
        """
        size = self._pairs.size
        if size == 0:
            return column([])
        used = self.last[:size].max(axis=1) >= min(window.lo for window in self.windows.values())
        for window in self.windows.values():
            window.mark_used(tick, used)
        living = self._pairs.living()
        gone: Int64 = living[~used[living]]
        self.last[gone] = NEVER
        self._pairs.release(gone.tolist())
        return gone

    def snapshot(self) -> dict[str, Any]:
        """Pairs and closing periods; counts follow from them."""
        size = self._pairs.size
        return {
            "pairs": self._pairs.snapshot(),
            "last": self.last[:size].copy(),
            "overflowed": self.overflowed,
            "closing": {name: window.snapshot(size) for name, window in self.windows.items()},
        }

    def restore(self, state: dict[str, Any], tick: int, keys_size: int) -> None:
        """Take over a snapshot made after the step at ``tick``. The table was fresh."""
        self._pairs.restore(state["pairs"])
        self.overflowed = int(state["overflowed"])
        self.last = np.array(state["last"], dtype=np.int64).reshape(-1, self.last.shape[1])
        names = [name for part in state["pairs"] for name in part.content()]
        self.key = column(
            [-1 if name is None else int(name.partition("\x1f")[0]) for name in names]
        )
        living = self._pairs.living()
        met = self.last[living].min(axis=1, initial=np.iinfo(np.int64).max)
        for name, window in self.windows.items():
            closing = state["closing"].get(name)
            window.rebuild(window.spec.lo(tick), keys_size, living, met, closing)


class DistinctWindow:
    """How many pairs of each key are in one window."""

    def __init__(self, spec: WindowSpec, pairs: Seen, lateness_ms: int) -> None:
        self.spec = spec
        self.lo = NEVER
        self._pairs = pairs
        self._lateness_ms = lateness_ms
        self._counts = np.zeros(0, dtype=np.int64)
        self._leaving: dict[int, list[Int64]] = {}
        self._closed: Int64 | None = None
        self._closed_start = 0

    def begin(self, tick: int, lo: int, keys_size: int) -> None:
        """Start a tick: stop counting the pairs that are no longer in."""
        self._counts = grown(self._counts, keys_size)
        self._forget_closed(tick)
        if lo == self.lo:
            return
        last = self.spec.pane_of(lo - 1) if self.spec.keeps_closed else None
        if last is not None and tick <= self._final(last):
            # All that came before this tick is earlier than lo, so this is the period as it ended.
            self._closed, self._closed_start = self._pairs.last.copy(), last
        self.lo = lo
        for pane in [pane for pane in self._leaving if pane < lo]:
            slots = np.unique(np.concatenate(self._leaving.pop(pane)))
            met = self._pairs.last[slots].min(axis=1)
            # A pair seen again later waits in a later pane.
            gone = slots[self.spec.pane_start(met) == pane]
            np.subtract.at(self._counts, self._pairs.key[gone], 1)

    def move(self, slots: Int64, before: Int64, after: Int64) -> None:
        """The time by which all sets have seen a pair went from ``before`` on to ``after``."""
        if int(after.min()) < self.lo:
            inside = after >= self.lo
            slots, before, after = slots[inside], before[inside], after[inside]
            if len(slots) == 0:
                return
        count_entered(slots, before, self.lo, self._pairs.key, self._counts)
        self._queue(slots, after)

    def late(self, rows: PairRows) -> None:
        """Rows of the closing period join its final figure."""
        if self._closed is None:
            return
        slots, _, sets, grains, _ = rows
        chosen = (grains >= self._closed_start) & (grains < self.lo)
        if chosen.any():
            self._closed = grown(self._closed, len(self._pairs.last), NEVER)
            np.maximum.at(self._closed, (slots[chosen], sets[chosen]), grains[chosen])

    def late_at(self, slots: Int64, grains: Int64) -> None:
        """The final figure of the closing period has these different pairs of one set so late."""
        if self._closed is not None:
            self._closed = grown(self._closed, len(self._pairs.last), NEVER)
            self._closed[slots, 0] = np.maximum(self._closed[slots, 0], grains)

    def closing_spans(self) -> tuple[int, ...]:
        """The start of the closing period, if there is one; it ends at ``lo``."""
        return () if self._closed is None else (self._closed_start,)

    def at(self, ids: Int64) -> Int64:
        """Pairs of each of ``ids`` in the window."""
        return self._counts[ids]

    def closed_at(self, ids: Int64, start: int) -> Int64:
        """Pairs of each of ``ids`` in the closing period that starts at ``start``."""
        counts = np.zeros(len(self._counts), dtype=np.int64)
        if self._closed is not None and self._closed_start == start:
            slots = np.flatnonzero(self._closed.min(axis=1) >= start)
            np.add.at(counts, self._pairs.key[slots], 1)
        return counts[ids]

    def mark_used(self, tick: int, used: Bool) -> None:
        """Set ``used`` at the pairs of the closing period."""
        self._forget_closed(tick)
        if self._closed is not None:
            seen = self._closed[: len(used)].max(axis=1) >= self._closed_start
            used[: len(seen)] |= seen

    def snapshot(self, size: int) -> dict[str, Any] | None:
        """The closing period as plain values, for slots ``0 … size-1``."""
        if self._closed is None:
            return None
        return {"start": self._closed_start, "last": grown(self._closed, size, NEVER)[:size].copy()}

    def rebuild(
        self, lo: int, keys_size: int, slots: Int64, met: Int64, closed: dict[str, Any] | None
    ) -> None:
        """Count anew from the pairs of a snapshot."""
        self.lo = lo
        self._counts = grown(self._counts, keys_size)
        inside = met >= lo
        np.add.at(self._counts, self._pairs.key[slots[inside]], 1)
        self._queue(slots[inside], met[inside])
        if closed is not None:
            self._closed_start = int(closed["start"])
            self._closed = np.array(closed["last"], dtype=np.int64)

    def _forget_closed(self, tick: int) -> None:
        if self._closed is not None and tick > self._final(self._closed_start):
            self._closed = None

    def _queue(self, slots: Int64, met: Int64) -> None:
        if len(met) == 0:
            return
        first = self.spec.pane_of(int(met.min()))
        if first == self.spec.pane_of(int(met.max())):  # nearly always
            self._leaving.setdefault(first, []).append(slots)
            return
        panes = self.spec.pane_start(met)
        for pane in np.unique(panes).tolist():
            self._leaving.setdefault(pane, []).append(slots[panes == pane])

    def _final(self, period: int) -> int:
        return final_tick(self.spec, period, self._lateness_ms)

"""Anchored windows: a key's begins with its first event, lasts for so long, and begins anew.

Owns which window a row counts in, and the sums by key. "Five in an hour, counted from the first"
is not a sliding window: what it holds goes all at once, and nobody's window has a neighbour's edge.

Rows apply tick by tick, within a tick by time. A row that adds something counts in its key's open
window, unless it lies ``length`` or more after the begin of that: then it begins another one, at
its own time. At tick T a window is over when T - 1 ms lies ``length`` or more after its begin. A
late row counts in the window that is open, for it comes after the begin in the order of the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np

from monitor.compiled.anchored import NONE, count_on
from monitor.windows.arrays import Bool, Int64, column, distinct_of, grown, unique_of
from monitor.windows.closing import Closing
from monitor.windows.rows import TickRows


@dataclass(frozen=True, slots=True)
class AnchoredWindow:
    """The ``length_ms`` from the first event of a key on; every millisecond is a pane."""

    key: str
    length_ms: int
    tick_ms: int
    counts: str
    """What begins a window: the counters of one indicator, so that another's events do not."""

    def __post_init__(self) -> None:
        """Refuse a window that a tick does not fit into.

        Raises:
            ValueError: the length is not a positive multiple of the tick.
        """
        if self.length_ms <= 0 or self.length_ms % self.tick_ms:
            msg = f"window of {self.length_ms} ms is not a multiple of the tick of {self.tick_ms}"
            raise ValueError(msg)

    @property
    def identity(self) -> str:
        """All that membership depends on."""
        return f"anchored {self.length_ms} by {self.counts}, tick {self.tick_ms}"

    @property
    def grain_ms(self) -> int:
        """A row's own time matters."""
        return 1

    @property
    def keeps_closed(self) -> bool:
        """Each key's is over at a time of its own."""
        return False

    def pane_start(self, times: Int64) -> Int64:
        """The times themselves."""
        return times

    def pane_of(self, time_ms: int) -> int:
        """The time itself."""
        return time_ms

    def pane_end(self, pane: int) -> int:
        """The millisecond after."""
        return pane + 1

    def lo(self, tick: int) -> int:
        """No window that is open at ``tick`` began before this."""
        return tick - self.length_ms

    def first_tick(self, bound: int) -> int:
        """The first aligned tick T with ``lo(T) >= bound``."""
        return -(-(bound + self.length_ms) // self.tick_ms) * self.tick_ms

    def edges(self, start: int, end: int) -> Int64:
        """Every millisecond of ``[start, end)``."""
        return np.arange(start, end, dtype=np.int64)


class AnchoredSums:
    """Sums by key over one anchored window; the first column counts rows.

    It is asked as :class:`monitor.windows.sums.RunningSums` is.
    """

    def __init__(self, spec: AnchoredWindow, source: list[int], lateness_ms: int) -> None:
        """``source``: for each column but the first, the column of the scope's rows it sums."""
        self.spec = spec
        self.closing = Closing(spec, "add", lateness_ms)
        """Of this nothing is ever closing."""
        self.due: int | None = None
        """The tick at which a window is over by time alone."""
        self._source = column(source)
        self._begins = column([])
        self._sums = np.zeros((1 + len(source), 0), dtype=np.int64)
        self._over: dict[int, list[Int64]] = {}
        """By tick, the keys whose windows may be over then."""
        self._ticks: list[int] = []
        """Those ticks, as a heap."""
        self._touched: list[Int64] = []

    def room(self, size: int) -> None:
        """Have room for ids below ``size``."""
        have = len(self._begins)
        if size <= have:
            return
        self._begins = grown(self._begins, size, NONE)
        larger = np.zeros((len(self._sums), len(self._begins)), dtype=np.int64)
        larger[:, :have] = self._sums
        self._sums = larger

    def begin(self, tick: int, lo: int) -> None:  # noqa: ARG002 - as RunningSums.begin
        """Start a tick."""
        self._touched.clear()

    def enter(self, rows: TickRows) -> None:
        """Take in the rows of a tick."""
        order = np.lexsort((rows.grains, rows.keys))
        opened = np.empty(len(order), dtype=np.int64)
        count = count_on(
            rows.keys[order], rows.grains[order], rows.values[order], self._source,
            self._begins, self.spec.length_ms, self._sums, opened,
        )  # fmt: skip
        self._touched.append(rows.ids)
        self._await(opened[:count])

    def end(self, tick: int) -> None:
        """After the rows of a tick: let go of the windows that are over."""
        gone: list[Int64] = []
        while self._ticks and self._ticks[0] <= tick:
            gone += self._over.pop(heappop(self._ticks))
        if gone:
            ids = unique_of(gone)
            begins = self._begins[ids]
            ids = ids[(begins != NONE) & (begins + self.spec.length_ms < tick)]
            self._begins[ids] = NONE
            self._sums[:, ids] = 0
            self._touched.append(ids)
        self.due = self._ticks[0] if self._ticks else None

    def rest(self) -> None:
        """A tick without anything for this scope."""
        self._touched.clear()

    def touched(self) -> Int64:
        """Ids whose sums this tick changed, ascending."""
        return unique_of(self._touched) if self._touched else column([])

    def at(self, ids: Int64, index: int) -> Int64:
        """Sums of one column for ``ids``."""
        found: Int64 = self._sums[index][ids]
        return found

    def mark_alive(self, tick: int, alive: Bool) -> None:  # noqa: ARG002 - as RunningSums
        """Set ``alive`` at all ids that have an open window."""
        alive[: len(self._begins)] |= (self._begins != NONE)[: len(alive)]

    def snapshot(self) -> dict[str, Any]:
        """The open windows."""
        ids = np.flatnonzero(self._begins != NONE)
        return {"ids": ids, "begins": self._begins[ids], "sums": self._sums[:, ids]}

    def restore(self, state: dict[str, Any], columns: list[int]) -> None:
        """Take over a snapshot; ``columns`` as in :func:`monitor.windows.panes.pane_rows`."""
        ids = column(state["ids"])
        if len(ids):
            self.room(int(ids.max()) + 1)
        self._begins[ids] = column(state["begins"])
        for own, stored in enumerate(columns):
            if stored >= 0:
                self._sums[own, ids] = column(state["sums"][stored])
        self._await(ids)
        self.due = self._ticks[0] if self._ticks else None

    def _await(self, ids: Int64) -> None:
        """Look at these keys again when their windows are over."""
        if not len(ids):
            return
        ids = distinct_of(ids)
        ticks = self._begins[ids] + self.spec.length_ms
        ticks = ticks - ticks % self.spec.tick_ms + self.spec.tick_ms
        for tick in np.unique(ticks).tolist():
            if tick not in self._over:
                self._over[tick] = []
                heappush(self._ticks, tick)
            self._over[tick].append(ids[ticks == tick])

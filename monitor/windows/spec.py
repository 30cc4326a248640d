"""Which rows a window holds at a tick: floor arithmetic on half-open ranges of int64 ms.

Owns the geometry of windows and panes and no data. Calendar periods are
``monitor.windows.calendar``. At tick T a window holds the rows with effective time before T and
``time >= lo(T)``; rows enter one by one and leave pane by pane, so ``lo`` is always a pane's start
(docs/semantics.md, 2 and 3). ``lo`` never goes back, because ticks do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from monitor.windows.arrays import Int64

PANES_MS = tuple(
    seconds * 1_000
    for seconds in (
        *(1, 2, 5, 10, 15, 30),
        *(60, 120, 300, 600, 900, 1_800),
        *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400),
    )
)
"""The lengths a pane may have unless it is set: 1 2 5 10 15 30 s and min, 1 2 3 6 12 24 h."""

PANES_PER_WINDOW = 60


class WindowSpec(Protocol):
    """A kind of window: how time is cut into panes, and which panes are in at a tick."""

    @property
    def key(self) -> str:
        """The window as written: ``30m``, ``day@Asia/Shanghai``."""
        ...

    @property
    def identity(self) -> str:
        """All that membership depends on; part of the fingerprint of the state."""
        ...

    @property
    def length_ms(self) -> int:
        """The window is never longer than this."""
        ...

    @property
    def tick_ms(self) -> int:
        """The distance of ticks, all multiples of it."""
        ...

    @property
    def grain_ms(self) -> int:
        """Every pane starts at a multiple of this, counted from 1970 UTC."""
        ...

    @property
    def keeps_closed(self) -> bool:
        """A pane that has left keeps taking late rows until its figure is final."""
        ...

    def pane_start(self, times: Int64) -> Int64:
        """The start of the pane that holds each time; same shape."""
        ...

    def pane_of(self, time_ms: int) -> int:
        """:meth:`pane_start` of one time."""
        ...

    def pane_end(self, pane: int) -> int:
        """The start of the pane after the one that starts at ``pane``."""
        ...

    def lo(self, tick: int) -> int:
        """The earliest time that is in the window at ``tick``; a pane's start."""
        ...

    def first_tick(self, bound: int) -> int:
        """The first aligned tick T with ``lo(T) >= bound``."""
        ...

    def edges(self, start: int, end: int) -> Int64:
        """Starts of all panes that meet ``[start, end)``, ascending."""
        ...


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """The last ``length_ms``, cut into panes of ``pane_ms`` that start at its multiples."""

    key: str
    length_ms: int
    pane_ms: int
    tick_ms: int

    def __post_init__(self) -> None:
        """Refuse a geometry in which the window could be empty or a pane split a tick.

        Raises:
            ValueError: lengths are not positive multiples of the tick, or the pane is longer than
                the window.
        """
        for name, value in (("window", self.length_ms), ("pane", self.pane_ms)):
            if value <= 0 or value % self.tick_ms:
                msg = f"{name} of {value} ms is not a multiple of the tick of {self.tick_ms} ms"
                raise ValueError(msg)
        if self.pane_ms > self.length_ms:
            msg = f"pane of {self.pane_ms} ms is longer than the window of {self.length_ms} ms"
            raise ValueError(msg)

    @property
    def identity(self) -> str:
        """All that membership depends on."""
        return f"sliding {self.length_ms} by {self.pane_ms}, tick {self.tick_ms}"

    @property
    def grain_ms(self) -> int:
        """The pane."""
        return self.pane_ms

    @property
    def keeps_closed(self) -> bool:
        """A pane of a sliding window is no figure of its own."""
        return False

    def pane_start(self, times: Int64) -> Int64:
        """The start of the pane that holds each time."""
        return times - times % self.pane_ms

    def pane_of(self, time_ms: int) -> int:
        """The start of the pane that holds one time."""
        return time_ms - time_ms % self.pane_ms

    def pane_end(self, pane: int) -> int:
        """The start of the pane after."""
        return pane + self.pane_ms

    def lo(self, tick: int) -> int:
        """The first pane boundary not before ``tick - length_ms``."""
        return -((self.length_ms - tick) // self.pane_ms) * self.pane_ms

    def first_tick(self, bound: int) -> int:
        """The first aligned tick T with ``lo(T) >= bound``."""
        # With c the first pane boundary at or after bound: lo(T) >= c exactly when
        # T - length > c - pane, that is, T is after `beyond`.
        boundary = -(-bound // self.pane_ms) * self.pane_ms
        beyond = boundary - self.pane_ms + self.length_ms
        return beyond - beyond % self.tick_ms + self.tick_ms

    def edges(self, start: int, end: int) -> Int64:
        """Starts of all panes that meet ``[start, end)``."""
        return np.arange(self.pane_of(start), end, self.pane_ms, dtype=np.int64)


def default_pane_ms(length_ms: int, tick_ms: int) -> int:
    """The pane of a window: a sixtieth, rounded down to a listed length, at least one tick.

    Only lengths that are multiples of the tick are considered, so that no tick lies in two panes.
    """
    fitting = [
        pane for pane in PANES_MS if pane * PANES_PER_WINDOW <= length_ms and pane % tick_ms == 0
    ]
    return max(fitting, default=tick_ms)

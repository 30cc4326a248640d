"""Virtual time: one clock for the world, whose wall time can be set wrong.

Owns the difference between wall and monotonic time, which ``ManualClock`` does not know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from monitor.clock import ManualClock


class WorldClock(ManualClock):
    """The monotonic time goes on steadily, the wall time jumps as told."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.skew_ms = 0
        """By how much the wall clock is wrong."""
        self.waited: Callable[[], None] = lambda: None
        """Called whenever the daemon waits: the world goes on, and the daemon may die."""

    def now_ms(self) -> int:
        """The time on the wall."""
        return self.true_ms() + self.skew_ms

    def true_ms(self) -> int:
        """The time that the rest of the world keeps."""
        return super().now_ms()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Advance, and let the world notice."""
        result = super().wait(event, timeout_s)
        self.waited()
        return result

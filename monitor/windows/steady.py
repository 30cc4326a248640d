"""Wall time as far as a step of the machine's clock cannot move it (docs/semantics.md, 5).

Owns one anchor: a wall time and the monotonic time that it belongs to. The wall clock is trusted
when the daemon starts; from then on the monotonic clock is, and records, which other clocks than
ours have stamped.
"""

from __future__ import annotations

from monitor.clock import Clock


class SteadyTime:
    """Bounds for the true time; one thread uses it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._anchor_ms: int | None = None
        self._anchor_s = 0.0

    def earliest_ms(self) -> int:
        """How far an idle stream may follow the wall clock, ms.

        Behind a clock that was set forward until records show that it was right to be; where it
        was set back, no further than it.
        """
        return min(self._clock.now_ms(), self._steady_ms())

    def latest_ms(self) -> int:
        """The latest that it can be, ms: what lies beyond is from the future.

        A clock that was set back does not make it earlier.
        """
        return max(self._clock.now_ms(), self._steady_ms())

    def heard(self, newest_ms: int) -> None:
        """A record claims this time: so late it is at least, where the wall clock agrees."""
        shown_ms = min(newest_ms, self._clock.now_ms())
        if shown_ms > self._steady_ms():
            self._anchor_ms, self._anchor_s = shown_ms, self._clock.monotonic_s()

    def _steady_ms(self) -> int:
        now_s = self._clock.monotonic_s()
        if self._anchor_ms is None:
            self._anchor_ms, self._anchor_s = self._clock.now_ms(), now_s
        return self._anchor_ms + round((now_s - self._anchor_s) * 1000)

"""Wall and monotonic time, injected.

Owns every reading of a clock in the product. Event time never comes from here: wall time only
advances an idle stream, refuses records from the future and paces deliveries
(docs/architecture.md, "Time").
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the daemon may know about time."""

    def now_ms(self) -> int:
        """Wall time, milliseconds since 1970 UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait for ``event`` at most ``timeout_s`` seconds; true when it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Wall time, milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait for ``event`` at most ``timeout_s`` seconds; true when it was set."""
        return event.wait(timeout_s)


class ManualClock:
    """A clock that moves only when told; ships with the product for replays and tests."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms
        self._start_ms = now_ms

    def now_ms(self) -> int:
        """The time last set, milliseconds since 1970 UTC."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """Seconds since construction."""
        return (self._now_ms - self._start_ms) / 1000

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Advance by ``timeout_s`` at once; true when ``event`` is set."""
        if not event.is_set():
            self.advance(round(timeout_s * 1000))
        return event.is_set()

    def advance(self, ms: int) -> None:
        """Move forward by ``ms`` milliseconds.

        Raises:
            ValueError: ``ms`` is negative; set a new clock instead.
        """
        if ms < 0:
            msg = f"a clock does not go back: {ms} ms"
            raise ValueError(msg)
        self._now_ms += ms

"""No more than a receiver takes.

Owns the count of recent requests per receiver.
"""

from __future__ import annotations

from collections import deque

from monitor.units import Rate


class Pacer:
    """At most ``rate.count`` requests in any ``rate.per_ms``; one thread uses it."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._sent_s: deque[float] = deque()

    def room(self, now_s: float) -> int | None:
        """How many requests may go now; None: as many as one likes."""
        if self._rate is None:
            return None
        self._forget(now_s, self._rate)
        return max(0, self._rate.count - len(self._sent_s))

    def wait_ms(self, now_s: float) -> int:
        """Milliseconds until there is room for one; 0 when there is."""
        if self._rate is None or self.room(now_s) != 0:
            return 0
        if not self._sent_s:  # a rate of none at all
            return self._rate.per_ms
        over_s = self._sent_s[0] + self._rate.per_ms / 1000
        return max(1, round((over_s - now_s) * 1000))

    def took(self, now_s: float) -> None:
        """Count one request, whatever came of it."""
        if self._rate is not None:
            self._sent_s.append(now_s)

    def _forget(self, now_s: float, rate: Rate) -> None:
        while self._sent_s and self._sent_s[0] + rate.per_ms / 1000 <= now_s:
            self._sent_s.popleft()

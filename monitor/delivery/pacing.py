"""No more than a receiver takes.

Owns the count of recent requests per receiver.
"""

from __future__ import annotations

from collections import deque

from monitor.units import Rate


class Pacer:
    """At most ``rate.count`` requests in any ``rate.per_ms``, of each rate; one thread uses it."""

    def __init__(self, *rates: Rate | None) -> None:
        """None is no limit."""
        self._rates = [(rate, deque[float]()) for rate in rates if rate is not None]

    def room(self, now_s: float) -> int | None:
        """How many requests may go now; None: as many as one likes."""
        left = []
        for rate, sent_s in self._rates:
            while sent_s and sent_s[0] + rate.per_ms / 1000 <= now_s:
                sent_s.popleft()
            left.append(max(0, rate.count - len(sent_s)))
        return min(left, default=None)

    def wait_ms(self, now_s: float) -> int:
        """Milliseconds until there is room for one; 0 when there is."""
        if self.room(now_s) != 0:
            return 0
        waits = [
            # Of a rate of none at all nothing is ever over.
            rate.per_ms if not sent_s else (sent_s[0] + rate.per_ms / 1000 - now_s) * 1000
            for rate, sent_s in self._rates
            if len(sent_s) >= rate.count
        ]
        return max(1, *(round(wait) for wait in waits))

    def took(self, now_s: float) -> None:
        """Count one request, whatever came of it."""
        for _, sent_s in self._rates:
            sent_s.append(now_s)

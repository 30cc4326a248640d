"""When each of many rows has to be looked at although nothing happened to it.

Owns one time per key, and finding those that are over without looking at the others.
"""

from __future__ import annotations

import heapq


class Alarms:
    """At most one alarm per key."""

    def __init__(self) -> None:
        """None is set."""
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []
        """Alarms that were set, those put off or dropped since among them."""

    def __len__(self) -> int:
        """How many are set."""
        return len(self._at)

    def put(self, key: int, at: int | None) -> None:
        """Set the alarm of ``key``, whatever it was before; None: it has none."""
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, key))
            if len(self._heap) > 4 * len(self._at) + 64:
                self._heap = [(time, each) for each, time in self._at.items()]
                heapq.heapify(self._heap)

    def ring(self, tick: int) -> list[int]:
        """The keys whose time is over at ``tick``; they have no alarm then."""
        rung: list[int] = []
        while self._heap and self._heap[0][0] <= tick:
            at, key = heapq.heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                rung.append(key)
        return rung

    def first(self) -> int | None:
        """The earliest time set."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

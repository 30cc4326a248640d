"""Since when each scope of a rule on absence waits, and when that is too long.

Owns the table of scopes whose `while` holds, and the heap of the ticks at which one of them has
waited for too long or is heard of no more. Times are event times in ms. It knows no alerts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.sealed import Later, plain

LATE_MS = 86_400_000
"""No record may come later than this (`time.lateness`), so what ended is remembered for as long."""
WAITS_MAX = 200_000
"""Scopes of one rule that wait; past it new ones are not watched, and counted."""

Key = tuple[str, ...]
"""The values of the rule's ``by``."""


@dataclass(slots=True)
class Wait:
    """One scope whose `while` holds."""

    told: int
    """Time of the newest event that said so."""
    since: int
    """When it began, or the newest event of what must come, if that is later."""
    queued: int | None = None
    """Where it stands in the heap: too early, never too late. None: it is not looked at."""


class Waits:
    """The scopes of one rule that wait."""

    def __init__(self, for_ms: int, max_age_ms: int | None) -> None:
        """``for_ms``: how long is too long; ``max_age_ms``: how long `while` lasts unheard."""
        self.dropped = 0
        """Scopes not watched because there were too many, since construction."""
        self._for_ms = for_ms
        self._max_age_ms = max_age_ms
        self._waits: dict[Key, Wait] = {}
        self._heap: list[tuple[int, Key]] = []
        self._ended: dict[Key, list[int]] = {}
        """Scopes whose `while` ended: when, and when what must come came after that."""

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, key: Key) -> bool:
        return key in self._waits

    def waiting(self) -> list[Key]:
        """The scopes that wait."""
        return list(self._waits)

    def since(self, key: Key) -> int:
        """Since when the scope waits; it must."""
        return self._waits[key].since

    # --- what was heard ---------------------------------------------------------------------------

    def hold(self, key: Key, time: int) -> None:
        """`while` holds as of ``time``; it goes on if it did before."""
        wait = self._waits.get(key)
        if wait is not None:
            wait.told = max(wait.told, time)
        elif key in self._ended and time < self._ended[key][0]:
            return  # it is older than what ended it, and comes late
        elif len(self._waits) >= WAITS_MAX:
            self.dropped += 1
            return
        else:
            _, came = self._ended.pop(key, (0, time))
            wait = self._waits[key] = Wait(time, max(time, came))
        self._queue(key, wait)

    def over(self, key: Key, time: int) -> bool:
        """`while` is over as of ``time``, unless something newer was heard; whether it is."""
        wait = self._waits.get(key)
        if wait is None:
            if key in self._ended:
                self._ended[key][0] = max(self._ended[key][0], time)
            return False
        if time < wait.told:
            return False
        del self._waits[key]
        self._ended[key] = [time, wait.since]
        if len(self._ended) > WAITS_MAX:
            del self._ended[next(iter(self._ended))]
        return True

    def came(self, key: Key, time: int) -> None:
        """What must come came: the wait begins anew at ``time``, if it is not older than it."""
        wait = self._waits.get(key)
        if wait is not None:
            wait.since = max(wait.since, time)
        elif key in self._ended:
            self._ended[key][1] = max(self._ended[key][1], time)

    # --- time -------------------------------------------------------------------------------------

    def too_long(self, key: Key, tick: int) -> bool:
        """Whether the scope has waited for too long at ``tick``."""
        wait = self._waits.get(key)
        return wait is not None and tick - wait.since >= self._for_ms

    def due(self, tick: int) -> list[Key]:
        """The scopes that have waited for too long at ``tick``, in order, each told once.

        Those of which nothing was heard for the longest time that is allowed wait no more.
        """
        found: list[Key] = []
        while self._ended and next(iter(self._ended.values()))[0] < tick - LATE_MS:
            del self._ended[next(iter(self._ended))]
        while self._heap and self._heap[0][0] <= tick:
            at, key = heapq.heappop(self._heap)
            wait = self._waits.get(key)
            if wait is None or wait.queued != at:
                continue
            wait.queued = None
            if tick - wait.since >= self._for_ms:
                found.append(key)
            elif self.unheard(key, tick):
                del self._waits[key]
            else:
                self._queue(key, wait)
        return sorted(found)

    def forget(self, key: Key) -> None:
        """It waits no more."""
        self._waits.pop(key, None)

    def unheard(self, key: Key, tick: int) -> bool:
        """Whether nothing was heard of the scope for the longest time that is allowed."""
        at = self.unheard_at(key)
        return at is not None and tick >= at

    def again(self, key: Key) -> None:
        """It does not fire any more: tell of it when it has waited for too long."""
        wait = self._waits.get(key)
        if wait is not None:
            wait.queued = None
            self._queue(key, wait)

    def all_again(self) -> None:
        """Tell of each scope when it has waited for too long, whatever was told of it before."""
        for key in self._waits:
            self.again(key)

    def watch(self, key: Key) -> None:
        """It fires: tell of it again when it is heard of no more."""
        wait, at = self._waits.get(key), self.unheard_at(key)
        if wait is not None and at is not None:
            wait.queued = at
            heapq.heappush(self._heap, (at, key))

    def unheard_at(self, key: Key) -> int | None:
        """When :meth:`unheard` becomes true by time alone."""
        wait = self._waits.get(key)
        return None if wait is None or self._max_age_ms is None else wait.told + self._max_age_ms

    @property
    def next_due(self) -> int | None:
        """No scope is due before this."""
        return self._heap[0][0] if self._heap else None

    def _queue(self, key: Key, wait: Wait) -> None:
        if wait.queued is not None:
            return
        at = wait.since + self._for_ms
        if self._max_age_ms is not None:
            at = min(at, wait.told + self._max_age_ms)
        wait.queued = at
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._waits) + 1_000:  # mostly of scopes that wait no more
            told = self._waits.items()
            self._heap = [(each.queued, key) for key, each in told if each.queued is not None]
            heapq.heapify(self._heap)

    # --- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        table = self._waits.items()
        return {
            "waits": Later(
                [(key, each.told, each.since, each.queued is not None) for key, each in table],
                _plain,
            ),
            "ended": Later([(key, *times) for key, times in self._ended.items()], _plain),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self._waits, self._heap = {}, []
        self._ended = {tuple(key): [at, came] for key, at, came in plain(state["ended"])}
        for values, told, since, queued in plain(state["waits"]):
            key = tuple(values)
            wait = self._waits[key] = Wait(told, since)
            if queued:
                self._queue(key, wait)


def _plain(rows: Iterable[tuple[Key, *tuple[Any, ...]]]) -> list[list[Any]]:
    """Rows as a checkpoint may hold them: no tuples."""
    return [[list(key), *values] for key, *values in rows]

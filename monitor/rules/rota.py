"""Which rules are asked at a tick.

Owns the alarm clock: of many rules nearly all have nothing to do at nearly every tick, and to look
whether they have would be the cost.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count

from monitor.rules.figure_rule import NEVER_AGAIN, FigureRule
from monitor.windows.pending import aligned_after


class Rota:
    """Rules that are up, and those that sleep until a tick."""

    def __init__(self, rules: Iterable[FigureRule], tick_ms: int) -> None:
        """All are asked at the first tick."""
        self._up = dict.fromkeys(rules)
        self._alarms: list[tuple[int, int, FigureRule]] = []
        """A heap of those that sleep until a known tick: that, a number of its own, the rule."""
        self._set: set[FigureRule] = set()
        """Those that have an alarm, whether up or asleep: it stands until it rings."""
        self._number = count()
        self._tick_ms = tick_ms

    def due(self, tick: int, hot: Iterable[FigureRule]) -> list[FigureRule]:
        """Those to ask at ``tick``, ``hot`` among them; none sleeps until :meth:`over`."""
        while self._alarms and self._alarms[0][0] <= tick:
            rule = heapq.heappop(self._alarms)[2]
            self._set.discard(rule)
            self._up[rule] = None
        self._up.update(dict.fromkeys(hot))
        return list(self._up)

    def over(self, tick: int) -> None:
        """They have been asked: those with nothing to do at the next tick sleep."""
        asleep = [rule for rule in self._up if not rule.awake and rule.wakes_at > tick]
        for rule in asleep:
            del self._up[rule]
            if rule.wakes_at != NEVER_AGAIN and rule not in self._set:
                self._set.add(rule)
                heapq.heappush(self._alarms, (rule.wakes_at, next(self._number), rule))

    def next_event_tick(self, after: int) -> int | None:
        """The earliest aligned tick after ``after`` at which time alone changes something."""
        ticks = [rule.next_event_tick(after) for rule in self._up if rule.rows or rule.uncovered]
        if self._alarms:
            ticks.append(aligned_after(self._alarms[0][0], after, self._tick_ms))
        return min((tick for tick in ticks if tick is not None), default=None)

"""Who would have heard of which alert, and when: the routing of the daemon on the time of events.

Owns the turning of a board (``monitor.delivery.routing``) from one due time to the next. Nobody
acknowledges and nothing is silenced, so repeats and escalations run to their end: no more than this
would have been told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from monitor.decisions import Alert, Refusal
from monitor.delivery.routing.board import Board
from monitor.delivery.routing.plan import Plan
from monitor.delivery.routing.sources import Sources
from monitor.delivery.routing.state import Message, State

_STUCK_MS: Final = 1_000
"""So much later it is tried again where something stays due."""

Hear = Callable[[Message, int], None]
"""Is given each message, and when it leaves, in ms of event time."""


class Heard:
    """One configuration's routing; alerts are given in order of time."""

    def __init__(self, plan: Plan, team_of: Callable[[Alert], str], hear: Hear) -> None:
        """``team_of``: whose an alert is; empty where nobody knows."""
        self._board = Board(plan, State(), Sources(plan.inhibit))
        self._team_of = team_of
        self._hear = hear
        self._now_ms: int | None = None
        self._open: dict[str, Alert] = {}
        """By episode that is not over, its latest alert."""

    def take(self, alert: Alert) -> None:
        """A transition of an alert that is not a shadow's."""
        self.until(alert.at_ms)
        self._now_ms = alert.at_ms
        if alert.state == "firing":
            self._open[alert.episode] = alert
        else:
            self._open.pop(alert.episode, None)
        self._board.take(alert, self._team_of(alert), alert.at_ms)

    def refuse(self, refusal: Refusal) -> None:
        """A guard refused what a rule wanted."""
        self.until(refusal.at_ms)
        self._now_ms = refusal.at_ms
        alert = self._open.get(refusal.episode)
        team = "" if alert is None else self._team_of(alert)
        self._board.refuse(refusal, alert, team, refusal.at_ms)

    def until(self, end_ms: int) -> None:
        """Tell what is due before ``end_ms``."""
        while self._now_ms is not None:
            due_ms = self._board.next_due_ms()
            if due_ms is None or due_ms >= end_ms:
                return
            at_ms = max(due_ms, self._now_ms)
            self._board.flush(at_ms, {})
            for message in self._board.drain().messages:
                self._hear(message, at_ms)
            self._now_ms = at_ms if self._board.next_due_ms() != due_ms else at_ms + _STUCK_MS

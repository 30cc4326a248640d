"""Silences, looked at just before something is sent.

Owns the last look for what goes without ``delivery.routing``, and for what is told of every
transition. Routing itself looks earlier, and knows what to tell when a silence is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from monitor.clock import Clock
from monitor.decisions import Alert
from monitor.people.matchers import labels_of, misses
from monitor.store.silenced import Silence
from monitor.store.store import Store

log = structlog.get_logger(__name__)

KEPT_MS: Final = 2_000
"""So long what was read of silences counts as it was."""
AGAIN_MS: Final = 60_000
"""When to look again at the latest: people end silences early."""


class Quiet:
    """The silences of one store; any thread may use it."""

    def __init__(self, store: Store, clock: Clock, packs: Callable[[], Mapping[str, str]]) -> None:
        """``packs``: by rule, as of the last reload."""
        self._store = store
        self._clock = clock
        self._packs = packs
        self._turn = threading.Lock()
        self._silences: list[Silence] = []
        self._read_ms: int | None = None

    def silence(self, alert: Alert) -> Silence | None:
        """What an alert is silenced by now.

        Raises:
            StoreError: the store cannot be read.
        """
        silences = self._standing()
        if not silences:
            return None
        labels = labels_of(alert, team=self.team(alert), pack=self._packs().get(alert.rule, ""))
        return next((each for each in silences if not misses(each.matchers, labels)), None)

    def team(self, alert: Alert) -> str:
        """Whose alert it is; empty where nobody knows.

        Raises:
            StoreError: the store cannot be read.
        """
        row = self._store.handled.entry(alert.episode)
        return "" if row is None else row.team

    def paged(self, alert: Alert) -> frozenset[str]:
        """Receivers that were sent the one page that stands for an alert; none: there is none.

        Raises:
            StoreError: the store cannot be read.
        """
        page = alert.inhibited_by
        sent = self._store.routing.receivers([page]).get(page, []) if page else []
        return frozenset(name for name, _ in sent)

    def until_ms(self, alert: Alert) -> int | None:
        """When to look at it again; 0: never, it is over and nobody need hear; None: send it.

        Raises:
            StoreError: the store cannot be read.
        """
        silence = self.silence(alert)
        if silence is None:
            return None
        log.info("alert_silenced", rule=alert.rule, id=alert.id, silence=silence.id)
        row = self._store.handled.entry(alert.episode)
        if row is not None and row.alert.state == "resolved":
            return 0
        return min(silence.until_ms, self._clock.now_ms() + AGAIN_MS)

    def _standing(self) -> list[Silence]:
        now_ms = self._clock.now_ms()
        with self._turn:
            if self._read_ms is None or not 0 <= now_ms - self._read_ms < KEPT_MS:
                self._silences = self._store.silenced.standing(now_ms)
                self._read_ms = now_ms
            return [silence for silence in self._silences if silence.until_ms > now_ms]

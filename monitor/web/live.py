"""What has changed since a moment ago, for pages that are open: a bounded list of events.

Owns the comparison of snapshots and the list that everybody reads from, each at a pace of its own.
There is no queue for a reader: one that falls behind the list, or comes back after a restart, is
told to look at everything anew. A thread of its own looks once a second; the engine's has no part.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from monitor.decisions import Alert, Decision, iso
from monitor.snapshot import AlertStanding, Board, NumberStanding, Snapshot
from monitor.web.customers import masked_scope
from monitor.web.tables import Desk, same
from monitor.web.trends import Trends

log = structlog.get_logger(__name__)

EVENTS_MAX: Final = 1_000
"""Events that are kept for those who come back."""
SINGLE_MAX: Final = 20
"""Alerts, or numbers, of one look that are told one by one; of more only how many they are."""
LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as every reader gets it."""

    number: int
    kind: str
    """``alert``, ``alerts``, ``number``, ``numbers``, ``board``."""
    data: str
    """JSON."""


class Hub:
    """The list of events, and who waits for the next one."""

    def __init__(self, boot: str) -> None:
        """``boot``: tells this run of the daemon from others, in the ids of events."""
        self.boot = boot
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._last = 0
        self._waiting: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
        self._lock = threading.Lock()

    @property
    def last(self) -> str:
        """The id of the newest event."""
        return f"{self.boot}-{self._last}"

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._waiting)

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """One more event, for all; any thread may call it."""
        with self._lock:
            self._last += 1
            self._events.append(Event(self._last, kind, json.dumps(data, ensure_ascii=False)))
            for loop, woken in self._waiting.values():
                with contextlib.suppress(RuntimeError):  # its loop is closed: the server stops
                    loop.call_soon_threadsafe(woken.set)

    def join(self) -> tuple[int, asyncio.Event]:
        """A reader comes, in its loop: a ticket, and what is set when there is something new."""
        woken = asyncio.Event()
        with self._lock:
            self._waiting[id(woken)] = (asyncio.get_running_loop(), woken)
        return id(woken), woken

    def leave(self, ticket: int) -> None:
        """A reader goes; twice is fine."""
        with self._lock:
            self._waiting.pop(ticket, None)

    def since(self, seen: str) -> list[Event] | None:
        """Events after the one with the id ``seen``; None: some of them are gone."""
        boot, _, digits = seen.rpartition("-")
        if boot != self.boot or not (digits.isascii() and digits.isdigit()):
            return None
        number = int(digits)
        with self._lock:
            missed = self._last - number
            if not 0 <= missed <= len(self._events):
                return None
            return list(self._events)[len(self._events) - missed :]


class Watching:
    """Looks at the newest snapshot once a second, samples it and tells what has changed."""

    def __init__(
        self,
        board: Board,
        trends: Trends,
        hub: Hub,
        desk: Desk,
        feed: Callable[[], Sequence[Decision]] = tuple,
    ) -> None:
        """``feed``: what was decided lately; an alert may be over before anybody looks."""
        self._feed = feed
        self._fed: frozenset[str] | None = None
        self._board, self._trends, self._hub, self._desk = board, trends, hub, desk
        self._seen: Snapshot | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.versions = 0
        """How often what boards show was another."""

    def start(self) -> None:
        """Look from now on."""
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; twice is fine."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(3)
            self._thread = None

    def look(self) -> None:
        """Once."""
        picture = self._board.latest
        if picture is None or picture is self._seen:
            return
        seen, self._seen = self._seen, picture
        if seen is None:  # a daemon that stands by has none, and another may be writing
            self._trends.load()
        self._trends.add(picture)
        if seen is not None:
            self._tell_alerts(seen, picture)
            self._tell_numbers(seen, picture)
        if seen is None or not same(seen, picture):
            self.versions += 1
            self._hub.tell("board", headline(picture, self.versions))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                log.exception("watching_failed")
            self._stop.wait(LOOK_S)

    def _brief(self, seen: Snapshot, picture: Snapshot) -> list[AlertStanding]:
        """Alerts that came since the last look and are over already: their number is out."""
        decided = [each for each in self._feed() if isinstance(each, Alert)]
        known, self._fed = self._fed, frozenset(each.id for each in decided)
        if known is None:
            return []
        shown = {alert.episode for each in (seen, picture) for alert in each.alerts}
        return [
            AlertStanding(
                each.rule, each.level, each.scope, each.since_ms, each.episode, each.figures,
                each.route, each.shadow,
            )
            for each in decided
            if each.id not in known and each.state == "firing" and each.at_ms == each.since_ms
            and each.episode not in shown
        ]  # fmt: skip

    def _tell_alerts(self, seen: Snapshot, picture: Snapshot) -> None:
        brief = self._brief(seen, picture)
        before = {alert.episode: alert for alert in seen.alerts}
        now = {alert.episode: alert for alert in picture.alerts}
        if (
            not brief
            and before.keys() == now.keys()
            and all(before[name].level == alert.level for name, alert in now.items())
        ):
            return
        desk = self._desk.of(picture)
        changed = [
            _alert(alert, before.get(name), desk.team(alert.scope))
            for name, alert in now.items()
            if name not in before or before[name].level != alert.level
        ]
        ended = [
            _alert(alert, alert, desk.team(alert.scope), state="resolved")
            for name, alert in before.items()
            if name not in now
        ]
        over = [_alert(alert, None, desk.team(alert.scope)) for alert in brief]
        self._tell("alert", [*changed, *over, *ended])

    def _tell_numbers(self, seen: Snapshot, picture: Snapshot) -> None:
        if seen.standing is picture.standing:
            return
        before = {each.number: each for each in seen.standing}
        now = {each.number: each for each in picture.standing}
        changed = [
            _number(each)
            for name, each in now.items()
            if name not in before or before[name].state != each.state
        ]
        back = [_number(each, "active") for name, each in before.items() if name not in now]
        self._tell("number", [*changed, *back])

    def _tell(self, kind: str, found: list[dict[str, Any]]) -> None:
        if len(found) > SINGLE_MAX:
            loud = Counter(each["team"] for each in found if _is_loud(each))
            more = {"loud": dict(loud)} if kind == "alert" else {}
            self._hub.tell(f"{kind}s", {"count": len(found), **more})
            return
        for each in found:
            self._hub.tell(kind, each)


def headline(picture: Snapshot, version: int) -> dict[str, Any]:
    """What a page shows of the whole, whatever else is on it."""
    loud = [alert for alert in picture.alerts if not alert.shadow]
    return {
        "version": version,
        "tick": None if picture.tick_ms is None else iso(picture.tick_ms),
        "alerts": len(loud),
        "crit": sum(alert.level == "crit" for alert in loud),
        "numbers": sum(n for state, n in picture.numbers.items() if state != "active"),
        "frozen": picture.frozen,
        "ready": not picture.unready,
    }


def _alert(
    alert: AlertStanding, before: AlertStanding | None, team: str, state: str = "firing"
) -> dict[str, Any]:
    return {
        "episode": alert.episode,
        "rule": alert.rule,
        "level": alert.level,
        "state": state,
        "new": before is None,
        "worse": before is not None and before.level == "warn" and alert.level == "crit",
        "scope": masked_scope(dict(alert.scope)),
        "team": team,
        "since": iso(alert.since_ms),
        "value": alert.figures.value,
        "kind": alert.figures.kind,
        "shadow": alert.shadow,
    }


def _is_loud(told: Mapping[str, Any]) -> bool:
    """Whether an alert is news that pages pop up."""
    return told["state"] == "firing" and not told["shadow"] and (told["new"] or told["worse"])


def _number(standing: NumberStanding, state: str | None = None) -> dict[str, Any]:
    return {
        "number": standing.number,
        "state": standing.state if state is None else state,
        "since": iso(standing.since_ms),
        "until": None if standing.until_ms is None else iso(standing.until_ms),
        "rule": standing.rule,
    }

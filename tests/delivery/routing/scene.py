"""A board on a virtual clock: alerts and people's acts in, messages with their times out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from monitor.decisions import Alert, Refusal, derive_id
from monitor.delivery.routes import Router
from monitor.delivery.routing.board import Board
from monitor.delivery.routing.sources import Sources
from monitor.delivery.routing.state import Key, Message, State, Telling
from monitor.delivery.settings import DeliverySettings
from monitor.people.matchers import read
from monitor.store.handled import Handling
from monitor.store.silenced import Silence
from tests.store.made import alert, refusal

ZONE = "Asia/Shanghai"
RECEIVERS = ("ding-zhang", "sms-zhang", "ding-li", "ding-wang", "ops", "night")
PEOPLE: dict[str, dict[str, Any]] = {
    "zhang": {"receivers": ["ding-zhang"], "crit": ["sms-zhang"], "language": "zh"},
    "li": {"receivers": ["ding-li"]},
    "wang": {"receivers": ["ding-wang"]},
}


def at(text: str, zone: str = ZONE, fold: int = 0) -> int:
    """Milliseconds of a local time, such as ``2026-11-30 09:00``."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp()) * 1000


def settings_of(**delivery: Any) -> DeliverySettings:
    """Settings with these people and receivers."""
    hooks = {name: {"type": "webhook", "url": f"http://127.0.0.1/{name}"} for name in RECEIVERS}
    given: dict[str, Any] = {"receivers": hooks, "people": PEOPLE, "at_most": None, **delivery}
    settings = DeliverySettings.model_validate(given)
    assert settings.faults() == []
    return settings


class Scene:
    """One board, and what it has led to."""

    def __init__(
        self, *, start: str = "2026-11-30 09:00", packs: Mapping[str, str] | None = None, **d: Any
    ) -> None:
        self.now_ms = self.start_ms = at(start)
        self.plan = Router(settings_of(**d), telephony=False, packs=packs).people
        self.board = Board(self.plan, State())
        self.rows: dict[Key, str] = {}
        self.sent: list[tuple[int, Message]] = []
        self.tellings: dict[tuple[str, str], Telling] = {}
        self.silences: list[Silence] = []
        self.handled: dict[str, Handling] = {}
        self.alerts: dict[str, Alert] = {}
        self.refusals: list[Refusal] = []

    def fire(
        self, what: str = "r1", scope: str = "team=t1", level: str = "crit", **changes: Any
    ) -> Alert:
        """An episode begins, or goes on with another level."""
        pairs = tuple(tuple(pair.split("=")) for pair in scope.split(",") if pair)
        return self.take(
            alert(
                self.now_ms,
                rule=what,
                scope=pairs,
                level=level,
                episode=changes.pop("episode", derive_id(what, scope, self.now_ms)),
                since_ms=self.now_ms,
                **changes,
            )
        )

    def change(self, made: Alert, **changes: Any) -> Alert:
        """The episode of ``made`` goes on."""
        kept: dict[str, Any] = {"rule": made.rule, "scope": made.scope, "episode": made.episode}
        kept |= {"since_ms": made.since_ms, "level": made.level}
        return self.take(alert(self.now_ms, **(kept | changes)))

    def end(self, made: Alert) -> Alert:
        """It is over."""
        return self.change(made, state="resolved")

    def take(self, made: Alert, team: str = "") -> Alert:
        """Somebody decided it."""
        self.alerts[made.id] = made
        self.board.take(made, team, self.now_ms)
        return made

    def refuse(self, made: Alert | None = None, guard: str = "max_fraction", **d: Any) -> Refusal:
        """A guard refuses what ``made`` asks for, or something about a whole pool."""
        told = replace(
            refusal(self.now_ms),
            id=derive_id("refusal", guard, self.now_ms, len(self.refusals)),
            guard=guard,
            number="" if made is None else dict(made.scope).get("number", ""),
            rule="r1" if made is None else made.rule,
            episode="" if made is None else made.episode,
            **({"pool": "spring", "route": ""} | d),
        )
        self.refusals.append(told)
        self.board.refuse(told, made, "", self.now_ms)
        return told

    def acknowledge(self, made: Alert | Refusal) -> None:
        """Somebody knows."""
        if isinstance(made, Refusal):
            self.handled[made.id] = Handling("wang", self.now_ms, "crit")
        else:
            self.handled[made.episode] = Handling("wang", self.now_ms, made.level)

    def silence(self, until: str, **matchers: str | Sequence[str]) -> Silence:
        """Nobody shall hear."""
        name = f"s{len(self.silences)}"
        made = Silence(name, read(matchers), self.now_ms, at(until), "wang", "works")
        self.silences.append(made)
        return made

    def step(self) -> None:
        """As the dispatcher does it."""
        standing = [s for s in self.silences if s.until_ms > self.now_ms]
        self.board.see(standing, self.now_ms)
        self.board.flush(self.now_ms, self.handled)
        effects = self.board.drain()
        for key in effects.gone:
            self.rows.pop(key, None)
        self.rows.update(effects.changed)
        self.sent += [(self.now_ms, message) for message in effects.messages]
        self.tellings.update(effects.tellings)

    def restart(self) -> None:
        """The daemon is killed, and what it had stored is all there is."""
        rows = [(kind, name, body) for (kind, name), body in self.rows.items()]
        self.board = Board(self.plan, State.loaded(rows), Sources(self.plan.inhibit))

    def until(self, text: str) -> None:
        """Let time pass up to a local time, all that is due in between included."""
        end_ms = at(text if len(text) > 5 else f"2026-11-30 {text}")
        self.step()
        for _ in range(10_000):
            due_ms = self.board.next_due_ms()
            if due_ms is None or due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            self.step()
        self.now_ms = end_ms
        self.step()

    def heard(self) -> list[str]:
        """``09:05 zhang alerts 2``: local time, person or receivers, why, how many."""
        zone = ZoneInfo(ZONE)
        return [
            f"{datetime.fromtimestamp(ms / 1000, tz=zone):%H:%M} "
            f"{m.person or '+'.join(m.receivers)} {m.why} {sum(m.counts.values())}"
            for ms, m in self.sent
        ]

    def left(self) -> list[Key]:
        """What is remembered of groups and alerts."""
        return [key for key in self.rows if key[0] in {"group", "member"}]

    def said(self, made: Alert | Refusal) -> list[str]:
        """What became of a transition on each route."""
        return [
            f"{route}: {telling.cause or telling.state}"
            for (name, route), telling in self.tellings.items()
            if name == made.id
        ]

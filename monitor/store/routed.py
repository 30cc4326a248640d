"""What routing remembers, and the alerts that it has not looked at yet.

Owns the transaction in which a step of routing becomes durable: alerts looked at, what is
remembered, what became of each, the messages and their deliveries. All of it, or nothing: a crash
leaves the step to be taken again, and nobody hears twice. What it means is
``monitor.delivery.routing``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    bindparam,
    delete,
    select,
    true,
    update,
)

from monitor.clock import Clock
from monitor.decisions import Alert, Notice, Refusal
from monitor.store.codec import decode, encode
from monitor.store.database import Database, in_chunks, insert_if_absent, upsert
from monitor.store.folded import Room
from monitor.store.outbox import PlannedDelivery, enqueue
from monitor.store.schema import DECISIONS, EPISODES, OUTBOX, ROUTING, TELLINGS

RECEIVER: Final = "routing"
"""The receiver in the outbox of what goes by routes; nobody else may be called that."""


class Fresh(NamedTuple):
    """An alert or a refusal that routing has not looked at."""

    seq: int
    decision: Alert | Refusal
    team: str
    alert: Alert | None = None
    """Of a refusal, the latest of its episode; None: it has none."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a transition on one route."""

    decision: str
    route: str
    episode: str
    state: str
    """``told``, ``held`` or ``digest``."""
    cause: str
    """Why it was held."""
    notice: str
    """What told of it: a notice, or the alert itself."""
    at_ms: int = 0
    """Wall time."""


@dataclass(slots=True)
class Routed:
    """What a step led to."""

    looked_at: Sequence[int] = ()
    """Rows of the outbox."""
    changed: Mapping[Any, str] = field(default_factory=dict)
    """What is remembered, by kind and name."""
    gone: Iterable[tuple[str, str]] = ()
    told: Sequence[Told] = ()
    notices: Sequence[Notice] = ()
    deliveries: Sequence[PlannedDelivery] = ()


class Routing:
    """Of one store; the dispatcher's thread uses it, and people read what became of alerts."""

    def __init__(self, database: Database, clock: Clock, room: Room) -> None:
        self._database = database
        self._clock = clock
        self._room = room

    def fresh(self, limit: int) -> list[Fresh]:
        """What was not looked at, in the order in which it was decided."""
        with self._database.read() as connection:
            rows = connection.execute(_FRESH, {"limit": limit, "to": RECEIVER}).all()
            refused = {row.episode for row in rows if row.kind == "refusal" and row.episode}
            latest = _latest(connection, sorted(refused))
        return [
            Fresh(row.seq, _told_of(row.kind, row.body), row.team or "", latest.get(row.episode))
            for row in rows
        ]

    def load(self) -> list[tuple[str, str, str]]:
        """All that is remembered: kind, name, body."""
        with self._database.read() as connection:
            return [tuple(row) for row in connection.execute(select(ROUTING))]

    def firing(self) -> list[tuple[Alert, str]]:
        """Every alert that fires, with its team."""
        with self._database.read() as connection:
            rows = connection.execute(_FIRING)
            return [(_alert(row.body), row.team) for row in rows]

    def decisions(self, names: Sequence[str]) -> dict[str, Alert | Refusal]:
        """Alerts and refusals by their ids."""
        found: dict[str, Alert | Refusal] = {}
        with self._database.read() as connection:
            for chunk in in_chunks(list(dict.fromkeys(names))):
                statement = select(DECISIONS.c.id, DECISIONS.c.kind, DECISIONS.c.body).where(
                    DECISIONS.c.id.in_(chunk), DECISIONS.c.kind.in_(("alert", "refusal"))
                )
                for row in connection.execute(statement):
                    found[row.id] = _told_of(row.kind, row.body)
        return found

    def told(self, episode: str) -> list[Told]:
        """What became of an episode's transitions, in their order."""
        statement = select(TELLINGS).where(TELLINGS.c.episode == episode)
        with self._database.read() as connection:
            rows = connection.execute(statement.order_by(TELLINGS.c.at_ms, TELLINGS.c.decision))
            return [
                Told(r.decision, r.route, r.episode, r.state, r.cause, r.notice, r.at_ms)
                for r in rows
            ]

    def receivers(self, notices: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Receivers of these messages and how each delivery stands, by message."""
        found: dict[str, list[tuple[str, str]]] = {}
        with self._database.read() as connection:
            for chunk in in_chunks(list(dict.fromkeys(notices))):
                where = and_(OUTBOX.c.decision.in_(chunk), OUTBOX.c.receiver != RECEIVER)
                statement = select(OUTBOX.c.decision, OUTBOX.c.receiver, OUTBOX.c.state)
                for row in connection.execute(statement.where(where).order_by(OUTBOX.c.seq)):
                    found.setdefault(row.decision, []).append((row.receiver, row.state))
        return found

    def keep(self, step: Routed) -> None:
        """Make a step durable.

        Raises:
            StoreError: nothing was kept, or nobody knows.
            LeaseLost: another daemon is the active one.
        """
        now_ms = self._clock.now_ms()
        with self._database.write() as connection:
            for chunk in in_chunks(step.looked_at):
                connection.execute(_LOOKED_AT, {"seqs": chunk, "now_ms": now_ms})
            _remember(connection, step)
            rows = [
                {
                    "decision": told.decision,
                    "route": told.route,
                    "episode": told.episode,
                    "at_ms": now_ms,
                    "state": told.state,
                    "cause": told.cause,
                    "notice": told.notice,
                }
                for told in step.told
            ]
            upsert(connection, TELLINGS, rows)
            _insert(connection, step.notices)
            known = _known(connection, [plan.decision for plan in step.deliveries], now_ms)
            enqueue(connection, step.deliveries, known, self._room, now_ms=now_ms)


def _known(connection: Connection, names: Sequence[str], now_ms: int) -> dict[str, tuple[str, int]]:
    """Kind of decisions by id, and now: what routing held for hours is told as itself, not late."""
    known: dict[str, tuple[str, int]] = {}
    for chunk in in_chunks(list(dict.fromkeys(names))):
        statement = select(DECISIONS.c.id, DECISIONS.c.kind)
        for row in connection.execute(statement.where(DECISIONS.c.id.in_(chunk))):
            known[row.id] = row.kind, now_ms
    return known


def _remember(connection: Connection, step: Routed) -> None:
    rows = [
        {"kind": kind, "name": name, "body": body} for (kind, name), body in step.changed.items()
    ]
    upsert(connection, ROUTING, rows)
    gone = [{"of": kind, "called": name} for kind, name in step.gone]
    if gone:
        connection.execute(_FORGET, gone)


def _insert(connection: Connection, notices: Sequence[Notice]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": notice.id,
            "at_ms": notice.at_ms,
            "kind": "notice",
            "rule": "",
            "number": None,
            "episode": "",
            "shadow": False,
            "body": encode(notice),
        }
        for notice in notices
    ]
    insert_if_absent(connection, DECISIONS, rows, key="id")


def _latest(connection: Connection, episodes: Sequence[str]) -> dict[str, Alert]:
    """The latest alert of each episode."""
    found: dict[str, Alert] = {}
    for chunk in in_chunks(episodes):
        rows = connection.execute(_OF_EPISODES, {"episodes": chunk})
        found.update((row.episode, _alert(row.body)) for row in rows)
    return found


def _told_of(kind: str, body: str) -> Alert | Refusal:
    found = decode(kind, body)
    assert isinstance(found, Alert | Refusal)  # noqa: S101 - nothing else is told by routing
    return found


def _alert(body: str) -> Alert:
    alert = decode("alert", body)
    assert isinstance(alert, Alert)  # noqa: S101 - the decoder of alerts makes nothing else
    return alert


_FRESH = (
    select(OUTBOX.c.seq, DECISIONS.c.kind, DECISIONS.c.episode, DECISIONS.c.body, EPISODES.c.team)
    .join(DECISIONS, DECISIONS.c.id == OUTBOX.c.decision)
    .outerjoin(EPISODES, EPISODES.c.episode == DECISIONS.c.episode)
    .where(OUTBOX.c.open == true(), OUTBOX.c.receiver == bindparam("to"))
    .order_by(OUTBOX.c.seq)
    .limit(bindparam("limit", type_=Integer))
)
_FIRING = (
    select(DECISIONS.c.body, EPISODES.c.team)
    .join(EPISODES, EPISODES.c.decision == DECISIONS.c.id)
    .where(EPISODES.c.state == "firing", EPISODES.c.shadow.is_(False))
)
_OF_EPISODES = (
    select(EPISODES.c.episode, DECISIONS.c.body)
    .join(DECISIONS, EPISODES.c.decision == DECISIONS.c.id)
    .where(EPISODES.c.episode.in_(bindparam("episodes", expanding=True)))
)
_LOOKED_AT = (
    update(OUTBOX)
    .where(OUTBOX.c.seq.in_(bindparam("seqs", expanding=True)))
    .values(state="sent", open=False, updated_ms=bindparam("now_ms"))
)
_FORGET = delete(ROUTING).where(
    ROUTING.c.kind == bindparam("of"), ROUTING.c.name == bindparam("called")
)

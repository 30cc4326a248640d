"""Everything that is not a record and can change a decision, with the tick it takes effect at.

Owns the journal, the floors of idle partitions and the manual actions that wait for the engine. A
replay reads the journal and makes the same decisions (docs/semantics.md, "Journal").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from monitor.clock import Clock
from monitor.decisions import ListAction, ManualAction
from monitor.errors import BackPressure
from monitor.store.codec import from_text, to_text
from monitor.store.database import Database, insert_if_absent, upsert
from monitor.store.schema import FLOORS, JOURNAL, META, REQUESTS

Kind = Literal[
    "floor",
    "manual",
    "ack",
    "found",
    "reload",
    "refused",
    "organisation",
    "judged_to",
    "list",
]

Asked = ManualAction | ListAction
"""What people ask for."""

_JUDGED_TO = "judged_to_ms"
_REQUEST = "request:"

# Statements that are asked at every tick are made once: making one takes longer than running it.
_OF_KEY = select(JOURNAL.c.seq).where(JOURNAL.c.key == bindparam("of"))
_LAST_SEQ = select(func.max(JOURNAL.c.seq))
_KNOWN_JUDGED_TO = select(META.c.value).where(META.c.name == _JUDGED_TO)
_REQUESTED = (
    select(REQUESTS.c.seq, REQUESTS.c.body)
    .where(REQUESTS.c.tick_ms.is_(None))
    .order_by(REQUESTS.c.seq)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be appended."""

    kind: Kind
    tick_ms: int
    """The tick at which it takes effect."""
    payload: Any
    """Any JSON value."""
    key: str = ""
    """With a key, an entry is appended once, however often it is given."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the journal holds it; ``seq`` grows and is never given twice."""

    seq: int
    kind: Kind
    tick_ms: int
    payload: Any


class FloorRow(NamedTuple):
    """Records of a partition from ``position`` on have an effective time of ``floor_ms`` at least.

    Written when a partition was left out of the watermark; see ``monitor.windows.watermark``.
    """

    topic: str
    number: int
    position: int
    floor_ms: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A manual action that the engine took, and the tick it takes effect at."""

    seq: int
    """Of its journal entry."""
    tick_ms: int
    action: Asked


@dataclass(frozen=True, slots=True)
class Request:
    """What became of a manual action: ``tick_ms`` is None until the engine took it."""

    action: Asked
    created_ms: int
    tick_ms: int | None


class Journal:
    """The journal of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, kind: Kind, tick_ms: int, payload: Any, *, key: str = "") -> None:
        """Append one entry in a transaction of its own; durable on return."""
        with self._database.write() as connection:
            append(connection, [NewEntry(kind, tick_ms, payload, key)])

    def holds(self, key: str) -> bool:
        """Whether an entry with this key is there."""
        with self._database.read() as connection:
            return connection.scalar(_OF_KEY, {"of": key}) is not None

    def withdraw(self, keys: Sequence[str]) -> None:
        """Take entries back that nothing was decided by; keys that are not there are left out.

        For what may have been appended although the store said no: the connection broke meanwhile.
        """
        with self._database.write() as connection:
            connection.execute(delete(JOURNAL).where(JOURNAL.c.key.in_(keys)))

    def read(
        self, since_seq: int = 0, *, kind: Kind | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Entries after ``since_seq``, of one ``kind`` or all, in order; at most ``limit``."""
        statement = select(JOURNAL).where(JOURNAL.c.seq > since_seq).order_by(JOURNAL.c.seq)
        if kind is not None:
            statement = statement.where(JOURNAL.c.kind == kind)
        with self._database.read() as connection:
            rows = connection.execute(statement.limit(limit)).all()
        return [Entry(r.seq, r.kind, r.tick_ms, from_text(r.payload, object)) for r in rows]

    def last_seq(self) -> int:
        """The largest sequence number in the journal; 0 when it is empty."""
        with self._database.read() as connection:
            return connection.scalar(_LAST_SEQ) or 0

    def floors(self) -> list[FloorRow]:
        """All floors, by topic, partition and position."""
        columns = (FLOORS.c.topic, FLOORS.c.number, FLOORS.c.position, FLOORS.c.floor_ms)
        with self._database.read() as connection:
            rows = connection.execute(select(*columns).order_by(*columns[:3])).all()
        return [FloorRow(*row) for row in rows]

    def judged_to_ms(self) -> int | None:
        """The last tick whose outcome is recorded; None before the first."""
        with self._database.read() as connection:
            value = connection.scalar(_KNOWN_JUDGED_TO)
        return None if value is None else int(value)


_WAITING = select(func.count()).select_from(REQUESTS).where(REQUESTS.c.tick_ms.is_(None))


class Requests:
    """Manual actions on their way from another process to the engine."""

    def __init__(self, database: Database, clock: Clock, *, limit: int) -> None:
        self._database = database
        self._clock = clock
        self.limit = limit
        self._unsure: set[int] = set()
        """Requests of a claim whose commit was not confirmed: the connection broke."""

    def put(self, action: Asked) -> None:
        """Leave an action for the engine; a repeated id is the same action and is kept once.

        Raises:
            BackPressure: too many are waiting already: is the daemon running?
        """
        row = {"id": action.id, "created_ms": self._clock.now_ms(), "body": to_text(action)}
        with self._database.write() as connection:
            known = connection.scalar(select(REQUESTS.c.id).where(REQUESTS.c.id == action.id))
            if known is not None:
                return
            if (connection.scalar(_WAITING) or 0) >= self.limit:
                msg = f"{self.limit} manual actions are waiting already: is the daemon running?"
                raise BackPressure(msg)
            insert_if_absent(connection, REQUESTS, [row], key="id")

    def waiting(self) -> int:
        """Actions that the engine has not taken yet."""
        with self._database.read() as connection:
            return connection.scalar(_WAITING) or 0

    def claim(self, tick_ms: int, *, limit: int = 100) -> list[Claimed]:
        """Take waiting actions, in order, and journal them as of ``tick_ms``.

        One transaction: an action is journaled once, or still waiting. It is journaled with
        the wall time at which it ends, counted from now. What was taken by a call
        that failed while it was being committed is handed out by the next one.
        """
        with self._database.read() as connection:
            claimed = _taken(connection, self._unsure)
            waiting = connection.execute(_REQUESTED, {"limit": 1}).first() is not None
        if waiting:  # the usual case costs no write
            with self._database.write() as connection:
                rows = connection.execute(_REQUESTED, {"limit": limit}).all()
                self._unsure |= {row.seq for row in rows}
                now_ms = self._clock.now_ms()
                claimed += [_take(connection, row.seq, row.body, tick_ms, now_ms) for row in rows]
        self._unsure.clear()
        return claimed

    def withdraw(self) -> None:
        """Put back what a claim that failed may have taken: it waits again, and is not journaled.

        For a caller that goes on without it, so that it takes effect later than it was to.
        """
        if not self._unsure:
            return
        keys = [f"{_REQUEST}{request}" for request in self._unsure]
        with self._database.write() as connection:
            connection.execute(delete(JOURNAL).where(JOURNAL.c.key.in_(keys)))
            waiting = update(REQUESTS).where(REQUESTS.c.seq.in_(self._unsure))
            connection.execute(waiting.values(tick_ms=None))
        self._unsure.clear()

    def find(self, action_id: str) -> Request | None:
        """What became of an action; None when it is unknown, or long done."""
        statement = select(REQUESTS).where(REQUESTS.c.id == action_id)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        return Request(_asked(row.body), row.created_ms, row.tick_ms)


def _take(connection: Connection, request: int, body: str, tick_ms: int, now_ms: int) -> Claimed:
    action = _asked(body)
    if isinstance(action, ManualAction) and action.ttl_ms is not None:
        action = replace(action, until_ms=now_ms + action.ttl_ms)
    key, payload = f"{_REQUEST}{request}", to_text(action)
    kind: Kind = "manual" if isinstance(action, ManualAction) else "list"
    entry = {"kind": kind, "tick_ms": tick_ms, "key": key, "payload": payload}
    seq = connection.scalars(insert(JOURNAL).values(entry).returning(JOURNAL.c.seq)).one()
    connection.execute(update(REQUESTS).where(REQUESTS.c.seq == request).values(tick_ms=tick_ms))
    return Claimed(seq, tick_ms, action)


def _asked(body: str) -> Asked:
    if "customers" in from_text(body, dict):
        return from_text(body, ListAction)
    return from_text(body, ManualAction)


def _taken(connection: Connection, requests: AbstractSet[int]) -> list[Claimed]:
    """Those of ``requests`` that are in the journal."""
    if not requests:
        return []
    keys = [f"{_REQUEST}{request}" for request in sorted(requests)]
    statement = select(JOURNAL).where(JOURNAL.c.key.in_(keys)).order_by(JOURNAL.c.seq)
    rows = connection.execute(statement).all()
    return [Claimed(r.seq, r.tick_ms, _asked(r.payload)) for r in rows]


def append(connection: Connection, entries: Iterable[NewEntry]) -> None:
    """Append entries in their order; those whose key is known are left out."""
    rows = [
        {
            "kind": entry.kind,
            "tick_ms": entry.tick_ms,
            "key": entry.key or None,
            "payload": to_text(entry.payload),
        }
        for entry in entries
    ]
    insert_if_absent(connection, JOURNAL, rows, key="seq")


def raise_floors(connection: Connection, floors: Sequence[FloorRow]) -> None:
    """Keep the highest floor of each place."""
    highest: dict[tuple[str, int, int], FloorRow] = {}
    for floor in floors:
        known = highest.get(floor[:3])
        if known is None or floor.floor_ms > known.floor_ms:
            highest[floor[:3]] = floor
    upsert(connection, FLOORS, [f._asdict() for f in highest.values()], larger="floor_ms")


def drop_floors(connection: Connection, floors: Iterable[FloorRow]) -> None:
    """Forget floors that turned out to change nothing; one that was raised since stays."""
    for floor in floors:
        same = [FLOORS.c[name] == value for name, value in floor._asdict().items()]
        connection.execute(delete(FLOORS).where(*same))


def note_judged_to(connection: Connection, tick_ms: int) -> None:
    """Remember the last judged tick; an earlier one changes nothing."""
    known = connection.scalar(_KNOWN_JUDGED_TO)
    if known is None or int(known) < tick_ms:
        upsert(connection, META, [{"name": _JUDGED_TO, "value": str(tick_ms)}])

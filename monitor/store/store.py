"""The store: decisions first, then everything else.

Owns the one transaction in which the outcome of judging becomes durable: decisions, their
deliveries, the audit, the journal. Its parts (``outbox``, ``journal``, ``requests``, ``episodes``,
``history``) are the ways to read it and to settle what waits.

How a daemon opens it: in SQLite ``Store.open(settings, clock)``, and a lock file keeps others out;
in PostgreSQL ``Store.open(settings, clock, token=…)`` with the token of the lease that it holds
(``monitor.store.lease``), which every write then asks about. Everybody else: ``daemon=False``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Connection

from monitor.clock import Clock
from monitor.decisions import Alert, Decision, Listing, NumberChange, Refusal
from monitor.errors import LeaseLost, StoreError
from monitor.store.accounts import Sessions, Users
from monitor.store.audit import Audit
from monitor.store.codec import encode, kind_of, number_of, to_text
from monitor.store.connect import connect
from monitor.store.database import Database, Fence, insert_if_absent
from monitor.store.episodes import Episodes, follow
from monitor.store.handled import Handled
from monitor.store.history import History
from monitor.store.journal import (
    FloorRow,
    Journal,
    NewEntry,
    Requests,
    append,
    drop_floors,
    note_judged_to,
    raise_floors,
)
from monitor.store.kept import Kept
from monitor.store.lease import fence
from monitor.store.listed import Listed, list_all
from monitor.store.lock import DaemonLock, refuse_half_restored
from monitor.store.outbox import Outbox, PlannedDelivery, enqueue
from monitor.store.routed import Routing
from monitor.store.schema import CHANGES, DECISIONS, prepare
from monitor.store.settings import StoreSettings
from monitor.store.silenced import Silenced

_MIGRATION_MS = 3_600_000
"""How long one step of a migration may take: an index over years of history is slow."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What judging some ticks led to. All of it is kept, or nothing."""

    decisions: Sequence[Decision] = ()
    """In the order they were made; one whose id is known already is left out."""
    deliveries: Sequence[PlannedDelivery] = ()
    """Queued only for decisions that were new."""
    changes: Sequence[NumberChange] = ()
    """Rows of numbers' histories; one whose id is known already is left out."""
    floors: Sequence[FloorRow] = ()
    needless: Sequence[FloorRow] = ()
    """Floors recorded earlier that no record needs: they go."""
    journal: Sequence[NewEntry] = ()
    judged_to_ms: int | None = None
    """The last tick judged; None leaves the one known."""
    teams: Mapping[str, str] = field(default_factory=dict)
    """By episode, the team that its alert is about where the scope does not say it."""


class Store:
    """One store, open; any thread may use it."""

    def __init__(self, database: Database, clock: Clock, settings: StoreSettings) -> None:
        """Use :meth:`open`."""
        self.settings = settings
        self.outbox = Outbox(database, clock)
        self.journal = Journal(database)
        self.requests = Requests(database, clock, limit=settings.max_requests)
        self.episodes = Episodes(database)
        self.history = History(database)
        self.kept = Kept(database)
        self.listed = Listed(database)
        self.handled = Handled(database, clock)
        self.silenced = Silenced(database, clock)
        self.users = Users(database)
        self.sessions = Sessions(database)
        self.audit = Audit(database)
        self.routing = Routing(database, clock, self.outbox.room)
        self._database = database
        self._clock = clock
        self._lock: DaemonLock | None = None

    @classmethod
    def open(
        cls,
        settings: StoreSettings,
        clock: Clock,
        *,
        daemon: bool = True,
        token: int | None = None,
        hurry: Callable[[], bool] = lambda: False,
    ) -> Self:
        """Open the store.

        The daemon creates and migrates it and is the only one; others (``daemon=False``: the
        command line) read it and leave requests, while the daemon runs or not. ``token``: of the
        lease, for a daemon on PostgreSQL. ``hurry``: see :meth:`hurry_when`.

        Raises:
            StoreError: absent, damaged, locked, of a newer version, or another daemon's; the
                message says which, and what to do.
            LeaseLost: ``token`` is not the active daemon's.
        """
        shared = settings.url is not None
        if daemon and shared != (token is not None):
            raise StoreError("a daemon on PostgreSQL, and no other, needs the token of the lease")
        asked = None if token is None else fence(settings, token)
        database = connect(settings, create=daemon)
        database.fence = asked
        store = cls(database, clock, settings)
        store.hurry_when(hurry)
        try:
            if daemon and not shared:
                store._lock = DaemonLock(settings.path)
                refuse_half_restored(settings.path)
            if daemon:
                _migrate(settings, asked, hurry)
            else:
                _prepare(database.read, database.name, migrate=False)
        except BaseException:
            store.close()
            raise
        return store

    def record(self, recording: Recording) -> list[Decision]:
        """Make an outcome durable in one transaction; returns the decisions that were new.

        Recording the same again changes nothing: a restart decides again what it had decided.

        Raises:
            StoreError: nothing was kept.
        """
        now_ms = self._clock.now_ms()
        with self._database.write() as connection:
            new = _insert_decisions(connection, recording.decisions)
            known = {decision.id: (kind_of(decision), decision.at_ms) for decision in new}
            enqueue(connection, recording.deliveries, known, self.outbox.room, now_ms=now_ms)
            list_all(connection, [d for d in new if isinstance(d, Listing)])
            alerts = [d for d in new if isinstance(d, Alert)]
            follow(connection, alerts, now_ms=now_ms, teams=recording.teams)
            changes = [
                {"id": row.id, "at_ms": row.at_ms, "number": row.number, "body": to_text(row)}
                for row in recording.changes
            ]
            insert_if_absent(connection, CHANGES, changes, key="seq")
            raise_floors(connection, recording.floors)
            drop_floors(connection, recording.needless)
            append(connection, recording.journal)
            if recording.judged_to_ms is not None:
                note_judged_to(connection, recording.judged_to_ms)
        return new

    def hurry_when(self, told_to_stop: Callable[[], bool]) -> None:
        """From when this is true on, nobody waits long for a database that is busy or silent."""
        self._database.hurry = told_to_stop

    def close(self) -> None:
        """Close the files and let the next daemon in; twice is fine."""
        self._database.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _migrate(settings: StoreSettings, asked: Fence | None, hurry: Callable[[], bool]) -> None:
    """Bring the tables to the present version, over a connection that may take its time."""
    unhurried = settings.model_copy(update={"statement_timeout": _MIGRATION_MS})
    with closing(connect(unhurried, create=True)) as database:
        database.fence, database.hurry = asked, hurry
        _prepare(database.write, database.name, migrate=True)


def _prepare(
    begin: Callable[[], AbstractContextManager[Connection]], name: str, *, migrate: bool
) -> None:
    try:
        with begin() as connection:
            prepare(connection, migrate=migrate)
    except StoreError as error:
        if isinstance(error, LeaseLost) or str(error).startswith("store "):
            raise
        msg = f"store {name}: {error}"
        raise StoreError(msg) from error


def _insert_decisions(connection: Connection, decisions: Sequence[Decision]) -> list[Decision]:
    rows: list[dict[str, Any]] = [
        {
            "id": decision.id,
            "at_ms": decision.at_ms,
            "kind": kind_of(decision),
            "rule": decision.rule,
            "number": number_of(decision),
            "episode": decision.episode,
            "shadow": False if isinstance(decision, Refusal) else decision.shadow,
            "body": encode(decision),
        }
        for decision in decisions
    ]
    new = insert_if_absent(connection, DECISIONS, rows, key="id")
    kept: list[Decision] = []
    for decision in decisions:
        if decision.id in new:
            new.discard(decision.id)  # the first of equal ids was kept
            kept.append(decision)
    return kept

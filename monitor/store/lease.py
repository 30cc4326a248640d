"""Which of several daemons on one PostgreSQL is the active one.

Owns the row that says so, and what keeps every other daemon from writing:

- The row holds a *fencing token* that grows by one whenever the holder changes. Each write of a
  daemon looks at the row first, in its own transaction and holding it (``FOR KEY SHARE``): a
  takeover (``FOR UPDATE``) waits for writes under way, and a write after a takeover raises
  ``LeaseLost``. So a daemon that was paused for an hour can write nothing when it wakes.
- Signs of life change no key, so they wait for no write, and no write waits for them.
- Time is the database's (``clock_timestamp()``); no clock of a daemon matters.
- A lease that has run out and that nobody took is still its holder's: only a new token ends it.

How a daemon starts on PostgreSQL, and stops::

    lease = Lease(settings, clock)
    token = lease.acquire(stop)              # stands by until it is ours; None: told to stop
    with lease.kept(on_lost=give_up):        # signs of life, from a thread of their own
        with Store.open(settings, clock, token=token) as store:
            ...
    lease.release()                          # the next one takes over at once
    lease.close()

With SQLite there is no lease: the lock file keeps a second daemon out (``monitor.store.lock``).
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

import structlog
from sqlalchemy import Connection, text

from monitor.clock import Clock
from monitor.errors import LeaseLost, StoreError, StoreRefused
from monitor.store.database import Fence
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings

log = structlog.get_logger(__name__)

JOIN_S: Final = 1.5
"""In a hurry, for the last sign of life: a little more than it waits for the database then."""
_LOOK_S: Final = 0.1
_HOLDER_CHARS: Final = 200

# The table is apart from the schema's versions: daemons of different versions stand by for each
# other during an upgrade, and only the holder migrates.
_CREATE = text("""
CREATE TABLE IF NOT EXISTS monitor_lease (
    name text PRIMARY KEY,
    token bigint NOT NULL,
    holder text,  -- null: given back
    taken_at timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
)""")
_SEED = text("""
INSERT INTO monitor_lease (name, token, taken_at, renewed_at, expires_at)
VALUES (:name, 0, clock_timestamp(), clock_timestamp(), clock_timestamp())
ON CONFLICT DO NOTHING""")
_EXISTS = text("SELECT to_regclass('monitor_lease') IS NOT NULL")
_LOOK = text("""
SELECT token, holder,
       (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint AS left_ms,
       (extract(epoch FROM clock_timestamp() - renewed_at) * 1000)::bigint AS silent_ms
FROM monitor_lease WHERE name = :name""")
_WAIT_FOR_WRITES = text("SELECT token FROM monitor_lease WHERE name = :name FOR UPDATE")
_TAKE = text("""
UPDATE monitor_lease
SET token = token + 1, holder = :holder, taken_at = clock_timestamp(),
    renewed_at = clock_timestamp(), expires_at = clock_timestamp() + :duration * interval '1 ms'
WHERE name = :name AND (holder IS NULL OR expires_at <= clock_timestamp())
RETURNING token""")
_RENEW = text("""
UPDATE monitor_lease
SET renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + :duration * interval '1 ms'
WHERE name = :name AND token = :token AND holder IS NOT NULL""")
_RELEASE = text("""
UPDATE monitor_lease SET holder = NULL, expires_at = clock_timestamp()
WHERE name = :name AND token = :token""")
_HOLD = text("SELECT token, holder FROM monitor_lease WHERE name = :name FOR KEY SHARE")


@dataclass(frozen=True, slots=True)
class Standing:
    """The lease as it stands, by the database's clock."""

    holder: str | None
    """Host, process and a random mark; None when nobody holds it."""
    token: int
    left_ms: int
    """Until another may take it; negative when it has run out."""
    silent_ms: int
    """Since the last sign of life."""


class Lease:
    """One daemon's claim to be the active one; any thread may use it."""

    def __init__(
        self,
        settings: StoreSettings,
        clock: Clock,
        *,
        holder: str = "",
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing is connected yet. ``holder`` is for people: host and process if left out.

        ``hurry``: from when it is true on, nobody waits long for a database that is silent.

        Raises:
            StoreError: ``store.url`` is not set or wrong, or psycopg is not installed.
        """
        self.holder = (holder or _holder())[:_HOLDER_CHARS]
        self.token: int | None = None
        """The token that was got; None before, and once it is known to be lost."""
        self._settings = settings.lease
        self._clock = clock
        # Connections of its own: a sign of life never waits for a busy pool, and never for longer
        # than the lease is good.
        quick = settings.model_copy(update={"statement_timeout": self._settings.duration})
        self._database = PostgresDatabase(quick, connections=2)
        self._database.hurry = hurry
        self._made = False
        self._unheard = False
        """The last sign of life came to nothing, or nobody knows yet."""

    def acquire(self, stop: threading.Event) -> int | None:
        """Stand by until the lease is ours; returns its token, or None when told to stop.

        A database that does not answer is asked again.

        Raises:
            StoreRefused: it has never let us in, and will not by itself.
        """
        told = ""
        while not stop.is_set():
            try:
                token = self.try_acquire()
                standing = self.standing() if token is None else None
            except StoreError as error:
                if isinstance(error, StoreRefused) and not self._made:
                    raise
                token, standing = None, None
                if told != str(error):
                    log.warning("lease_unavailable", detail=(told := str(error)))
            if token is not None:
                return token
            if standing is not None and standing.holder and told != standing.holder:
                log.info("standing_by", holder=(told := standing.holder), token=standing.token)
            self._clock.wait(stop, self._settings.poll / 1000)
        return None

    def try_acquire(self) -> int | None:
        """Take the lease if it is free or has run out; its token, or None.

        Raises:
            StoreError: the database does not answer.
        """
        if not self._made:
            self._make()
        standing = self.standing()
        # Waiting for writes would make those that follow wait too, so only where there is hope.
        if standing is not None and standing.holder is not None and standing.left_ms > 0:
            return None
        values = {"holder": self.holder, "duration": self._settings.duration}
        with self._database.aside() as connection:
            connection.execute(_WAIT_FOR_WRITES, self._name)
            token = connection.scalar(_TAKE, self._name | values)
        if token is not None:
            self.token, self._unheard = int(token), False
            log.info("lease_taken", name=self._settings.name, token=token, holder=self.holder)
        return self.token if token is not None else None

    def renew(self) -> None:
        """Give a sign of life.

        Raises:
            LeaseLost: another daemon has it.
            StoreError: the database does not answer; the lease may still be ours.
        """
        values = {"token": self.token, "duration": self._settings.duration}
        self._unheard = True
        with self._database.aside() as connection:
            kept = self.token is not None and connection.execute(_RENEW, self._name | values)
        self._unheard = False
        if not kept or kept.rowcount != 1:
            self.token = None
            msg = f"store {self._database.name}: the lease is another daemon's, or was given back"
            raise LeaseLost(msg)

    def release(self) -> None:
        """Give the lease back, so that a stand-by takes over at once; twice is fine.

        A database that did not hear the last sign of life is not asked: it runs out by itself.

        Raises:
            StoreError: the database does not answer; the lease runs out by itself.
        """
        token, self.token = self.token, None
        if token is not None and not self._unheard:
            with self._database.aside() as connection:
                connection.execute(_RELEASE, self._name | {"token": token})
            log.info("lease_released", name=self._settings.name, token=token)

    def standing(self) -> Standing | None:
        """Who holds the lease, and for how long; None when no daemon ever did.

        Raises:
            StoreError: the database does not answer.
        """
        with self._database.read() as connection:
            if not connection.scalar(_EXISTS):
                return None
            row = connection.execute(_LOOK, self._name).first()
        return None if row is None else Standing(row.holder, row.token, row.left_ms, row.silent_ms)

    @contextmanager
    def kept(self, on_lost: Callable[[], None]) -> Iterator[Self]:
        """Give signs of life from a thread for as long as the block lasts.

        ``on_lost`` is called once, from that thread, when another daemon has the lease. A database
        that does not answer is no loss: no other daemon can take the lease there meanwhile.
        """
        over = threading.Event()
        thread = threading.Thread(
            target=self._keep, args=(over, on_lost), name="lease", daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            over.set()
            while thread.is_alive() and not self._database.hurry():
                thread.join(_LOOK_S)
            thread.join(JOIN_S)

    def close(self) -> None:
        """Close the connections, without giving the lease back; twice is fine."""
        self._database.close()

    def _keep(self, over: threading.Event, on_lost: Callable[[], None]) -> None:
        failing = False
        while not self._clock.wait(over, self._settings.renew / 1000):
            try:
                self.renew()
            except LeaseLost as error:
                log.error("lease_lost", detail=str(error))  # noqa: TRY400 - said in full
                on_lost()
                return
            except StoreError as error:
                if not failing:
                    log.warning("lease_not_renewed", detail=str(error))
                failing = True
            else:
                if failing:
                    log.info("lease_renewed_again")
                failing = False

    def _make(self) -> None:
        with self._database.write() as connection:  # under the advisory lock: made once
            if not connection.scalar(_EXISTS):
                connection.execute(_CREATE)
            connection.execute(_SEED, self._name)
        self._made = True

    @property
    def _name(self) -> dict[str, object]:
        return {"name": self._settings.name}


def fence(settings: StoreSettings, token: int) -> Fence:
    """What each write of the daemon that got ``token`` asks first."""
    values = {"name": settings.lease.name}

    def check(connection: Connection) -> None:
        row = connection.execute(_HOLD, values).first()
        if row is None or row.token != token or row.holder is None:
            now = "nobody" if row is None or row.holder is None else f"{row.holder} ({row.token})"
            msg = f"this daemon's lease {token} is over: the active one is {now}"
            raise LeaseLost(msg)

    return check


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

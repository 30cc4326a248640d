"""The store in one SQLite file: durability, transactions, and what its errors mean.

Owns all that is SQLite's alone. It runs in WAL mode with ``synchronous=FULL``: a committed decision
survives power loss, and other processes read while we write.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from monitor.clock import SystemClock
from monitor.errors import StoreError
from monitor.store.database import Database

_WAL_BYTES_KEPT = 64 * 2**20
_LOOK_MS = 250
"""How long SQLite itself waits for another writer, each time it is asked."""

_PLAIN = (
    # what SQLite says → what that means to the person who must mend it
    ("file is not a database", "it is damaged, or not a database at all"),
    ("malformed", "it is damaged"),
    ("database or disk is full", "the disk is full"),
    ("disk i/o error", "the disk does not read or write"),
    ("database is locked", "another process has held it for too long"),
    ("readonly", "it may not be written: look at its owner and its directory's"),
    ("unable to open", "it cannot be opened: look at the directory and its permissions"),
)


class SqliteDatabase(Database):
    """One database file."""

    def __init__(self, path: Path, *, busy_timeout_ms: int, create: bool) -> None:
        """``create``: make the directory and, at the first use, the file.

        Raises:
            StoreError: the directory cannot be made, or there is no file and none is to be made.
        """
        _look(path, create=create)
        super().__init__(_engine(path, busy_timeout_ms), name=str(path))
        self._busy_ms = busy_timeout_ms

    def plain(self, error: BaseException) -> StoreError:
        """The error for people: which file, and what is the matter with it."""
        return plain(error, self.name)

    def _for_writing(self, connection: Connection) -> Connection:
        # A writer takes its lock at once: upgrading a read later can fail without waiting.
        return connection.execution_options(begin=self._begin_writing)

    def _for_reading(self, connection: Connection) -> Connection:
        return connection.execution_options(begin=None)

    def _take_turn(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE has."""

    def _begin_writing(self, connection: Connection) -> None:
        """Wait for the other writers, for at most ``busy_timeout``.

        It gives up soon when the daemon is to end, which SQLite's own waiting would not.
        """
        cursor = connection.connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={min(_LOOK_MS, self._busy_ms)}")
        try:
            self._begin_immediate(cursor)
        finally:
            cursor.execute(f"PRAGMA busy_timeout={self._busy_ms}")
            cursor.close()

    def _begin_immediate(self, cursor: Any) -> None:
        now_s = SystemClock().monotonic_s
        until_s = now_s() + self._busy_ms / 1000
        while True:
            patient = now_s() < until_s and not self.hurry()
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not patient or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise self.plain(error) from None
            except sqlite3.Error as error:
                raise self.plain(error) from None
            else:
                return


def plain(error: BaseException, name: str) -> StoreError:
    """What SQLite or the file system said, for people."""
    said = str(getattr(error, "orig", None) or error)
    meaning = next((means for pattern, means in _PLAIN if pattern in said.lower()), None)
    detail = said if meaning is None else f"{meaning} ({said})"
    return StoreError(f"store {name}: {detail}")


def _look(path: Path, *, create: bool) -> None:
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise plain(error, str(path)) from error
    elif not path.exists():
        msg = f"store {path}: there is none: has the daemon run with this configuration?"
        raise StoreError(msg)


def _engine(path: Path, busy_timeout_ms: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": busy_timeout_ms / 1000, "check_same_thread": False},
        hide_parameters=True,  # numbers of customers are among them
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_KEPT}")
    cursor.close()
    if mode != "wal":
        msg = f"the store needs a local disk: SQLite refuses WAL there (journal mode {mode})"
        raise StoreError(msg)


def _begin(connection: Connection) -> None:
    begin = connection.get_execution_options().get("begin")
    if begin is None:
        connection.exec_driver_sql("BEGIN")
    else:
        begin(connection)

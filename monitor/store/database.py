"""The connection to the database: transactions, durability, and errors in plain words.

Owns all that is particular to one database; the rest of the package is portable SQLAlchemy Core.
SQLite runs in WAL mode with ``synchronous=FULL``: a committed decision survives power loss, and
other processes read while we write.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from monitor.errors import StoreError

_T = TypeVar("_T")

# SQLite takes 32 766 variables in a statement; the widest table has 13 columns.
_ROWS_PER_STATEMENT = 1_000
_WAL_BYTES_KEPT = 64 * 2**20

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


def plain(error: BaseException, path: Path) -> StoreError:
    """The error for people: which file, and what is the matter with it."""
    said = str(getattr(error, "orig", None) or error)
    meaning = next((means for pattern, means in _PLAIN if pattern in said.lower()), None)
    detail = said if meaning is None else f"{meaning} ({said})"
    return StoreError(f"store {path}: {detail}")


class Database:
    """One database file; any thread may use it.

    Writers of this process take turns by a lock rather than by SQLite's polling, so the engine
    waits for a delivery's bookkeeping no longer than that takes.
    """

    def __init__(self, path: Path, *, busy_timeout_ms: int, create: bool) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._engine = _sqlite_engine(path, busy_timeout_ms=busy_timeout_ms, create=create)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable once the block is left, and undone if it raises.

        Raises:
            StoreError: the database refused; nothing of the block was kept.
        """
        with self._turn, self._transaction(immediate=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view that no writer waits for.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._transaction(immediate=False) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, immediate: bool) -> Iterator[Connection]:
        try:
            with (
                self._engine.connect().execution_options(immediate=immediate) as connection,
                connection.begin(),
            ):
                yield connection
        except DBAPIError as error:
            raise plain(error, self.path) from error

    def close(self) -> None:
        """Close every connection; a later use opens new ones."""
        self._engine.dispose()


def insert_if_absent(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: str,
) -> set[Any]:
    """Insert the rows whose ``key`` is not in the table yet; returns the keys that were new."""
    if not rows:
        return set()
    statement = _insert(connection, table).on_conflict_do_nothing().returning(table.c[key])
    return set(connection.scalars(statement, list(rows)))


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    larger: str | None = None,
) -> None:
    """Insert rows, or overwrite those with the same primary key.

    With ``larger``, a row is overwritten only by one with a larger value in that column.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table)
    changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
    where = None if larger is None else statement.excluded[larger] > table.c[larger]
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed, where=where),
        list(rows),
    )


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def in_chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """``values`` in pieces that fit into one ``IN (…)``."""
    for start in range(0, len(values), _ROWS_PER_STATEMENT):
        yield values[start : start + _ROWS_PER_STATEMENT]


def _sqlite_engine(path: Path, *, busy_timeout_ms: int, create: bool) -> Engine:
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise plain(error, path) from error
    elif not path.exists():
        msg = f"store {path}: there is none: has the daemon run with this configuration?"
        raise StoreError(msg)
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": busy_timeout_ms / 1000, "check_same_thread": False},
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
    # A writer takes its lock at once: upgrading a read later can fail without waiting.
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

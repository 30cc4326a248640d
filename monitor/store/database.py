"""Transactions on one database, and the statements that are not the same in all of them.

Owns what every kind of database has in common; ``monitor.store.sqlite`` and
``monitor.store.postgres`` own what is particular to one, ``monitor.store.connect`` chooses. The
rest of the package is portable SQLAlchemy Core.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.sql.dml import ReturningInsert

from monitor.errors import StoreError

_T = TypeVar("_T")

# SQLite takes 32 766 variables in a statement; the widest table has 13 columns.
_ROWS_PER_STATEMENT = 1_000

Fence = Callable[[Connection], None]
"""Raises LeaseLost when the daemon is no longer the active one."""


class Database(ABC):
    """One database; any thread may use it.

    There is one writer at a time. Those of this process take turns by a lock, so the engine waits
    for a delivery's bookkeeping no longer than that takes; those of others by the database's own.
    """

    def __init__(self, engine: Engine, *, name: str) -> None:
        self.name = name
        """What it is called before people: a path, or an address without its password."""
        self.fence: Fence | None = None
        """Asked first in every write; None where a lock file keeps other daemons out."""
        self.hurry: Callable[[], bool] = lambda: False
        """The daemon is to end: whoever waits for the database gives up soon."""
        self._turn = threading.Lock()
        self._engine = engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable once the block is left, and undone if it raises.

        Raises:
            StoreError: the database refused. Nothing of the block was kept, unless the connection
                broke while it was being committed: then nobody knows.
            LeaseLost: another daemon is the active one; nothing was kept.
        """
        with self._turn, self._transaction(self._for_writing) as connection:
            self._take_turn(connection)
            if self.fence is not None:
                self.fence(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view that no writer waits for.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._transaction(self._for_reading) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection; a later use opens new ones."""
        self._engine.dispose()

    @abstractmethod
    def plain(self, error: BaseException) -> StoreError:
        """The error for people: which database, and what is the matter with it."""

    @abstractmethod
    def _for_writing(self, connection: Connection) -> Connection:
        """The connection, set to the isolation that writing needs."""

    @abstractmethod
    def _for_reading(self, connection: Connection) -> Connection:
        """The connection, set to see one moment."""

    @abstractmethod
    def _take_turn(self, connection: Connection) -> None:
        """Wait for the writers of other processes, as the first thing of a transaction."""

    @contextmanager
    def _transaction(self, prepared: Callable[[Connection], Connection]) -> Iterator[Connection]:
        try:
            with prepared(self._engine.connect()) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            # Its text may hold the row that was refused, with a number of a customer in it.
            raise self.plain(error) from None
        except NoConnectionFree as error:
            msg = f"store {self.name}: every connection is in use"
            raise StoreError(msg) from error


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
    statement = _insert_if_absent(connection.dialect.name, table, key)
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
    connection.execute(_upsert(connection.dialect.name, table, larger), list(rows))


# Making a statement takes longer than running it for a few rows.


@cache
def _insert_if_absent(dialect: str, table: Table, key: str) -> ReturningInsert[Any]:
    return _insert(dialect, table).on_conflict_do_nothing().returning(table.c[key])


@cache
def _upsert(dialect: str, table: Table, larger: str | None) -> Insert:
    keys = [column.name for column in table.primary_key]
    statement = _insert(dialect, table)
    changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
    where = None if larger is None else statement.excluded[larger] > table.c[larger]
    return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=where)


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def in_chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """``values`` in pieces that fit into one ``IN (…)``."""
    for start in range(0, len(values), _ROWS_PER_STATEMENT):
        yield values[start : start + _ROWS_PER_STATEMENT]

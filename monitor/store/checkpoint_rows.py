"""Checkpoints in PostgreSQL, where a stand-by on another machine finds them.

Owns their two tables. The content is byte for byte that of the files
(``monitor.store.checkpoint_format``), cut into chunks. They are written over a connection of their
own and without the writer's turn, so no decision waits for them; packing and unpacking go through a
temporary file, so the database waits for neither. The lease is asked last, right before the
commit, so a takeover waits for no upload.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, BinaryIO, Final

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)

from monitor.errors import CheckpointError, StoreError
from monitor.store.checkpoint import KEPT
from monitor.store.checkpoint_format import read, write
from monitor.store.lease import fence
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings

log = structlog.get_logger(__name__)

CHUNK_BYTES: Final = 2**20
_IN_MEMORY_BYTES = 64 * 2**20

_METADATA = MetaData()
CHECKPOINTS = Table(
    "monitor_checkpoints",
    _METADATA,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
CHUNKS = Table(
    "monitor_checkpoint_chunks",
    _METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)
# The chunks are compressed already.
_PLAIN_STORAGE = text(f"ALTER TABLE {CHUNKS.name} ALTER COLUMN content SET STORAGE EXTERNAL")
_NEXT = text(f"SELECT nextval(pg_get_serial_sequence('{CHECKPOINTS.name}', 'number'))")


class CheckpointRows:
    """The checkpoints in one database. One thread uses it."""

    def __init__(self, settings: StoreSettings, *, token: int | None = None) -> None:
        """Nothing is connected yet. ``token``: of the lease, to save; reading needs none.

        Raises:
            StoreError: ``store.url`` is not set or wrong, or psycopg is not installed.
        """
        self._database = PostgresDatabase(settings, connections=2)
        self._fence = None if token is None else fence(settings, token)
        self._made = False

    def save(self, state: dict[str, Any]) -> int:
        """See :meth:`monitor.store.checkpoint.CheckpointStore.save`.

        Raises:
            LeaseLost: another daemon is the active one; nothing was kept.
        """
        if self._fence is None:
            raise StoreError("checkpoints are saved by the holder of the lease alone")
        with _staging() as file:
            size = write(file, state)
            file.seek(0)
            self._make()
            with self._database.aside() as connection:
                number = int(connection.scalars(_NEXT).one())
                _upload(connection, number, file)
                row = {"number": number, "size": size}
                connection.execute(insert(CHECKPOINTS).values(row))
                _forget_old(connection)
                self._fence(connection)
        return size

    def load(self) -> dict[str, Any] | None:
        """See :meth:`monitor.store.checkpoint.CheckpointStore.load`."""
        faults: list[str] = []
        for number in self._numbers():
            try:
                with _staging() as file:
                    with self._database.read() as connection:
                        _download(connection, number, file)
                    return read(file)
            except CheckpointError as error:
                log.warning("checkpoint_unreadable", number=number, detail=str(error))
                faults.append(f"{number}: {error}")
        if faults:
            msg = f"store {self._database.name}: no checkpoint can be read: " + "; ".join(faults)
            raise CheckpointError(msg)
        return None

    def close(self) -> None:
        """Close the connections; twice is fine."""
        self._database.close()

    def _numbers(self) -> list[int]:
        """Of those that are there, the newest first."""
        with self._database.read() as connection:
            if not inspect(connection).has_table(CHECKPOINTS.name):
                return []
            newest = select(CHECKPOINTS.c.number).order_by(CHECKPOINTS.c.number.desc())
            return list(connection.scalars(newest))

    def _make(self) -> None:
        if self._made:
            return
        with self._database.write() as connection:  # under the advisory lock: made once
            if not inspect(connection).has_table(CHECKPOINTS.name):
                _METADATA.create_all(connection)
                connection.execute(_PLAIN_STORAGE)
        self._made = True


def _upload(connection: Connection, number: int, file: BinaryIO) -> None:
    for position in count():
        content = file.read(CHUNK_BYTES)
        if not content:
            return
        row = {"number": number, "position": position, "content": content}
        connection.execute(insert(CHUNKS).values(row))


def _download(connection: Connection, number: int, file: BinaryIO) -> None:
    contents = select(CHUNKS.c.content).where(CHUNKS.c.number == number).order_by(CHUNKS.c.position)
    file.writelines(connection.scalars(contents.execution_options(yield_per=1)))


def _forget_old(connection: Connection) -> None:
    newest = select(CHECKPOINTS.c.number).order_by(CHECKPOINTS.c.number.desc()).limit(KEPT)
    kept = list(connection.scalars(newest))
    connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.number < kept[-1]))
    connection.execute(delete(CHUNKS).where(CHUNKS.c.number < kept[-1]))


@contextmanager
def _staging() -> Iterator[BinaryIO]:
    try:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
            yield file  # type: ignore[misc]  # it does all that a BinaryIO does
    except OSError as error:
        msg = f"checkpoint: {tempfile.gettempdir()} cannot be used: {error.strerror or error}"
        raise StoreError(msg) from error

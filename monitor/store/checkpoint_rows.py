"""Checkpoints in PostgreSQL, where a stand-by on another machine finds them.

Owns their tables. The files are byte for byte those of the directory
(``monitor.store.checkpoint_format``), cut into chunks. They are written over a connection of their
own and without the writer's turn, so no decision waits for them; packing and unpacking go through a
temporary file, so the database waits for neither. The lease is asked last, right before the
commit, so a takeover waits for no upload.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import BinaryIO, Final

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
from monitor.store.checkpoint import ShelvedCheckpoints
from monitor.store.checkpoint_format import Kind, Written
from monitor.store.database import Fence
from monitor.store.lease import fence
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings
from monitor.store.shelf import Addition, Blob

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
PARTS = Table(
    "monitor_checkpoint_parts",
    _METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)
_TABLES: Final[dict[Kind, Table]] = {"root": CHUNKS, "parts": PARTS}
_NEXT = text(f"SELECT nextval(pg_get_serial_sequence('{CHECKPOINTS.name}', 'number'))")


class CheckpointRows(ShelvedCheckpoints):
    """The checkpoints in one database. One thread at a time uses it."""

    def __init__(
        self,
        settings: StoreSettings,
        *,
        token: int | None = None,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing is connected yet. ``token``: of the lease, to save; reading needs none.

        ``hurry``: from when it is true on, nobody waits long for a database that is silent.

        Raises:
            StoreError: ``store.url`` is not set or wrong, or psycopg is not installed.
        """
        held = None if token is None else fence(settings, token)
        super().__init__(RowShelf(settings, held, hurry=hurry))


class RowShelf:
    """The tables as a :class:`monitor.store.shelf.Shelf`."""

    def __init__(
        self,
        settings: StoreSettings,
        held: Fence | None,
        *,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """``held`` asks for the lease; None: nothing can be added."""
        self._database = PostgresDatabase(settings, connections=2)
        self._database.hurry = hurry
        self._fence = held
        self._made = False

    def sizes(self) -> dict[Blob, int]:
        """See :meth:`monitor.store.shelf.Shelf.sizes`."""
        found: dict[Blob, int] = {}
        with self._database.read() as connection:
            there = set(inspect(connection).get_table_names())
            if CHECKPOINTS.name in there:
                rows = connection.execute(select(CHECKPOINTS.c.number, CHECKPOINTS.c.size))
                found |= {Blob("root", number): size for number, size in rows}
            if PARTS.name in there:
                size = func.sum(func.length(PARTS.c.content))
                rows = connection.execute(select(PARTS.c.number, size).group_by(PARTS.c.number))
                found |= {Blob("parts", number): int(size) for number, size in rows}
        return found

    @contextmanager
    def opened(self, blob: Blob) -> Iterator[BinaryIO]:
        """See :meth:`monitor.store.shelf.Shelf.opened`."""
        with _staging() as file:
            with self._database.read() as connection:
                _download(connection, blob, file)
            if blob.kind == "parts" and file.tell() == 0:
                raise CheckpointError("it is not there")
            yield file

    @contextmanager
    def adding(self) -> Iterator[Addition]:
        """See :meth:`monitor.store.shelf.Shelf.adding`.

        Raises:
            LeaseLost: another daemon is the active one; nothing was kept.
        """
        if self._fence is None:
            raise StoreError("checkpoints are saved by the holder of the lease alone")
        with ExitStack() as staged:
            yield _RowAddition(self._database, self._fence, staged, self._make)

    def titled(self, blob: Blob) -> str:
        """See :meth:`monitor.store.shelf.Shelf.titled`."""
        what = "checkpoint" if blob.kind == "root" else "parts"
        return f"store {self._database.name}: {what} {blob.number}"

    def close(self) -> None:
        """Close the connections; twice is fine."""
        self._database.close()

    def _make(self) -> None:
        if self._made:
            return
        with self._database.write() as connection:  # under the advisory lock: made once
            there = set(inspect(connection).get_table_names())
            _METADATA.create_all(connection)
            for table in _TABLES.values():
                if table.name not in there:  # its chunks are compressed already
                    plain = f"ALTER TABLE {table.name} ALTER COLUMN content SET STORAGE EXTERNAL"
                    connection.execute(text(plain))
        self._made = True


class _RowAddition:
    """Files that are packed, and uploaded when they are committed."""

    def __init__(
        self, database: PostgresDatabase, held: Fence, staged: ExitStack, make: Callable[[], None]
    ) -> None:
        self._database = database
        self._fence = held
        self._staged = staged
        self._make = make
        self._files: dict[Kind, tuple[BinaryIO, Written]] = {}

    def write(self, kind: Kind, content: Callable[[BinaryIO], Written]) -> Written:
        file = self._staged.enter_context(_staging())
        written = content(file)
        self._files[kind] = file, written
        return written

    def commit(self, gone: Iterable[Blob]) -> int:
        self._make()
        with self._database.aside() as connection:
            number = int(connection.scalars(_NEXT).one())
            for kind, (file, _) in self._files.items():
                file.seek(0)
                _upload(connection, Blob(kind, number), file)
            row = {"number": number, "size": self._files["root"][1].size}
            connection.execute(insert(CHECKPOINTS).values(row))
            for kind, table in _TABLES.items():
                numbers = [blob.number for blob in gone if blob.kind == kind]
                connection.execute(delete(table).where(table.c.number.in_(numbers)))
                if kind == "root":
                    old = CHECKPOINTS.c.number.in_(numbers)
                    connection.execute(delete(CHECKPOINTS).where(old))
            self._fence(connection)
        return number


def _upload(connection: Connection, blob: Blob, file: BinaryIO) -> None:
    for position in count():
        content = file.read(CHUNK_BYTES)
        if not content:
            return
        row = {"number": blob.number, "position": position, "content": content}
        connection.execute(insert(_TABLES[blob.kind]).values(row))


def _download(connection: Connection, blob: Blob, file: BinaryIO) -> None:
    table = _TABLES[blob.kind]
    contents = select(table.c.content).where(table.c.number == blob.number)
    contents = contents.order_by(table.c.position).execution_options(yield_per=1)
    file.writelines(connection.scalars(contents))


@contextmanager
def _staging() -> Iterator[BinaryIO]:
    try:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
            yield file  # type: ignore[misc]  # it does all that a BinaryIO does
    except OSError as error:
        msg = f"checkpoint: {tempfile.gettempdir()} cannot be used: {error.strerror or error}"
        raise StoreError(msg) from error

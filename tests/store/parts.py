"""Parts and arrays to store, and a look at the files from behind.

Owns what the tests of checkpoints have in common, wherever these are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import update

from monitor.sealed import Later, Sealed
from monitor.store.checkpoint import CheckpointStore
from monitor.store.checkpoint_format import Kind
from monitor.store.checkpoint_rows import CHUNKS, PARTS, RowShelf
from monitor.store.checkpoints import open_checkpoints
from monitor.store.postgres import PostgresDatabase
from monitor.store.settings import StoreSettings
from monitor.store.shelf import Blob, Folder, Shelf
from tests.store.stores import take_lease


def opened(settings: StoreSettings) -> CheckpointStore:
    """As a daemon opens them; the one before is taken for dead."""
    token = None if settings.url is None else take_lease(settings)
    return open_checkpoints(settings, token=token)


def load(settings: StoreSettings) -> dict[str, Any]:
    """What somebody else reads."""
    checkpoints = open_checkpoints(settings)
    state = checkpoints.load()
    checkpoints.close()
    assert state is not None
    return state


def shelf_of(settings: StoreSettings) -> Shelf:
    """Where the files are."""
    return Folder(settings.checkpoints) if settings.url is None else RowShelf(settings, None)


def numbers(settings: StoreSettings, kind: Kind) -> list[int]:
    """Of the files there are."""
    shelf = shelf_of(settings)
    found = sorted(blob.number for blob in shelf.sizes() if blob.kind == kind)
    shelf.close()
    return found


def path_of(settings: StoreSettings, kind: Kind, number: int) -> Path:
    """Where a file is in a directory."""
    return Folder(settings.checkpoints).path(Blob(kind, number))


def damage(settings: StoreSettings, kind: Kind, number: int) -> None:
    """Turn a bit in a file; in a database, put something else in its place."""
    if settings.url is None:
        path = path_of(settings, kind, number)
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(bytes(data))
        return
    table, database = (CHUNKS if kind == "root" else PARTS), PostgresDatabase(settings)
    with database.aside() as connection:
        where = table.c.number == number
        connection.execute(update(table).where(where).values(content=b"nonsense"))
    database.close()


def noise(rows: int, seed: int = 1) -> Any:
    """Numbers that do not compress."""
    return np.random.default_rng(seed).integers(0, 2**63, rows)


def part(rows: int = 1_000, seed: int = 1) -> Sealed:
    """One of so many numbers."""
    return Sealed({"keys": noise(rows, seed)})


def plain(value: Any) -> Any:
    """A state with its parts in their places."""
    if isinstance(value, Later):
        return plain(value.content())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value

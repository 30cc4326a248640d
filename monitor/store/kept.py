"""The part of a checkpoint that no log can give back: which numbers are out of service, and why.

Owns one row beside the decisions. Checkpoints can be lost and windows are then read again from the
log; a suspension of last week is in no log, so its state is kept here, too, as of each checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select

from monitor.store.database import Database, upsert
from monitor.store.schema import META

_NAME = "kept"


class Kept:
    """One document in a store; any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, document: Mapping[str, Any]) -> None:
        """Replace it; durable on return. Plain values only.

        Raises:
            StoreError: the database refused; the one before is still there.
        """
        text = msgspec.json.encode(document).decode()
        with self._database.write() as connection:
            upsert(connection, META, [{"name": _NAME, "value": text}])

    def load(self) -> dict[str, Any] | None:
        """What was saved last; None when nothing ever was.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._database.read() as connection:
            text = connection.scalar(select(META.c.value).where(META.c.name == _NAME))
        return None if text is None else dict(msgspec.json.decode(text))

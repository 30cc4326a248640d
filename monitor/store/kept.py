"""The part of a checkpoint that no log can give back: which numbers are out of service, and why.

Owns two rows beside the decisions. Checkpoints can be lost and windows are then read again from the
log; a suspension of last week is in no log, so its state is kept here, too, as of each checkpoint.
So is, less often, which numbers were seen lately.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from sqlalchemy import select

from monitor.store.database import Database, upsert
from monitor.store.schema import META

Name = Literal["kept", "kept_seen"]
Texts = dict[Name, str]
"""Documents as they are stored."""


def text_of(document: Mapping[str, Any]) -> str:
    """A document of plain values as it is stored; bytes come back as base64."""
    return msgspec.json.encode(document).decode()


class Kept:
    """Documents in one store; any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, texts: Texts) -> None:
        """Replace them, all or none; durable on return.

        Raises:
            StoreError: the database refused; those before are still there.
        """
        rows = [{"name": name, "value": text} for name, text in texts.items()]
        with self._database.write() as connection:
            upsert(connection, META, rows)

    def load(self, name: Name = "kept") -> dict[str, Any] | None:
        """What was saved last; None when nothing ever was.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._database.read() as connection:
            text = connection.scalar(select(META.c.value).where(META.c.name == name))
        return None if text is None else dict(msgspec.json.decode(text))

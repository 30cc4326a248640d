"""What people and programs did: who, from where, what, on what, and how it ended.

Owns the rows of one store. They are added and, with the rest of history, deleted when they are old;
nothing changes one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from monitor.store.access_schema import AUDIT
from monitor.store.codec import from_text, to_text
from monitor.store.database import Database

TEXT_MAX = 200
"""Of each text; the rest of a longer one is cut off."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One row; ``target`` and ``detail`` hold no customer."""

    at_ms: int
    who: str
    """Empty: a stranger."""
    role: str
    via: str
    """``token``, ``password``, ``oidc`` or ``cli``."""
    address: str
    """Where from; empty: this machine's command line."""
    action: str
    """Such as ``POST /api/v1/numbers/{number}/suspend`` or ``sign in``."""
    target: str
    """On what, such as a number."""
    result: int
    """The status of the answer, such as 200 or 403."""
    detail: str = ""


class Audit:
    """The audit of one store; any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, deed: Deed) -> None:
        """Keep one row; durable on return.

        Raises:
            StoreError: it was not kept.
        """
        row = {
            "at_ms": deed.at_ms,
            "who": deed.who,
            "action": deed.action,
            "result": deed.result,
            "body": to_text(deed),
        }
        with self._database.write() as connection:
            connection.execute(insert(AUDIT).values(row))

    def deeds(
        self,
        *,
        before: int | None = None,
        since_ms: int | None = None,
        who: str | None = None,
        limit: int = 100,
    ) -> list[tuple[int, Deed]]:
        """Rows with their sequence numbers, the newest first; those before number ``before``."""
        statement = select(AUDIT.c.seq, AUDIT.c.body).order_by(AUDIT.c.seq.desc()).limit(limit)
        if before is not None:
            statement = statement.where(AUDIT.c.seq < before)
        if since_ms is not None:
            statement = statement.where(AUDIT.c.at_ms >= since_ms)
        if who is not None:
            statement = statement.where(AUDIT.c.who == who)
        with self._database.read() as connection:
            return [(row.seq, from_text(row.body, Deed)) for row in connection.execute(statement)]

"""Tables of those who sign in: users, their sessions, and the audit of what they did.

Owns columns and indexes; versions are ``monitor.store.schema``'s.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Table, Text

from monitor.store.label import Label
from monitor.store.metadata import METADATA, seq

USERS = Table(
    "users",
    METADATA,
    Column("name", Label, primary_key=True),
    Column("body", Text, nullable=False),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("digest", Label, primary_key=True),  # of the id, which only the browser has
    Column("name", Label, nullable=False),
    Column("begun_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("sessions_by_name", "name", "seen_ms"),
    Index("sessions_by_age", "seen_ms"),
)

AUDIT = Table(
    "audit",
    METADATA,
    seq(),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Label, nullable=False),
    Column("action", Label, nullable=False),
    Column("result", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("audit_by_age", "at_ms"),
    Index("audit_by_who", "who", "seq"),
    sqlite_autoincrement=True,
)


def create(connection: Connection) -> None:
    """Stores up to version 3 knew nobody by name."""
    for table in (USERS, SESSIONS, AUDIT):
        table.create(connection, checkfirst=True)

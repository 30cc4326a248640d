"""Tables of the store and their versions.

Owns names, columns, indexes and migrations; what rows mean is said by the module that writes them.
Portable: nothing here is SQLite's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    insert,
    inspect,
    select,
    text,
    update,
)

from monitor.errors import StoreError
from monitor.store import access_schema
from monitor.store.label import Label
from monitor.store.metadata import METADATA, seq

VERSION = 4
"""Raise it with every change of a table, and add the step to ``MIGRATIONS``."""

META = Table(
    "meta",
    METADATA,
    Column("name", Label, primary_key=True),
    Column("value", Text, nullable=False),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    seq(),
    Column("id", Label, nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", Label, nullable=False),
    Column("rule", Label, nullable=False),
    Column("number", Label),
    Column("episode", Label, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("decisions_by_kind", "kind", "at_ms"),
    Index("decisions_by_age", "at_ms"),
    Index("decisions_by_rule", "rule", "at_ms"),
    Index("decisions_by_number", "number", "kind", "seq"),
    sqlite_autoincrement=True,
)

OUTBOX = Table(
    "outbox",
    METADATA,
    seq(),
    Column("decision", Label, nullable=False),
    Column("receiver", Label, nullable=False),
    Column("kind", Label, nullable=False),
    Column("order_key", Label, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),  # queued, sending or retry: still to be delivered
    Column("state", Label, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("mark", Text, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("outbox_once", "decision", "receiver", unique=True),
    Index("outbox_by_key", "open", "receiver", "order_key", "seq"),
    Index("outbox_by_due", "open", "receiver", "due_ms", "seq"),
    Index("outbox_by_state", "state", "receiver", "created_ms"),
    sqlite_autoincrement=True,
)

EPISODES = Table(
    "episodes",
    METADATA,
    Column("episode", Label, primary_key=True),
    Column("rule", Label, nullable=False),
    Column("decision", Label, nullable=False),  # the latest alert of the episode
    Column("state", Label, nullable=False),
    Column("level", Label, nullable=False),
    Column("previous_level", Label),
    Column("level_since_ms", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("level_recorded_ms", BigInteger, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("team", Label, nullable=False),  # empty: of none, or nobody knows
    Index("episodes_by_state", "state", "recorded_ms"),
    Index("episodes_by_begin", "since_ms", "episode"),
)

HANDLINGS = Table(
    "handlings",
    METADATA,
    Column("episode", Label, primary_key=True),
    Column("acknowledged_by", Label),  # null: nobody
    Column("acknowledged_ms", BigInteger),
    Column("acknowledged_level", Label),  # a severer one is not acknowledged
    Column("note", Text, nullable=False),
    Column("assigned_to", Label),  # null: nobody
    Column("updated_ms", BigInteger, nullable=False),
    Index("handlings_by_age", "updated_ms"),
)

SILENCES = Table(
    "silences",
    METADATA,
    Column("id", Label, primary_key=True),
    Column("matchers", Text, nullable=False),
    Column("begun_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # brought forward when people end it
    Column("by", Label, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_by", Label),
    Index("silences_by_end", "until_ms"),
)

ACTS = Table(
    "acts",
    METADATA,
    seq(),
    Column("id", Label, nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Label, nullable=False),
    Column("what", Label, nullable=False),
    Column("about", Label, nullable=False),  # an episode, or a silence
    Column("body", Text, nullable=False),
    Index("acts_by_about", "about", "seq"),
    Index("acts_by_age", "at_ms"),
    sqlite_autoincrement=True,
)

ROUTING = Table(
    "routing",
    METADATA,
    Column("kind", Label, primary_key=True),
    Column("name", Label, primary_key=True),
    Column("body", Text, nullable=False),
)

TELLINGS = Table(
    "tellings",
    METADATA,
    Column("decision", Label, primary_key=True),
    Column("route", Label, primary_key=True),
    Column("episode", Label, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("state", Label, nullable=False),
    Column("cause", Label, nullable=False),
    Column("notice", Label, nullable=False),  # what told of it, as the outbox names it
    Index("tellings_by_episode", "episode", "at_ms"),
    Index("tellings_by_age", "at_ms"),
)

JOURNAL = Table(
    "journal",
    METADATA,
    seq(),
    Column("kind", Label, nullable=False),
    Column("tick_ms", BigInteger, nullable=False),
    Column("key", Label, unique=True),
    Column("payload", Text, nullable=False),
    Index("journal_by_age", "tick_ms"),
    sqlite_autoincrement=True,
)

FLOORS = Table(
    "floors",
    METADATA,
    Column("topic", Label, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("floor_ms", BigInteger, nullable=False),
    Index("floors_by_age", "floor_ms"),
)

REQUESTS = Table(
    "requests",
    METADATA,
    seq(),
    Column("id", Label, nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("tick_ms", BigInteger),  # null until the engine took it
    Column("body", Text, nullable=False),
    Index("requests_by_tick", "tick_ms"),
    sqlite_autoincrement=True,
)

CHANGES = Table(
    "number_changes",
    METADATA,
    seq(),
    Column("id", Label, nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("number", Label, nullable=False),
    Column("body", Text, nullable=False),
    Index("changes_by_number", "number", "seq"),
    Index("changes_by_age", "at_ms"),
    sqlite_autoincrement=True,
)

LISTINGS = Table(
    "do_not_call",
    METADATA,
    seq(),
    Column("id", Label, nullable=False, unique=True),
    Column("tick_ms", BigInteger, nullable=False),
    Column("customer", Label, nullable=False),
    Column("closed_ms", BigInteger),  # the tick since which it is not the last word that lists
    Column("until_ms", BigInteger),
    Column("reason", Label, nullable=False),
    Column("request", Label, nullable=False),
    Column("body", Text, nullable=False),
    Index("listings_by_customer", "customer", "closed_ms"),
    Index("listings_by_close", "closed_ms"),
    Index("listings_by_request", "request"),
    sqlite_autoincrement=True,
)


Migration = Callable[[Connection], None]
"""Brings the tables from one version to the next, inside the caller's transaction."""


def _by_due(connection: Connection) -> None:
    """The first stores were made without this index; the later ones of version 1 have it."""
    columns = "open, receiver, due_ms, seq"
    connection.execute(text(f"CREATE INDEX IF NOT EXISTS outbox_by_due ON outbox ({columns})"))


def _do_not_call(connection: Connection) -> None:
    """Stores up to version 2 had no list of customers nobody may call."""
    LISTINGS.create(connection, checkfirst=True)


def _people(connection: Connection) -> None:
    """Stores up to version 3 knew nothing of what people do, nor whom alerts are told."""
    if "team" not in {column["name"] for column in inspect(connection).get_columns("episodes")}:
        label = EPISODES.c.team.type.compile(connection.dialect)
        add = f"ALTER TABLE episodes ADD COLUMN team {label} NOT NULL DEFAULT ''"
        connection.execute(text(add))
    for index in EPISODES.indexes:
        if index.name == "episodes_by_begin":
            index.create(connection, checkfirst=True)
    for table in (HANDLINGS, SILENCES, ACTS, ROUTING, TELLINGS):
        table.create(connection, checkfirst=True)
    _note_teams(connection)
    access_schema.create(connection)


def _note_teams(connection: Connection) -> None:
    """The teams of alerts about a team; of others nobody kept them."""
    joined = EPISODES.join(DECISIONS, DECISIONS.c.id == EPISODES.c.decision)
    rows = connection.execute(select(EPISODES.c.episode, DECISIONS.c.body).select_from(joined))
    teams = [
        {"of": row.episode, "is": dict(scope)["team"]}
        for row in rows.all()
        for scope in [msgspec.json.decode(row.body)["scope"]]
        if "team" in dict(scope)
    ]
    if teams:
        change = update(EPISODES).where(EPISODES.c.episode == bindparam("of"))
        connection.execute(change.values(team=bindparam("is")), teams)


MIGRATIONS: Mapping[int, Migration] = MappingProxyType({1: _by_due, 2: _do_not_call, 3: _people})
"""From version → the step to the next; a new store is created at ``VERSION`` at once."""


def stored_version(connection: Connection) -> int | None:
    """The version of the tables found; None in an empty store."""
    if not connection.dialect.has_table(connection, META.name):
        return None
    value = connection.scalar(select(META.c.value).where(META.c.name == "schema_version"))
    return None if value is None else int(value)


def prepare(
    connection: Connection,
    *,
    migrate: bool,
    version: int = VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Create the tables, or bring them to ``version``; runs in the caller's transaction.

    Raises:
        StoreError: the tables are newer than this program, or older and ``migrate`` is False.
    """
    found = stored_version(connection)
    if found == version:
        return
    if found is None:
        if not migrate:
            msg = (
                "it is not a store of this daemon: it holds no schema version; "
                "has the daemon run with this configuration?"
            )
            raise StoreError(msg)
        METADATA.create_all(connection)
        connection.execute(insert(META).values(name="schema_version", value=str(version)))
        return
    if found > version:
        msg = (
            f"it has schema version {found}, and this program knows up to {version}: "
            "run the newer program that wrote it"
        )
        raise StoreError(msg)
    if not migrate:
        msg = f"it has schema version {found}, older than {version}: start the daemon once"
        raise StoreError(msg)
    for step in range(found, version):
        migrations[step](connection)
    connection.execute(
        update(META).where(META.c.name == "schema_version").values(value=str(version))
    )

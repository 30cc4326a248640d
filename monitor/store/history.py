"""What was decided, for people: the command line and the exporter read it here.

Owns reads of decisions and of the audit of numbers, and the deletion of what is too old. Nothing
here is needed to decide.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, func, not_, or_, select

from monitor.decisions import Alert, Command, Decision, NumberChange, Refusal
from monitor.store.access_schema import AUDIT, SESSIONS
from monitor.store.codec import decode, from_text
from monitor.store.database import Database, in_chunks
from monitor.store.schema import (
    ACTS,
    CHANGES,
    DECISIONS,
    EPISODES,
    FLOORS,
    HANDLINGS,
    JOURNAL,
    LISTINGS,
    OUTBOX,
    REQUESTS,
    SILENCES,
    TELLINGS,
)


class History:
    """Reads of one store, newest first; each sees one consistent moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def alerts(
        self, *, since_ms: int | None = None, rule: str | None = None, limit: int = 100
    ) -> list[Alert]:
        """Alert transitions, shadow ones too. Those that fire now: ``Store.episodes.firing``."""
        found = self._decisions("alert", since_ms=since_ms, rule=rule, limit=limit)
        return [decision for decision in found if isinstance(decision, Alert)]

    def alerts_named(self, begins: str, *, limit: int = 1_000) -> list[Alert]:
        """Alerts whose id, or whose episode's, begins with ``begins`` (hex), the oldest first."""
        wanted = or_(DECISIONS.c.id.startswith(begins), DECISIONS.c.episode.startswith(begins))
        statement = (
            select(DECISIONS.c.kind, DECISIONS.c.body)
            .where(DECISIONS.c.kind == "alert", wanted)
            .order_by(DECISIONS.c.at_ms, DECISIONS.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            found = [decode(row.kind, row.body) for row in connection.execute(statement)]
        return [decision for decision in found if isinstance(decision, Alert)]

    def refusals_named(self, begins: str, *, limit: int = 2) -> list[Refusal]:
        """Refusals whose id begins with ``begins`` (hex), the oldest first."""
        statement = (
            select(DECISIONS.c.kind, DECISIONS.c.body)
            .where(DECISIONS.c.kind == "refusal", DECISIONS.c.id.startswith(begins))
            .order_by(DECISIONS.c.at_ms, DECISIONS.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            found = [decode(row.kind, row.body) for row in connection.execute(statement)]
        return [decision for decision in found if isinstance(decision, Refusal)]

    def of_episode(
        self, episode: str, rule: str, since_ms: int, *, limit: int = 1_000
    ) -> list[Decision]:
        """What was decided in an episode of ``rule`` that began at ``since_ms``, oldest first."""
        statement = (
            select(DECISIONS.c.kind, DECISIONS.c.body)
            .where(
                DECISIONS.c.rule == rule,
                DECISIONS.c.at_ms >= since_ms,
                DECISIONS.c.episode == episode,
            )
            .order_by(DECISIONS.c.at_ms, DECISIONS.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [decode(row.kind, row.body) for row in connection.execute(statement)]

    def commands(
        self, *, since_ms: int | None = None, number: str | None = None, limit: int = 100
    ) -> list[Command]:
        """Commands, shadow ones too."""
        found = self._decisions("command", since_ms=since_ms, number=number, limit=limit)
        return [decision for decision in found if isinstance(decision, Command)]

    def refusals(
        self, *, since_ms: int | None = None, number: str | None = None, limit: int = 100
    ) -> list[Refusal]:
        """Suspensions that a guard refused."""
        found = self._decisions("refusal", since_ms=since_ms, number=number, limit=limit)
        return [decision for decision in found if isinstance(decision, Refusal)]

    def last_commands(self) -> dict[str, Command]:
        """The last real (not shadow) command of every number, by number."""
        last = (
            select(func.max(DECISIONS.c.seq))
            .where(DECISIONS.c.kind == "command", DECISIONS.c.shadow.is_(False))
            .group_by(DECISIONS.c.number)
        )
        statement = select(DECISIONS.c.kind, DECISIONS.c.body).where(DECISIONS.c.seq.in_(last))
        with self._database.read() as connection:
            rows = connection.execute(statement.order_by(DECISIONS.c.number)).all()
        found = [decode(row.kind, row.body) for row in rows]
        return {command.number: command for command in found if isinstance(command, Command)}

    def decision(self, decision_id: str) -> Decision | None:
        """One decision by its id."""
        statement = select(DECISIONS.c.kind, DECISIONS.c.body).where(DECISIONS.c.id == decision_id)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        return None if row is None else decode(row.kind, row.body)

    def change(self, change_id: str) -> NumberChange | None:
        """One row of a number's history by its id; None when there is none."""
        statement = select(CHANGES.c.body).where(CHANGES.c.id == change_id)
        with self._database.read() as connection:
            body = connection.scalar(statement)
        return None if body is None else from_text(body, NumberChange)

    def changes(
        self, *, number: str | None = None, since_ms: int | None = None, limit: int = 100
    ) -> list[NumberChange]:
        """The histories of numbers."""
        statement = select(CHANGES.c.body).order_by(CHANGES.c.seq.desc()).limit(limit)
        if number is not None:
            statement = statement.where(CHANGES.c.number == number)
        if since_ms is not None:
            statement = statement.where(CHANGES.c.at_ms >= since_ms)
        with self._database.read() as connection:
            return [from_text(body, NumberChange) for body in connection.scalars(statement)]

    def prune(self, before_ms: int, *, journal_upto: int, limit: int = 500) -> int:
        """Delete up to ``limit`` rows of each table that are older; returns how many went.

        Call it again while it returns more than 0; each call is one short transaction. What is
        unsent, still firing, or the last word on a number stays, and so do journal entries after
        ``journal_upto``, the last one in the oldest checkpoint.
        """
        gone = 0
        with self._database.write() as connection:
            for table, key, where in _expired(before_ms, journal_upto):
                old = list(connection.scalars(select(key).where(where).order_by(key).limit(limit)))
                for chunk in in_chunks(old):
                    gone += connection.execute(delete(table).where(key.in_(chunk))).rowcount
            # One that lies before all time says that a partition was there at the beginning.
            old_floors = (
                select(FLOORS)
                .where(FLOORS.c.floor_ms < before_ms, FLOORS.c.floor_ms >= 0)
                .limit(limit)
            )
            for row in connection.execute(old_floors).all():
                same = and_(
                    FLOORS.c.topic == row.topic,
                    FLOORS.c.number == row.number,
                    FLOORS.c.position == row.position,
                )
                gone += connection.execute(delete(FLOORS).where(same)).rowcount
        return gone

    def _decisions(
        self,
        kind: str,
        *,
        since_ms: int | None,
        limit: int,
        rule: str | None = None,
        number: str | None = None,
    ) -> list[Decision]:
        statement: Select[Any] = (
            select(DECISIONS.c.kind, DECISIONS.c.body)
            .where(DECISIONS.c.kind == kind)
            .order_by(DECISIONS.c.at_ms.desc(), DECISIONS.c.seq.desc())
            .limit(limit)
        )
        if since_ms is not None:
            statement = statement.where(DECISIONS.c.at_ms >= since_ms)
        if rule is not None:
            statement = statement.where(DECISIONS.c.rule == rule)
        if number is not None:
            statement = statement.where(DECISIONS.c.number == number)
        with self._database.read() as connection:
            return [decode(row.kind, row.body) for row in connection.execute(statement)]


def _expired(
    before_ms: int, journal_upto: int
) -> list[tuple[Table, ColumnElement[Any], ColumnElement[bool]]]:
    """Table, its key, and what of it may go; in this order, so that references go first."""
    later = DECISIONS.alias("later")
    superseded = exists().where(
        later.c.number == DECISIONS.c.number,
        later.c.kind == "command",
        later.c.shadow.is_(False),
        later.c.seq > DECISIONS.c.seq,
    )
    delivered = not_(exists().where(OUTBOX.c.decision == DECISIONS.c.id))
    shown = exists().where(EPISODES.c.decision == DECISIONS.c.id)
    listed = exists().where(EPISODES.c.episode == HANDLINGS.c.episode)
    told = exists().where(DECISIONS.c.id == TELLINGS.c.decision)
    old_decision = and_(
        DECISIONS.c.at_ms < before_ms,
        delivered,
        not_(shown),
        or_(DECISIONS.c.kind != "command", DECISIONS.c.shadow.is_(True), superseded),
    )
    return [
        (OUTBOX, OUTBOX.c.seq, and_(OUTBOX.c.open.is_(False), OUTBOX.c.updated_ms < before_ms)),
        (
            EPISODES,
            EPISODES.c.episode,
            and_(EPISODES.c.state == "resolved", EPISODES.c.recorded_ms < before_ms),
        ),
        (DECISIONS, DECISIONS.c.seq, old_decision),
        (
            JOURNAL,
            JOURNAL.c.seq,
            and_(JOURNAL.c.tick_ms < before_ms, JOURNAL.c.seq <= journal_upto),
        ),
        (
            REQUESTS,
            REQUESTS.c.seq,
            and_(REQUESTS.c.tick_ms.is_not(None), REQUESTS.c.created_ms < before_ms),
        ),
        (CHANGES, CHANGES.c.seq, CHANGES.c.at_ms < before_ms),
        (LISTINGS, LISTINGS.c.seq, LISTINGS.c.closed_ms < before_ms),
        (HANDLINGS, HANDLINGS.c.episode, and_(HANDLINGS.c.updated_ms < before_ms, not_(listed))),
        (SILENCES, SILENCES.c.id, SILENCES.c.until_ms < before_ms),
        (ACTS, ACTS.c.seq, ACTS.c.at_ms < before_ms),
        (TELLINGS, TELLINGS.c.decision, and_(TELLINGS.c.at_ms < before_ms, not_(told))),
        (AUDIT, AUDIT.c.seq, AUDIT.c.at_ms < before_ms),
        (SESSIONS, SESSIONS.c.digest, SESSIONS.c.seen_ms < before_ms),
    ]

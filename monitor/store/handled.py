"""What people did about alerts, beside the alerts: who has it, who knows of it, who said so.

Owns the table of handlings, the audit of people's acts and the reading of the inbox, which is the
two and the episodes in one view. Nothing here is read by the engine: what people do about an alert
changes no decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, or_, select

from monitor.clock import Clock
from monitor.decisions import Alert, Level
from monitor.store.codec import decode, from_text, to_text
from monitor.store.database import Database, in_chunks, insert_if_absent, upsert
from monitor.store.schema import ACTS, DECISIONS, EPISODES, HANDLINGS

What = Literal["acknowledge", "assign", "silence", "end_silence"]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did; the audit of people."""

    at_ms: int
    """Wall time."""
    id: str
    who: str
    what: What
    about: str
    """An episode; of silences, the silence's id."""
    details: Mapping[str, Any]
    """``note``; ``to``; ``matchers``, ``until_ms``, ``reason``."""


@dataclass(frozen=True, slots=True)
class Handling:
    """How an episode stands with people."""

    acknowledged_by: str | None = None
    acknowledged_ms: int | None = None
    acknowledged_level: Level | None = None
    note: str = ""
    assigned_to: str | None = None

    def covers(self, level: Level) -> bool:
        """Whether somebody knows of it at this level: what gets worse is news again."""
        known = self.acknowledged_level
        return known in {level, "crit"}


@dataclass(frozen=True, slots=True)
class InboxRow:
    """An episode as of its latest alert, and how it stands with people."""

    alert: Alert
    """Its customer is not masked."""
    team: str
    """Empty: of none, or nobody knows."""
    handling: Handling
    recorded_ms: int
    """Wall time of the latest alert."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of the inbox; what is left out does not matter."""

    state: Literal["firing", "resolved"] | None = None
    level: Level | None = None
    rule: str | None = None
    teams: frozenset[str] | None = None
    acknowledged: bool | None = None
    assigned_to: str | None = None
    shadow: bool = False
    """Those of shadow rules, and no others."""


class Handled:
    """Handlings and acts of one store; any thread or process may use it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def acknowledge(self, episode: str, act: Act) -> bool:
        """Somebody knows of it, as it is now; False: the act was known already.

        ``episode``: or the id of a refusal that has none.

        Raises:
            KeyError: there is no such episode.
        """
        return self._change(episode, act, acknowledged=True)

    def assign(self, episode: str, to: str | None, act: Act) -> bool:
        """Somebody has it; None: nobody. False: the act was known already.

        Raises:
            KeyError: there is no such episode.
        """
        return self._change(episode, act, to=to, assigned=True)

    def of(self, episodes: list[str]) -> dict[str, Handling]:
        """How these stand with people; those that nobody touched are left out."""
        found: dict[str, Handling] = {}
        with self._database.read() as connection:
            for chunk in in_chunks(episodes):
                rows = connection.execute(select(HANDLINGS).where(HANDLINGS.c.episode.in_(chunk)))
                found.update((row.episode, _handling(row)) for row in rows)
        return found

    def inbox(
        self, wanted: Wanted, *, before: tuple[int, str] | None, limit: int
    ) -> list[InboxRow]:
        """Rows by the episode's beginning, the newest first; those ``before`` (since_ms, id)."""
        statement = _inbox().where(*_where(wanted))
        if before is not None:
            since_ms, episode = before
            statement = statement.where(
                or_(
                    EPISODES.c.since_ms < since_ms,
                    and_(EPISODES.c.since_ms == since_ms, EPISODES.c.episode < episode),
                )
            )
        statement = statement.order_by(EPISODES.c.since_ms.desc(), EPISODES.c.episode.desc())
        with self._database.read() as connection:
            return [_row(row) for row in connection.execute(statement.limit(limit))]

    def entry(self, episode: str) -> InboxRow | None:
        """One row; None when the episode is unknown."""
        with self._database.read() as connection:
            row = connection.execute(_inbox().where(EPISODES.c.episode == episode)).first()
        return None if row is None else _row(row)

    def acts(
        self, *, about: str | None = None, since_ms: int | None = None, limit: int = 100
    ) -> list[Act]:
        """What people did, the newest first."""
        statement = select(ACTS).order_by(ACTS.c.seq.desc()).limit(limit)
        if about is not None:
            statement = statement.where(ACTS.c.about == about)
        if since_ms is not None:
            statement = statement.where(ACTS.c.at_ms >= since_ms)
        with self._database.read() as connection:
            return [
                Act(row.at_ms, row.id, row.who, row.what, row.about, from_text(row.body, dict))
                for row in connection.execute(statement)
            ]

    def _change(
        self,
        episode: str,
        act: Act,
        *,
        acknowledged: bool = False,
        assigned: bool = False,
        to: str | None = None,
    ) -> bool:
        with self._database.write() as connection:
            level = connection.scalar(select(EPISODES.c.level).where(EPISODES.c.episode == episode))
            if level is None and acknowledged and connection.scalar(_REFUSAL, {"of": episode}):
                level = "crit"
            if level is None:
                raise KeyError(episode)
            if not note(connection, act):
                return False
            known = connection.execute(
                select(HANDLINGS).where(HANDLINGS.c.episode == episode)
            ).first()
            row: dict[str, Any] = {
                "episode": episode,
                "acknowledged_by": None,
                "acknowledged_ms": None,
                "acknowledged_level": None,
                "note": "",
                "assigned_to": None,
            }
            if known is not None:
                row |= known._mapping  # noqa: SLF001 - SQLAlchemy's public name
            if acknowledged:
                row |= {
                    "acknowledged_by": act.who,
                    "acknowledged_ms": act.at_ms,
                    "acknowledged_level": level,
                    "note": act.details.get("note", ""),
                }
            if assigned:
                row["assigned_to"] = to
            upsert(connection, HANDLINGS, [row | {"updated_ms": act.at_ms}])
        return True


def note(connection: Connection, act: Act) -> bool:
    """Keep an act in the audit; False when one of its id is there."""
    row = {
        "id": act.id,
        "at_ms": act.at_ms,
        "who": act.who,
        "what": act.what,
        "about": act.about,
        "body": to_text(dict(act.details)),
    }
    return bool(insert_if_absent(connection, ACTS, [row], key="seq"))


_REFUSAL = select(DECISIONS.c.id).where(
    DECISIONS.c.id == bindparam("of"), DECISIONS.c.kind == "refusal"
)
_KNOWN = and_(
    HANDLINGS.c.acknowledged_level.is_not(None),
    or_(HANDLINGS.c.acknowledged_level == EPISODES.c.level, EPISODES.c.level == "warn"),
)
"""Of the present level, or a severer one."""


def _where(wanted: Wanted) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [EPISODES.c.shadow.is_(wanted.shadow)]
    if wanted.state is not None:
        where.append(EPISODES.c.state == wanted.state)
    if wanted.level is not None:
        where.append(EPISODES.c.level == wanted.level)
    if wanted.rule is not None:
        where.append(EPISODES.c.rule == wanted.rule)
    if wanted.teams is not None:
        where.append(EPISODES.c.team.in_(sorted(wanted.teams)))
    if wanted.assigned_to is not None:
        where.append(HANDLINGS.c.assigned_to == wanted.assigned_to)
    if wanted.acknowledged is not None:
        unknown = or_(HANDLINGS.c.acknowledged_level.is_(None), ~_KNOWN)
        where.append(_KNOWN if wanted.acknowledged else unknown)
    return where


def _inbox() -> Select[Any]:
    return (
        select(HANDLINGS, EPISODES.c.team, EPISODES.c.recorded_ms, DECISIONS.c.body)
        .select_from(EPISODES)
        .join(DECISIONS, DECISIONS.c.id == EPISODES.c.decision)
        .outerjoin(HANDLINGS, HANDLINGS.c.episode == EPISODES.c.episode)
    )


def _handling(row: Row[Any]) -> Handling:
    return Handling(
        row.acknowledged_by,
        row.acknowledged_ms,
        row.acknowledged_level,
        row.note or "",
        row.assigned_to,
    )


def _row(row: Row[Any]) -> InboxRow:
    alert = decode("alert", row.body)
    assert isinstance(alert, Alert)  # noqa: S101 - the decoder of alerts makes nothing else
    return InboxRow(alert, row.team, _handling(row), row.recorded_ms)

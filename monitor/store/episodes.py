"""The present state of every alert episode, as receivers that show a state need it.

Owns the table of episodes: which are firing, at which level, and which level they had before. It
follows from the alerts alone, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, or_, select

from monitor.decisions import Alert, Level
from monitor.store.codec import decode
from monitor.store.database import Database, in_chunks, upsert
from monitor.store.schema import DECISIONS, EPISODES


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert episode as of its latest alert."""

    alert: Alert
    recorded_ms: int
    """Wall time at which the latest alert was recorded."""
    previous_level: Level | None
    """The level before the last change of level; None when there was none."""
    level_since_ms: int
    """The tick of the last change of level, or the first tick of the episode."""
    level_recorded_ms: int
    """Wall time of that change."""

    @property
    def firing(self) -> bool:
        """Whether the episode goes on."""
        return self.alert.state == "firing"


class Episodes:
    """Reads of the table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, episode: str) -> Episode | None:
        """One episode, or None when it is unknown."""
        found = self._read(_joined().where(EPISODES.c.episode == episode))
        return found[0] if found else None

    def firing(self, *, limit: int | None = None) -> list[Episode]:
        """Episodes that go on, shadow ones too, the oldest first."""
        statement = _joined().where(EPISODES.c.state == "firing")
        return self._read(statement.order_by(*_BY_AGE).limit(limit))

    def current(self, *, resolved_since_ms: int, limit: int | None = None) -> list[Episode]:
        """Episodes that go on, and those whose end was recorded since (wall time, ms)."""
        ended = and_(
            EPISODES.c.state == "resolved",
            EPISODES.c.recorded_ms >= resolved_since_ms,
        )
        statement = _joined().where(or_(EPISODES.c.state == "firing", ended))
        return self._read(statement.order_by(*_BY_AGE).limit(limit))

    def _read(self, statement: Select[Any]) -> list[Episode]:
        with self._database.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [_episode(row) for row in rows]


def follow(
    connection: Connection,
    alerts: Sequence[Alert],
    *,
    now_ms: int,
    teams: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Bring the table up to new alerts, given in the order they were decided.

    An alert older than its episode's latest changes nothing. ``teams``: by episode, where it is
    known and the alert's scope does not say it.
    """
    if not alerts:
        return
    rows: dict[str, dict[str, Any]] = {}
    ids = list(dict.fromkeys(alert.episode for alert in alerts))
    for chunk in in_chunks(ids):
        for row in connection.execute(select(EPISODES).where(EPISODES.c.episode.in_(chunk))):
            rows[row.episode] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    changed: dict[str, dict[str, Any]] = {}
    for alert in alerts:
        known = rows.get(alert.episode)
        if known is None or alert.at_ms >= known["at_ms"]:
            rows[alert.episode] = changed[alert.episode] = _after(
                known, alert, now_ms, teams.get(alert.episode, "")
            )
    upsert(connection, EPISODES, list(changed.values()))


_BY_AGE = (EPISODES.c.since_ms, EPISODES.c.episode)


def _joined() -> Select[Any]:
    columns = (
        EPISODES.c.recorded_ms,
        EPISODES.c.previous_level,
        EPISODES.c.level_since_ms,
        EPISODES.c.level_recorded_ms,
        DECISIONS.c.body,
    )
    return select(*columns).join(DECISIONS, DECISIONS.c.id == EPISODES.c.decision)


def _episode(row: RowMapping) -> Episode:
    alert = decode("alert", row["body"])
    assert isinstance(alert, Alert)  # noqa: S101 - the decoder of alerts makes nothing else
    return Episode(
        alert=alert,
        recorded_ms=row["recorded_ms"],
        previous_level=row["previous_level"],
        level_since_ms=row["level_since_ms"],
        level_recorded_ms=row["level_recorded_ms"],
    )


def _after(known: dict[str, Any] | None, alert: Alert, now_ms: int, team: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "episode": alert.episode,
        "rule": alert.rule,
        "decision": alert.id,
        "state": alert.state,
        "level": alert.level,
        "previous_level": None,
        "level_since_ms": alert.since_ms,
        "level_recorded_ms": now_ms,
        "since_ms": alert.since_ms,
        "at_ms": alert.at_ms,
        "recorded_ms": now_ms,
        "shadow": alert.shadow,
        "team": dict(alert.scope).get("team") or team or (known["team"] if known else ""),
    }
    if known is None:
        return row
    if known["level"] == alert.level:
        kept = ("previous_level", "level_since_ms", "level_recorded_ms")
        return row | {name: known[name] for name in kept}
    return row | {"previous_level": known["level"], "level_since_ms": alert.at_ms}

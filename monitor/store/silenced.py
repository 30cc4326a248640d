"""Silences: what nobody shall be told of for a while, who said so and why.

Owns the rows; which alerts one holds is ``monitor.people.matchers``'s to say. One that people end
is over from then on, and stays in the list as history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from monitor.clock import Clock
from monitor.store.codec import from_text, to_text
from monitor.store.database import Database
from monitor.store.handled import Act, note
from monitor.store.schema import SILENCES


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that ``matchers`` names are told to nobody until ``until_ms``."""

    id: str
    matchers: Mapping[str, tuple[str, ...]]
    """Patterns by label; see ``monitor.people.matchers``."""
    begun_ms: int
    until_ms: int
    """Wall times; the moment of its end where people ended it."""
    by: str
    reason: str
    ended_by: str | None = None


class Silenced:
    """The silences of one store; any thread or process may use it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, silence: Silence, act: Act) -> bool:
        """Keep a silence; False when the act was known already."""
        with self._database.write() as connection:
            if not note(connection, act):
                return False
            row = {
                "id": silence.id,
                "matchers": to_text({name: list(p) for name, p in silence.matchers.items()}),
                "begun_ms": silence.begun_ms,
                "until_ms": silence.until_ms,
                "by": silence.by,
                "reason": silence.reason,
            }
            connection.execute(insert(SILENCES).values(row))
        return True

    def end(self, silence_id: str, act: Act) -> bool:
        """End one now; False when it is over already.

        Raises:
            KeyError: there is no such silence.
        """
        with self._database.write() as connection:
            where = SILENCES.c.id == silence_id
            until_ms = connection.scalar(select(SILENCES.c.until_ms).where(where))
            if until_ms is None:
                raise KeyError(silence_id)
            if until_ms <= act.at_ms or not note(connection, act):
                return False
            ended = {"until_ms": act.at_ms, "ended_by": act.who}
            connection.execute(update(SILENCES).where(where).values(ended))
        return True

    def standing(self, now_ms: int) -> list[Silence]:
        """Those that hold at ``now_ms``, the oldest first."""
        statement = select(SILENCES).where(
            SILENCES.c.until_ms > now_ms, SILENCES.c.begun_ms <= now_ms
        )
        with self._database.read() as connection:
            rows = connection.execute(statement.order_by(SILENCES.c.begun_ms, SILENCES.c.id))
            return [_silence(row) for row in rows]

    def all(self, *, limit: int = 1_000) -> list[Silence]:
        """Those that hold and those that are over, the newest first."""
        statement = select(SILENCES).order_by(SILENCES.c.begun_ms.desc(), SILENCES.c.id)
        with self._database.read() as connection:
            return [_silence(row) for row in connection.execute(statement.limit(limit))]

    def find(self, silence_id: str) -> Silence | None:
        """One silence."""
        with self._database.read() as connection:
            row = connection.execute(select(SILENCES).where(SILENCES.c.id == silence_id)).first()
        return None if row is None else _silence(row)


def _silence(row: Row[Any]) -> Silence:
    patterns = from_text(row.matchers, dict)
    return Silence(
        row.id,
        {name: tuple(found) for name, found in patterns.items()},
        row.begun_ms,
        row.until_ms,
        row.by,
        row.reason,
        row.ended_by,
    )

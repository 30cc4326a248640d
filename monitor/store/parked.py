"""Deliveries that were given up, and putting them back by hand.

Owns what a person can do about the outbox; all that happens by itself is ``outbox``'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, select, update

from monitor.clock import Clock
from monitor.decisions import Decision
from monitor.store.codec import decode
from monitor.store.database import Database, in_chunks
from monitor.store.schema import DECISIONS, OUTBOX


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """A delivery that is not tried any more."""

    seq: int
    receiver: str
    decision: Decision
    attempts: int
    reason: str
    """Why the last attempt failed: a bounded label."""
    created_ms: int
    parked_ms: int
    """Wall times, ms."""
    overtaken: bool
    """A later word on the same matter has been sent to this receiver, or is being sent: it stays
    where it is."""


class Parked:
    """The parked deliveries of one store; any thread may use it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def entries(self, *, limit: int, receiver: str | None = None) -> list[ParkedDelivery]:
        """Up to ``limit`` of them, in the order they were decided; of one receiver, or of all."""
        statement = _parked(receiver).order_by(OUTBOX.c.seq).limit(limit)
        with self._database.read() as connection:
            return [_delivery(row) for row in connection.execute(statement)]

    def find(self, seqs: Iterable[int]) -> list[ParkedDelivery]:
        """Those of ``seqs`` that are parked, in order."""
        found: list[ParkedDelivery] = []
        with self._database.read() as connection:
            for chunk in in_chunks(sorted(set(seqs))):
                statement = _parked(None).where(OUTBOX.c.seq.in_(chunk)).order_by(OUTBOX.c.seq)
                found += [_delivery(row) for row in connection.execute(statement)]
        return found

    def requeue(self, seqs: Iterable[int]) -> list[int]:
        """Put parked deliveries back, as if queued now; which ones were, ascending.

        What is not parked stays as it is, and so does what was overtaken: a suspension must not
        arrive after the end of it. The mark of the first attempt is kept, so that a channel which
        can look finds out whether that one got through after all.
        """
        now_ms = self._clock.now_ms()
        values = {
            "state": "queued",
            "open": True,
            "attempts": 0,
            "created_ms": now_ms,
            "due_ms": now_ms,
            "updated_ms": now_ms,
        }
        back: list[int] = []
        with self._database.write() as connection:
            for chunk in in_chunks(sorted(set(seqs))):
                statement = select(OUTBOX.c.seq).where(
                    OUTBOX.c.seq.in_(chunk), OUTBOX.c.state == "parked", ~_overtaken()
                )
                chosen = sorted(connection.scalars(statement))
                connection.execute(update(OUTBOX).where(OUTBOX.c.seq.in_(chosen)).values(values))
                back += chosen
        return back


def _parked(receiver: str | None) -> Select[Any]:
    overtaken = _overtaken().label("overtaken")
    statement = (
        select(OUTBOX, DECISIONS.c.body, overtaken)
        .join(DECISIONS, DECISIONS.c.id == OUTBOX.c.decision)
        .where(OUTBOX.c.state == "parked")
    )
    return statement if receiver is None else statement.where(OUTBOX.c.receiver == receiver)


def _overtaken() -> ColumnElement[bool]:
    later = OUTBOX.alias("later")
    same = and_(
        later.c.receiver == OUTBOX.c.receiver,
        later.c.order_key == OUTBOX.c.order_key,
        later.c.seq > OUTBOX.c.seq,
        later.c.state.in_(("sent", "sending")),  # it may have arrived before that is known
    )
    return exists().where(same).correlate(OUTBOX)


def _delivery(row: Any) -> ParkedDelivery:
    return ParkedDelivery(
        seq=row.seq,
        receiver=row.receiver,
        decision=decode(row.kind, row.body),
        attempts=row.attempts,
        reason=row.last_error,
        created_ms=row.created_ms,
        parked_ms=row.updated_ms,
        overtaken=bool(row.overtaken),
    )

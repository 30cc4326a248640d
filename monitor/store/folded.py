"""Notifications that found their receiver's queue full, and are told together later.

Owns which these are and what becomes of them; who may be sent next one by one is ``outbox``'s. They
stand in the outbox as ``folded``, closed: nobody claims them, and all they cost while they wait is
their row beside the decision's, until the history is pruned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, true, update

from monitor.clock import Clock
from monitor.decisions import Decision
from monitor.store.codec import decode
from monitor.store.database import Database
from monitor.store.schema import DECISIONS, OUTBOX

_PAGE = 1_000


class Span(NamedTuple):
    """The folded deliveries of one receiver, from the ``first`` to the ``last`` by ``seq``."""

    first: int
    last: int


class Folded:
    """The folded deliveries of one store; any thread may use it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def span(self, receiver: str) -> Span | None:
        """Those that may be told now; None: none, or an earlier one has not been tried yet.

        Where a part of their digest has arrived, it ends where that did.
        """
        begun = func.min(case((OUTBOX.c.mark != "", OUTBOX.c.seq)))
        found = select(func.min(OUTBOX.c.seq), func.coalesce(begun, func.max(OUTBOX.c.seq)))
        with self._database.read() as connection:
            first, last = connection.execute(found.where(_folded(receiver))).one()
            if first is None:
                return None
            untried = select(OUTBOX.c.seq).where(
                OUTBOX.c.open == true(),
                OUTBOX.c.receiver == receiver,
                OUTBOX.c.state == "queued",
                OUTBOX.c.seq < first,
            )
            waits = connection.execute(untried.limit(1)).first() is not None
        return None if waits else Span(first, last)

    def note(self, last: int, mark: str) -> None:
        """Keep with the ``last`` of a span how much of its digest has arrived."""
        with self._database.write() as connection:
            connection.execute(update(OUTBOX).where(OUTBOX.c.seq == last).values(mark=mark))

    def noted(self, last: int) -> str:
        """What was kept; empty: nothing."""
        with self._database.read() as connection:
            return connection.scalar(select(OUTBOX.c.mark).where(OUTBOX.c.seq == last)) or ""

    def decisions(self, receiver: str, span: Span) -> Iterator[Decision]:
        """What they tell, in the order it was decided; a page at a time is in memory."""
        seq = span.first - 1
        while True:
            statement = (
                select(OUTBOX.c.seq, DECISIONS.c.kind, DECISIONS.c.body)
                .join(DECISIONS, DECISIONS.c.id == OUTBOX.c.decision)
                .where(_folded(receiver), OUTBOX.c.seq > seq, OUTBOX.c.seq <= span.last)
                .order_by(OUTBOX.c.seq)
                .limit(_PAGE)
            )
            with self._database.read() as connection:
                rows = connection.execute(statement).all()
            for row in rows:
                yield decode(row.kind, row.body)
            if len(rows) < _PAGE:
                return
            seq = rows[-1].seq

    def settle(
        self, receiver: str, last: int, state: Literal["sent", "parked"], error: str
    ) -> None:
        """They are told up to ``last``, or given up; a page in each transaction."""
        chosen = select(OUTBOX.c.seq).where(_folded(receiver), OUTBOX.c.seq <= last).limit(_PAGE)
        values = {"state": state, "last_error": error, "updated_ms": self._clock.now_ms()}
        changed = _PAGE
        while changed == _PAGE:
            with self._database.write() as connection:
                seqs = list(connection.scalars(chosen))
                connection.execute(update(OUTBOX).where(OUTBOX.c.seq.in_(seqs)).values(values))
            changed = len(seqs)


class Room:
    """How many more deliveries may wait one by one, by receiver; the recorder's thread uses it.

    Counting is done anew only when a receiver may be full: in between it knows the most there can
    be, since what is sent meanwhile only makes it fewer.
    """

    def __init__(self) -> None:
        self._most: dict[str, int] = {}
        self._new: Counter[str] = Counter()
        """Those of the transaction under way, which the table does not have yet."""
        self._counted: set[str] = set()
        """Receivers that were counted in it."""

    def begin(self) -> None:
        """A transaction begins; nothing is in the table yet of what it will take."""
        self._new.clear()
        self._counted.clear()

    def take(self, connection: Connection, receiver: str, limit: int) -> bool:
        """Whether one more may wait for the receiver, which then counts."""
        if self._most.get(receiver, limit) >= limit and receiver not in self._counted:
            waiting = select(func.count()).where(
                OUTBOX.c.open == true(), OUTBOX.c.receiver == receiver
            )
            self._most[receiver] = (connection.scalar(waiting) or 0) + self._new[receiver]
            self._counted.add(receiver)
        if self._most[receiver] >= limit:
            return False
        self._most[receiver] += 1
        self._new[receiver] += 1
        return True


def _folded(receiver: str) -> ColumnElement[bool]:
    return and_(OUTBOX.c.state == "folded", OUTBOX.c.receiver == receiver)

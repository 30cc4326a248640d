"""Deliveries that wait, in the order receivers must see them.

Owns the states of a delivery and who may be sent next; sending is ``monitor.delivery``'s.

    queued ──claim──▶ sending ──▶ sent · parked · stale · silenced
       ▲                 │
       └──release── ◀────┼──▶ retry ──claim──▶ sending

    folded ──▶ sent · parked        (too many wait for the receiver: ``monitor.store.folded``)

For one receiver and order key (a number, say) a later delivery is never claimed before every
earlier one is sent, or given up (parked, stale). A crash leaves rows in ``sending``, with the mark
set before the attempt; :meth:`Outbox.in_flight` hands them back at the next start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from monitor.clock import Clock
from monitor.decisions import Command, Decision
from monitor.store.codec import decode
from monitor.store.database import Database, in_chunks, insert_if_absent
from monitor.store.folded import Folded, Room
from monitor.store.parked import Parked
from monitor.store.schema import DECISIONS, OUTBOX

Ending = Literal["sent", "retry", "parked", "stale", "silenced"]
NO_SUCH_RECEIVER = "no_such_receiver"
"""Why a delivery is parked whose receiver is gone from the settings."""


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One decision for one receiver."""

    decision: str
    """Id of the decision."""
    receiver: str
    order_key: str
    """Deliveries of one receiver and key arrive in the order they were decided."""
    folds_at: int | None = None
    """With so many waiting for the receiver it is told of this one later, together with others of
    that kind; None: it always waits by itself."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that was claimed, or found in flight."""

    seq: int
    receiver: str
    order_key: str
    decision: Decision
    attempts: int
    """This one included."""
    created_ms: int
    """Wall time at which the decision was recorded, or put back by hand."""
    mark: str
    """What the channel said before the *first* attempt, to find out whether one got through; of one
    that sends a message in pieces, which have arrived."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How an attempt ended."""

    seq: int
    state: Ending
    error: str = ""
    """The reason, a bounded label; for people."""
    due_ms: int = 0
    """When to try again, for ``retry``: wall time, ms."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that are not over."""

    count: int
    """Without those that are being sent."""
    oldest_ms: int | None
    """Wall time at which the oldest was recorded, being sent or not; None when there is none."""


class Outbox:
    """The outbox of one store; any thread may use it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.parked = Parked(database, clock)
        self.folded = Folded(database, clock)
        self.room = Room()
        self._database = database
        self._clock = clock

    def claim(
        self,
        receiver: str,
        *,
        limit: int,
        mark: str = "",
        fresh_since_ms: int | None = None,
    ) -> list[Delivery]:
        """Take up to ``limit`` due deliveries for sending, at most one per order key.

        The longest due comes first, so one that keeps failing does not hold up other keys.
        With ``fresh_since_ms`` what was decided before it (event time) is left to
        :meth:`claim_late`.
        """
        asked: dict[str, object] = {"to": receiver, "limit": limit}
        if fresh_since_ms is None:
            return self._take(_CLAIM, asked, mark)
        return self._take(_CLAIM_FRESH, asked | {"since_ms": fresh_since_ms}, mark)

    def claim_late(self, receiver: str, *, before_ms: int, limit: int) -> list[Delivery]:
        """Take due deliveries decided before ``before_ms`` (event time), to be sent as one.

        Several of one order key may be among them, in order; none overtakes one that is not.
        """
        asked = {"to": receiver, "limit": limit, "before_ms": before_ms}
        return self._take(_CLAIM_LATE, asked, "")

    def next_due_ms(self, receiver: str) -> int | None:
        """Wall time at which the next delivery may be claimed; None when none waits."""
        with self._database.read() as connection:
            return connection.scalar(_NEXT_DUE, {"to": receiver})

    def owes(self, receiver: str) -> bool:
        """Whether anything is not over for the receiver: waiting, folded, or on its way."""
        where = and_(
            OUTBOX.c.receiver == receiver,
            or_(OUTBOX.c.open == true(), OUTBOX.c.state == "folded"),
        )
        with self._database.read() as connection:
            return connection.scalar(select(OUTBOX.c.seq).where(where).limit(1)) is not None

    def settle(self, outcomes: Iterable[Settled]) -> None:
        """Record how attempts ended, in one transaction; only what is ``sending`` changes."""
        now_ms = self._clock.now_ms()
        alike: dict[tuple[Ending, str, int], list[int]] = {}
        for outcome in outcomes:
            due_ms = outcome.due_ms if outcome.state == "retry" else 0
            alike.setdefault((outcome.state, outcome.error, due_ms), []).append(outcome.seq)
        if not alike:
            return
        with self._database.write() as connection:
            for (state, error, due_ms), seqs in alike.items():
                values = {"state": state, "last_error": error, "updated_ms": now_ms}
                if state == "retry":
                    _change(connection, _AGAIN, seqs, values | {"due_ms": due_ms})
                else:
                    _change(connection, _OVER, seqs, values)

    def note(self, seqs: Sequence[int], mark: str) -> None:
        """Keep with what is being sent how much of it has arrived."""
        with self._database.write() as connection:
            _change(connection, _NOTED, seqs, {"mark": mark})

    def release(self, seqs: Sequence[int]) -> None:
        """Put back what was claimed and not tried."""
        if not seqs:
            return
        with self._database.write() as connection:
            _change(connection, _RELEASED, seqs, {})

    def defer(self, seq: int, due_ms: int) -> None:
        """Put back what was claimed and is not to be tried before ``due_ms``."""
        with self._database.write() as connection:
            _change(connection, _DEFERRED, [seq], {"due_ms": due_ms})

    def in_flight(self, receiver: str) -> list[Delivery]:
        """What a crash left in ``sending``, with its mark, in order. Ask before claiming."""
        with self._database.read() as connection:
            return [_delivery(row) for row in connection.execute(_IN_FLIGHT, {"to": receiver})]

    def stale(self, decisions: Sequence[str]) -> set[str]:
        """Those of these decisions that some receiver was not sent any more, being over."""
        if not decisions:
            return set()
        where = and_(OUTBOX.c.state == "stale", OUTBOX.c.decision.in_(list(decisions)))
        with self._database.read() as connection:
            return set(connection.scalars(select(OUTBOX.c.decision).where(where)))

    def receivers_of(self, decision: str) -> list[str]:
        """Whom a decision goes to, or went, in order of their names."""
        where = OUTBOX.c.decision == decision
        with self._database.read() as connection:
            found = connection.scalars(select(OUTBOX.c.receiver).where(where))
            return sorted(found)

    def last_suspended_at(
        self, numbers: Sequence[str], receivers: Sequence[str]
    ) -> dict[str, list[str]]:
        """By number, those of ``receivers`` whose last word on it is a suspension, by name."""
        last: dict[tuple[str, str], str] = {}
        with self._database.read() as connection:
            for chunk in in_chunks(numbers):
                where = and_(
                    OUTBOX.c.open.in_([True, False]),
                    OUTBOX.c.receiver.in_(list(receivers)),
                    OUTBOX.c.order_key.in_(chunk),
                    OUTBOX.c.state.not_in(("parked", "stale")),
                )
                rows = select(OUTBOX.c.receiver, DECISIONS.c.body).where(where, _OF_COMMANDS)
                for receiver, body in connection.execute(rows.order_by(OUTBOX.c.seq)):
                    command = decode("command", body)
                    if isinstance(command, Command):
                        last[command.number, receiver] = command.action
        found: dict[str, list[str]] = {}
        for (number, receiver), action in sorted(last.items()):
            if action == "suspend":
                found.setdefault(number, []).append(receiver)
        return found

    def homeless(self, decisions: Sequence[str]) -> dict[str, str]:
        """Those of these decisions that were parked as their receiver is gone; which one."""
        if not decisions:
            return {}
        where = and_(
            OUTBOX.c.state == "parked",
            OUTBOX.c.last_error == NO_SUCH_RECEIVER,
            OUTBOX.c.decision.in_(list(decisions)),
        )
        with self._database.read() as connection:
            rows = connection.execute(select(OUTBOX.c.decision, OUTBOX.c.receiver).where(where))
            return {row[0]: row[1] for row in rows}

    def reroute(self, formerly: Mapping[str, str]) -> dict[str, int]:
        """What went to a receiver by a former name goes by the one it has today; how many waited.

        What was sent too, or a word that was overtaken would not be known to be.
        """
        waited: dict[str, int] = {}
        with self._database.write() as connection:
            for old, new in formerly.items():
                other = OUTBOX.alias("other")
                twice = exists().where(
                    other.c.decision == OUTBOX.c.decision, other.c.receiver == new
                )
                where = and_(OUTBOX.c.open.in_([True, False]), OUTBOX.c.receiver == old, ~twice)
                waits = and_(where, OUTBOX.c.open == true())
                count = connection.scalar(select(func.count()).select_from(OUTBOX).where(waits))
                connection.execute(update(OUTBOX).where(where).values(receiver=new))
                if count:
                    waited[old] = count
        return waited

    def abandon(self, known: Sequence[str]) -> list[tuple[str, str]]:
        """Park what waits for receivers that are gone from the settings: receiver and decision."""
        where = and_(OUTBOX.c.open == true(), OUTBOX.c.receiver.not_in(list(known)))
        those = select(OUTBOX.c.receiver, OUTBOX.c.decision).where(where).order_by(OUTBOX.c.seq)
        values = {
            "state": "parked",
            "open": False,
            "last_error": NO_SUCH_RECEIVER,
            "updated_ms": self._clock.now_ms(),
        }
        with self._database.write() as connection:
            found = [(row[0], row[1]) for row in connection.execute(those)]
            connection.execute(update(OUTBOX).where(where).values(values))
        return found

    def counts(self) -> dict[tuple[str, str], int]:
        """Deliveries by (receiver, state), all but the sent ones, which are history."""
        with self._database.read() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(_COUNTS)}

    def waiting(self) -> Waiting:
        """What is not over yet."""
        with self._database.read() as connection:
            count, oldest_ms = connection.execute(_WAITING).one()
        return Waiting(count, oldest_ms)

    def _take(self, statement: Select[Any], asked: Mapping[str, Any], mark: str) -> list[Delivery]:
        now_ms = self._clock.now_ms()
        with self._database.write() as connection:
            seqs = list(connection.scalars(statement, {**asked, "now_ms": now_ms}))
            for chunk in in_chunks(seqs):
                connection.execute(_TAKEN, {"seqs": chunk, "new_mark": mark, "updated_ms": now_ms})
        # They are ours now, and are read without keeping writers waiting.
        taken: dict[int, Delivery] = {}
        with self._database.read() as connection:
            for chunk in in_chunks(seqs):
                rows = connection.execute(_OURS, {"seqs": chunk})
                taken.update((row.seq, _delivery(row)) for row in rows)
        return [taken[seq] for seq in seqs]


def _change(
    connection: Connection, change: Update, seqs: Sequence[int], values: Mapping[str, Any]
) -> None:
    for chunk in in_chunks(seqs):
        connection.execute(change, {**values, "seqs": chunk})


def enqueue(
    connection: Connection,
    plans: Sequence[PlannedDelivery],
    decisions: Mapping[str, tuple[str, int]],
    room: Room,
    *,
    now_ms: int,
) -> None:
    """Queue the plans of new ``decisions`` (id → kind and tick); the others are left out."""
    rows = []
    room.begin()
    for plan in plans:
        if plan.decision not in decisions:
            continue
        kind, at_ms = decisions[plan.decision]
        waits = plan.folds_at is None or room.take(connection, plan.receiver, plan.folds_at)
        rows.append(
            {
                "decision": plan.decision,
                "receiver": plan.receiver,
                "kind": kind,
                "order_key": plan.order_key,
                "at_ms": at_ms,
                "created_ms": now_ms,
                "due_ms": now_ms,
                "open": waits,
                "state": "queued" if waits else "folded",
                "attempts": 0,
                "mark": "",
                "last_error": "",
                "updated_ms": now_ms,
            }
        )
    insert_if_absent(connection, OUTBOX, rows, key="seq")


def _earlier_open(earlier: Any) -> Select[Any]:
    same: ColumnElement[bool] = and_(
        earlier.c.open == true(),
        earlier.c.receiver == OUTBOX.c.receiver,
        earlier.c.order_key == OUTBOX.c.order_key,
        earlier.c.seq < OUTBOX.c.seq,
    )
    return select(earlier.c.seq).where(same).correlate(OUTBOX)


# Statements are made once: making one takes longer than running it on a short table.
_TO = bindparam("to", type_=OUTBOX.c.receiver.type)
_NOW_MS = bindparam("now_ms", type_=BigInteger)
_BEFORE_MS = bindparam("before_ms", type_=BigInteger)
_LIMIT = bindparam("limit", type_=Integer)
_THESE = OUTBOX.c.seq.in_(bindparam("seqs", expanding=True))
_EARLIER = OUTBOX.alias("earlier")

_UNSENT = select(OUTBOX.c.seq).where(
    OUTBOX.c.open == true(),
    OUTBOX.c.receiver == _TO,
    OUTBOX.c.state != "sending",
)
_READY = _UNSENT.where(~_earlier_open(_EARLIER).exists()).order_by(OUTBOX.c.due_ms, OUTBOX.c.seq)
"""What nothing earlier of its key holds back, the longest due first."""
_NEXT_DUE = _READY.with_only_columns(OUTBOX.c.due_ms).limit(1)
_CLAIM = _READY.where(OUTBOX.c.due_ms <= _NOW_MS).limit(_LIMIT)
_SINCE = OUTBOX.c.at_ms >= bindparam("since_ms", type_=BigInteger)
# What is carried out is not told: however late, it goes on its own.
_CARRIED_OUT = exists().where(
    DECISIONS.c.id == OUTBOX.c.decision, DECISIONS.c.kind.in_(["order", "listing"])
)
_CLAIM_FRESH = _CLAIM.where(_SINCE | _CARRIED_OUT)
_JOINS = and_(
    _EARLIER.c.state != "sending",
    _EARLIER.c.at_ms < _BEFORE_MS,
    _EARLIER.c.due_ms <= _NOW_MS,
)
_CLAIM_LATE = (
    _UNSENT.where(OUTBOX.c.at_ms < _BEFORE_MS, OUTBOX.c.due_ms <= _NOW_MS, ~_CARRIED_OUT)
    .where(~_earlier_open(_EARLIER).where(~_JOINS).exists())
    .order_by(OUTBOX.c.seq)
    .limit(_LIMIT)
)
_TAKEN = (
    update(OUTBOX)
    .where(_THESE)
    .values(
        state="sending",
        attempts=OUTBOX.c.attempts + 1,
        mark=case((OUTBOX.c.mark == "", bindparam("new_mark", type_=Text)), else_=OUTBOX.c.mark),
    )
)

_OF_COMMANDS = and_(DECISIONS.c.id == OUTBOX.c.decision, DECISIONS.c.kind == "command")

_SENDING = update(OUTBOX).where(_THESE, OUTBOX.c.state == "sending")
_NOTED = _SENDING.values(mark=bindparam("mark", type_=Text))
_OVER = _SENDING.values(open=False)
_AGAIN = _SENDING.values(open=True)
_RELEASED = _SENDING.values(state="queued", attempts=OUTBOX.c.attempts - 1)
_DEFERRED = _RELEASED.values(due_ms=bindparam("due_ms", type_=BigInteger))

_ROWS = select(OUTBOX, DECISIONS.c.body).join(DECISIONS, DECISIONS.c.id == OUTBOX.c.decision)
_OURS = _ROWS.where(_THESE)
_IN_FLIGHT = (
    _ROWS.where(OUTBOX.c.open == true(), OUTBOX.c.receiver == _TO)
    .where(OUTBOX.c.state == "sending")
    .order_by(OUTBOX.c.seq)
)
_COUNTS = (
    select(OUTBOX.c.receiver, OUTBOX.c.state, func.count())
    .where(OUTBOX.c.state.in_(("queued", "sending", "retry", "parked", "stale", "folded")))
    .group_by(OUTBOX.c.receiver, OUTBOX.c.state)
    .order_by(OUTBOX.c.receiver, OUTBOX.c.state)
)
_WAITING = select(
    func.count(case((OUTBOX.c.state != "sending", 1))), func.min(OUTBOX.c.created_ms)
).where(OUTBOX.c.open == true())


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        seq=row.seq,
        receiver=row.receiver,
        order_key=row.order_key,
        decision=decode(row.kind, row.body),
        attempts=row.attempts,
        created_ms=row.created_ms,
        mark=row.mark,
    )

"""Customers nobody may call: every change of the list, of which the last one counts.

Owns the rows of one store; what comes onto the list is ``monitor.dnc``. A change is kept in the
transaction of the decision it is. A last word of ``add`` stays for good, whatever its age; what it
replaced, and what was taken off, goes with the rest of history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select, update

from monitor.decisions import Listing
from monitor.store.codec import encode, from_text
from monitor.store.database import Database, in_chunks, insert_if_absent
from monitor.store.schema import LISTINGS

PAGE = 5_000
"""Rows that are in memory at once where all are read."""


class Listed:
    """The list of one store; any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def as_of(self, tick_ms: int) -> Iterator[Listing]:
        """Every change that was decided up to ``tick_ms``, in order.

        Raises:
            StoreError: the store cannot be read.
        """
        seq = 0
        while True:
            statement = (
                select(LISTINGS.c.seq, LISTINGS.c.body)
                .where(LISTINGS.c.seq > seq, LISTINGS.c.tick_ms <= tick_ms)
                .order_by(LISTINGS.c.seq)
                .limit(PAGE)
            )
            with self._database.read() as connection:
                rows = connection.execute(statement).all()
            if not rows:
                return
            seq = rows[-1].seq
            yield from (from_text(row.body, Listing) for row in rows)

    def entries(
        self, now_ms: int, *, after: str = "", reason: str | None = None, limit: int = PAGE
    ) -> list[Listing]:
        """Who is on the list at ``now_ms``, by customer; those after ``after``."""
        where = [_stands(now_ms), LISTINGS.c.customer > after]
        if reason is not None:
            where.append(LISTINGS.c.reason == reason)
        statement = select(LISTINGS.c.body).where(*where).order_by(LISTINGS.c.customer).limit(limit)
        with self._database.read() as connection:
            return [from_text(body, Listing) for body in connection.scalars(statement)]

    def count(self, now_ms: int) -> int:
        """How many are on the list at ``now_ms``."""
        statement = select(func.count()).select_from(LISTINGS).where(_stands(now_ms))
        with self._database.read() as connection:
            return connection.scalar(statement) or 0

    def among(self, customers: Sequence[str], now_ms: int) -> dict[str, Listing]:
        """Those of ``customers`` that are on the list at ``now_ms``."""
        found: dict[str, Listing] = {}
        with self._database.read() as connection:
            for chunk in in_chunks(list(dict.fromkeys(customers))):
                statement = select(LISTINGS.c.body).where(
                    LISTINGS.c.customer.in_(chunk), _stands(now_ms)
                )
                for body in connection.scalars(statement):
                    listing = from_text(body, Listing)
                    found[listing.customer] = listing
        return found

    def changed_by(self, request: str) -> int:
        """How many changes a person's request made."""
        statement = select(func.count()).select_from(LISTINGS).where(LISTINGS.c.request == request)
        with self._database.read() as connection:
            return connection.scalar(statement) or 0


def list_all(connection: Connection, listings: Sequence[Listing]) -> None:
    """Keep changes that are new, in their order; each closes the one before it."""
    if not listings:
        return
    rows: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    first: dict[str, int] = {}
    for listing in listings:
        row = {
            "id": listing.id,
            "tick_ms": listing.at_ms,
            "customer": listing.customer,
            "closed_ms": listing.at_ms if listing.action == "remove" else None,
            "until_ms": listing.until_ms,
            "reason": listing.reason,
            "request": listing.request,
            "body": encode(listing),
        }
        before = last.get(listing.customer)
        if before is not None:
            before["closed_ms"] = listing.at_ms
        first.setdefault(listing.customer, listing.at_ms)
        last[listing.customer] = row
        rows.append(row)
    connection.execute(_CLOSE, [{"of": name, "at": at_ms} for name, at_ms in first.items()])
    insert_if_absent(connection, LISTINGS, rows, key="seq")


_CLOSE = (
    update(LISTINGS)
    .where(LISTINGS.c.customer == bindparam("of"), LISTINGS.c.closed_ms.is_(None))
    .values(closed_ms=bindparam("at"))
)


def _stands(now_ms: int) -> ColumnElement[bool]:
    """The last word on its customer, and it says so still."""
    over = LISTINGS.c.until_ms
    return and_(LISTINGS.c.closed_ms.is_(None), or_(over.is_(None), over > now_ms))

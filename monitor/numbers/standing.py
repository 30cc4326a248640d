"""How all numbers stand, for people and for rules.

Owns what is read of the ledger, and changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from monitor.numbers.guards import pool_guards
from monitor.numbers.incidents import Incident
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import State
from monitor.numbers.pools import PoolBook
from monitor.numbers.record import Record
from monitor.snapshot import IncidentStanding, NumberStanding


def counts(ledger: Ledger, book: PoolBook) -> dict[str, int]:
    """Known numbers by state, every state named."""
    found, elsewhere = Counter({state.value: 0 for state in State}), ledger.notable
    found.update(ledger.records[number].state.value for number in elsewhere)
    found[State.ACTIVE.value] = len(book) - sum(number in book for number in elsewhere)
    return dict(found)


def of_all(ledger: Ledger) -> list[NumberStanding]:
    """The numbers that are not simply active, longest first."""
    records = [ledger.records[number] for number in ledger.notable]
    records.sort(key=lambda record: (record.since_ms, record.number))
    return [_of(record) for record in records]


def held_up(
    ledger: Ledger, book: PoolBook, incidents: Iterable[Incident]
) -> list[IncidentStanding]:
    """Pools whose suspensions stand still: incidents, and those that are at their floor."""
    waiting: dict[str, list[str]] = {}
    for number in ledger.wanted:
        for pool in book.pools_of(number):
            waiting.setdefault(pool, []).append(number)
    found = [_incident(each, len(waiting.get(each.pool, ()))) for each in incidents]
    out = Counter(pool for number in ledger.held for pool in book.pools_of(number))
    for pool, numbers in waiting.items():
        verdict = pool_guards([book.standing(pool, out[pool])])
        if verdict is not None:
            since_ms = min(ledger.records[number].since_ms for number in numbers)
            found.append(
                IncidentStanding(verdict.guard, pool, since_ms, verdict.detail, len(numbers))
            )
    return sorted(found, key=lambda each: (each.pool, each.kind))


def _incident(incident: Incident, waiting: int) -> IncidentStanding:
    return IncidentStanding(
        kind=incident.kind,
        pool=incident.pool,
        since_ms=incident.since_ms,
        detail=incident.detail,
        waiting=waiting,
        ref=incident.id if incident.kind == "approval" else "",
        until_ms=incident.until_ms,
        approved_by=incident.approved_by,
    )


def waits_for(ledger: Ledger) -> AbstractSet[str]:
    """Rules by which some number is out until what they saw is cleared."""
    return {
        cause.rule
        for number in ledger.held
        for cause in ledger.records[number].causes
        if cause.release == "cleared"
    }


def _of(record: Record) -> NumberStanding:
    until_ms, rule = record.until_ms, record.rule
    if record.state is State.PROBATION and record.trial is not None:
        until_ms, rule = record.trial.until_ms, record.trial.rules[0]
    return NumberStanding(record.number, record.state.value, record.since_ms, until_ms, rule)

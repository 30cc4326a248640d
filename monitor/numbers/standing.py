"""How all numbers stand, for people and for rules.

Owns what is read of the ledger, and changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet

from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import State
from monitor.numbers.pools import PoolBook
from monitor.numbers.record import Record
from monitor.snapshot import NumberStanding


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

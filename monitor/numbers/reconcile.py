"""Telephony says what it blocks, and it is other than the desk holds to be so.

Owns what is compared and how it is mended. What is on its way, and what changed since telephony was
asked, is not compared: the answer to that is still to come.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from monitor.decisions import Contradiction, derive_id
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import IN_SERVICE, KEPT, Event, State
from monitor.numbers.record import Record

_BY = "telephony"


def compared(ledger: Ledger, blocked: AbstractSet[str], asked_ms: int) -> Contradiction | None:
    """What contradicts the desk; None: nothing does.

    Args:
        ledger: as it is now.
        blocked: what telephony blocks because we had it do so.
        asked_ms: the last tick that was judged when it was asked.
    """
    missing = sorted(
        number
        for number in ledger.held - blocked
        if _should_be_blocked(ledger.records[number], asked_ms)
    )
    extra = sorted(n for n in blocked - ledger.held if _is_settled(ledger.records.get(n), asked_ms))
    if not missing and not extra:
        return None
    name = derive_id("contradiction", asked_ms, *missing, "", *extra)
    return Contradiction(name, asked_ms, tuple(missing), tuple(extra))


def mend(ledger: Ledger, found: Contradiction, tick: int) -> None:
    """Tell telephony again what it was told; each number leaves its row of history."""
    for number in sorted(set(found.missing)):
        record = ledger.records.get(number)
        if record is None or not _should_be_blocked(record, found.asked_ms):
            continue
        if record.until_ms is None or record.until_ms > tick:
            detail = "telephony does not block it; it is told again"
            ledger.suspend(record, Event.CONTRADICTED, tick, _BY, detail=detail)
    for number in sorted(set(found.extra)):
        known = ledger.records.get(number)
        if not _is_settled(known, found.asked_ms):
            continue
        if known is None or known.state in IN_SERVICE:
            _let_go(ledger, ledger.record(number), tick)


def _let_go(ledger: Ledger, record: Record, tick: int) -> None:
    record.ordinal += 1  # an id of its own, whatever telephony has answered before
    record.asked = 0
    record.told_ms = None
    ledger.move(record, Event.CONTRADICTED, tick, _BY, "telephony still blocks it")
    ledger.resume(record, Event.MENDED, tick, _BY)


def _should_be_blocked(record: Record, asked_ms: int) -> bool:
    out = record.state in KEPT or (record.state is State.SUSPENDED and not record.owed)
    return out and _is_settled(record, asked_ms)


def _is_settled(record: Record | None, asked_ms: int) -> bool:
    """Nothing is on its way, and nothing has changed since."""
    if record is None:
        return True
    return not record.command and max(record.since_ms, record.issued_ms) <= asked_ms

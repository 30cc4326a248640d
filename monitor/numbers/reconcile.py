"""What telephony blocks, against what it was told: the mending of the difference.

Owns what is expected of telephony for each number out of service, and what follows from a
:class:`monitor.decisions.Found`. Asking telephony, and comparing, is ``monitor.telephony``'s.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.decisions import Found
from monitor.numbers.guards import Verdict
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import IN_SERVICE, Event, State, can
from monitor.numbers.record import Record

_WHO = "telephony"


class Told(NamedTuple):
    """What telephony was told about a number that is out of service."""

    state: State
    command: str
    """The command whose answer is awaited; empty: none."""
    until_ms: int | None
    """The end it was last told, and has not rejected."""
    silent: bool
    """The answer is overdue."""
    changes: int
    owed: bool = False
    """It rejected a resume that is to be asked for again."""


def told(ledger: Ledger) -> dict[str, Told]:
    """By number, of all that are out of service."""
    return {number: _told(ledger.records[number]) for number in sorted(ledger.held)}


def mend(ledger: Ledger, found: Found, tick: int) -> None:
    """Command again what is missing, let go of what is left over; people are told.

    Nothing is done where something has happened to the number since telephony was asked.
    """
    known = ledger.records.get(found.number)
    if found.changes != (0 if known is None else known.changes):
        return
    record = ledger.record(found.number)
    if found.system:
        verdict = Verdict("telephony_differs", f"{record.state}: {found.detail}")
        ledger.refuse(record, verdict, tick, cause=f"at {found.system}")
        ledger.let_go_at(record, found.system, str(found.at_ms), tick)
        ledger.note(record, record.state, Event.LEFT_BLOCKED.value, tick, _WHO, found.detail)
        return
    if found.what == "missing" and record.owed:
        # It rejected the resume, and has let go all the same.
        ledger.move(record, Event.LET_GO, tick, _WHO, found.detail)
        ledger.back(record, tick)
        return
    resuming = record.state is State.RESUMING
    verdict = Verdict("telephony_differs", f"{record.state}: {found.detail}")
    cause = record.episode or found.number
    if found.what == "missing" and can(record.state, Event.COMMANDED_AGAIN) and not resuming:
        ledger.refuse(record, verdict, tick, cause=cause)
        ledger.suspend(record, Event.COMMANDED_AGAIN, tick, _WHO, detail=found.detail)
    elif found.what == "extra" and (resuming or record.state in IN_SERVICE):
        ledger.refuse(record, verdict, tick, cause=cause)
        event = Event.COMMANDED_AGAIN
        if record.state in IN_SERVICE:
            # As after a suspension of its own: earlier resumes have had the ids that it would get.
            event = Event.LEFT_BLOCKED
            record.ordinal += 1
            record.asked = 0
        record.told_ms = found.until_ms
        ledger.resume(record, event, tick, _WHO, found.detail)


def _told(record: Record) -> Told:
    return Told(
        record.state,
        record.command,
        record.told_ms,
        record.said_silent,
        record.changes,
        record.owed,
    )

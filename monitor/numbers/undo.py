"""What rules did since some moment, taken back in one order of a person.

Owns which suspensions that is. The numbers come back, did not earn a longer ttl by it, and rules
leave them alone for ``numbers.undo_for``: what they did wrong once they would do again at once.
"""

from __future__ import annotations

from monitor.decisions import ManualAction, NumberChange
from monitor.numbers.admission import Admission
from monitor.numbers.causes import standing
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import Event, State, can
from monitor.numbers.record import Record
from monitor.numbers.requests import NOTHING_TO_DO, UNDO, answer_id

SHOWN_MAX = 20
"""Numbers that the answer names."""


def undo(ledger: Ledger, admission: Admission, action: ManualAction, tick: int) -> None:
    """Take back what rules did since ``action.since_ms``, in its pool or all; one row answers."""
    since_ms = action.since_ms or 0
    undone = [
        number
        for number in sorted(ledger.held)
        if _by_rules_since(ledger.records[number], since_ms)
        and action.pool in ("", *admission.pools_of(number))
    ]
    for number in undone:
        _take_back(ledger, ledger.records[number], action, tick)
    named = ", ".join(undone[:SHOWN_MAX]) + (", …" if len(undone) > SHOWN_MAX else "")
    count = f"{len(undone)} suspensions by rules: {named}" if undone else "no suspension by a rule"
    ledger.out.changes.append(
        NumberChange(
            at_ms=tick,
            id=answer_id(action.id),
            number="",
            before="suspended",
            after="resuming",
            reason=UNDO if undone else NOTHING_TO_DO,
            by=action.who,
            episode="",
            command_id="",
            until_ms=None,
            detail=f"{count}; {action.why}",
        )
    )


def _by_rules_since(record: Record, since_ms: int) -> bool:
    by_rules = any(cause.rule for cause in record.causes)
    return by_rules and record.admitted_ms >= since_ms and can(record.state, Event.UNDONE)


def _take_back(ledger: Ledger, record: Record, action: ManualAction, tick: int) -> None:
    record.next_level = max(0, (record.next_level or 0) - 1)
    record.trial = None
    record.spared_ms = tick + ledger.settings.undo_for
    people = standing([cause for cause in record.causes if not cause.rule], tick)
    if not people:
        ledger.resume(record, Event.UNDONE, tick, action.who, action.why)
        return
    record.settle(people)
    if record.state is State.SUSPENDED or can(record.state, Event.CAUSE_OVER):
        ledger.move(record, Event.CAUSE_OVER, tick, action.who, "undone; still out for a person")

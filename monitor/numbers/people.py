"""What people order by hand: suspend and resume, hold, retire and release, freeze, undo.

Owns what a person may do that a rule may not: every guard but the never list gives way to a
person, and the audit row says which one did. A freeze stops rules alone: resumes go on, and so do
a person's own suspensions. What a person holds or retires only a person takes out of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from monitor.decisions import ManualAction, NumberChange
from monitor.numbers.admission import Admission
from monitor.numbers.causes import Cause, joined, standing
from monitor.numbers.guards import Verdict
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import IN_SERVICE, KEPT, Event, State, can
from monitor.numbers.record import Record
from monitor.numbers.requests import APPROVE, NOTHING_TO_DO, REFUSED, answer_id
from monitor.numbers.undo import undo

_EVENTS: Final[Mapping[str, Event]] = {
    "suspend": Event.PERSON_SUSPENDS,
    "hold": Event.PERSON_HOLDS,
    "retire": Event.PERSON_RETIRES,
}


class People:
    """Carries out manual actions within a step."""

    def __init__(
        self, ledger: Ledger, admission: Admission, is_number: Callable[[str], bool]
    ) -> None:
        """``is_number``: whether a text that nobody has seen as a number looks like one."""
        self._ledger = ledger
        self._admission = admission
        self._is_number = is_number

    def act(self, action: ManualAction, tick: int) -> None:
        """Do what one person asked for; every action leaves the one row that answers it."""
        match action.action:
            case "suspend" | "hold" | "retire":
                self._take_out(action, tick)
            case "resume":
                self._resume(action, tick)
            case "release":
                self._release(action, tick)
            case "undo":
                undo(self._ledger, self._admission, action, tick)
            case "approve":
                self._approve(action, tick)
            case "freeze" | "unfreeze":
                self._freeze(action, tick)

    def _take_out(self, action: ManualAction, tick: int) -> None:
        ledger, number = self._ledger, action.number
        forbidden = self._forbidden(number)
        if forbidden is not None:
            if forbidden.guard == "never":  # others may want to know that somebody tried
                ledger.refuse(ledger.record(number), forbidden, tick, cause=action.id)
            self._refuse(action, forbidden, tick)
            return
        record = ledger.record(number)
        event = _EVENTS[action.action]
        if not can(record.state, event):
            self._nothing_to_do(action, record, f"it is {record.state} already", tick)
            return
        detail = self._before(record, action, tick)
        self._place(record, event)
        if event is Event.PERSON_SUSPENDS:
            # The person's own earlier order gives way to it; what rules want stands beside it.
            theirs = standing([cause for cause in record.causes if cause.rule], tick)
            record.settle(joined(theirs, _cause(_until_ms(action, tick))))
        else:
            record.trial = None
            record.settle([_cause(None)])
        ledger.suspend(
            record,
            event,
            tick,
            action.who,
            detail=f"{record.stand_in} in its place; {detail}" if record.stand_in else detail,
            request=action.id,
        )

    def _before(self, record: Record, action: ManualAction, tick: int) -> str:
        """What a number in service leaves behind; the person's words, and over which guard."""
        detail = action.why
        if record.state in IN_SERVICE:
            over = self._admission.verdict(record.number, tick, self._ledger.held)
            if over is not None:
                detail = f"{detail} (over the guard {over.guard}: {over.detail})"
            self._admission.moved(record.number)
            record.next_level = record.healed(tick, self._ledger.settings.heal_after)
            record.closes = [record.episode] if record.state is State.WANTED else []
            record.trial = None  # nobody asked to see how it does
        return detail

    def _place(self, record: Record, event: Event) -> None:
        """Its place in the pools, which it leaves or takes up again."""
        if event is Event.PERSON_RETIRES:
            record.stand_in = self._admission.retire(record.number, self._ledger.held) or ""
        elif record.state is State.RETIRED:
            record.stand_in = ""
            self._admission.reinstate(record.number)

    def _forbidden(self, number: str) -> Verdict | None:
        return self._stranger(number) or self._admission.never(number)

    def _stranger(self, number: str) -> Verdict | None:
        """Whether it is neither known here nor looks like a number."""
        if self._admission.knows(number) or self._is_number(number):
            return None
        return Verdict("not_a_number", f"'{number}' is no telephone number, and not known here")

    def _refuse(self, action: ManualAction, verdict: Verdict, tick: int) -> None:
        """Say no to whoever asked."""
        record = self._ledger.records.get(action.number)
        state = State.ACTIVE if record is None else record.state
        self._ledger.out.changes.append(
            NumberChange(
                at_ms=tick,
                id=answer_id(action.id),
                number=action.number,
                before=state.value,
                after=state.value,
                reason=REFUSED,
                by=action.who,
                episode="",
                command_id="",
                until_ms=None,
                detail=f"{action.action}: {verdict.detail} ({verdict.guard})",
            )
        )

    def _resume(self, action: ManualAction, tick: int) -> None:
        record = self._ledger.records.get(action.number)
        if record is not None and record.state in KEPT:
            self._refuse(action, _kept(record), tick)
            return
        if record is not None and can(record.state, Event.PERSON_RESUMES):
            self._ledger.resume(
                record, Event.PERSON_RESUMES, tick, action.who, action.why, request=action.id
            )
            return
        stranger = self._stranger(action.number)
        if stranger is not None:
            self._refuse(action, stranger, tick)
            return
        record = self._ledger.record(action.number)
        self._nothing_to_do(action, record, "the number is in service", tick)

    def _release(self, action: ManualAction, tick: int) -> None:
        """What a person keeps out comes back, and a probation is over."""
        ledger, record = self._ledger, self._ledger.records.get(action.number)
        stranger = self._stranger(action.number)
        if stranger is not None:
            self._refuse(action, stranger, tick)
            return
        if record is None or not can(record.state, Event.PERSON_RELEASES):
            record = ledger.record(action.number)
            self._nothing_to_do(action, record, f"it is {record.state}, and not held", tick)
            return
        who, why = action.who, action.why
        if record.state is State.PROBATION:
            record.trial = None
            ledger.move(record, Event.PERSON_RELEASES, tick, who, why, action.id)
            return
        self._place(record, Event.PERSON_RELEASES)
        ledger.resume(record, Event.PERSON_RELEASES, tick, who, why, request=action.id)

    def _approve(self, action: ManualAction, tick: int) -> None:
        """What waits for a person goes ahead; of two people the second is told who was first."""
        incident, against = self._admission.incidents.approve(action.ref, action.who, tick)
        pool = "" if incident is None else incident.pool
        done = f"approved for {pool}, {action.ref}; {action.why}"
        self._ledger.out.changes.append(
            NumberChange(
                at_ms=tick,
                id=answer_id(action.id),
                number="",
                before="waiting",
                after="waiting" if against else "approved",
                reason=REFUSED if against else APPROVE,
                by=action.who,
                episode="",
                command_id="",
                until_ms=None if incident is None else incident.until_ms,
                detail=f"approve: {against}" if against else done,
            )
        )

    def _nothing_to_do(self, action: ManualAction, record: Record, why: str, tick: int) -> None:
        detail = f"{action.action}: {why}; {action.why}"
        self._ledger.note(record, record.state, NOTHING_TO_DO, tick, action.who, detail, action.id)

    def _freeze(self, action: ManualAction, tick: int) -> None:
        before = "frozen" if self._admission.frozen_by else "running"
        after = "frozen" if action.action == "freeze" else "running"
        if before != after:
            self._admission.frozen_by = action.who if after == "frozen" else ""
        self._ledger.out.changes.append(
            NumberChange(
                at_ms=tick,
                id=answer_id(action.id),
                number="",
                before=before,
                after=after,
                reason=NOTHING_TO_DO if before == after else action.action,
                by=action.who,
                episode="",
                command_id="",
                until_ms=None,
                detail=action.why,
            )
        )


def _cause(until_ms: int | None) -> Cause:
    return Cause("", "", "", "", until_ms, "person")


def _until_ms(action: ManualAction, tick: int) -> int | None:
    if action.until_ms is None and action.ttl_ms is not None:
        return tick + action.ttl_ms  # taken by an older program, or by no daemon
    return action.until_ms


def _kept(record: Record) -> Verdict:
    return Verdict("held", f"a person has it {record.state}: release it first")

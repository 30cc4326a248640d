"""What people order by hand: suspend, resume, freeze, unfreeze.

Owns what a person may do that a rule may not: every guard but the never list gives way to a
person, and the audit row says which one did. A freeze stops rules alone: resumes go on, and so do
a person's own suspensions.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.decisions import ManualAction, NumberChange
from monitor.numbers.admission import Admission
from monitor.numbers.causes import Cause, joined, standing
from monitor.numbers.guards import Verdict
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import IN_SERVICE, Event, State, can
from monitor.numbers.requests import NOTHING_TO_DO, REFUSED, answer_id


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
        if action.action == "suspend":
            self._suspend(action, tick)
        elif action.action == "resume":
            self._resume(action, tick)
        else:
            self._freeze(action, tick)

    def _suspend(self, action: ManualAction, tick: int) -> None:
        ledger, number = self._ledger, action.number
        forbidden = self._forbidden(number)
        if forbidden is not None:
            if forbidden.guard == "never":  # others may want to know that somebody tried
                ledger.refuse(ledger.record(number), forbidden, tick, cause=action.id)
            self._refuse(action, forbidden, tick)
            return
        record = ledger.record(number)
        detail = action.why
        if record.state in IN_SERVICE:
            over = self._admission.verdict(number, tick, ledger.held)
            if over is not None:
                detail = f"{detail} (over the guard {over.guard}: {over.detail})"
            self._admission.moved(number)
            record.next_level = record.healed(tick, ledger.settings.heal_after)
            record.closes = [record.episode] if record.state is State.WANTED else []
            record.trial = None  # nobody asked to see how it does
        until_ms = action.until_ms
        if until_ms is None and action.ttl_ms is not None:
            until_ms = tick + action.ttl_ms  # taken by an older program, or by no daemon
        # The person's own earlier order gives way to it; what rules want stands beside it.
        theirs = standing([cause for cause in record.causes if cause.rule], tick)
        record.settle(joined(theirs, Cause("", "", "", "", until_ms, "person")))
        ledger.suspend(
            record, Event.PERSON_SUSPENDS, tick, action.who, detail=detail, request=action.id
        )

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
        detail = f"{action.action}: the number is in service; {action.why}"
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

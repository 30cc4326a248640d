"""What people order by hand: suspend, resume, freeze, unfreeze.

Owns what a person may do that a rule may not: every guard but the never list gives way to a
person, and the audit row says which one did. A freeze stops rules alone: resumes go on, and so do
a person's own suspensions.
"""

from __future__ import annotations

from monitor.decisions import ManualAction, NumberChange, derive_id
from monitor.numbers.admission import Admission
from monitor.numbers.ledger import NOTHING_TO_DO, Ledger
from monitor.numbers.lifecycle import IN_SERVICE, Event, State, can


class People:
    """Carries out manual actions within a step."""

    def __init__(self, ledger: Ledger, admission: Admission) -> None:
        self._ledger = ledger
        self._admission = admission

    def act(self, action: ManualAction, tick: int) -> None:
        """Do what one person asked for; every action leaves an audit row or a refusal."""
        if action.action == "suspend":
            self._suspend(action, tick)
        elif action.action == "resume":
            self._resume(action, tick)
        else:
            self._freeze(action, tick)

    def _suspend(self, action: ManualAction, tick: int) -> None:
        ledger, record = self._ledger, self._ledger.record(action.number)
        forbidden = self._admission.never(action.number)
        if forbidden is not None:
            ledger.refuse(record, forbidden, tick, cause=action.id)
            return
        detail = action.why
        if record.state in IN_SERVICE:
            over = self._admission.verdict(action.number, tick, ledger.held)
            if over is not None:
                detail = f"{detail} (over the guard {over.guard}: {over.detail})"
            self._admission.moved(action.number)
            record.next_level = record.healed(tick, ledger.settings.heal_after)
            record.closes = [record.episode] if record.state is State.WANTED else []
        elif record.state is State.SUSPENDED and record.old_release is None:
            record.old_until_ms, record.old_release = record.until_ms, record.release
        record.rule = record.episode = record.route = ""
        record.until_ms = None if action.ttl_ms is None else tick + action.ttl_ms
        record.release = "person"
        ledger.suspend(record, Event.PERSON_SUSPENDS, tick, action.who, detail=detail)

    def _resume(self, action: ManualAction, tick: int) -> None:
        record = self._ledger.record(action.number)
        if can(record.state, Event.PERSON_RESUMES):
            self._ledger.resume(record, Event.PERSON_RESUMES, tick, action.who, action.why)
        else:
            detail = f"{action.action}: the number is in service; {action.why}"
            self._ledger.note(record, record.state, NOTHING_TO_DO, tick, action.who, detail)

    def _freeze(self, action: ManualAction, tick: int) -> None:
        before = "frozen" if self._admission.frozen_by else "running"
        after = "frozen" if action.action == "freeze" else "running"
        if before != after:
            self._admission.frozen_by = action.who if after == "frozen" else ""
        self._ledger.out.changes.append(
            NumberChange(
                at_ms=tick,
                id=derive_id("change", "", tick, action.id),
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

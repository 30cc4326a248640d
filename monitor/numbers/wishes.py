"""What becomes of the rules' wants at one tick.

Owns the order in which they are tried, the terms a suspension gets, and the episodes it ends. The
guards are ``admission``, the arithmetic of the terms ``terms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from monitor.decisions import Command, Want, derive_id, scope_text
from monitor.numbers.admission import Admission
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import IN_SERVICE, Event, State
from monitor.numbers.record import Record
from monitor.numbers.terms import grown_ttl_ms

SHADOWED_MAX: Final = 10_000
"""Beyond it a shadow command may be made twice, with one id; the store keeps one."""


class Wishes:
    """Grants wants within a step, by severity and scope, as far as the guards let it."""

    def __init__(self, ledger: Ledger, admission: Admission) -> None:
        self.shadowed: dict[str, None] = {}
        """Episodes of shadow rules whose would-be suspension is recorded, the oldest first."""
        self.shadow_waits = False
        """A shadow rule's suspension was refused at the last tick, and is tried again."""
        self._ledger = ledger
        self._admission = admission

    def grant(self, wants: Sequence[Want], tick: int) -> None:
        """Try every want; a wanted number that nobody wants any more is active again."""
        ledger = self._ledger
        ordered = sorted(wants, key=_urgency)
        asked = {want.number for want in ordered if not want.shadow}
        for number in sorted(ledger.wanted - asked):
            record = ledger.records[number]
            ledger.move(record, Event.BREACH_OVER, tick, record.rule)
        self.shadow_waits = False
        for want in ordered:
            if want.shadow:
                self._shadow(want, tick)
        for want in ordered:
            if not want.shadow:
                self._want(want, tick)
        for want in ordered:
            self._close(want)

    def _want(self, want: Want, tick: int) -> None:
        ledger, record = self._ledger, self._ledger.record(want.number)
        if record.state in IN_SERVICE:
            record.rule, record.episode, record.route = want.rule, want.episode, want.route
            if record.state is State.ACTIVE:
                ledger.move(record, Event.BREACH, tick, want.rule)
            if record.retry_ms > tick:
                return  # telephony has just rejected it, and people were told
            verdict = self._admission.verdict(want.number, tick, ledger.held)
            if verdict is None:
                self._admit(record, want, tick)
            else:
                ledger.refuse(record, verdict, tick, cause=want.episode)
        elif _prolongs(want, record) and self._may_prolong(record, tick):
            self._prolong(record, want, tick)

    def _admit(self, record: Record, want: Want, tick: int) -> None:
        healed = record.healed(tick, self._ledger.settings.heal_after)
        record.next_level = healed + 1
        record.until_ms = self._until_ms(want, healed, tick)
        record.release = "cleared" if want.ttl_ms is None else "time"
        record.closes = []
        self._admission.took(want.number, tick)
        self._ledger.suspend(
            record, Event.ADMITTED, tick, want.rule, figures=want.figures, evidence=want.evidence
        )

    def _may_prolong(self, record: Record, tick: int) -> bool:
        # No pool is asked: the number is out already.
        busy = bool(record.command) or record.owed or record.retry_ms > tick
        return not busy and not self._admission.frozen_by

    def _prolong(self, record: Record, want: Want, tick: int) -> None:
        # Out for a while, and now flagged: its ttl must not bring it back.
        record.rule, record.episode, record.route = want.rule, want.episode, want.route
        record.old_until_ms, record.old_release = record.until_ms, record.release
        record.until_ms, record.release = None, "cleared"
        self._ledger.suspend(
            record, Event.PROLONGED, tick, want.rule, figures=want.figures, evidence=want.evidence
        )

    def _shadow(self, want: Want, tick: int) -> None:
        """Record what the rule would have done, once an episode; nothing changes by it."""
        ledger = self._ledger
        if want.episode in self.shadowed or want.number in ledger.held:
            return
        if self._admission.verdict(want.number, tick, ledger.held, joins=False) is not None:
            self.shadow_waits = True
            return
        self.shadowed[want.episode] = None
        if len(self.shadowed) > SHADOWED_MAX:
            del self.shadowed[next(iter(self.shadowed))]
        record = ledger.records.get(want.number)
        level = 0 if record is None else record.healed(tick, self._ledger.settings.heal_after)
        ledger.out.commands.append(
            Command(
                at_ms=tick,
                id=derive_id(want.number, "shadow", want.episode, "suspend"),
                action="suspend",
                number=want.number,
                until_ms=self._until_ms(want, level, tick),
                reason=Event.ADMITTED.value,
                rule=want.rule,
                episode=want.episode,
                figures=want.figures,
                evidence=want.evidence,
                shadow=True,
            )
        )

    def _close(self, want: Want) -> None:
        """A number that makes no calls has no episodes: not the cause's alone, everyone's."""
        record = self._ledger.records.get(want.number)
        if record is None or record.state in IN_SERVICE or record.state is State.RESUMING:
            return
        if record.command:
            if want.episode not in record.closes:
                record.closes.append(want.episode)
        elif not _prolongs(want, record):
            self._ledger.close([want.episode])

    def _until_ms(self, want: Want, level: int, tick: int) -> int | None:
        if want.ttl_ms is None:
            return None
        most = self._ledger.settings.ttl_max if want.ttl_max_ms is None else want.ttl_max_ms
        return tick + grown_ttl_ms(want.ttl_ms, want.backoff, level, most)


def _urgency(want: Want) -> tuple[bool, str, bool, str, str]:
    """Severity, then scope; of equals the one without a ttl, for the other is part of it."""
    forever = want.ttl_ms is None
    return (want.level != "crit", scope_text(want.scope), not forever, want.rule, want.episode)


def _prolongs(want: Want, record: Record) -> bool:
    """Whether the number is out for a while and the want would have it out until cleared."""
    timed = record.until_ms is not None and record.state is State.SUSPENDED
    return timed and want.ttl_ms is None and not want.shadow

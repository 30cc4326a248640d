"""What becomes of the rules' wants at one tick.

Owns the order in which they are tried, the terms a suspension gets, and the episodes it ends. The
guards are ``admission``, the arithmetic of the terms ``terms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from monitor.decisions import Command, Refusal, Want, derive_id, scope_text
from monitor.numbers import guards, probation
from monitor.numbers.admission import Admission
from monitor.numbers.causes import Cause, Release, joined, standing
from monitor.numbers.guards import Verdict
from monitor.numbers.ledger import Ledger
from monitor.numbers.lifecycle import IN_SERVICE, Event, State
from monitor.numbers.record import Record
from monitor.numbers.terms import grown_ttl_ms

SHADOWED_MAX: Final = 10_000
"""Of episodes that ask no more; those that do are remembered however many there are."""

CLOSES_MAX: Final = 64
"""Episodes of one number that wait for an answer of telephony to end; the newest."""


class Wishes:
    """Grants wants within a step, by severity and scope, as far as the guards let it."""

    def __init__(self, ledger: Ledger, admission: Admission) -> None:
        self.shadowed: dict[str, None] = {}
        """Episodes of shadow rules whose would-be suspension is recorded, the oldest first."""
        self.shadow_waits = False
        """A shadow rule's suspension was refused at the last tick, and is tried again."""
        self.blamed: dict[str, None] = {}
        """Rules with agents of whom people have heard, as long as some number is spared for it."""
        self._ledger = ledger
        self._admission = admission

    def grant(self, wants: Sequence[Want], tick: int) -> None:
        """Try every want; a wanted number that nobody wants any more is active again."""
        ledger = self._ledger
        ordered = sorted(wants, key=_urgency)
        asked: dict[str, list[Want]] = {}
        for want in ordered:
            if not want.shadow:
                asked.setdefault(want.number, []).append(want)
        for number in sorted(ledger.wanted - asked.keys()):
            record = ledger.records[number]
            ledger.move(record, Event.BREACH_OVER, tick, record.rule)
            probation.go_on(ledger, record, tick)
        self.shadow_waits = False
        for want in ordered:
            if want.shadow:
                self._shadow(want, tick)
        self._forget_shadowed(ordered)
        for want in ordered:
            if not want.shadow:
                self._want(want, asked[want.number], tick)
        for want in ordered:
            self._close(want)
        spared = {f"{want.rule}\x1f{want.blamed}" for want in ordered if want.blamed}
        self.blamed = {key: None for key in self.blamed if key in spared}

    def _want(self, want: Want, all_of_number: list[Want], tick: int) -> None:
        ledger, record = self._ledger, self._ledger.record(want.number)
        if record.state in IN_SERVICE:
            record.rule, record.episode, record.route = want.rule, want.episode, want.route
            if record.state is not State.WANTED:
                ledger.move(record, Event.BREACH, tick, want.rule)
            if record.retry_ms > tick:
                return  # telephony has just rejected it, and people were told
            if want.blamed:
                self._name_agent(want, tick)
                return
            verdict = guards.undone(until_ms=record.spared_ms, tick=tick)
            verdict = verdict or self._verdict(want, tick)
            if verdict is None:
                self._admit(record, [each for each in all_of_number if not each.blamed], tick)
            elif verdict.incident:
                self._tell(verdict, want, tick)
            else:
                ledger.refuse(record, verdict, tick, cause=want.episode)
        elif self._may_join(want, record):
            self._join(record, want, tick)

    def _verdict(self, want: Want, tick: int, *, joins: bool = True) -> Verdict | None:
        held = self._ledger.held
        return self._admission.verdict(want.number, tick, held, want=want, joins=joins)

    def _tell(self, verdict: Verdict, want: Want, tick: int) -> None:
        """Of a pool as a whole people hear once, whoever it is that waits."""
        incident = self._admission.incidents.tell(verdict, want.route)
        if incident is not None:
            self._refuse(incident.page, verdict, want, tick)

    def _name_agent(self, want: Want, tick: int) -> None:
        """The number is spared; people hear once of the agent, whatever the number of numbers."""
        key = f"{want.rule}\x1f{want.blamed}"
        if key not in self.blamed:
            name = derive_id("agent", want.rule, want.blamed, tick)
            self._refuse(name, Verdict("agent", want.spared), want, tick)
        self.blamed[key] = None

    def _refuse(self, name: str, verdict: Verdict, want: Want, tick: int) -> None:
        """Tell people of what is about more than one number."""
        self._ledger.out.refusals.append(
            Refusal(
                at_ms=tick,
                id=name,
                number="",
                guard=verdict.guard,
                detail=verdict.detail,
                pool=verdict.pool,
                rule=want.rule,
                episode="",
                route=want.route,
            )
        )

    def _admit(self, record: Record, wants: list[Want], tick: int) -> None:
        """The number goes out for all that want it now, until the last of them is over."""
        healed = record.healed(tick, self._ledger.settings.heal_after)
        record.next_level = healed + 1
        causes: list[Cause] = []
        record.trial = None
        for want in wants:
            causes = joined(causes, self._cause(want, healed, tick))
            record.trial = probation.also_for(record.trial, want)
        record.settle(causes)
        record.closes = []
        record.admitted_ms = tick
        self._admission.took(record.number, tick)
        shown = next((w for w in wants if w.episode == record.episode), wants[0])
        self._ledger.suspend(
            record, Event.ADMITTED, tick, shown.rule, figures=shown.figures, evidence=shown.evidence
        )

    def _may_join(self, want: Want, record: Record) -> bool:
        # No pool is asked: the number is out already.
        out = record.state in (State.SUSPENDING, State.SUSPENDED, State.LOST)
        asks = not want.blamed and not _taken(want, record)
        return out and asks and not self._admission.frozen_by

    def _join(self, record: Record, want: Want, tick: int) -> None:
        """One more cause for a number that is out; telephony is told where it ends later."""
        ledger, detail = self._ledger, ""
        counted = any(cause.rule for cause in record.causes)
        found = record.next_level or 0
        if counted:
            found = max(found - 1, 0)
        else:
            record.next_level = found + 1
        if record.owed:
            # It was to come back, and telephony would not have it: now it is not to.
            record.owed = False
            record.retry_ms = record.rejections = 0
            detail = "the resume that telephony owed is withdrawn"
        cause = self._cause(want, found, tick)
        record.trial = probation.also_for(record.trial, want)
        record.settle(joined(standing(record.causes, tick), cause))
        again = record.short or bool(record.parted)
        if again and not record.command and record.retry_ms <= tick:
            ledger.suspend(
                record,
                Event.PROLONGED,
                tick,
                want.rule,
                figures=want.figures,
                evidence=want.evidence,
                detail=detail,
            )
        else:
            ledger.move(record, Event.JOINED, tick, want.rule, detail)

    def _shadow(self, want: Want, tick: int) -> None:
        """Record what the rule would have done, once an episode; nothing changes by it."""
        ledger = self._ledger
        if want.blamed or want.episode in self.shadowed or want.number in ledger.held:
            return
        if self._verdict(want, tick, joins=False) is not None:
            self.shadow_waits = True
            return
        self.shadowed[want.episode] = None
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

    def _forget_shadowed(self, wants: Sequence[Want]) -> None:
        too_many = len(self.shadowed) - SHADOWED_MAX
        if too_many > 0:
            asking = {want.episode for want in wants if want.shadow}
            over = (episode for episode in self.shadowed if episode not in asking)
            for episode in list(islice(over, too_many)):
                del self.shadowed[episode]

    def _close(self, want: Want) -> None:
        """A number that makes no calls has no episodes: not the cause's alone, everyone's.

        But one that would keep it out for longer, and was not taken in, goes on asking.
        """
        record = self._ledger.records.get(want.number)
        if record is None or record.state in IN_SERVICE or record.state is State.RESUMING:
            return
        if not want.shadow and not _taken(want, record) and _asks_more(want, record):
            return
        if record.command or record.short:
            if want.episode not in record.closes:
                record.closes = [*record.closes[1 - CLOSES_MAX :], want.episode]
        else:
            self._ledger.close([want.episode])

    def _cause(self, want: Want, level: int, tick: int) -> Cause:
        until_ms = self._until_ms(want, level, tick)
        release: Release = "cleared" if want.ttl_ms is None else "time"
        scope = scope_text(want.scope)
        return Cause(want.rule, scope, want.episode, want.route, until_ms, release)

    def _until_ms(self, want: Want, level: int, tick: int) -> int | None:
        if want.ttl_ms is None:
            return None
        most = self._ledger.settings.ttl_max if want.ttl_max_ms is None else want.ttl_max_ms
        return tick + grown_ttl_ms(want.ttl_ms, want.backoff, level, most)


def asking(wants: Sequence[Want]) -> dict[str, set[str]]:
    """The episodes that want a number out, by number; shadow rules ask for nothing."""
    episodes: dict[str, set[str]] = {}
    for want in wants:
        if not want.shadow:
            episodes.setdefault(want.number, set()).add(want.episode)
    return episodes


def _urgency(want: Want) -> tuple[bool, str, bool, str, str, str]:
    """Severity, then scope; of equals the one without a ttl, for the other is part of it."""
    forever, scope = want.ttl_ms is None, scope_text(want.scope)
    return (want.level != "crit", scope, not forever, want.rule, want.episode, want.blamed)


def _taken(want: Want, record: Record) -> bool:
    """Whether this episode is among the causes already."""
    return any(cause.episode == want.episode for cause in record.causes)


def _asks_more(want: Want, record: Record) -> bool:
    """Whether the number would come back too early for the want."""
    return record.owed or (record.until_ms is not None and want.ttl_ms is None)

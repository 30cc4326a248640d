"""The records of all numbers, and the outcome of a step as it is written down.

Owns the mechanics that every path shares: a move through the table with its audit row, a command
with its derived id, an answer of telephony, a refusal that is said once. When and why any of it
happens is ``desk``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.decisions import (
    Ack,
    Action,
    Command,
    Evidence,
    Figures,
    NumberChange,
    Refusal,
    derive_id,
)
from monitor.numbers import probation
from monitor.numbers.guards import Verdict
from monitor.numbers.lifecycle import IN_SERVICE, KEPT, Event, State, after
from monitor.numbers.record import REMEMBERED_MAX, Record, plain_records
from monitor.numbers.requests import NOTHING_TO_DO, answer_id
from monitor.numbers.settings import NumbersSettings
from monitor.numbers.terms import pause_ms
from monitor.sealed import Later, plain

__all__ = ["NOTHING_TO_DO", "DeskStep", "Ledger"]


@dataclass(slots=True)
class DeskStep:
    """What one tick decided about numbers, in the order it was decided."""

    commands: list[Command] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    changes: list[NumberChange] = field(default_factory=list)
    closed: list[tuple[str, str]] = field(default_factory=list)
    """Episodes that a confirmed suspension ends, with the reason."""


class Ledger:
    """Records by number; ``out`` collects the outcome of the step under way."""

    def __init__(self, settings: NumbersSettings) -> None:
        self.settings = settings
        self.out = DeskStep()
        self.records: dict[str, Record] = {}
        self.held: set[str] = set()
        """Numbers out of service: all that are not active, wanted or on probation."""
        self.wanted: set[str] = set()
        self.proving: set[str] = set()
        """Numbers on probation, wanted again or not."""
        self.awaited: dict[str, str] = {}
        """Number by the id of its command in flight."""
        self.asking: dict[str, set[str]] = {}
        """Episodes that want a number out at the step under way, by number."""
        self.ordinal_floor = 0
        """No record starts below it, so that no id is ever made twice."""

    def record(self, number: str) -> Record:
        """The number's record, made when there is none."""
        found = self.records.get(number)
        if found is None:
            found = self.records[number] = Record(number, self.ordinal_floor)
        return found

    def forget(self, number: str) -> None:
        """Drop the record of a number in service that nothing is remembered of."""
        record = self.records.pop(number)
        self.ordinal_floor = max(self.ordinal_floor, record.ordinal)

    def move(
        self,
        record: Record,
        event: Event,
        tick: int,
        by: str,
        detail: str = "",
        request: str = "",
    ) -> None:
        """Take the transition that the table has for ``event``, with its audit row."""
        before, record.state = record.state, after(record.state, event)
        number = record.number
        (self.held.discard if record.state in IN_SERVICE else self.held.add)(number)
        (self.wanted.add if record.state is State.WANTED else self.wanted.discard)(number)
        (self.proving.add if record.on_trial else self.proving.discard)(number)
        if before is not record.state:
            record.since_ms = tick
        self.note(record, before, event.value, tick, by, detail, request)

    def note(
        self,
        record: Record,
        before: State,
        reason: str,
        tick: int,
        by: str,
        detail: str = "",
        request: str = "",
    ) -> None:
        """An audit row about ``record`` as it stands now; the answer to ``request`` where given."""
        record.changes += 1
        self.out.changes.append(
            NumberChange(
                at_ms=tick,
                # The tick too: a number that was forgotten counts its rows from one again.
                id=answer_id(request)
                if request
                else derive_id("change", record.number, tick, record.changes),
                number=record.number,
                before=before.value,
                after=record.state.value,
                reason=reason,
                by=by,
                episode=record.episode,
                command_id=record.command,
                until_ms=record.until_ms,
                detail=detail,
            )
        )

    def suspend(
        self,
        record: Record,
        event: Event,
        tick: int,
        by: str,
        *,
        figures: Figures | None = None,
        evidence: Evidence | None = None,
        detail: str = "",
        request: str = "",
    ) -> None:
        """Command a suspension on the record's terms (``until_ms``, ``rule``, ``episode``)."""
        record.ordinal += 1
        record.asked = 0
        record.owed = record.again = False
        record.parted = ""
        record.told_ms = record.until_ms
        self._send(record, derive_id(record.number, record.ordinal, "suspend"), tick)
        self.move(record, event, tick, by, detail, request)
        self._command(record, "suspend", event.value, tick, figures, evidence)

    def resume(
        self,
        record: Record,
        event: Event,
        tick: int,
        by: str,
        detail: str = "",
        *,
        request: str = "",
    ) -> None:
        """Command the end of a suspension, whatever it was for."""
        parts: list[str | int] = [record.number, record.ordinal, "resume"]
        if record.asked:
            # Telephony has answered the first one for good and drops its id from then on.
            parts.append(record.asked)
        record.asked += 1
        record.owed = record.again = False
        record.causes = []
        self._send(record, derive_id(*parts), tick)
        self.move(record, event, tick, by, detail, request)
        self._command(record, "resume", event.value, tick, None, None)

    @property
    def notable(self) -> set[str]:
        """Numbers that are not simply active."""
        return self.held | self.wanted | self.proving

    def answered(self, record: Record, ack: Ack, tick: int) -> None:
        """A system has done what it was told; of several the last one counts for all."""
        if len(ack.systems) > 1 and ack.system:
            record.answered = sorted({*record.answered, ack.system})
            if not set(ack.systems) <= set(record.answered):
                return
        self.applied(record, tick, "telephony")

    def applied(self, record: Record, tick: int, by: str) -> None:
        """The command in flight took effect."""
        self.move(record, Event.APPLIED, tick, by)
        self._answered(record)
        if record.state not in IN_SERVICE:
            record.rejections = 0
            record.kept_ms = record.told_ms
            if not record.short:  # else what came meanwhile is not in force yet
                self.close(record.closes)
                record.closes = []
        else:
            self.back(record, tick)

    def rejected(self, record: Record, tick: int, detail: str, *, by_one: bool = False) -> None:
        """The command in flight was refused by telephony: people are told, it is tried again.

        ``by_one``: of several systems, so that others may have done it.
        """
        was, command = record.state, record.command
        if by_one and was is State.SUSPENDING:
            self._take_back(record, tick, detail)
            return
        self.move(record, Event.REJECTED, tick, "telephony", detail)
        self._answered(record)
        if by_one and was is State.RESUMING:
            record.parted = record.parted or "resume"
        guard = Verdict("resume_rejected" if was is State.RESUMING else "suspend_rejected", detail)
        self.refuse(record, guard, tick, cause=record.episode or command)
        self.pause(record, tick)
        if was is State.RESUMING:
            record.owed = True
        elif record.state in KEPT or record.state is State.LOST:
            record.again = True
        elif record.state is State.SUSPENDED:
            # What it is out for has not changed: telephony is asked again after the pause.
            record.told_ms = record.kept_ms
        else:
            record.causes = []
            record.trial = None
            record.until_ms = record.told_ms = record.kept_ms = None

    def _take_back(self, record: Record, tick: int, detail: str) -> None:
        """A suspension that one of several systems rejected must not stand at the others."""
        cause = record.episode or record.command
        self.refuse(record, Verdict("suspend_rejected", detail), tick, cause=cause)
        self.pause(record, tick)
        record.next_level, record.trial, record.closes = None, None, []
        record.parted = "suspend"
        self.resume(record, Event.REJECTED_BY_ONE, tick, "telephony", detail)

    def pause(self, record: Record, tick: int) -> None:
        """Before telephony is asked again; the longer the more often it was in vain."""
        record.rejections += 1
        first, longest = self.settings.retry_pause, self.settings.retry_pause_max
        record.retry_ms = tick + pause_ms(record.rejections, first, longest)

    def back(self, record: Record, tick: int) -> None:
        """The number is in service again: its terms are over, what it grew by stays."""
        taken_back, record.parted = record.parted == "suspend", ""
        if record.next_level is not None:
            record.level, record.next_level = record.next_level, None
        self._answered(record)
        record.until_ms = record.told_ms = record.kept_ms = None
        record.causes = []
        record.rule = record.episode = record.route = ""
        record.closes = []
        record.owed = record.again = False
        if taken_back:
            return  # it was never wholly out: what people heard of it and the pause stand
        record.clean_since_ms = tick
        record.refused = []
        record.retry_ms = record.rejections = 0
        if record.trial is not None:
            probation.begin(self, record, record.trial, tick)

    def let_go_at(self, record: Record, system: str, name: str, tick: int) -> None:
        """Command the end of a suspension where the number does not belong; nobody waits for it.

        ``name``: what keeps the command's id apart from others.
        """
        self.out.commands.append(
            Command(
                at_ms=tick,
                id=derive_id(record.number, "elsewhere", system, name),
                action="resume",
                number=record.number,
                until_ms=None,
                reason=Event.LEFT_BLOCKED.value,
                rule="",
                episode="",
                figures=None,
                evidence=None,
                system=system,
            )
        )

    def close(self, episodes: list[str]) -> None:
        """End episodes, each once in a step."""
        done = {episode for episode, _ in self.out.closed}
        for episode in episodes:
            if episode not in done:
                done.add(episode)
                self.out.closed.append((episode, "suspended"))

    def refuse(self, record: Record, verdict: Verdict, tick: int, cause: str) -> None:
        """Tell people, once per number, cause (an episode, a command) and guard.

        Once, until the number has been out and is back. Whoever still asks is remembered however
        many there are; of the others the newest are.
        """
        key = f"{cause}\x1f{verdict.guard}"
        if key in record.refused:
            return
        asking = self.asking.get(record.number, ())
        over = [each for each in record.refused if each.partition("\x1f")[0] not in asking]
        gone = set(over[: max(0, len(over) + 1 - REMEMBERED_MAX)])
        record.refused = [*(each for each in record.refused if each not in gone), key]
        self.out.refusals.append(
            Refusal(
                at_ms=tick,
                id=derive_id("refusal", record.number, cause, verdict.guard, tick),
                number=record.number,
                guard=verdict.guard,
                detail=verdict.detail,
                pool=verdict.pool,
                rule=record.rule,
                episode=record.episode,
                route=record.route,
            )
        )

    def snapshot(self) -> dict[str, Any]:
        """All records, in order of their numbers."""
        pictures = [self.records[number].picture() for number in sorted(self.records)]
        return {
            "ordinal_floor": self.ordinal_floor,
            "records": Later(pictures, plain_records),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self.ordinal_floor = state["ordinal_floor"]
        records = plain(state["records"])
        self.records = {item["number"]: Record.restored(item) for item in records}
        everything = self.records.values()
        self.held = {r.number for r in everything if r.state not in IN_SERVICE}
        self.wanted = {r.number for r in everything if r.state is State.WANTED}
        self.proving = {r.number for r in everything if r.on_trial}
        self.awaited = {r.command: r.number for r in everything if r.command}

    def _send(self, record: Record, command_id: str, tick: int) -> None:
        self.awaited.pop(record.command, None)
        record.command, record.issued_ms, record.said_silent = command_id, tick, False
        record.answered = []
        self.awaited[command_id] = record.number

    def _command(
        self,
        record: Record,
        action: Action,
        reason: str,
        tick: int,
        figures: Figures | None,
        evidence: Evidence | None,
    ) -> None:
        self.out.commands.append(
            Command(
                at_ms=tick,
                id=record.command,
                action=action,
                number=record.number,
                until_ms=record.until_ms if action == "suspend" else None,
                reason=reason,
                rule=record.rule,
                episode=record.episode,
                figures=figures,
                evidence=evidence,
                replacement=record.stand_in or None,
            )
        )
        if self.settings.assume_applied:
            self.applied(record, tick, "assumed")

    def _answered(self, record: Record) -> None:
        self.awaited.pop(record.command, None)
        record.command = ""

"""The number desk: what rules want, what telephony answers and what people order, tick by tick.

Owns the order of things within a tick. The states are ``lifecycle``, the guards ``admission``,
the rules' wants ``wishes``, people ``people``, the memory ``ledger`` and ``record``. Everything is
a function of the calls made to it: no clock, no chance, no order of a set.

Within a tick: answers of telephony, what it was found to do, people, cleared flags, time, and last
the rules' wants by severity and scope. So whatever frees a place in a pool does so before the place
is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, Final

from monitor.decisions import (
    Ack,
    Alert,
    Around,
    Cleared,
    Found,
    ManualAction,
    NumberChange,
    OnTrial,
    Want,
)
from monitor.numbers import probation, standing
from monitor.numbers.admission import Admission
from monitor.numbers.causes import standing as still_standing
from monitor.numbers.guards import Verdict
from monitor.numbers.incidents import Incident
from monitor.numbers.inhibition import Inhibition
from monitor.numbers.ledger import DeskStep, Ledger
from monitor.numbers.lifecycle import IN_SERVICE, Event, State
from monitor.numbers.people import People
from monitor.numbers.pools import PoolBook
from monitor.numbers.reconcile import Told, mend, told
from monitor.numbers.record import Record, Timer
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.numbers.sightings import Sightings
from monitor.numbers.summary import summed
from monitor.numbers.wishes import Wishes, asking
from monitor.snapshot import IncidentStanding, NumberStanding

SWEEP_MS: Final = 3_600_000
"""Numbers are noted as seen by the hour, and forgotten at the hour."""
"""Numbers that are no longer seen are looked for at aligned multiples of it."""
_NOBODY: Final[Mapping[str, OnTrial]] = MappingProxyType({})
_NOTHING: Final = Around()


class NumberDesk:
    """Decides about all outbound numbers; one thread uses it."""

    def __init__(
        self,
        pools: PoolsSettings,
        settings: NumbersSettings,
        *,
        tick_ms: int,
        normalise: Callable[[str], str] = str,
        is_number: Callable[[str], bool] = bool,
    ) -> None:
        """``normalise`` turns a configured number into the form that events carry.

        ``is_number`` says whether a text that was never seen as a number may be one.
        """
        self.book = PoolBook(pools, numbers_max=settings.numbers_max, normalise=normalise)
        self.unknown_acks = 0
        """Answers to commands that are not in flight: repeated, overtaken or not ours."""
        self._settings = settings
        self._tick_ms = tick_ms
        self._ledger = Ledger(settings)
        self.book.is_out = lambda number: number in self._ledger.held
        self._admission = Admission(self.book, settings, normalise)
        self._people = People(self._ledger, self._admission, is_number)
        self._wishes = Wishes(self._ledger, self._admission)
        self._inhibition = Inhibition(self._admission.incidents, self.book.pools_of)
        self._expected: tuple[Mapping[str, Mapping[str, int]], int] | None = None
        self._swept_ms = 0
        self._due_ms: int | None = None
        """The earliest timer; kept so that quiet ticks cost nothing."""
        self._stirred_ms: int | None = None
        """The tick since which calls of this hour may say something new, though told already.
        Not in a snapshot: what is read after a restart is told anyway."""

    # -- what others read -------------------------------------------------------------------

    @property
    def held(self) -> AbstractSet[str]:
        """Numbers out of service: suspending, suspended, resuming."""
        return self._ledger.held

    @property
    def frozen(self) -> bool:
        """Whether a person has stopped suspensions by rules."""
        return bool(self._admission.frozen_by)

    @property
    def awaited(self) -> AbstractSet[str]:
        """Ids of the commands whose answer is awaited."""
        return self._ledger.awaited.keys()

    @property
    def waits_for(self) -> AbstractSet[str]:
        """Rules by which some number is out until what they saw is cleared."""
        return standing.waits_for(self._ledger)

    @property
    def on_trial(self) -> Mapping[str, OnTrial]:
        """Numbers on probation: what they did before does not count."""
        return probation.on_trial(self._ledger) if self._ledger.proving else _NOBODY

    def state(self, number: str) -> State:
        """Where the number stands; an unknown one is active."""
        record = self._ledger.records.get(number)
        return State.ACTIVE if record is None else record.state

    def told(self) -> dict[str, Told]:
        """What telephony was told, by number out of service."""
        return told(self._ledger)

    def changes(self, number: str) -> int:
        """Rows of the number's history so far."""
        record = self._ledger.records.get(number)
        return 0 if record is None else record.changes

    def counts(self) -> dict[str, int]:
        """Known numbers by state, every state named."""
        return standing.counts(self._ledger, self.book)

    def standing(self) -> list[NumberStanding]:
        """The numbers that are not simply active, longest first."""
        return standing.of_all(self._ledger)

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Why suspensions in whole pools stand still; what waits for a person is among them."""
        return self._admission.incidents.standing

    def held_up(self) -> list[IncidentStanding]:
        """Pools in which suspensions stand still, and why, in order of their names."""
        return standing.held_up(self._ledger, self.book, self.incidents)

    def next_event_tick(self, after: int) -> int | None:
        """The earliest tick after ``after`` at which time alone changes something, or None."""
        due = [] if self._due_ms is None else [self._due_ms]
        asked = bool(self._ledger.wanted) or self._wishes.shadow_waits
        asked |= bool(self._admission.incidents)
        free = self._admission.next_ms(after) if asked else None
        due += [] if free is None else [free]
        if not due:
            return None
        first = after - after % self._tick_ms + self._tick_ms
        return max(first, -(-min(due) // self._tick_ms) * self._tick_ms)

    # -- what happens -----------------------------------------------------------------------

    def put_right(self) -> None:
        """After the last tick of a rebuild, before anything is seen of the next; see `expect`."""
        if self._expected is None:
            return
        (seen_of, until), self._expected = self._expected, None
        for number in self._ledger.records:
            self.book.put_seen(number, seen_of.get(number, {}))
        self._stirred_ms = until

    def observe(self, tick: int, number: str, campaign: str | None) -> None:
        """Note that ``number`` was seen in traffic that ``tick`` judges.

        Told once an hour or at every tick, it comes to the same, until a number comes back: what is
        noted is the hour.
        """
        self._sweep(tick)
        self.book.join(number, campaign, _noted_as(tick))

    def see(self, told: Sightings, tick: int) -> None:
        """As :meth:`observe` for each row of ``told`` that ``tick`` judges."""
        if self._stirred_ms is not None:
            told.tell_again(self._stirred_ms)
            self._stirred_ms = None
        while told.next_tick is not None and told.next_tick <= tick:
            self._sweep(told.next_tick)
            self.book.see(told, _noted_as(told.next_tick))

    def step(
        self,
        tick: int,
        wants: Sequence[Want],
        cleared: Sequence[Cleared],
        acks: Sequence[Ack],
        manual: Sequence[ManualAction],
        around: Around = _NOTHING,
        found: Sequence[Found] = (),
    ) -> DeskStep:
        """Decide at ``tick``, ms; ticks ascend, none of :meth:`next_event_tick` left out.

        ``wants`` are all wishes that stand at this tick, not the new ones alone. ``around`` is what
        rules see beside. ``found``: what telephony was found to do other than it was told.
        """
        self._sweep(tick)
        ledger = self._ledger
        out = ledger.out = DeskStep()
        ledger.asking = asking(wants)
        wanted = {each.number for each in wants if not each.shadow and not each.blamed}
        self._admission.begin(tick, wanted - ledger.held, around)
        for ack in acks:
            self._answer(ack, tick)
        for each in found:
            mend(ledger, each, tick)
        for action in manual:
            self._people.act(action, tick)
        for undone in cleared:
            self._clear(undone, tick)
        self._time(tick)
        self._wishes.grant(wants, tick)
        probation.proved(ledger, around.calls, tick)
        if any(_back(change) for change in out.changes):
            self._stirred_ms = tick
        out.refusals = summed(out.refusals)
        if out.changes or out.refusals or self._is_due(tick):
            self._find_due(tick)
        return out

    def inhibit(self, alerts: Sequence[Alert], wants: Sequence[Want]) -> list[Alert]:
        """``alerts`` of the step just made; those that the page of a whole pool stands for say so.

        ``wants``: as :meth:`step` was given.
        """
        return self._inhibition.apply(alerts, wants) if alerts else []

    def reconfigure(self, pools: PoolsSettings, settings: NumbersSettings) -> None:
        """Take new settings and pools; states, terms and commands in flight stay."""
        self.book.reconfigure(pools, numbers_max=settings.numbers_max)
        self._settings = self._ledger.settings = settings
        self._admission.reconfigure(settings)
        self._find_due(0)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, in plain values and stable order."""
        ledger = self._ledger
        return {
            "book": self.book.snapshot(),
            "ledger": ledger.snapshot(),
            "admission": self._admission.snapshot(),
            "swept_ms": self._swept_ms,
            "due_ms": self._due_ms,
            "seen_of": {
                number: pools
                for number in sorted(ledger.records)
                if (pools := self.book.seen_in(number))
            },
            "shadowed": list(self._wishes.shadowed),
            "shadow_waits": self._wishes.shadow_waits,
            "blamed": list(self._wishes.blamed),
            "unknown_acks": self.unknown_acks,
            "inhibited": self._inhibition.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`snapshot` gave, as if never stopped."""
        self.book.restore(state["book"])
        self._ledger.restore(state["ledger"])
        self._admission.restore(state["admission"])
        self._swept_ms = state["swept_ms"]
        self._wishes.shadowed = dict.fromkeys(state["shadowed"])
        self._wishes.shadow_waits = state["shadow_waits"]
        self._wishes.blamed = dict.fromkeys(state.get("blamed", ()))  # older programs had none
        self.unknown_acks = state["unknown_acks"]
        self._inhibition.restore(state.get("inhibited", {}))  # older programs had none
        self._due_ms = state["due_ms"]

    def expect(self, seen_of: Mapping[str, Mapping[str, int]], until: int) -> None:
        """Begin a rebuild, in which calls up to ``until`` are seen again by a desk of after them.

        Where numbers with a record were seen depends on whether they were out just then; so of
        these it is put right afterwards: ``seen_of``, of the snapshot that was restored.
        """
        self._expected = seen_of, until

    # -- the phases of a step ---------------------------------------------------------------

    def _answer(self, ack: Ack, tick: int) -> None:
        number = self._ledger.awaited.get(ack.command_id)
        if number is None:
            self.unknown_acks += 1
            return
        record = self._ledger.records[number]
        if ack.status == "applied":
            self._ledger.answered(record, ack, tick)
        elif ack.status == "silent":
            if not record.said_silent:
                record.said_silent = True
                if record.state is State.RESUMING and record.told_ms is None:
                    self._ledger.pause(record, tick)
                verdict = Verdict("telephony_silent", f"{record.state}: {ack.detail}")
                self._ledger.refuse(record, verdict, tick, cause=record.command)
        else:
            self._ledger.rejected(record, tick, ack.detail, by_one=len(ack.systems) > 1)

    def _clear(self, cleared: Cleared, tick: int) -> None:
        """The cause that was undone is over; the number comes back when it was the last one."""
        record = self._ledger.records.get(cleared.number)
        if record is None or not any(cause.ended_by(cleared) for cause in record.causes):
            return
        left = [cause for cause in record.causes if not cause.ended_by(cleared)]
        left = still_standing(left, tick)
        if not left:
            self._ledger.resume(record, Event.CLEARED, tick, cleared.rule)
            return
        record.settle(left)
        who = record.rule or "a person"
        self._ledger.move(record, Event.CAUSE_OVER, tick, cleared.rule, f"still out for {who}")

    def _time(self, tick: int) -> None:
        if not self._ledger.out.changes and not self._is_due(tick):
            return
        for number in sorted(self._ledger.held | self._ledger.proving):
            timer = self._timer(number)
            while timer is not None and timer[0] <= tick:
                self._ring(self._ledger.records[number], timer[1], tick)
                timer = self._timer(number)

    def _ring(self, record: Record, timer: Timer, tick: int) -> None:
        ledger = self._ledger
        if timer == "let_go":
            ledger.move(record, Event.LET_GO, tick, "time")
            ledger.back(record, tick)
        elif timer == "retried" and record.again:
            ledger.suspend(record, Event.RETRIED, tick, "time")
        elif timer == "retried":
            ledger.resume(record, Event.RETRIED, tick, "time")
        elif timer == "terms":
            self._tell_terms(record, tick)
        elif timer == "probation":
            probation.over(ledger, record, Event.PROBATION_OVER, tick)
        else:
            ledger.resume(record, Event.TTL_OVER, tick, "time")

    def _tell_terms(self, record: Record, tick: int) -> None:
        """Tell telephony the end that the causes now have."""
        if record.short and record.rule and self._admission.frozen_by:
            record.retry_ms = tick + self._settings.retry_pause
            return
        event = Event.PROLONGED if record.short else Event.SHORTENED
        self._ledger.suspend(record, event, tick, record.rule or "a person")

    # -- helpers ----------------------------------------------------------------------------

    def _timer(self, number: str) -> tuple[int, Timer] | None:
        return self._ledger.records[number].timer(self._settings.ack_timeout)

    def _is_due(self, tick: int) -> bool:
        return self._due_ms is not None and self._due_ms <= tick

    def _find_due(self, tick: int) -> None:
        """Timers, ends of pauses after which a want may be granted, and what this tick stirred."""
        ledger = self._ledger
        due = [timer[0] for timer in map(self._timer, ledger.held | ledger.proving) if timer]
        pauses = (ledger.records[number].retry_ms for number in ledger.held | ledger.wanted)
        due += [at for at in pauses if at > tick]
        spared = (ledger.records[number].spared_ms for number in ledger.wanted)
        due += [at for at in spared if at > tick]
        if any((c.before in IN_SERVICE) != (c.after in IN_SERVICE) for c in ledger.out.changes):
            # Rules judge other numbers from the next tick on, and the pools' guards say other
            # things to those that were asked about before: that tick is not to be skipped.
            due.append(tick + 1)
        self._due_ms = min(due, default=None)

    def _sweep(self, tick: int) -> None:
        """Forget what is long over, as of the last aligned hour whatever ticks were judged."""
        boundary = tick - tick % SWEEP_MS
        if boundary <= self._swept_ms:
            return
        self._swept_ms = boundary
        ledger, heal_after = self._ledger, self._settings.heal_after
        self.book.lapse(boundary - self._settings.seen_for, ledger.notable)
        for number in sorted(ledger.records):
            record = ledger.records[number]
            quiet = record.state is State.ACTIVE and record.since_ms <= boundary - heal_after
            quiet &= record.spared_ms <= boundary
            if quiet and record.healed(boundary, heal_after) == 0:
                ledger.forget(number)


def _back(change: NumberChange) -> bool:
    """Whether calls say from now on where the number belongs, and did not before."""
    retired = change.before == State.RETIRED
    return retired or (change.before not in IN_SERVICE and change.after in IN_SERVICE)


def _noted_as(tick: int) -> int:
    """When a number is noted as seen: the end of the hour."""
    return tick - tick % SWEEP_MS + SWEEP_MS

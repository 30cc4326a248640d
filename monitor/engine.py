"""The one data path, top to bottom: poll, decode, place, release, count, judge, decide, record.

Owns the order of the steps and the tick that is judged next. It names no concrete source, store or
channel: ``monitor.app`` puts those in. Everything decided here is a function of the records, the
journal and the configuration; see docs/semantics.md for why batches and restarts cannot matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl
import structlog

from monitor.clock import Clock
from monitor.decisions import (
    Ack,
    Alert,
    Command,
    Decision,
    Found,
    ListAction,
    Listing,
    ManualAction,
    NumberChange,
    Order,
    Refusal,
)
from monitor.dnc.book import Book, Feeding
from monitor.errors import SourceUnavailable
from monitor.events.ahead import Decodes, decoded_by
from monitor.events.batch import Reject
from monitor.events.catalogue import CALL_TYPES, EVENT_TYPES
from monitor.events.customers import Customers
from monitor.events.do_not_call import DoNotCall
from monitor.events.enrich import Owners
from monitor.events.rejects import DeadLetters
from monitor.events.settings import CustomerSettings
from monitor.indicators.compile import IndicatorSet
from monitor.numbers.desk import SWEEP_MS, NumberDesk
from monitor.numbers.sightings import Sightings
from monitor.rules.evaluate import RuleBook
from monitor.source.base import Fetched, Partition, Source
from monitor.stats import OTHER_TYPES, Stats
from monitor.windows.arrays import Int64, begins_of
from monitor.windows.dedup import Dedup
from monitor.windows.doubt import Doubt
from monitor.windows.pending import Pending, aligned
from monitor.windows.steady import SteadyTime
from monitor.windows.watermark import NEVER, Floor, Watermarks

log = structlog.get_logger(__name__)

AT_ONCE = 60_000
"""What a slice of ticks costs, it costs once for so many records: twice as fast as batch by batch
where event time is sparse."""
READS_ON_S = 0.25
"""For so long a daemon that catches up reads on before it judges."""
PLACES_LOOKED_AT = 2_000
"""Rows of a load in which agents are looked for, with where they belong: it is for people."""


@dataclass(frozen=True, slots=True)
class Input:
    """Something that is not a record and can change a decision, with the tick it takes effect."""

    tick: int
    what: Ack | Found | ManualAction | ListAction


@dataclass(slots=True)
class Outcome:
    """What judging some ticks led to; made durable as a whole before anything is sent."""

    judged: int
    """All ticks up to and including this one are judged."""
    decisions: list[Decision] = field(default_factory=list)
    changes: list[NumberChange] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)
    needless: list[Floor] = field(default_factory=list)
    """Journaled earlier, and of no effect on any record: they need not be kept."""


class Recorder(Protocol):
    """Where outcomes become durable and inputs come from."""

    def record(self, outcome: Outcome) -> None:
        """Store the outcome and queue its deliveries, in one transaction."""
        ...

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        """Journal records that the wall clock refused, before anything depends on it."""
        ...

    def inputs(self, tick: int) -> list[Input]:
        """New acknowledgements and manual actions, journaled as of ``tick`` or later."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How the engine works through time; the defaults suit a live daemon."""

    tick_ms: int = 5_000
    max_poll_records: int = 20_000
    poll_timeout_s: float = 0.2
    max_pending_rows: int = 1_000_000
    ahead_ms: int = 60_000
    """Past half of ``max_pending_rows``, partitions further ahead than this are not polled; past
    the whole of it, all but the slowest."""
    evict_every_ms: int = 600_000
    max_places: int = 20_000
    """Agents whose group and team are kept for people to look at."""
    report_every_ms: int | None = None
    """Ticks at multiples of it are judged even where nothing can change; None: none are."""
    slice_ticks: int = 100
    """Ticks with rows that are judged before anybody may ask the engine to stop."""
    at_once: int = AT_ONCE
    """Records that are read before ticks are judged, where nobody waits."""
    many_records: int = 1_000
    """A poll that gives so many: there are more, and a daemon that catches up reads on."""
    live: bool = True
    """False: a replay. The wall clock refuses nothing and no partition is waited for in vain."""


@dataclass(slots=True)
class Judges:
    """The parts that a reload replaces as a whole."""

    decoder: Decodes
    indicators: IndicatorSet
    rules: RuleBook
    desk: NumberDesk
    do_not_call: DoNotCall | None = None
    """Lists that others keep; None: nobody looks at them, nor at our own."""
    feeding: Feeding = field(default_factory=Feeding)
    """What changes our own list by itself."""
    derived: frozenset[str] = frozenset()
    """Fields of ``monitor.events.catalogue.DERIVED`` that somebody looks at."""


class Engine:
    """The pipeline; one thread uses it."""

    def __init__(
        self,
        *,
        source: Source,
        judges: Judges,
        owners: Owners,
        watermarks: Watermarks,
        dedup: Dedup,
        dead_letters: DeadLetters,
        recorder: Recorder,
        clock: Clock,
        stats: Stats,
        pace: Pace,
        customers: Customers | None = None,
        on_tick: Callable[[int], None] | None = None,
    ) -> None:
        self.source = source
        self.judges = judges
        self.owners = owners
        self.customers = customers or Customers(CustomerSettings())
        self.book = Book()
        """Our own list of customers nobody may call."""
        self.watermarks = watermarks
        self.pending = Pending(tick_ms=pace.tick_ms)
        self.dedup = dedup
        self.doubt = Doubt()
        self.dead_letters = dead_letters
        self.recorder = recorder
        self.clock = clock
        self.steady = SteadyTime(clock)
        self.stats = stats
        self.pace = pace
        self.on_tick = on_tick
        """Called after each judged tick, for reports along the way."""
        self.on_rows: Callable[[pl.DataFrame], None] | None = None
        """Given the rows of each load while somebody waits for what they lead to; not to wait."""
        self.judged = NEVER
        """The last tick judged; NEVER before the first."""
        self.promised = NEVER
        """The last tick that an earlier run of the same log had judged: inputs come after it."""
        self.silent_until = NEVER
        """Up to this tick records fill windows again, and everything else is known already."""
        self.seen_until = NEVER
        """Of that, which numbers were seen is known up to this tick only."""
        self.told_to_stop: Callable[[], bool] = lambda: False
        """Asked between slices of a long stretch of ticks; what is left waits for the next step."""
        self.last: int | None = None
        """Judge no tick after this one; None: as far as the records go."""
        self._inputs: deque[Input] = deque()
        self._unjudged = 0
        """Records that were read since ticks were judged."""
        self._judged_at_s = clock.monotonic_s()
        """When ticks were judged last, or people's orders were looked for without one."""
        self._begun: list[Floor] = []
        """Floors of partitions that have just been taken up."""
        self._needless: list[Floor] = []
        self._uncounted: deque[tuple[str, pl.Series]] = deque()
        """Types of rows by what became of them: to be counted when nobody waits."""
        self._listings: deque[Listing] = deque()
        """Changes of the list that were decided by what is loaded; each is told at its tick."""
        self._seen: deque[Sightings] = deque()
        """Of loaded calls: a number joins its pool at its tick."""
        self.places: dict[str, tuple[str, str]] = {}
        """Group and team of each agent as last seen, for people to look at."""

    # --- the path -------------------------------------------------------------------------------

    def step(self) -> int:
        """Poll once and judge every tick that has become due; returns the records read.

        Where nobody waits, ticks are judged once ``Pace.at_once`` records are read.
        """
        try:
            fetched = self.source.poll(
                self.pace.max_poll_records, self.pace.poll_timeout_s, self._too_far_ahead()
            )
        except SourceUnavailable:
            if self._unjudged:  # it may be away for hours
                self._judge_read()
            raise
        read = 0
        for batch in fetched:
            self._take(batch)
            read += len(batch.values)
        self._journal_begun()
        watermark = self.watermarks.advance(
            self.source.standings(),
            wall_ms=self.steady.earliest_ms() if self.pace.live else None,
            now_s=self.clock.monotonic_s(),
            promised=self.promised,
        )
        self._unjudged += read
        if self._reads_on(read):
            return read
        self._judge_read()
        self._work_ahead(watermark)
        self.attend()
        return read

    def _judge_read(self) -> None:
        """Judge every tick that is due by what has been read."""
        self._unjudged = 0
        watermark = self.watermarks.engine
        until = watermark - watermark % self.pace.tick_ms
        self._judge_until(until if self.last is None else min(until, self.last))

    def _work_ahead(self, watermark: int) -> None:
        """Do before the next tick is due what would keep it waiting, and decides nothing.

        Where nobody waits, rows are put in order once instead of in pieces.
        """
        if not self._nobody_waits():
            self.pending.settle(watermark, self.watermarks.partitions())
            self.dedup.make_room()

    def calm(self) -> bool:
        """Whether this thread may do other things for a while and keep nobody waiting.

        Not while what was just decided is on its way, nor shortly before a tick is due. For event
        time that is far behind, or stands still, nobody waits.
        """
        tick_ms = self.pace.tick_ms
        since_ms = (self.clock.monotonic_s() - self._judged_at_s) * 1000
        just, soon = tick_ms // 10, tick_ms * 6 // 10
        return self._nobody_waits() or since_ms > 2 * tick_ms or just <= since_ms <= soon

    def _nobody_waits(self) -> bool:
        """In a replay, and where event time is far behind, a moment is nothing to anybody."""
        settings, tick_ms = self.watermarks.settings, self.pace.tick_ms
        behind_ms = self.clock.now_ms() - self.watermarks.engine
        return not self.pace.live or behind_ms >= settings.out_of_order_ms + 2 * tick_ms

    def _reads_on(self, read: int) -> bool:
        """Whether to read more before ticks are judged; live, where more is there, and not long."""
        most = min(self.pace.at_once, self.pace.max_pending_rows // 2)
        if read == 0 or self._unjudged >= most or not self._nobody_waits():
            return False
        since_s = self.clock.monotonic_s() - self._judged_at_s
        return not self.pace.live or (read >= self.pace.many_records and since_s < READS_ON_S)

    def attend(self) -> None:
        """Take orders of people, and mend what telephony does, although no tick is due.

        Event time stands still then, or is unknown.

        An order makes a tick of its own, judged with what was read; what is still to come of it
        counts from that tick on, by a floor. So event time moves by at most one tick for each
        that has passed. Before the first tick, and until an earlier run is caught up with, there is
        nothing that an order could apply to, and it waits.
        """
        now_s, tick_ms = self.clock.monotonic_s(), self.pace.tick_ms
        if not self.pace.live or self.judged == NEVER or self.judged < self.promised:
            return
        if self.last is not None or (now_s - self._judged_at_s) * 1000 < tick_ms:
            return
        self._judged_at_s = now_s
        tick = self.judged + tick_ms
        self._inputs.extend(self.recorder.inputs(tick))
        if any(not isinstance(each.what, Ack) for each in self._inputs if each.tick <= tick):
            self._judge_until(tick, self.watermarks.pass_to(tick, self.source.standings()))

    def finish(self) -> None:
        """At the end of a finite input: judge all that was read, and invent nothing after it."""
        tick = self.pace.tick_ms
        end = max(self.pending.latest - self.pending.latest % tick + tick, self.promised)
        self._judge_until(end)

    def run_to_end(self, on_progress: Callable[[int], None] | None = None) -> None:
        """Replay: step until the source is exhausted, then finish."""
        while not self.source.exhausted():
            read = self.step()
            if on_progress is not None:
                on_progress(read)
        self.finish()

    @property
    def waiting_inputs(self) -> bool:
        """Journaled inputs have not reached their tick yet."""
        return bool(self._inputs)

    def expect(self, inputs: Iterable[Input], promised: int) -> None:
        """Take over the journal's inputs that lie after the checkpoint."""
        self._inputs.extend(sorted(inputs, key=lambda entry: entry.tick))
        self.promised = max(self.promised, promised)

    # --- reading --------------------------------------------------------------------------------

    def _take(self, fetched: Fetched) -> None:
        decoded = decoded_by(self.judges.decoder, fetched)
        placed = self.watermarks.place(
            decoded,
            wall_ms=self._latest_ms(),
            resumed_at=self.judged,
            promised=self.promised if self.pace.live else NEVER,
            raw=lambda offset: _raw(fetched, offset),
        )
        self.watermarks.heard(decoded.partition, self.clock.monotonic_s())
        if placed.refused_by_clock:
            self.recorder.refused(decoded.partition, placed.refused_by_clock)
        self._begun += placed.floors
        self._needless += placed.needless
        self._refuse([*decoded.rejects, *placed.rejects])
        self.stats.read(decoded.partition.topic, len(fetched.values))
        self.stats.tombstones += decoded.tombstones
        self.stats.unmapped += decoded.unmapped
        self.stats.late += placed.late
        self.stats.resumed_late += placed.resumed_late
        self.pending.add(placed.frame)
        if self.pace.live and placed.frame.height:
            self.steady.heard(int(placed.frame["time"].max()))  # type: ignore[arg-type]

    def _journal_begun(self) -> None:
        """Say where partitions begin before anything depends on it."""
        begun, self._begun = self._begun, []
        if begun and self.pace.live:
            self.recorder.record(Outcome(judged=self.judged, floors=begun))

    def _refuse(self, rejects: list[Reject]) -> None:
        if not rejects:
            return
        for reject in rejects:
            self.stats.rejects[reject.reason] += 1
        self.dead_letters.put(rejects)

    def _too_far_ahead(self) -> frozenset[Partition]:
        most, waiting = self.pace.max_pending_rows, len(self.pending)
        if waiting < most // 2:
            return frozenset()
        # The slowest is never among them: it alone can make the others' rows due.
        return self.watermarks.ahead(self.pace.ahead_ms if waiting < most else 0)

    def _latest_ms(self) -> int | None:
        """The time that records are compared with: what was judged once is not the future."""
        return max(self.steady.latest_ms(), self.promised) if self.pace.live else None

    # --- judging --------------------------------------------------------------------------------

    def _judge_until(self, until: int, floors: Sequence[Floor] = ()) -> None:
        """Judge every tick after ``judged`` up to ``until``, an aligned tick, or till told to stop.

        ``floors`` are those that are made by doing so now.
        """
        while until > self.judged:
            self._judge_slice(self._slice_end(until), floors)
            if self.told_to_stop():
                return

    def _slice_end(self, until: int) -> int:
        few = self.pace.slice_ticks
        if self.judged != NEVER and until - self.judged <= few * self.pace.tick_ms:
            return until
        return self.pending.nth_tick(few, until)

    def _judge_slice(self, until: int, floors: Sequence[Floor]) -> None:
        """All of it at once: rows are loaded together, and what they led to is stored together."""
        rows = self._release(until)
        if self.judged == NEVER:
            first = until if rows is None else int(rows["tick"][0])
            if self._inputs:  # an earlier run took it in before the first record
                first = min(first, self._inputs[0].tick)
            self.judged = min(until, first) - self.pace.tick_ms
        self._inputs.extend(
            self.recorder.inputs(max(self.judged, self.promised) + self.pace.tick_ms)
        )
        rows = self._listed(rows, until)
        outcome = Outcome(judged=until)
        row_ticks: deque[int] = deque()
        if rows is not None:
            ticks, oldest = _firsts(rows)
            row_ticks.extend(ticks.tolist())
            self._load(rows)
        while (tick := self._next_tick(row_ticks, until)) is not None:
            self._tick(tick, outcome)
            while row_ticks and row_ticks[0] <= tick:
                row_ticks.popleft()
        self.judged = until
        if self.pace.live:
            silences = self.watermarks.silences(self.source.standings(), until)
            outcome.floors = [*floors, *silences]
            outcome.needless, self._needless = self._needless, []
            self._judged_at_s = self.clock.monotonic_s()
        self.recorder.record(outcome)
        self._count(outcome)
        if rows is not None:
            self._note_places(rows)
        if rows is not None and self.pace.live:
            now_ms = self.clock.now_ms()
            for eff in oldest.tolist():
                self.stats.decision_delay.observe((now_ms - eff) / 1000)

    def _release(self, until: int) -> pl.DataFrame | None:
        rows = self.pending.release(until, self.watermarks.partitions())
        if rows is None:
            return None
        unique = self.dedup.apply(rows)
        self.stats.dedup_uncertain += unique.uncertain
        self.doubt.load(unique.uncertain_ticks)
        self._uncounted.append(("accepted", unique.frame["type"]))
        self._uncounted.append(("duplicate", unique.duplicates["type"]))
        if not unique.frame.height:
            return None
        return self.customers.apply(self.owners.apply(unique.frame), self.judges.derived)

    def _listed(self, rows: pl.DataFrame | None, until: int) -> pl.DataFrame | None:
        """``rows`` with who is on a list; what they and people's requests change of our own."""
        lists, requests = self.judges.do_not_call, self._list_requests(until)
        changes, ours = self.book.take(
            rows,
            requests,
            self.judges.feeding,
            silent_until=self.silent_until,
            asked=lists is not None,
        )
        self._listings.extend(changes)
        if rows is None or lists is None:
            return rows
        listed = lists.holds(rows["customer"])
        return rows.with_columns((listed if ours is None else listed | ours).alias("do_not_call"))

    def _list_requests(self, until: int) -> list[tuple[int, ListAction]]:
        return [
            (each.tick, each.what)
            for each in self._inputs
            if each.tick <= until and isinstance(each.what, ListAction)
        ]

    def _load(self, rows: pl.DataFrame) -> None:
        if self.on_rows is not None and not self._nobody_waits():
            self.on_rows(rows)
        frame = self.judges.indicators.load(rows)
        self.judges.rules.load(rows, frame)
        seen = Sightings(
            frame.tick_of_row,
            rows["type"].is_in(CALL_TYPES).to_numpy(),
            frame.coded("number"),
            frame.coded("campaign"),
            hour_ms=SWEEP_MS,
        )
        if self.judged < self.seen_until:  # up to there they have joined already
            seen.tell_again(self.seen_until)
        if seen.next_tick is not None:
            self._seen.append(seen)

    def _see(self, tick: int) -> None:
        """Numbers join their pools by what ``tick`` judges."""
        while self._seen:
            told = self._seen[0]
            self.judges.desk.see(told, tick)
            if not told.over(tick):
                return
            self._seen.popleft()

    def _note_places(self, rows: pl.DataFrame) -> None:
        looked_at = pl.Series(np.arange(0, rows.height, rows.height // PLACES_LOOKED_AT + 1))
        some = rows["agent", "group", "team"][looked_at].drop_nulls()
        last = some.unique("agent", keep="last", maintain_order=True)
        for agent, group, team in last.iter_rows():
            if agent in self.places or len(self.places) < self.pace.max_places:
                self.places[agent] = group, team

    def _next_tick(self, row_ticks: deque[int], until: int) -> int | None:
        """The next tick at which anything can change; quiet stretches are skipped."""
        after = self.judged
        horizon_ms = self.judges.indicators.horizon_ms
        every, report = self.pace.evict_every_ms, self.pace.report_every_ms
        candidates = [
            row_ticks[0] if row_ticks else None,
            self._inputs[0].tick if self._inputs else None,
            self.judges.indicators.next_event_tick(after),
            self.judges.rules.next_event_tick(after),
            self.judges.desk.next_event_tick(after),
            self.doubt.next_event_tick(horizon_ms, self.pace.tick_ms),
            aligned(after - after % every + every, self.pace.tick_ms),
            None if report is None else after - after % report + report,
        ]
        due = min(max(tick, after + self.pace.tick_ms) for tick in candidates if tick is not None)
        return due if due <= until else None

    def _tick(self, tick: int, outcome: Outcome) -> None:
        started = self.clock.monotonic_s()
        judges = self.judges
        doubts = self.doubt.step(tick, judges.indicators.horizon_ms)
        if tick <= self.silent_until:
            self._see(tick)
            judges.indicators.step(tick)
            judges.rules.step(tick, judges.desk.held, judges.desk.on_trial)
            self._ticked(tick, started)
            return
        judges.desk.put_right()
        acks: list[Ack] = []
        found: list[Found] = []
        manual: list[ManualAction] = []
        while self._inputs and self._inputs[0].tick <= tick:
            match self._inputs.popleft().what:
                case Ack() as ack:
                    acks.append(ack)
                case Found() as differs:
                    found.append(differs)
                case ManualAction() as action:
                    manual.append(action)
                case ListAction():  # taken in with the rows, see _listings
                    pass
        while self._listings and self._listings[0].at_ms <= tick:
            outcome.decisions.append(self._listings.popleft())
        self._see(tick)
        judges.indicators.step(tick)
        judged = judges.rules.step(tick, judges.desk.held, judges.desk.on_trial)
        wants = self.doubt.shadowed(judged.wants)
        decided = judges.desk.step(tick, wants, judged.cleared, acks, manual, judged.around, found)
        closed = [judges.rules.close(episode, tick, why) for episode, why in decided.closed]
        ended = [alert for alert in closed if alert is not None]
        outcome.decisions += doubts
        outcome.decisions += judges.desk.inhibit([*judged.alerts, *ended], wants)
        outcome.decisions += self.doubt.shadowed_orders(judged.orders, judged.alerts)
        outcome.decisions += decided.commands
        outcome.decisions += decided.refusals
        outcome.changes += decided.changes
        self._ticked(tick, started)

    def _ticked(self, tick: int, started: float) -> None:
        judges = self.judges
        self.judged = tick
        # The first tick of the grid's cell, whatever the tick's length: the same in every run.
        if tick % self.pace.evict_every_ms < self.pace.tick_ms:
            judges.rules.forget(judges.indicators.evict(judges.rules.pinned()))
        self.stats.ticks += 1
        self.stats.tick_time.observe(self.clock.monotonic_s() - started)
        if self.on_tick is not None:
            self.on_tick(tick)

    def _count(self, outcome: Outcome) -> None:
        while self._uncounted:
            became, types = self._uncounted.popleft()
            for name, count in types.value_counts().iter_rows():
                self.stats.events[name if name in EVENT_TYPES else OTHER_TYPES, became] += count
        for decision in outcome.decisions:
            match decision:
                case Alert():
                    self.stats.alerts[decision.rule, decision.level, decision.state] += 1
                case Command() | Order():
                    result = "shadow" if decision.shadow else "issued"
                    self.stats.commands[decision.action, result] += 1
                case Refusal():
                    self.stats.refusals[decision.guard] += 1
                case Listing():
                    self.stats.listings[decision.action, decision.reason] += 1
        for change in outcome.changes:
            if change.reason in {"applied", "rejected", "rejected_by_one"}:
                action = "resume" if change.before == "resuming" else "suspend"
                result = "applied" if change.reason == "applied" else "rejected"
                self.stats.commands[action, result] += 1

    # --- state ----------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The whole state, with the input positions that belong to it."""
        positions = {p: standing.position for p, standing in self.source.standings().items()}
        return {
            "judged": self.judged,
            "positions": [[p.topic, p.number, offset] for p, offset in sorted(positions.items())],
            "watermarks": self.watermarks.snapshot(),
            "pending": self.pending.snapshot(),
            "dedup": self.dedup.snapshot(),
            "doubt": self.doubt.snapshot(),
            "owners": self.owners.snapshot(),
            "customers": self.customers.snapshot(),
            "indicators": self.judges.indicators.snapshot(),
            "rules": self.judges.rules.snapshot(),
            "desk": self.judges.desk.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> dict[Partition, int]:
        """Take over a checkpoint; returns the positions to start the source at."""
        self.judged = state["judged"]
        self.watermarks.restore(state["watermarks"])
        self.pending.restore(state["pending"])
        self.dedup.restore(state["dedup"])
        if "doubt" in state:  # checkpoints of an older program have none
            self.doubt.restore(state["doubt"])
        self.owners.restore(state["owners"])
        self.customers.restore(state.get("customers", {}))  # older programs had none
        self.judges.indicators.restore(state["indicators"])
        self.judges.rules.restore(state["rules"])
        self.judges.desk.restore(state["desk"])
        self.judges.rules.part_with(self.judges.desk.waits_for)
        return {Partition(topic, number): offset for topic, number, offset in state["positions"]}

    def replace(self, judges: Judges) -> None:
        """Reload: the new parts take over what they can of the old ones' state."""
        judges.indicators.restore(self.judges.indicators.snapshot())
        judges.rules.restore(self.judges.rules.snapshot())
        if judges.desk is not self.judges.desk:
            judges.desk.restore(self.judges.desk.snapshot())
        judges.rules.part_with(judges.desk.waits_for)
        self.judges = judges


def _firsts(rows: pl.DataFrame) -> tuple[Int64, Int64]:
    """The ticks of released rows, which stand in order, and the oldest ``eff`` of each."""
    tick, eff = rows["tick"].to_numpy(), rows["eff"].to_numpy()
    first = begins_of(tick)
    return tick[first], eff[first]


def _raw(fetched: Fetched, offset: int) -> bytes:
    return fetched.values[int(np.searchsorted(fetched.offsets, offset))] or b""

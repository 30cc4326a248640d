"""A live daemon's engine on a clock and a broker of our own, which may be killed at any step."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from monitor.assembly import build_judges
from monitor.clock import ManualClock
from monitor.decisions import Ack, Command, Decision, ManualAction
from monitor.engine import Engine, Input, Outcome, Pace
from monitor.errors import SourceUnavailable
from monitor.events.enrich import Owners
from monitor.events.rejects import MemoryDeadLetters
from monitor.indicators.compile import BEGINNING
from monitor.replay import Past, replay_engine
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.stats import Stats
from monitor.store.checkpoint import Checkpoints
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import NEVER, Floor, Watermarks
from tests.e2e.stream import PARTITIONS, Sent
from tests.small_parts import small_parts

PACK = Path(__file__).parent / "pack"


def nervous_site() -> Site:
    return load_site(None, packs=[PACK])


@dataclass
class Durable:
    """What survives a kill beside the checkpoints: decisions by id, the journal."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    floors: dict[tuple[Partition, int], int] = field(default_factory=dict)
    refused: list[tuple[Partition, int]] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    judged_to: int = NEVER
    unanswered: list[Command] = field(default_factory=list)
    orders: list[ManualAction] = field(default_factory=list)
    """What people want, and no daemon has taken yet."""

    def past(self) -> Past:
        return Past(
            inputs=tuple(self.inputs),
            floors=tuple(Floor(p, offset, floor) for (p, offset), floor in self.floors.items()),
            refused=tuple(self.refused),
            judged_to=self.judged_to,
        )


class Recorder:
    """The recorder's interface over ``Durable``; telephony answers a little later."""

    def __init__(self, durable: Durable, clock: ManualClock, rng: random.Random) -> None:
        self._durable = durable
        self._clock = clock
        self._rng = rng

    def record(self, outcome: Outcome) -> None:
        for decision in outcome.decisions:
            if decision.id not in self._durable.decisions:
                self._durable.decisions[decision.id] = decision
                if isinstance(decision, Command) and not decision.shadow:
                    self._durable.unanswered.append(decision)
        for floor in outcome.floors:
            place = (floor.partition, floor.offset)
            self._durable.floors[place] = max(
                floor.floor_ms, self._durable.floors.get(place, NEVER)
            )
        for floor in outcome.needless:
            place = (floor.partition, floor.offset)
            if self._durable.floors.get(place) == floor.floor_ms:
                del self._durable.floors[place]
        self._durable.judged_to = max(self._durable.judged_to, outcome.judged)

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        self._durable.refused += [(partition, offset) for offset in offsets]

    def inputs(self, tick: int) -> list[Input]:
        durable, found = self._durable, []
        while durable.orders:
            order = durable.orders.pop(0)
            until = None if order.ttl_ms is None else self._clock.now_ms() + order.ttl_ms
            found.append(Input(tick, replace(order, until_ms=until)))
        if durable.unanswered and self._rng.random() >= 0.5:
            command = durable.unanswered.pop(0)
            found.append(Input(tick, Ack(command.id, "applied", "", tick)))
        durable.inputs += found
        return found


class SteppedClock(ManualClock):
    """Wall time that can be set wrong; monotonic time goes on."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.wrong_by_ms = 0

    def now_ms(self) -> int:
        return self.true_ms() + self.wrong_by_ms

    def true_ms(self) -> int:
        return super().now_ms()


@dataclass(frozen=True)
class Trouble:
    """What happens to a live run, as chances at each step."""

    kills: float = 0.0
    late_partitions: bool = False
    """All partitions but one come to be while the daemon runs, with what was sent before."""
    clock_steps: float = 0.0
    orders: float = 0.0
    stalls: float = 0.0
    """The broker is away for a while: event time stands still."""


def live_engine(
    site: Site,
    source: MemorySource,
    durable: Durable,
    clock: ManualClock,
    rng: random.Random,
    checkpoints: Checkpoints | None = None,
) -> Engine:
    """An engine as the daemon starts it: checkpoint, journal, then the log from its positions."""
    config = site.config
    engine = Engine(
        source=source,
        judges=build_judges(site, covered_from=BEGINNING),
        owners=Owners(config.events.owners),
        watermarks=Watermarks(config.time.tolerances()),
        dedup=Dedup(lateness_ms=config.time.lateness, tick_ms=config.time.tick),
        dead_letters=MemoryDeadLetters(),
        recorder=Recorder(durable, clock, rng),
        clock=clock,
        stats=Stats(),
        pace=Pace(
            max_poll_records=rng.choice([3, 50, 10_000]),
            slice_ticks=rng.choice([1, 100]),
            at_once=rng.choice([1, 20, 10_000]),
            many_records=rng.choice([1, 10]),
        ),
    )
    positions: dict[Partition, int] = {}
    if checkpoints is not None and (state := checkpoints.load()) is not None:
        positions = engine.restore(state)
    past = durable.past()
    engine.watermarks.expect(past.floors, past.refused)
    engine.expect((i for i in past.inputs if i.tick > engine.judged), past.judged_to)
    source.start(positions, None)
    return engine


def run_live(
    site: Site, sent: Sequence[Sent], seed: int, trouble: Trouble
) -> tuple[Durable, MemorySource]:
    """Records arrive by the clock; at each step the daemon may be killed, or checkpoint.

    A checkpoint is written some time after its picture was taken, or not at all.
    """
    with small_parts(), tempfile.TemporaryDirectory() as folder:
        return _run_live(site, sent, random.Random(seed), trouble, Path(folder))


def _run_live(  # noqa: C901 - each kind of trouble has its place in the loop
    site: Site, sent: Sequence[Sent], rng: random.Random, trouble: Trouble, folder: Path
) -> tuple[Durable, MemorySource]:
    durable, checkpoints = Durable(), Checkpoints(folder)
    picture: dict[str, Any] | None = None
    source = MemorySource(PARTITIONS[:1] if trouble.late_partitions else PARTITIONS)
    clock = SteppedClock(sent[0].at_ms)
    engine = live_engine(site, source, durable, clock, rng, checkpoints)
    waiting = _arrivals(sent, rng) if trouble.late_partitions else list(sent)
    end_ms = sent[-1].at_ms + 60_000
    back_ms = 0
    while clock.true_ms() < end_ms:
        clock.advance(rng.choice([50, 400, 1_000, 3_000]))
        clock.wrong_by_ms = 0
        if rng.random() < trouble.clock_steps:
            clock.wrong_by_ms = rng.choice([3_600_000, -3_600_000, 90_000, -90_000])
        if rng.random() < trouble.orders:
            durable.orders.append(_order(rng, len(durable.inputs) + len(durable.orders)))
        if rng.random() < trouble.stalls:
            back_ms = min(clock.true_ms() + rng.randrange(40_000), sent[-1].at_ms)
        source.unavailable = clock.true_ms() < back_ms
        while waiting and waiting[0].at_ms <= clock.true_ms():
            record = waiting.pop(0)
            source.append(record.partition, [record.value])
        for _ in range(rng.randrange(3)):
            try:
                engine.step()
            except SourceUnavailable:
                engine.attend()
        chance = rng.random()
        if chance < trouble.kills and not source.unavailable:
            source, checkpoints, picture = source.reopened(), Checkpoints(folder), None
            engine = live_engine(site, source, durable, clock, rng, checkpoints)
        elif picture is not None and chance < 0.6:
            checkpoints.save(picture)
            picture = None
        elif picture is None and chance < 0.5:
            picture = engine.snapshot()
    source.unavailable, clock.wrong_by_ms = False, 0
    for _ in range(300):  # in the end nothing is wrong, and it catches up
        clock.advance(1_000)
        engine.step()
    return durable, source


def _arrivals(sent: Sequence[Sent], rng: random.Random) -> list[Sent]:
    """A partition that comes to be at some time holds then what was sent to it before."""
    start_ms = sent[0].at_ms
    begins = {part: start_ms + rng.randrange(20_000, 150_000) for part in PARTITIONS[1:]}
    moved = [
        replace(record, at_ms=max(record.at_ms, begins.get(record.partition, 0))) for record in sent
    ]
    return sorted(moved, key=lambda record: record.at_ms)


def _order(rng: random.Random, index: int) -> ManualAction:
    actions: list[Literal["suspend", "resume", "freeze", "unfreeze"]]
    actions = ["suspend", "suspend", "resume", "freeze", "unfreeze", "unfreeze"]
    action = rng.choice(actions)
    number = "" if action.endswith("freeze") else f"+86215000000{rng.randrange(6)}"
    ttl_ms = 40_000 if action == "suspend" else None
    return ManualAction(f"order {index}", action, number, ttl_ms, "li", "a test")


def run_replay(site: Site, source: MemorySource, past: Past) -> list[Decision]:
    """The same log and its journal, from the beginning."""
    decisions: list[Decision] = []
    log = source.reopened()
    log.finish()
    log.start({}, None)
    replay_engine(site, log, decisions.append, past=past).run_to_end()
    return decisions

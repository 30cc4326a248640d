"""A live daemon's engine on a clock and a broker of our own, which may be killed at any step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.assembly import build_judges
from monitor.clock import ManualClock
from monitor.decisions import Ack, Command, Decision
from monitor.engine import Engine, Input, Outcome, Pace
from monitor.events.enrich import Owners
from monitor.events.rejects import MemoryDeadLetters
from monitor.indicators.compile import BEGINNING
from monitor.replay import Past, replay_engine
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.stats import Stats
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import NEVER, Floor, Watermarks
from tests.e2e.stream import PARTITIONS, Sent

PACK = Path(__file__).parent / "pack"


def nervous_site() -> Site:
    return load_site(None, packs=[PACK])


@dataclass
class Durable:
    """What survives a kill: decisions by id, the journal, the newest checkpoint."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    floors: dict[tuple[Partition, int], int] = field(default_factory=dict)
    refused: list[tuple[Partition, int]] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    judged_to: int = NEVER
    checkpoint: dict[str, Any] | None = None
    unanswered: list[Command] = field(default_factory=list)

    def past(self) -> Past:
        return Past(
            inputs=tuple(self.inputs),
            floors=tuple(Floor(p, offset, floor) for (p, offset), floor in self.floors.items()),
            refused=tuple(self.refused),
            judged_to=self.judged_to,
        )


class Recorder:
    """The recorder's interface over ``Durable``; telephony answers a little later."""

    def __init__(self, durable: Durable, rng: random.Random) -> None:
        self._durable = durable
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
        self._durable.judged_to = max(self._durable.judged_to, outcome.judged)

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        self._durable.refused += [(partition, offset) for offset in offsets]

    def inputs(self, tick: int) -> list[Input]:
        if not self._durable.unanswered or self._rng.random() < 0.5:
            return []
        command = self._durable.unanswered.pop(0)
        found = Input(tick, Ack(command.id, "applied", "", tick))
        self._durable.inputs.append(found)
        return [found]


def live_engine(
    site: Site, source: MemorySource, durable: Durable, clock: ManualClock, rng: random.Random
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
        recorder=Recorder(durable, rng),
        clock=clock,
        stats=Stats(),
        pace=Pace(max_poll_records=rng.choice([3, 50, 10_000])),
    )
    positions: dict[Partition, int] = {}
    if durable.checkpoint is not None:
        positions = engine.restore(durable.checkpoint)
    past = durable.past()
    engine.watermarks.expect(past.floors, past.refused)
    engine.expect((i for i in past.inputs if i.tick > engine.judged), past.judged_to)
    source.start(positions, None)
    return engine


def run_live(
    site: Site, sent: Sequence[Sent], seed: int, *, kills: float
) -> tuple[Durable, MemorySource]:
    """Records arrive by the clock; at each step the daemon may be killed, or checkpoint."""
    rng = random.Random(seed)
    durable = Durable()
    source = MemorySource(PARTITIONS)
    clock = ManualClock(sent[0].at_ms)
    engine = live_engine(site, source, durable, clock, rng)
    waiting = list(sent)
    end_ms = sent[-1].at_ms + 60_000
    while clock.now_ms() < end_ms:
        clock.advance(rng.choice([50, 400, 1_000, 3_000]))
        while waiting and waiting[0].at_ms <= clock.now_ms():
            record = waiting.pop(0)
            source.append(record.partition, [record.value])
        for _ in range(rng.randrange(3)):
            engine.step()
        chance = rng.random()
        if chance < kills:
            source = source.reopened()
            engine = live_engine(site, source, durable, clock, rng)
        elif chance < 0.3:
            durable.checkpoint = engine.snapshot()
    return durable, source


def run_replay(site: Site, source: MemorySource, past: Past) -> list[Decision]:
    """The same log and its journal, from the beginning."""
    decisions: list[Decision] = []
    log = source.reopened()
    log.finish()
    log.start({}, None)
    replay_engine(site, log, decisions.append, past=past).run_to_end()
    return decisions

"""Runs the stories of rule tests through the product's own engine, in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from monitor.assembly import build_judges
from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.engine import Engine, Input, Outcome, Pace
from monitor.events.enrich import Owners
from monitor.events.rejects import MemoryDeadLetters
from monitor.indicators.compile import BEGINNING
from monitor.rules.cases import Scenario
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.stats import Stats
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import Watermarks

PACKS = Path(__file__).parents[2] / "rules"


class Kept:
    """A recorder that keeps every decision."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def record(self, outcome: Outcome) -> None:
        self.decisions += outcome.decisions

    def refused(self, partition: Partition, offsets: Sequence[int]) -> None:
        message = f"nothing is refused by the wall clock in a replay: {partition} {offsets}"
        raise AssertionError(message)

    def inputs(self, tick: int) -> list[Input]:  # noqa: ARG002 - the protocol's
        return []


def run(site: Site, story: Scenario) -> list[Decision]:
    """Every decision of one story, from nothing."""
    source = MemorySource()
    source.append(Partition("calls", 0), [json.dumps(event).encode() for event in story.events])
    source.finish()
    source.start({}, None)
    kept, letters = Kept(), MemoryDeadLetters()
    config = site.config
    engine = Engine(
        source=source,
        judges=build_judges(site, covered_from=BEGINNING),
        owners=Owners(config.events.owners),
        watermarks=Watermarks(config.time.tolerances()),
        dedup=Dedup(lateness_ms=600_000, tick_ms=config.time.tick, limit=1_000_000),
        dead_letters=letters,
        recorder=kept,
        clock=ManualClock(story.until_ms),
        stats=Stats(),
        pace=Pace(tick_ms=config.time.tick, live=False),
    )
    tick = config.time.tick
    engine.promised = -(-story.until_ms // tick) * tick
    engine.run_to_end()
    assert not letters.kept, list(letters.kept)[:3]
    return kept.decisions


def shipped() -> Site:
    """The pack as shipped, with the defaults of everything else."""
    return load_site(None, packs=[PACKS / "telemarketing"])

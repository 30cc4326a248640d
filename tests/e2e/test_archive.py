"""The archive of a real daemon on Apache Kafka, killed on its way: the topics again, exactly."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer

from monitor.archive.source import ArchiveSource
from monitor.decisions import Decision
from monitor.errors import SourceError
from monitor.events.rejects import MemoryDeadLetters
from monitor.replay import replay_engine
from monitor.simulate.pacing import deliver
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import simulate
from monitor.simulate.sinks import KafkaSink
from monitor.site import Site, load_site
from monitor.source.base import Partition, Source
from monitor.source.bounded import BoundedSource
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from tests.broker.broker import Cluster
from tests.e2e.daemons import CLOCK, Daemon, config, judged, running, topics, wait
from tests.e2e.live import PACK
from tests.events import hostile

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.untraced]

Rows = dict[Partition, list[tuple[int, int, bool, bytes | None]]]


def rows_of(source: Source) -> Rows:
    rows: Rows = defaultdict(list)
    source.start({}, None)
    try:
        while not source.exhausted():
            for batch in source.poll(5_000, 0.2):
                stamps = zip(batch.offsets.tolist(), batch.timestamps.tolist(), strict=True)
                rows[batch.partition] += [
                    (offset, stamp, batch.append_time, value)
                    for (offset, stamp), value in zip(stamps, batch.values, strict=True)
                ]
    finally:
        source.close()
    return rows


def decided(site: Site, source: Source) -> tuple[list[str], list[tuple[object, ...]]]:
    """Decisions and dead letters, whatever the interleaving of partitions was."""
    told: list[Decision] = []
    dead = MemoryDeadLetters()
    source.start({}, None)
    try:
        replay_engine(site, source, told.append, dead_letters=dead).run_to_end()
    finally:
        source.close()
    refused = [(each.partition, each.offset, each.reason, each.value) for each in dead.kept]
    return [str(each.to_json()) for each in told], sorted(refused)


def reached(folder: Path) -> Mapping[Partition, int]:
    source = ArchiveSource(folder)
    try:
        source.start({}, None)
    except SourceError:
        return {}
    return {part: standing.end for part, standing in source.standings().items()}


def test_killed_and_restarted_it_is_the_topics_again(kafka: Cluster, tmp_path: Path) -> None:
    prefix, folder = topics(kafka, 3), tmp_path / "archive"
    recipe = replace(SCENARIOS["late-and-duplicate"], around_the_clock=True)
    start_ms = CLOCK.now_ms() - 500_000
    simulation = simulate(recipe, start_ms=start_ms, seed=3, rate=8.0, duration_ms=400_000)
    deliver(simulation, KafkaSink(KafkaConnection(bootstrap=kafka.bootstrap), prefix=prefix))
    rng, producer = random.Random(3), KafkaProducer(bootstrap_servers=kafka.bootstrap)
    bad = [each.value for each in hostile.corpus() if len(each.value) < 1_000_000]
    for value in [None, b"", b"\xff", b"{", *bad]:
        producer.send(prefix + "calls", value, key=b"k", partition=rng.randrange(3))
    producer.close()
    more = f"""\
archive: {{path: {folder}, every: 1s}}
rules_dir: {PACK.parent}
packs: [{PACK.name}]
"""
    daemon = Daemon(tmp_path, config(tmp_path, prefix, kafka.bootstrap, more))
    site = load_site(daemon.path)
    settings = site.config.source
    assert isinstance(settings, KafkaSettings)
    wanted = rows_of(BoundedSource(KafkaSource(settings)))
    ends = {part: rows[-1][0] + 1 for part, rows in wanted.items()}
    with running(daemon):
        wait("a first piece", lambda: reached(folder))
        daemon.kill()
        daemon.start()
        judged(daemon, simulation.truth.end_ms)
        wait("all of it", lambda: reached(folder) == ends, every_s=1.0)
        daemon.kill()
        daemon.start()
        wait("it reads again", lambda: "archive_opened" in daemon.last_log())
        assert daemon.stop() == 0
    assert rows_of(ArchiveSource(folder)) == wanted
    mine = decided(site, ArchiveSource(folder))
    assert mine == decided(site, BoundedSource(KafkaSource(settings)))
    assert mine[0]
    assert len(mine[1]) > 10

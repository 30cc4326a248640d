"""A back-test decides what the daemon's own process has decided: id by id, from its store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.backtest.run import Bench
from monitor.cli.recorded import journaled
from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.replay import Past
from monitor.simulate.pacing import deliver, to_file
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import Simulation, simulate
from monitor.simulate.sinks import KafkaSink
from monitor.site import Site, load_site
from monitor.source.base import Source
from monitor.source.bounded import BoundedSource
from monitor.source.files import FileSource
from monitor.source.kafka import KafkaSource
from monitor.source.settings import FilesSettings, KafkaConnection, KafkaSettings
from tests.e2e.live import PACK

if TYPE_CHECKING:
    from tests.broker.broker import Cluster
    from tests.e2e.daemons import Daemon

pytestmark = [pytest.mark.untraced]

CLOCK = SystemClock()
NERVOUS = f"rules_dir: {PACK.parent}\npacks: [{PACK.name}]\n"


def made(span_ms: int) -> Simulation:
    """Numbers that go bad, with late records and copies, until shortly ago."""
    recipe = replace(SCENARIOS["late-and-duplicate"], around_the_clock=True)
    start_ms = CLOCK.now_ms() - span_ms - 60_000
    return simulate(recipe, start_ms=start_ms, seed=11, rate=15.0, duration_ms=span_ms)


def backtested(site: Site, source: Source, past: Past | None) -> dict[str, str]:
    """Kind by id of what a back-test decides."""
    told: list[Decision] = []
    bench = Bench(site, source, CLOCK, past=past, tell=told.append)
    try:
        bench.start(None)
        while bench.step():
            pass
    finally:
        bench.close()
    report = bench.report()
    assert report.to_json()["total"]["suspensions"] > 0
    return {each.id: type(each).__name__ for each in told}


def stored(daemon: Daemon) -> dict[str, str]:
    """The same of what stands in the store."""
    with daemon.store() as store:
        every: list[Decision] = [
            *store.history.alerts(since_ms=0, limit=10_000),
            *store.history.commands(since_ms=0, limit=10_000),
            *store.history.refusals(since_ms=0, limit=10_000),
        ]
    return {each.id: type(each).__name__ for each in every}


def test_on_files(tmp_path: Path) -> None:
    from tests.e2e.daemons import Daemon, judged, running  # noqa: PLC0415 - needs kafka-python

    events = tmp_path / "events.jsonl"
    simulation = made(600_000)
    to_file(simulation, events)
    config = f"""\
version: 1
source: {{kind: files, paths: [{events}], follow: true, bookmarks: {tmp_path}/marks}}
events: {{dead_letters: {{path: {tmp_path}/dead.jsonl}}}}
store: {{path: {tmp_path}/monitor.db, checkpoints: {tmp_path}/checkpoints}}
exporter: {{enabled: false}}
telephony: {{kind: simulated, answers_after: 50ms}}
{NERVOUS}"""
    daemon = Daemon(tmp_path, config)
    with running(daemon):
        judged(daemon, simulation.truth.end_ms)
        assert daemon.stop() == 0
    live = stored(daemon)
    site = load_site(daemon.path)
    source = FileSource(FilesSettings(kind="files", paths=(str(events),)))
    assert backtested(site, source, journaled(site, Path("store"))) == live
    assert len(live) > 5


@pytest.mark.kafka
@pytest.mark.slow
def test_on_kafka(kafka: Cluster, tmp_path: Path) -> None:
    from tests.e2e.daemons import Daemon, config, judged, running, telephony, topics  # noqa: PLC0415

    prefix = topics(kafka, 3)
    simulation = made(600_000)
    deliver(simulation, KafkaSink(KafkaConnection(bootstrap=kafka.bootstrap), prefix=prefix))
    daemon = Daemon(tmp_path, config(tmp_path, prefix, kafka.bootstrap, NERVOUS))
    with running(daemon), telephony(prefix, kafka.bootstrap):
        judged(daemon, simulation.truth.end_ms)
        assert daemon.stop() == 0
    site = load_site(daemon.path)
    settings = site.config.source
    assert isinstance(settings, KafkaSettings)
    source = BoundedSource(KafkaSource(settings))
    assert backtested(site, source, journaled(site, Path("store"))) == stored(daemon)

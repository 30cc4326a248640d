"""Every indicator at every tick, over Apache Kafka, against DuckDB over the same records."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb
import numpy as np
import polars as pl
import pytest
from kafka import KafkaConsumer, TopicPartition

from monitor.clock import SystemClock
from monitor.decisions import Command, Decision
from monitor.engine import Engine
from monitor.indicators.now_view import AnyView
from monitor.replay import replay_engine
from monitor.simulate.pacing import deliver
from monitor.simulate.scenarios import SCENARIOS, Delivery
from monitor.simulate.simulation import Simulation, simulate
from monitor.simulate.sinks import KafkaSink
from monitor.site import Site, load_site
from monitor.source.bounded import BoundedSource
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from tests.broker.broker import Cluster
from tests.e2e import oracle

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.untraced]

EVENTS = 200_000
SPAN_MS = 4_000_000
"""Over an hour of event time."""
DELIVERY = Delivery(jitter_ms=3_000, late_share=0.02, too_late_share=0.001, duplicate_share=0.03)


@dataclass
class Watch:
    """The figures that the engine touched, tick by tick, of every view."""

    engine: Engine
    ticks: dict[tuple[str, tuple[str, ...], str], list[np.ndarray]] = field(default_factory=dict)

    def __call__(self, tick: int) -> None:
        for view in self.engine.judges.indicators.views():
            ids = view.touched()
            if len(ids):
                hits, of = view.figures(ids)
                rows = np.stack([np.full(len(ids), tick), ids, hits, of], axis=1)
                self.ticks.setdefault((view.indicator.id, view.by, view.window), []).append(rows)

    def frame(self, view: AnyView) -> pl.DataFrame:
        """``key``, ``tick``, ``hits``, ``of``: a row for each change the engine saw."""
        assert len(view.keys) == view.keys.size, "keys were evicted: ids are no names any more"
        parts = self.ticks.get((view.indicator.id, view.by, view.window), [])
        rows = np.concatenate(parts) if parts else np.empty((0, 4), dtype=np.int64)
        names = pl.Series(view.keys.names(range(view.keys.size)), dtype=pl.String)
        return pl.DataFrame(
            {
                "key": names.gather(rows[:, 1]),
                "tick": rows[:, 0],
                "hits": rows[:, 2],
                "of": rows[:, 3],
            }
        )


@dataclass
class Run:
    """One replay of the topics, with what it was made of and what it decided."""

    simulation: Simulation
    records: list[oracle.Record]
    watch: Watch
    decisions: list[Decision]


def the_site(prefix: str, bootstrap: str) -> Site:
    topics = ", ".join(f"{prefix}{topic}" for topic in ("calls", "crm", "sms"))
    source = f"{{kind: kafka, bootstrap: '{bootstrap}', topics: [{topics}]}}"
    return load_site(None, text=f"version: 1\nsource: {source}\n")


def read_back(bootstrap: str, topics: list[str]) -> Iterator[oracle.Record]:
    """All records by a plain consumer, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        parts = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(topic))
        ]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        left = sum(consumer.end_offsets(parts).values())
        while left > 0:
            batches = consumer.poll(timeout_ms=30_000, max_records=20_000)
            assert batches, f"{left} records do not come"
            for batch in batches.values():
                left -= len(batch)
                yield from ((r.topic, r.partition, r.offset, r.value) for r in batch)
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def run(kafka: Cluster) -> Run:
    prefix = f"figures-{uuid.uuid4().hex[:6]}-"
    for topic in ("calls", "crm", "sms"):
        kafka.create_topic(prefix + topic, 4, append_time=True)
    recipe = dataclasses.replace(SCENARIOS["late-and-duplicate"], around_the_clock=True)
    simulation = simulate(
        recipe,
        start_ms=SystemClock().now_ms() - SPAN_MS - 600_000,
        seed=11,
        rate=1_000 * EVENTS / SPAN_MS,
        duration_ms=SPAN_MS,
        numbers=2_000,
        delivery=DELIVERY,
    )
    deliver(simulation, KafkaSink(KafkaConnection(bootstrap=kafka.bootstrap), prefix=prefix))
    site = the_site(prefix, kafka.bootstrap)
    settings = site.config.source
    assert isinstance(settings, KafkaSettings)
    source = BoundedSource(KafkaSource(settings, SystemClock()))
    decisions: list[Decision] = []
    source.start({}, None)
    engine = replay_engine(site, source, decisions.append)
    engine.on_tick = watch = Watch(engine)
    engine.run_to_end()
    source.close()
    records = sorted(read_back(kafka.bootstrap, [prefix + t for t in ("calls", "crm", "sms")]))
    return Run(simulation, records, watch, decisions)


@pytest.fixture(scope="module")
def events(run: Run) -> list[dict[str, object]]:
    return oracle.accepted(run.records)


def test_the_traffic_is_what_was_asked_for(run: Run, events: list[dict[str, object]]) -> None:
    truth = run.simulation.truth
    assert sum(truth.events.values()) > 0.95 * EVENTS
    assert truth.duplicates > 0.02 * EVENTS
    assert truth.late > 0.01 * EVENTS
    assert truth.too_late > 0
    stats = run.watch.engine.stats
    assert sum(n for (_, what), n in stats.events.items() if what == "accepted") == len(events)
    assert stats.rejects["too_late"] > 0
    assert len(run.records) == sum(stats.records.values())
    assert stats.ticks > SPAN_MS / 5_000 * 0.99


def compare(engine: pl.DataFrame, expected: pl.DataFrame, last: int, what: str) -> None:
    """Both sides as step functions of the tick, equal at every step of either."""
    columns = [name for name in ("hits", "of") if name in expected.columns]
    expected = expected.filter(pl.col("tick") <= last)
    for left, right in ((engine, expected), (expected, engine)):
        joined = left.sort("tick").join_asof(
            right.sort("tick"), on="tick", by="key", suffix="_other", check_sortedness=False
        )
        for column in columns:
            other = pl.col(f"{column}_other").fill_null(0)
            wrong = joined.filter(pl.col(column) != other)
            assert wrong.is_empty(), f"{what} {column}: {wrong.head(5)}"


LOOKED_AT = {*oracle.FORMULAS, "number_flag_rate", "effective_talk_ratio"} - {"effective_talk"}
"""What there is SQL for here; other kinds and windows have oracles of their own."""


def test_every_indicator_at_every_tick(run: Run, events: list[dict[str, object]]) -> None:
    database = oracle.table(events)
    engine = run.watch.engine
    compared = 0
    names: set[str] = set()
    for view in engine.judges.indicators.views():
        if view.indicator.id not in LOOKED_AT or view.window not in oracle.WINDOWS:
            continue
        names.add(view.indicator.id)
        name, what = view.indicator.id, f"{view.indicator.id} {view.by} {view.window}"
        got = run.watch.frame(view)
        if name == "number_flag_rate":
            expected = flags(database, view)
        elif name == "effective_talk_ratio":
            expected = oracle.figures(database, "effective_talk", view.by, view.window)
            signed = oracle.signed_in(
                database,
                view.by[0],
                *{"1h": (3_600_000, 60_000), "8h": (28_800_000, 300_000)}[view.window],
                got,
            )
            compare(got, signed, engine.judged, what)
            expected = expected.drop("of")
        else:
            expected = oracle.figures(database, name, view.by, view.window)
            if view.kind == "count":
                expected = expected.drop("of")
        assert expected.height > 0, f"{what}: nothing to compare"
        compare(got, expected, engine.judged, what)
        compared += got.height
    assert compared > 1_000_000
    assert names == LOOKED_AT


def flags(database: duckdb.DuckDBPyConnection, view: AnyView) -> pl.DataFrame:
    """Flagged of used numbers: two distinct counts laid over each other."""
    hits = oracle.distinct(database, "type = 'number.flagged'", "number", view.by[0], view.window)
    of = oracle.distinct(
        database, f"{oracle.CALL} AND direction = 'outbound'", "number", view.by[0], view.window
    )
    steps = pl.concat([hits.select("key", "tick"), of.select("key", "tick")]).unique().sort("tick")
    for column, side in (("hits", hits), ("of", of)):
        named = side.rename({"n": column}).sort("tick")
        steps = steps.join_asof(named, on="tick", by="key", check_sortedness=False)
    return steps.with_columns(pl.col("hits", "of").fill_null(0))


def test_the_planted_numbers_and_no_others_are_suspended(run: Run) -> None:
    suspended = [
        d.number
        for d in run.decisions
        if isinstance(d, Command) and d.action == "suspend" and not d.shadow
    ]
    assert set(suspended) == set(run.simulation.truth.should_suspend)

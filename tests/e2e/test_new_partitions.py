"""Partitions, topics and files that appear while a daemon runs, on every kind of source."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from kafka import KafkaProducer

from monitor.decisions import Alert, Decision
from monitor.engine import Engine
from monitor.replay import replay_engine
from monitor.source.base import Partition, Source
from monitor.source.bounded import BoundedSource
from monitor.source.files import FileSource
from monitor.source.kafka import KafkaSource
from monitor.source.memory import MemorySource
from monitor.source.settings import FilesSettings, KafkaSettings
from tests.broker.broker import Cluster
from tests.e2e.live import Durable, SteppedClock, live_engine, nervous_site
from tests.e2e.stream import START_MS

SITE = nervous_site()
PATIENCE_S = 60.0
_names = itertools.count()


def flagged(time_ms: int, number: int) -> bytes:
    named = {"id": f"{time_ms} {number}", "type": "number.flagged", "time": time_ms}
    return json.dumps(named | {"number": f"+86215000000{number}"}).encode()


class Bench(Protocol):
    """Three partitions, of which the first is there from the beginning."""

    def source(self) -> Source: ...

    def append(self, which: int, value: bytes) -> Partition: ...


class Memory:
    """The log in memory."""

    def __init__(self) -> None:
        self._log = MemorySource()

    def source(self) -> Source:
        return self._log.reopened()

    def append(self, which: int, value: bytes) -> Partition:
        partition = Partition("calls", which)
        self._log.append(partition, [value])
        return partition


class Followed:
    """Files of a pattern."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "in").mkdir()

    def source(self) -> Source:
        named = {"kind": "files", "paths": [str(self._folder / "in" / "*.jsonl")], "follow": True}
        bookmarks = self._folder / "bookmarks"
        return FileSource(FilesSettings.model_validate({**named, "bookmarks": bookmarks}))

    def append(self, which: int, value: bytes) -> Partition:
        path = self._folder / "in" / f"{which}.jsonl"
        with path.open("ab") as file:
            file.write(value + b"\n")
        return Partition(str(path), 0)


class Broker:
    """One topic that gets a partition more, and one that is made later."""

    def __init__(self, kafka: Cluster) -> None:
        self._kafka = kafka
        self._first = kafka.create_topic(f"appear.{next(_names)}")
        self._second = f"{self._first}.later"

    def source(self) -> Source:
        named: dict[str, Any] = {"kind": "kafka", "bootstrap": self._kafka.bootstrap}
        topics = {"topics": (self._first, self._second), "discover_every": "200ms"}
        return KafkaSource(KafkaSettings.model_validate(named | topics))

    def append(self, which: int, value: bytes) -> Partition:
        if which == 1:
            self._kafka.add_partitions(self._first, 2)
        if which == 2:
            self._kafka.create_topic(self._second)
        partition = Partition(self._second, 0) if which == 2 else Partition(self._first, which)
        producer = KafkaProducer(bootstrap_servers=self._kafka.bootstrap)
        producer.send(partition.topic, value, partition=partition.number).get(timeout=30)
        producer.close(timeout=10)
        return partition


@pytest.fixture(
    params=["memory", "files", pytest.param("kafka", marks=pytest.mark.kafka)],
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "kafka":
        return Broker(request.getfixturevalue("kafka"))
    return Memory() if request.param == "memory" else Followed(tmp_path)


def stepped(engine: Engine, clock: SteppedClock, met: Callable[[], bool]) -> None:
    """Step until it is so; the engine's clock goes on, and sources have theirs."""
    until = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < until
        engine.step()
        clock.advance(100)


def test_older_records_of_what_appears_are_late_and_nothing_dies(bench: Bench) -> None:
    durable, clock = Durable(), SteppedClock(START_MS)
    bench.append(0, flagged(START_MS, 0))
    engine = live_engine(SITE, bench.source(), durable, clock, random.Random(1))  # type: ignore[arg-type]
    stepped(engine, clock, lambda: engine.judged >= START_MS + 10_000)
    new = [bench.append(n, flagged(START_MS - 15_000, n)) for n in (1, 2)]
    stepped(engine, clock, lambda: sum(engine.stats.records.values()) == 3)
    judged = engine.judged
    stepped(engine, clock, lambda: engine.judged > judged)
    assert engine.stats.resumed_late == 2
    assert sum(engine.stats.rejects.values()) == 0
    for partition in new:
        assert durable.floors[partition, 0] >= START_MS + 10_000
    engine.source.close()

    # Another start reads everything again, from no checkpoint, and the same comes of it.
    before = dict(durable.decisions)
    again = live_engine(SITE, bench.source(), durable, clock, random.Random(1))  # type: ignore[arg-type]
    stepped(again, clock, lambda: again.judged >= durable.judged_to)
    again.source.close()
    assert {d: durable.decisions[d] for d in before} == before
    begun = [
        each for each in before.values() if isinstance(each, Alert) and each.reason == "breach"
    ]
    assert len(begun) == 3, "one for each number"

    source = BoundedSource(bench.source())
    source.start({}, None)
    replayed: list[Decision] = []
    replay_engine(SITE, source, replayed.append, past=durable.past()).run_to_end()
    source.close()
    assert {decision.id for decision in replayed} >= set(before)

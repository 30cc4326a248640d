"""Where records go and when: files, rotation, the clock, the demonstration, Kafka."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import polars as pl
import pytest

from monitor.clock import ManualClock
from monitor.simulate.demo import demo_simulation, live_demo
from monitor.simulate.lines import TOPICS
from monitor.simulate.pacing import deliver, paced, to_file, to_kafka
from monitor.simulate.scenarios import DEMO_HISTORY_MS
from monitor.simulate.sinks import KafkaSink, RotatingSink
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from tests.broker.broker import Cluster, free_ports
from tests.simulate.made import MINUTE_MS, START_MS, made, run

SHORT = {"duration_ms": 5 * MINUTE_MS}


class Kept:
    """A sink that remembers what it got, and when."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.got: list[tuple[int, pl.DataFrame]] = []
        self.closed = False

    def write(self, records: pl.DataFrame) -> None:
        self.got.append((self.clock.now_ms(), records))

    def close(self) -> None:
        self.closed = True


def test_one_file_with_its_truth_beside_it(tmp_path: Path) -> None:
    truth = to_file(made("normal-day", **SHORT), tmp_path / "a" / "day.jsonl")
    assert truth == tmp_path / "a" / "day.truth.json"
    lines = (tmp_path / "a" / "day.jsonl").read_bytes().splitlines()
    told = msgspec.json.decode(truth.read_bytes())
    assert len(lines) == sum(told["events"].values()) + told["duplicates"]
    again = pl.concat(made("normal-day", **SHORT).chunks())["line"]
    assert lines == [line.encode() for line in again]


def test_a_folder_with_a_file_a_topic(tmp_path: Path) -> None:
    truth = to_file(made("normal-day", **SHORT), tmp_path / "day")
    assert truth == tmp_path / "day" / "truth.json"
    whole = pl.concat(made("normal-day", **SHORT).chunks())
    parts = {topic: (tmp_path / "day" / f"{topic}.jsonl").read_bytes() for topic in TOPICS}
    assert all(parts.values())
    assert sum(part.count(b"\n") for part in parts.values()) == whole.height
    for topic, starts in (("calls", ("call.", "complaint.", "number.")), ("sms", ("sms.",))):
        for line in parts[topic].splitlines():
            assert msgspec.json.decode(line)["type"].startswith(starts)


def test_live_records_come_when_they_are_due_and_not_before() -> None:
    clock, stop = ManualClock(START_MS + 2 * MINUTE_MS), threading.Event()
    sink = Kept(clock)
    deliver(made("late-and-duplicate", **SHORT), sink, clock=clock, stop=stop)
    assert sink.closed
    got = pl.concat(records for _, records in sink.got)
    assert got["arrival"].is_sorted()
    assert all(records["arrival"][-1] <= now for now, records in sink.got)
    first = START_MS + 2 * MINUTE_MS
    assert sum(records.height for now, records in sink.got if now == first) > 500
    # Nothing waits much longer than a slice once it is due.
    waits = [now - int(records["arrival"][0]) for now, records in sink.got if now > first]
    assert 0 <= max(waits) <= 1_000


def test_stopping_ends_the_waiting() -> None:
    clock, stop = ManualClock(START_MS), threading.Event()
    far = run("normal-day").records.with_columns(pl.col("arrival") + 10**9)
    stop.set()
    assert list(paced([far], clock, stop)) == []


def test_stopping_ends_a_delivery_and_closes_the_sink() -> None:
    clock, stop = ManualClock(START_MS), threading.Event()
    sink = Kept(clock)
    stop.set()
    deliver(made("normal-day", **SHORT), sink, stop=stop)
    assert sink.closed
    assert sink.got == []


def test_a_full_file_makes_room_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "live.jsonl"
    (tmp_path / "live.jsonl.1").write_text("of the run before\n")
    records = run("normal-day").records.head(100)
    lines = [f"{line}\n".encode() for line in records["line"]]
    sink = RotatingSink(path, bytes_max=sum(map(len, lines[:20])), keep=2)
    for begin in range(0, 100, 10):
        sink.write(records.slice(begin, 10))
    sink.write(records.head(0))
    sink.close()
    kept = [path.with_name(f"{path.name}.{n}") for n in (2, 1)]
    assert not path.with_name(f"{path.name}.3").exists()
    found = b"".join(file.read_bytes() for file in [*kept, path])
    assert b"".join(lines).endswith(found)
    assert all(file.stat().st_size >= sum(map(len, lines[:20])) * 0.8 for file in kept)
    assert "of the run before" not in found.decode()


def test_the_demonstration_writes_its_past_at_once_and_goes_on(tmp_path: Path) -> None:
    clock, stop = ManualClock(START_MS), threading.Event()
    path = tmp_path / "demo" / "events.jsonl"
    asked: list[int] = []

    def blocked() -> list[str]:
        asked.append(clock.now_ms())
        if clock.now_ms() >= START_MS + MINUTE_MS:
            stop.set()
        return []

    live_demo(path, clock, stop, blocked=blocked)
    assert sum(now == START_MS for now in asked) > 5, "the past costs no waiting"
    assert len(asked) >= 55, "telephony is asked every second"
    told = msgspec.json.decode(path.with_suffix(".truth.json").read_bytes())
    lines = path.read_bytes().splitlines()
    assert len(lines) == pytest.approx(8 * (DEMO_HISTORY_MS + MINUTE_MS) / 1_000, rel=0.1)
    flags = [line for line in lines[-1_500:] if b"number.flagged" in line]
    assert len(flags) == 1, "something happens within the first minute"
    bad = [item for item in told["planted"] if item["kind"] == "number"]
    assert len({item["name"] for item in bad}) == 60


def test_the_demonstration_has_something_going_on_at_any_hour() -> None:
    for hour in range(0, 24, 6):
        now = START_MS + hour * 60 * MINUTE_MS
        simulation = demo_simulation(now)
        assert simulation.traffic._floor.mean == 1.0
        around = [
            item
            for item in simulation.truth.planted
            if item.kind == "number" and item.from_ms < now + MINUTE_MS and now < item.until_ms
        ]
        assert len(around) >= 3
        campaigns = simulation.truth.pools
        pools = [next(c for c in campaigns if item.name in campaigns[c]) for item in around]
        assert max(pools.count(pool) for pool in pools) <= 2, "within the guards of a pool"


@pytest.mark.kafka
def test_kafka_gets_each_record_once_by_key(kafka: Cluster) -> None:
    prefix = "simulated-test."
    connection = KafkaConnection(bootstrap=kafka.bootstrap)
    sink = KafkaSink(connection, partitions=3, prefix=prefix)
    simulation = made("late-and-duplicate", **SHORT)
    whole = pl.concat(simulation.chunks())
    sink.write(whole.head(1_000))
    sink.write(whole.slice(1_000))
    sink.close()
    topics = tuple(prefix + topic for topic in TOPICS)
    source = KafkaSource(KafkaSettings.of(connection, *topics))
    source.start({}, None)
    places: dict[bytes, set[Partition]] = {}
    stamps: list[int] = []
    count = 0
    while count < whole.height:
        for fetched in source.poll(10_000, 5.0):
            stamps += fetched.timestamps.tolist()
            for value in fetched.values:
                assert value is not None
                places.setdefault(value, set()).add(fetched.partition)
                count += 1
    source.close()
    assert count == whole.height
    assert sorted(places) == sorted({line.encode() for line in whole["line"]})
    assert all(len(where) == 1 for where in places.values()), "copies share their partition"
    assert len({part for where in places.values() for part in where}) == 9
    assert sorted(stamps) == whole["arrival"].to_list()


@pytest.mark.kafka
def test_kafka_makes_only_the_topics_that_are_missing(kafka: Cluster, tmp_path: Path) -> None:
    connection = KafkaConnection(bootstrap=kafka.bootstrap)
    simulation = made("normal-day", duration_ms=MINUTE_MS)
    to_kafka(simulation, connection, partitions=2, truth=tmp_path / "truth.json")
    again = KafkaSink(connection, partitions=5)
    assert len(again._producer.partitions_for("calls")) == 2
    again.close()
    assert (tmp_path / "truth.json").exists()


NOBODY_THERE = """
import sys, threading
from monitor.errors import SourceUnavailable
from monitor.simulate.sinks import KafkaSink
from monitor.source.settings import KafkaConnection
nowhere = {"bootstrap": sys.argv[1], "connect_timeout": "300ms"}
try:
    KafkaSink(KafkaConnection.model_validate(nowhere))
except SourceUnavailable as fault:
    print(fault, threading.active_count(), sep="|")
"""


def test_no_broker_is_told_and_leaves_no_thread() -> None:
    # In a process of its own: the client leaves refused sockets to the garbage collector.
    port = free_ports(("none",))["none"]
    command = [sys.executable, "-W", "ignore", "-c", NOBODY_THERE, f"127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    said, threads = done.stdout.splitlines()[-1].split("|")
    assert said.startswith(f"connecting to 127.0.0.1:{port}")
    assert threads == "1"

"""KafkaSource against a real Apache Kafka."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import Mock

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import LogTruncationError

from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition
from monitor.source.kafka import SAME_FAULT_MAX, KafkaSource
from monitor.source.kafka_guard import PLAIN, fits
from monitor.source.records import Records
from monitor.source.settings import KafkaSettings
from tests.broker.broker import SCRAM_PASSWORD, SCRAM_USER, Broker, Cluster, admin_of, free_ports
from tests.source.contract import (
    AWAIT_S,
    Rows,
    SourceContract,
    at_end,
    gather,
    gather_count,
    gather_to_end,
    values,
)

pytestmark = pytest.mark.kafka

_names = itertools.count()


@pytest.fixture(scope="module")
def producer(kafka: Cluster) -> Iterator[KafkaProducer]:
    made = KafkaProducer(
        bootstrap_servers=kafka.bootstrap, max_request_size=2**24, reconnect_backoff_max_ms=500
    )
    yield made
    made.close(timeout=10)


def settings(bootstrap: str, *topics: str, **more: Any) -> KafkaSettings:
    quick = {"discover_every": "200ms", "connect_timeout": "20s", "request_timeout": "20s"}
    named = {"kind": "kafka", "bootstrap": bootstrap, "topics": topics}
    return KafkaSettings.model_validate({**named, **quick, **more})


class KafkaBench:
    def __init__(self, kafka: Cluster, producer: KafkaProducer) -> None:
        self.kafka = kafka
        self.producer = producer
        self.topic = kafka.create_topic(f"source.{next(_names)}", 2)
        self.partitions = [Partition(self.topic, 0), Partition(self.topic, 1)]
        self.settings = settings(kafka.bootstrap, self.topic)

    def reader(self) -> KafkaSource:
        return KafkaSource(self.settings)

    def append(
        self, partition: Partition, records: Sequence[bytes | None], *, timestamp_ms: int = 1_000
    ) -> None:
        for value in records:
            self.producer.send(
                partition.topic,
                value,
                key=b"k",
                partition=partition.number,
                timestamp_ms=timestamp_ms,
            )
        self.producer.flush(30)

    def grow(self) -> Partition:
        self.kafka.add_partitions(self.topic, 3)
        new = Partition(self.topic, 2)

        def known() -> bool:
            return 2 in self.producer.partitions_for(self.topic)

        if not known():
            self.producer._metadata.request_update()
        wait_until(known)
        return new

    def leave_gap(self, partition: Partition) -> None:
        """An aborted transaction: its records and its marker are never handed out."""
        transact(self.kafka, partition, [b"never", b"seen"], commit=False)

    def forget(self, partition: Partition, below: int) -> None:
        with admin_of(self.kafka.bootstrap) as admin:
            admin.delete_records({TopicPartition(*partition): below})


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + AWAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def transact(kafka: Cluster, partition: Partition, records: list[bytes], *, commit: bool) -> None:
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"txn-{next(_names)}"
    )
    producer.init_transactions()
    producer.begin_transaction()
    for record in records:
        producer.send(partition.topic, record, partition=partition.number)
    producer.flush(30)
    if commit:
        producer.commit_transaction()
    else:
        producer.abort_transaction()
    producer.close(timeout=10)


@pytest.fixture
def bench(kafka: Cluster, producer: KafkaProducer) -> KafkaBench:
    return KafkaBench(kafka, producer)


class TestKafka(SourceContract):
    def test_batches_are_unpacked_whole(self, bench: KafkaBench) -> None:
        """What all the others here go by, unless they say otherwise."""
        one, _ = bench.partitions
        bench.append(one, values(0, 3))
        source = bench.reader()
        source.start({}, None)
        chunks = gather_chunks(source, 3)
        source.close()
        assert all(isinstance(chunk.values, Records) for chunk in chunks)


class TestKafkaRecordByRecord(SourceContract):
    """As where the client is not one that batches can be unpacked whole of."""

    @pytest.fixture(autouse=True)
    def _plain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PLAIN, "1")


# What only Kafka does.


def test_a_broker_killed_in_the_middle_costs_and_repeats_nothing(
    bench: KafkaBench, own_broker: Broker
) -> None:
    one, two = bench.partitions
    bench.append(one, values(0, 3_000))
    bench.append(two, values(3_000, 5_000))
    source = bench.reader()
    source.start({}, None)
    rows = gather(source, lambda rows: sum(map(len, rows.values())) > 500, max_records=100)
    own_broker.kill()
    unavailable = 0
    deadline = time.monotonic() + AWAIT_S
    while not unavailable:  # what the client had fetched still comes; then it says so
        assert time.monotonic() < deadline
        try:
            for chunk in source.poll(100, 0.1):
                pairs = zip(chunk.offsets.tolist(), chunk.values, strict=True)
                rows.setdefault(chunk.partition, []).extend(pairs)
        except SourceUnavailable:
            unavailable += 1
    assert not at_end({one: source.standings()[one]})
    own_broker.start()
    bench.append(one, values(5_000, 5_100))
    left = 5_100 - sum(map(len, rows.values()))
    for partition, more in gather_patiently(source, left).items():
        rows.setdefault(partition, []).extend(more)
    source.close()
    assert [value for _, value in rows[one]] == [*values(0, 3_000), *values(5_000, 5_100)]
    assert [value for _, value in rows[two]] == values(3_000, 5_000)


def test_a_silent_broker_is_never_an_idle_stream(bench: KafkaBench, own_broker: Broker) -> None:
    one, _ = bench.partitions
    source = KafkaSource(settings(bench.kafka.bootstrap, bench.topic, request_timeout="2s"))
    source.start({}, None)
    gather_to_end(source)
    own_broker.pause()
    try:
        with pytest.raises(SourceUnavailable):
            gather_count(source, 1)
        assert not at_end(source.standings())
    finally:
        own_broker.resume()
    bench.append(one, values(0, 5))
    assert len(gather_patiently(source, 5)[one]) == 5
    source.close()


def test_no_broker_at_all_is_told_at_once_and_leaves_no_thread() -> None:
    port = free_ports(("none",))["none"]
    source = KafkaSource(settings(f"127.0.0.1:{port}", "calls", connect_timeout="300ms"))
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="connecting to"):
            source.start({}, None)
    wait_until(lambda: threading.active_count() <= before)
    source.close()


def test_a_topic_made_later_is_found_and_asking_does_not_make_it(
    kafka: Cluster, producer: KafkaProducer
) -> None:
    late = f"late.{next(_names)}"
    source = KafkaSource(settings(kafka.bootstrap, late))
    source.start({}, None)
    assert source.poll(10, 0.3) == []
    assert source.standings() == {}
    with admin_of(kafka.bootstrap) as admin:
        assert late not in admin.list_topics()
    kafka.create_topic(late, 3)
    producer.send(late, b"here", partition=2).get(30)
    rows = gather_count(source, 1)
    assert rows == {Partition(late, 2): [(0, b"here")]}
    assert len(source.standings()) == 3
    source.close()


def test_log_append_time_is_told_and_a_change_splits_the_chunk(
    kafka: Cluster, producer: KafkaProducer
) -> None:
    topic = kafka.create_topic(f"appended.{next(_names)}", append_time=True)
    before_ms = time.time_ns() // 1_000_000
    producer.send(topic, b"1", timestamp_ms=5, partition=0).get(30)
    kafka.configure_topic(topic, {"message.timestamp.type": "CreateTime"})
    producer.send(topic, b"2", timestamp_ms=6, partition=0).get(30)
    source = KafkaSource(settings(kafka.bootstrap, topic))
    source.start({}, None)
    chunks = gather_chunks(source, 2)
    source.close()
    assert [chunk.append_time for chunk in chunks] == [True, False]
    assert chunks[0].timestamps[0] >= before_ms
    assert chunks[1].timestamps.tolist() == [6]


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd", None])
def test_compression(kafka: Cluster, codec: str | None) -> None:
    topic = kafka.create_topic(f"packed.{next(_names)}")
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap, compression_type=codec, linger_ms=200
    )
    for value in values(0, 300):
        producer.send(topic, value, key=b"k")
    producer.close(timeout=30)
    source = KafkaSource(settings(kafka.bootstrap, topic))
    partition = Partition(topic, 0)
    source.start({partition: 123}, None)  # in the middle of a compressed batch
    rows = gather_count(source, 177)[partition]
    source.close()
    assert rows == list(zip(range(123, 300), values(123, 300), strict=True))


def test_a_fetch_is_bounded_and_a_larger_record_still_comes(kafka: Cluster) -> None:
    topic = kafka.create_topic(f"large.{next(_names)}")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    sizes = [10, 400_000, 10, 300_000, 300_000, 10]
    for size in sizes:  # a batch each, for a batch is never cut
        producer.send(topic, b"x" * size, key=b"k").get(30)
    producer.close(timeout=30)
    tight = {"fetch_bytes": "100kB", "fetch_bytes_per_partition": "50kB"}
    source = KafkaSource(settings(kafka.bootstrap, topic, **tight))
    source.start({}, None)
    polls: list[list[int]] = []
    while sum(map(len, polls)) < len(sizes):
        chunks = source.poll(100, 1.0)
        polls += [[len(value or b"") for value in chunk.values] for chunk in chunks]
    source.close()
    assert [size for poll in polls for size in poll] == sizes
    assert max(sum(poll) for poll in polls) <= 400_000 + 10, "two large ones never come together"


def test_an_aborted_transaction_is_invisible_and_a_committed_one_is_not(bench: KafkaBench) -> None:
    one, _ = bench.partitions
    transact(bench.kafka, one, [b"a1", b"a2"], commit=False)
    transact(bench.kafka, one, [b"c1", b"c2"], commit=True)
    transact(bench.kafka, one, [b"a3"], commit=False)
    source = bench.reader()
    source.start({}, None)
    rows = gather_to_end(source)
    standing = source.standings()[one]
    source.close()
    assert [value for _, value in rows[one]] == [b"c1", b"c2"]
    assert standing.position == standing.end == 8  # three markers and three aborted records too


def test_an_open_transaction_is_not_the_end(bench: KafkaBench) -> None:
    one, two = bench.partitions
    source = bench.reader()
    source.start({}, None)
    producer = KafkaProducer(
        bootstrap_servers=bench.kafka.bootstrap, transactional_id=f"open-{next(_names)}"
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(one.topic, b"undecided", partition=0)
    producer.flush(30)
    wait_until(lambda: source.poll(10, 0.05) == [] and not at_end({one: source.standings()[one]}))
    for _ in range(30):
        assert source.poll(10, 0.05) == []
        assert not at_end({one: source.standings()[one]})
    wait_until(lambda: source.poll(10, 0.05) == [] and at_end({two: source.standings()[two]}))
    late = bench.reader()  # begins at the last stable offset, which is not the end either
    late.start({one: 0}, None)
    assert not at_end({one: late.standings()[one]})
    producer.commit_transaction()
    producer.close(timeout=10)
    assert gather_to_end(source)[one] == [(0, b"undecided")]
    assert gather_to_end(late)[one] == [(0, b"undecided")]
    source.close()
    late.close()


def compacting(kafka: Cluster, name: str) -> str:
    """A topic that the broker compacts as soon as it can."""
    quick = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
        "delete.retention.ms": "0",
    }
    return kafka.create_topic(name, configs=quick)


def compacted(
    kafka: Cluster, producer: KafkaProducer, topic: str, below: int
) -> list[tuple[int, bytes | None]]:
    """What is left of partition 0 once there are less than ``below`` records."""
    partition = Partition(topic, 0)

    def read() -> list[tuple[int, bytes | None]]:
        source = KafkaSource(settings(kafka.bootstrap, topic))
        source.start({partition: 0}, None)
        rows = gather_to_end(source)[partition]
        standing = source.standings()[partition]
        source.close()
        assert standing.position == standing.end
        return rows

    def cleaned() -> bool:
        # A new record rolls the segment, and a rolled one is cleaned.
        producer.send(topic, b"roll", key=b"other").get(30)
        return len(read()) < below

    wait_until(cleaned)
    return read()


def frozen(kafka: Cluster, topic: str) -> None:
    """Have the broker compact it no more, so that whoever reads it twice reads the same."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    kept = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"cleanup.policy": "delete"})
    admin.alter_configs([kept], incremental=True)
    admin.close()
    partition = Partition(topic, 0)

    def offsets() -> list[int]:
        source = KafkaSource(settings(kafka.bootstrap, topic))
        source.start({partition: 0}, None)
        rows = gather_to_end(source)[partition]
        source.close()
        return [int(row[0]) for row in rows]

    # What was being compacted just then may still be put in its place.
    wait_until(lambda: offsets() == offsets())


def test_compaction_leaves_holes_that_are_read_over(
    kafka: Cluster, producer: KafkaProducer
) -> None:
    topic = compacting(kafka, f"compacted.{next(_names)}")
    for n in range(50):
        producer.send(topic, b"%d" % n, key=b"same").get(30)
    rows = compacted(kafka, producer, topic, 40)
    assert rows[-1][1] == b"roll"
    partition = Partition(topic, 0)
    resumed = KafkaSource(settings(kafka.bootstrap, topic))
    resumed.start({partition: 10}, None)  # an offset that no longer exists
    assert gather_to_end(resumed)[partition] == [row for row in rows if row[0] >= 10]
    resumed.close()


def test_tls(bench: KafkaBench, own_broker: Broker) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 3))
    trusting = {"tls": {"ca_file": str(own_broker.certificate)}}
    source = KafkaSource(settings(own_broker.ssl, bench.topic, security=trusting))
    source.start({}, None)
    assert len(gather_count(source, 3)[one]) == 3
    source.close()
    doubting = settings(own_broker.ssl, bench.topic, security={"tls": {}}, connect_timeout="1s")
    with pytest.raises(SourceUnavailable):
        KafkaSource(doubting).start({}, None)


def test_scram(bench: KafkaBench, own_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 3))
    monkeypatch.setenv("KAFKA_PASSWORD", SCRAM_PASSWORD)

    def login(password: dict[str, str], **more: Any) -> KafkaSource:
        sasl = {"mechanism": "SCRAM-SHA-256", "username": SCRAM_USER, "password": password}
        return KafkaSource(settings(own_broker.sasl, bench.topic, security={"sasl": sasl}, **more))

    source = login({"env": "KAFKA_PASSWORD"})
    source.start({}, None)
    assert len(gather_count(source, 3)[one]) == 3
    source.close()
    # The broker closes the connection behind its answer, and the client may miss the answer.
    with pytest.raises((SourceError, SourceUnavailable), match=r"SaslAuthenticationFailed|login"):
        login({"value": "wrong"}, connect_timeout="1s").start({}, None)


class NotUtf8(str):
    """A header's name that the producer takes for text."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        return b"caf\xe9"


def test_a_header_that_anyone_may_write_does_not_stop_reading(
    bench: KafkaBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client refuses its batch whenever it is read; it looks at headers, and we do not."""
    one, _ = bench.partitions
    bench.append(one, values(0, 1))
    headers = [(NotUtf8("x"), b"")]
    bench.producer.send(one.topic, b"here", headers=headers, partition=one.number).get(30)
    source = bench.reader()
    source.start({}, None)
    assert [value for _, value in gather_count(source, 2)[one]] == [*values(0, 1), b"here"]
    source.close()
    monkeypatch.setenv(PLAIN, "1")
    plain = bench.reader()
    plain.start({}, None)
    with pytest.raises(SourceUnavailable, match="UnicodeDecodeError"):
        gather_count(plain, 2)
    plain.close()


def test_a_log_that_was_cut_off_is_read_again_from_the_cut(bench: KafkaBench) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 10))
    source = bench.reader()
    source.start({}, None)
    gather_count(source, 10)
    consumer = source._consumer
    assert consumer is not None
    part = TopicPartition(*one)
    for cut, first in ((OffsetAndMetadata(4, "", -1), 4), (None, 0)):  # unknown: the beginning
        with pytest.MonkeyPatch.context() as patched:
            fault = LogTruncationError({part: cut})
            patched.setattr(consumer, "poll", Mock(side_effect=fault))
            assert source.poll(10, 0.0) == []
        assert source.standings()[one].position == first
        rows = gather_count(source, 10 - first)[one]
        assert [value for _, value in rows] == values(first, 10)
    assert source.out_of_range == 2
    assert not source.standings()[one].complete
    source.close()


def test_a_position_beyond_the_end_begins_anew(bench: KafkaBench) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 3))
    source = bench.reader()
    source.start({one: 50}, None)
    assert [value for _, value in gather_count(source, 3)[one]] == values(0, 3)
    assert source.out_of_range == 1
    source.close()


def test_a_client_that_fails_is_replaced_and_reading_goes_on(
    bench: KafkaBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 10))
    source = bench.reader()
    source.start({}, None)
    first = gather(source, bool, max_records=4)[one]
    monkeypatch.setattr(source._consumer, "poll", Mock(side_effect=RuntimeError("loop crashed")))
    with pytest.raises(SourceUnavailable, match="loop crashed"):
        source.poll(10, 0.0)
    rest = gather_count(source, 10 - len(first))[one]
    assert [value for _, value in [*first, *rest]] == values(0, 10)
    assert source.standings()[one].complete  # it is the same reading
    source.close()


def test_a_damaged_batch_is_an_error_after_some_tries(
    bench: KafkaBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 3))
    assert fits()  # what is tried out below is not to be the batches of the guard's own trial
    monkeypatch.setattr(
        "kafka.record.default_records.DefaultRecordBatch.validate_crc", lambda _self: False
    )
    monkeypatch.setattr("monitor.source.kafka_whole.calc_crc32c", lambda _bytes: -1)
    source = bench.reader()
    source.start({}, None)
    for _ in range(SAME_FAULT_MAX - 1):
        with pytest.raises(SourceUnavailable, match="CorruptRecord"):
            gather_count(source, 3)
    with pytest.raises(SourceError, match="will not heal"):
        gather_count(source, 3)
    monkeypatch.undo()
    assert [value for _, value in gather_count(source, 3)[one]] == values(0, 3)
    source.close()


def test_lag_tools_see_committed_offsets(bench: KafkaBench) -> None:
    one, _ = bench.partitions
    bench.append(one, values(0, 3))
    group = f"lag.{next(_names)}"
    source = KafkaSource(
        settings(bench.kafka.bootstrap, bench.topic, lag_group=group, lag_every="100ms")
    )
    source.start({}, None)
    gather_count(source, 3)
    watcher = KafkaConsumer(bootstrap_servers=bench.kafka.bootstrap, group_id=group)

    def committed() -> bool:
        source.poll(10, 0.05)
        return bool(watcher.committed(TopicPartition(*one)) == 3)

    wait_until(committed)
    watcher.close(autocommit=False)
    source.close()


def gather_chunks(source: KafkaSource, count: int) -> list[Fetched]:
    """As they come, until there are ``count`` records."""
    chunks: list[Fetched] = []
    deadline = time.monotonic() + AWAIT_S
    while sum(len(chunk.values) for chunk in chunks) < count:
        assert time.monotonic() < deadline
        chunks += source.poll(10, 0.1)
    return chunks


def gather_patiently(source: KafkaSource, count: int) -> Rows:
    """As ``gather_count``, through a broker that is away for a while."""
    rows: Rows = {}
    deadline = time.monotonic() + AWAIT_S
    while sum(map(len, rows.values())) < count:
        assert time.monotonic() < deadline
        try:
            chunks = source.poll(1_000, 0.1)
        except SourceUnavailable:
            continue
        for chunk in chunks:
            pairs = zip(chunk.offsets.tolist(), chunk.values, strict=True)
            rows.setdefault(chunk.partition, []).extend(pairs)
    return rows

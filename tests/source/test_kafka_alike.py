"""On a real broker: batches unpacked whole, and record by record by the client, tell the same."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.protocol import parser
from kafka.protocol.frame import KafkaBytes

from monitor.source.base import Fetched, Partition
from monitor.source.kafka import KafkaSource
from monitor.source.kafka_guard import PLAIN
from monitor.source.records import Records
from monitor.source.settings import KafkaSettings
from tests.broker.broker import Cluster
from tests.source.contract import AWAIT_S, at_end, check_shape
from tests.source.test_kafka import compacted, compacting, frozen, transact

pytestmark = pytest.mark.kafka

_names = itertools.count()


def read(
    kafka: Cluster, topic: str, positions: dict[Partition, int], max_records: int, *, plain: bool
) -> tuple[list[Fetched], dict[Partition, Any]]:
    """All there is from ``positions`` on, and where the source stands then."""
    connection = KafkaSettings(kind="kafka", bootstrap=kafka.bootstrap, topics=(topic,))
    source = KafkaSource(connection)
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv(PLAIN, raising=False)
        if plain:
            patched.setenv(PLAIN, "1")
            patched.setattr(parser, "KafkaBytes", KafkaBytes)  # what another test may have changed
        source.start(positions, None)
        chunks: list[Fetched] = []
        deadline = time.monotonic() + AWAIT_S
        while not at_end(source.standings()):
            assert time.monotonic() < deadline, source.standings()
            chunks += source.poll(max_records, 0.1)
        standings = {part: (each.position, each.end) for part, each in source.standings().items()}
        source.close()
    for chunk in chunks:
        check_shape(chunk)
    return chunks, standings


def rows(chunks: Sequence[Fetched]) -> dict[Partition, list[tuple[Any, ...]]]:
    """Record by record."""
    found: dict[Partition, list[tuple[Any, ...]]] = {}
    for chunk in chunks:
        times = chunk.timestamps.tolist()
        found.setdefault(chunk.partition, []).extend(
            (offset, stamp, chunk.append_time, value)
            for offset, stamp, value in zip(chunk.offsets, times, chunk.values, strict=True)
        )
    return found


def alike(
    kafka: Cluster, topic: str, positions: dict[Partition, int] | None = None, most: int = 20_000
) -> list[Fetched]:
    """What is read whole, once it is what is read record by record."""
    whole, stands = read(kafka, topic, positions or {}, most, plain=False)
    plain, stood = read(kafka, topic, positions or {}, most, plain=True)
    assert not any(isinstance(chunk.values, Records) for chunk in plain)
    assert rows(whole) == rows(plain)
    assert stands == stood
    return whole


@pytest.fixture
def topic(kafka: Cluster) -> str:
    return kafka.create_topic(f"alike.{next(_names)}", 2, configs={"max.message.bytes": "20000000"})


@pytest.fixture(params=[None, "gzip", "lz4", "zstd"])
def producer(kafka: Cluster, request: pytest.FixtureRequest) -> Iterator[KafkaProducer]:
    made = KafkaProducer(
        bootstrap_servers=kafka.bootstrap,
        compression_type=request.param,
        linger_ms=100,
        max_request_size=2**24,
    )
    yield made
    made.close(timeout=10)


def send(producer: KafkaProducer, topic: str, count: int, *, nulls: bool = False) -> None:
    """Batches of all sizes, with and without keys, headers and values."""
    rng = random.Random(count)
    for number in range(count):
        value = rng.choice([b"", b"%d" % number, b"x" * rng.randrange(400)])
        is_null = nulls and number % 7 == 3
        producer.send(
            topic,
            None if is_null else value,
            key=b"key" if is_null else rng.choice([None, b"", b"key"]),
            headers=[("name", b"text"), ("电话", b"")] if number % 5 == 0 else [],
            partition=rng.randrange(2),
            timestamp_ms=1_795_309_200_000 + rng.randrange(-5_000, 5_000),
        )
        if rng.random() < 0.02:
            producer.flush(30)
    producer.flush(30)


def test_every_codec_from_any_place_in_any_portions(
    kafka: Cluster, topic: str, producer: KafkaProducer
) -> None:
    send(producer, topic, 1_500)
    whole = alike(kafka, topic)
    assert all(isinstance(chunk.values, Records) for chunk in whole)
    assert sum(len(chunk.values) for chunk in whole) == 1_500
    assert len(whole) < 30  # not one for each batch
    for first, most in ((1, 7), (123, 100), (500, 1), (699, 20_000)):
        alike(kafka, topic, {Partition(topic, 0): first, Partition(topic, 1): first + 3}, most)


def test_tombstones_and_a_large_record_among_small_ones(
    kafka: Cluster, topic: str, producer: KafkaProducer
) -> None:
    send(producer, topic, 300, nulls=True)
    large = os.urandom(100) * 100_000
    producer.send(topic, large, partition=0).get(60)
    send(producer, topic, 20)
    whole = alike(kafka, topic)
    read = [value for chunk in whole for value in chunk.values]
    assert large in read
    assert None in read
    alike(kafka, topic, {Partition(topic, 0): 17}, 5)


def test_transactions_committed_aborted_and_among_other_records(kafka: Cluster, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for number, commit in enumerate([True, False, False, True]):
        for part in (0, 1):
            values = [b"%d-%d" % (number, n) for n in range(50)]
            transact(kafka, Partition(topic, part), values, commit=commit)
            producer.send(topic, b"between", partition=part).get(30)
    producer.close(timeout=10)
    whole = alike(kafka, topic)
    read = [value for chunk in whole for value in chunk.values]
    assert len(read) == 2 * (4 + 2 * 50)
    assert b"1-0" not in read
    for first in (1, 60, 75, 110, 170):
        alike(kafka, topic, {Partition(topic, 0): first, Partition(topic, 1): 0}, 13)


def test_the_broker_s_own_time(kafka: Cluster) -> None:
    topic = kafka.create_topic(f"alike.{next(_names)}", 2, append_time=True)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20)
    send(producer, topic, 200)
    kafka.configure_topic(topic, {"message.timestamp.type": "CreateTime"})
    send(producer, topic, 100)
    producer.close(timeout=10)
    whole = alike(kafka, topic)
    assert {chunk.append_time for chunk in whole} == {True, False}


def test_a_compacted_topic_from_every_offset(kafka: Cluster) -> None:
    topic = compacting(kafka, f"alike.{next(_names)}")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20)
    for number in range(200):
        often = number % 3 > 0
        producer.send(topic, b"%d" % number, key=b"often" if often else b"%d" % number)
        if number % 30 == 29:
            producer.flush(30)
    producer.flush(30)
    compacted(kafka, producer, topic, 100)
    producer.close(timeout=10)
    frozen(kafka, topic)
    partition = Partition(topic, 0)
    offsets = [int(row[0]) for row in rows(alike(kafka, topic))[partition]]
    gaps = [after - before for before, after in itertools.pairwise(offsets)]
    assert sum(gap > 1 for gap in gaps) > 5  # holes within batches
    for first in range(0, offsets[-1], 9):
        alike(kafka, topic, {partition: first}, 3)


def test_thousands_of_small_batches_are_few_chunks(kafka: Cluster, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=0, batch_size=1)
    for number in range(3_000):
        producer.send(topic, b"%d" % number, partition=0)
    producer.close(timeout=60)
    whole = alike(kafka, topic)
    assert sum(len(chunk.values) for chunk in whole) == 3_000
    assert len(whole) < 20

"""KafkaSource against a real Apache Kafka."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Partition, Source
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaSettings
from tests.broker.broker import SCRAM_PASSWORD, SCRAM_USER, Broker, Cluster, admin_of, free_ports
from tests.source.contract import (
    AWAIT_S,
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
    made = KafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=2**24)
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
        self, partition: Partition, values: Sequence[bytes | None], *, timestamp_ms: int = 1_000
    ) -> None:
        for value in values:
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
    pass

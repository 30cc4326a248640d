"""Record batches made by hand are what the client library reads, and the broker takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record import MemoryRecords

from bench.wire import WireProducer, record_batch
from tests.broker.broker import Cluster
from tests.e2e.daemons import records


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=200), st.integers(0, 2**41))
def test_the_client_library_reads_what_was_written(values: list[bytes], at_ms: int) -> None:
    batches = MemoryRecords(record_batch(values, at_ms))
    batch: Any = batches.next_batch()
    assert batch.validate_crc()
    read = list(batch)
    assert [record.value for record in read] == values
    assert {record.timestamp for record in read} == {at_ms}
    assert {record.key for record in read} == {None}
    assert not batches.has_next()


@pytest.mark.kafka
def test_the_broker_takes_them(kafka: Cluster) -> None:
    topic = kafka.create_topic("bench.wire", 1)
    producer = WireProducer(kafka.bootstrap, topic)
    values = [b"%d" % number for number in range(1_000)]
    for first in range(0, 1_000, 100):
        producer.send({0: record_batch(values[first : first + 100], 1)})
    producer.close()
    assert [record.value for record in records(kafka.bootstrap, topic)] == values


@pytest.mark.kafka
def test_a_refusal_is_told(kafka: Cluster) -> None:
    producer = WireProducer(kafka.bootstrap, kafka.create_topic("bench.refused", 1))
    producer.send({7: record_batch([b"x"], 1)})
    with pytest.raises(OSError, match=r"refusals \{3\}"):
        producer.close()

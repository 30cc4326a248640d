"""Webhooks kept in Kafka: confirmed by the broker, or refused in time."""

from __future__ import annotations

import time

import pytest

from monitor.errors import MonitorError
from monitor.ingest.sinks import KafkaSink
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from tests.broker.broker import Cluster
from tests.deploy.tools import free_port


@pytest.mark.kafka
def test_a_kept_record_is_on_the_topic(kafka: Cluster) -> None:
    kafka.create_topic("hooks.whatsapp", partitions=1)
    sink = KafkaSink(KafkaConnection(bootstrap=kafka.bootstrap), "hooks.")
    try:
        sink.keep([("whatsapp", b'{"a":1}'), ("whatsapp", b'{"a":2}')])
        sink.keep([("whatsapp", b'{"a":3}')])
    finally:
        sink.close()
    source = KafkaSource(
        KafkaSettings(kind="kafka", bootstrap=kafka.bootstrap, topics=("hooks.whatsapp",))
    )
    source.start({}, None)
    found: list[bytes | None] = []
    until = time.monotonic() + 30
    while len(found) < 3 and time.monotonic() < until:
        for fetched in source.poll(100, 0.2):
            assert fetched.partition == Partition("hooks.whatsapp", 0)
            found += fetched.values
    source.close()
    assert found == [b'{"a":1}', b'{"a":2}', b'{"a":3}']


def test_a_broker_that_is_away_is_said_and_nothing_is_kept() -> None:
    connection = KafkaConnection.model_validate(
        {"bootstrap": f"127.0.0.1:{free_port()}", "connect_timeout": "1s"}
    )
    sink = KafkaSink(connection, "hooks.")
    with pytest.raises(MonitorError):
        sink.keep([("whatsapp", b"{}")])
    sink.close()

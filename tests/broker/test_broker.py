"""The harness itself: a record outlives a SIGKILL, and the process ends with its owner."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from tests.broker.broker import Broker, BrokerError, Cluster

pytestmark = pytest.mark.kafka


def test_a_record_outlives_a_sigkill_of_the_broker(kafka: Cluster, own_broker: Broker) -> None:
    topic = kafka.create_topic("harness.durable")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    producer.send(topic, b"kept").get(timeout=30)
    producer.close(timeout=10)
    own_broker.kill()
    host, port = kafka.bootstrap.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 1)
    own_broker.start()
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), 0)
    polled = consumer.poll(timeout_ms=30_000)
    consumer.close()
    assert [record.value for records in polled.values() for record in records] == [b"kept"]


def test_records_of_long_ago_stay(kafka: Cluster) -> None:
    """Tests have dates of their own: no record may go because a week has passed since."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    told = admin.describe_configs(
        [ConfigResource(ConfigResourceType.BROKER, "1")], config_filter="all"
    )
    admin.close()
    assert told["broker"]["1"]["log.retention.ms"]["value"] == "-1"


def test_starting_twice_is_refused(own_broker: Broker) -> None:
    with pytest.raises(BrokerError, match="running already"):
        own_broker.start()


@pytest.mark.usefixtures("own_broker")
def test_a_broker_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    broken = Broker(tmp_path)
    broken.format()
    properties = tmp_path / "server.properties"
    properties.write_text(properties.read_text().replace("node.id=1", "node.id=nonsense"))
    with pytest.raises(BrokerError, match="nonsense"):
        broken.start()
    assert broken._process is None

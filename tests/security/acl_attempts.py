"""What is tried on a broker with ACLs: by parts of the daemon, and by clients that mean harm.

Owns single attempts; who may do what is in ``acls.py``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, TopicAuthorizationFailedError
from structlog.testing import capture_logs

from monitor.errors import DeliveryError, MonitorError, SourceUnavailable
from monitor.events.batch import Reject
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.dead_letters import KafkaDeadLetters
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.settings import TelephonySettings
from tests.broker.broker import Broker
from tests.broker.guarded import administrator, connection_as
from tests.daemon.running import eventually
from tests.security.acls import COMMANDS, D

_names = itertools.count()


# What the daemon does with a right, and what it says when that is missing: nothing when it is not.


def by_source(broker: Broker, topic: str) -> str:
    source = KafkaSource(KafkaSettings.of(connection_as(broker, D), topic))
    try:
        source.start({}, None)
        source.poll(100, 0.1)
        source.poll(100, 0.1)
    except MonitorError as fault:
        return str(fault)
    finally:
        source.close()
    return ""


def by_commands(broker: Broker, _name: str) -> str:
    channel = KafkaCommandChannel(TelephonySettings(kind="kafka"), connection_as(broker, D))
    command_id = f"c-{next(_names)}"
    try:
        mark = channel.prepare()
        channel.send(json.dumps({"command_id": command_id}).encode(), "+8621", command_id)
        assert channel.already_sent(command_id, mark)
    except DeliveryError as fault:
        return f"{fault.reason}: {fault}" if fault.retry else "given up"
    finally:
        channel.close()
    return ""


def by_dead_letters(broker: Broker, _name: str) -> str:
    letters = KafkaDeadLetters(connection_as(broker, D))
    with capture_logs() as logs:
        letters.put([Reject(Partition("calls", 0), 0, "not_json", "nonsense", b"{")])
        letters.close()
    return "".join(each["detail"] for each in logs if each["event"] == "dead_letters_delayed")


def committed(admin: KafkaAdminClient, group: str) -> Mapping[TopicPartition, Any]:
    """Offsets of ``group``; none while there is nobody to keep them."""
    with suppress(CoordinatorNotAvailableError):
        offsets: Mapping[TopicPartition, Any] = admin.list_group_offsets(group)[group]
        return offsets
    return {}


def by_lag(broker: Broker, group: str) -> str:
    settings = KafkaSettings.of(connection_as(broker, D), "calls")
    source = KafkaSource(settings.model_copy(update={"lag_group": group, "lag_every": 100}))
    place = TopicPartition("calls", 0)
    with capture_logs() as logs, administrator(broker) as admin:
        with suppress(CoordinatorNotAvailableError):  # there was no group yet
            admin.delete_groups([group])  # and what an earlier attempt has committed
        try:
            source.start({}, None)
            eventually(
                lambda: (
                    source.poll(100, 0.1)
                    or any(each["event"] == "lag_not_reported" for each in logs)
                    or place in committed(admin, group)
                ),
                "offsets are committed, or it is said why not",
            )
        finally:
            source.close()
    return "".join(each["detail"] for each in logs if each["event"] == "lag_not_reported")


# Clients of anybody: what is refused is raised.

Attempt = Callable[[KafkaConnection], None]


def writes(topic: str, **more: Any) -> Attempt:
    def work(connection: KafkaConnection) -> None:
        producer = KafkaProducer(**connection.options(), **more, max_block_ms=10_000)
        try:
            if more:
                producer.init_transactions()
            producer.send(topic, b"forged").get(10)
        finally:
            producer.close(timeout=5)

    return work


def reads(topic: str) -> Attempt:
    def work(connection: KafkaConnection) -> None:
        source = KafkaSource(KafkaSettings.of(connection, topic))
        try:
            source.start({}, None)
            source.poll(100, 0.1)
            source.poll(100, 0.1)
        except SourceUnavailable as fault:
            if f"may not Read topic {topic}" not in str(fault):
                raise
            raise TopicAuthorizationFailedError from fault
        finally:
            source.close()

    return work


def joins(group: str) -> Attempt:
    def work(connection: KafkaConnection) -> None:
        consumer = KafkaConsumer(**connection.options(), group_id=group)
        try:
            consumer.committed(TopicPartition(COMMANDS, 0), timeout_ms=10_000)
        finally:
            consumer.close(autocommit=False)

    return work

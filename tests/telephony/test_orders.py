"""Orders about customers arrive at a real topic, each once, with the customer in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.assembly import connect_topic
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.delivery.attempts import Policy
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.lane import Lane
from monitor.delivery.pacing import Pacer
from monitor.delivery.routes import Router
from monitor.delivery.settings import DeliverySettings, KafkaReceiver
from monitor.errors import SourceError
from monitor.source.settings import KafkaConnection
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.broker.broker import Cluster
from tests.store.made import order
from tests.telephony.test_kafka import committed

CLOCK = SystemClock()


def test_without_a_connection_it_says_what_to_name() -> None:
    config = Config.model_validate({"source": {"kind": "files", "paths": ["x.jsonl"]}})
    receiver = KafkaReceiver(type="kafka", topic="crm.commands")
    with pytest.raises(SourceError, match=r"crm\.commands needs a connection"):
        connect_topic(config, CLOCK, receiver)


@pytest.mark.kafka
def test_an_order_is_one_record_under_its_customer(kafka: Cluster, tmp_path: Path) -> None:
    topic = kafka.create_topic("crm.orders", 3)
    connection = KafkaConnection(bootstrap=kafka.bootstrap)
    receiver = KafkaReceiver(type="kafka", topic=topic, connection=connection)
    settings = DeliverySettings(receivers={"crm": receiver}, orders=["crm"])
    channel = CommandsChannel(connect_topic(Config(), CLOCK, receiver))
    router = Router(settings, telephony=False)
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), CLOCK) as store:
        lane = Lane(
            "crm",
            channel,
            outbox=store.outbox,
            clock=CLOCK,
            policy=Policy(600_000, 3_600_000, 100, 10, 20),
            pacer=Pacer(None),
            draw=lambda: 0.5,
            count=lambda _result: None,
        )
        made = order()
        store.record(Recording([made], router.plan_all([made])))
        store.record(Recording([made], router.plan_all([made])))
        while lane.step() == 0:
            pass
        channel.close()
    [record] = committed(kafka, topic)
    told: dict[str, Any] = json.loads(record.value)
    assert told["action"] == "customer.release"
    assert told["customer"] == made.customer == record.key.decode()
    assert record.headers == [("command_id", made.id.encode())]

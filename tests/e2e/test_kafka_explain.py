"""``monitor explain`` on the topics that a daemon has read."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from tests.broker.broker import Cluster
from tests.cli.program import monitor
from tests.cli.test_explain import calls
from tests.daemon.folder import Folder
from tests.daemon.running import eventually, threaded

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def produce(kafka: Cluster, topic: str, events: list[dict[str, Any]]) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for number, event in enumerate(events):
        value = json.dumps({"id": f"{topic}-{number}"} | event).encode()
        producer.send(topic, value, partition=number // 2 % 2)
    producer.flush()
    producer.close()


def test_an_alert_s_records_are_read_from_the_topic(
    kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"explain-{uuid.uuid4().hex[:6]}"
    kafka.create_topic(topic, 2, append_time=True)
    source = {"kind": "kafka", "bootstrap": kafka.bootstrap, "topics": [topic]}
    folder = Folder(tmp_path, source=source)
    monkeypatch.chdir(tmp_path)
    with threaded(folder) as running:
        running.ready()
        produce(kafka, topic, list(calls()))
        (fired, *_) = eventually(lambda: running.alerts("team"), "the alert")
    done = monitor("explain", fired.id, "--json")
    assert done.status == 0, done.err
    told = done.json
    assert (told["hits"], told["of"]) == (fired.figures.hits, fired.figures.of)
    assert told["complete"] is True
    assert "agent-9" in {each["value"] for each in told["common"] if each["named"]}
    assert {each["topic"] for each in told["records"]} == {topic}
    assert {each["partition"] for each in told["records"]} <= {0, 1}

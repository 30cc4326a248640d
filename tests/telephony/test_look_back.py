"""What was not read may be there: a look back that could not read says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.errors import DeliveryError
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.settings import KafkaConnection
from monitor.telephony import kafka_look_back
from monitor.telephony.kafka_look_back import ids_after
from monitor.telephony.settings import TelephonySettings

TOPIC = "commands"


class Source:
    """A source that has taken up some partitions, and is at the end of them."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.found = {
            Partition(TOPIC, n): Standing(position=5, end=5, complete=True) for n in numbers
        }
        self.closed = False

    def start(self, _positions: Mapping[Partition, int], _since_ms: int | None) -> None:
        pass

    def poll(self, _max_records: int, _timeout_s: float) -> list[Fetched]:
        return []

    def standings(self) -> Mapping[Partition, Standing]:
        return self.found

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("taken_up", "mark", "partitions"),
    [
        ([], "{}", {0}),
        ([], '{"0": 3}', {0}),
        ([0], '{"0": 3, "1": 4}', {0}),
        ([0], '{"0": 3}', {0, 1}),
    ],
)
def test_a_partition_that_the_client_does_not_know_of_is_not_read(
    monkeypatch: pytest.MonkeyPatch, taken_up: list[int], mark: str, partitions: set[int]
) -> None:
    """It was taken for read, and what stood there was sent again."""
    source = Source(taken_up)
    monkeypatch.setattr(kafka_look_back, "KafkaSource", lambda *_: source)
    settings = TelephonySettings.model_validate(
        {"kind": "kafka", "commands": TOPIC, "send_timeout": "1s"}
    )
    connection: Any = KafkaConnection(bootstrap="127.0.0.1:1")
    with pytest.raises(DeliveryError, match="the end of commands was not reached") as found:
        ids_after(mark, settings, connection, SystemClock(), partitions=partitions)
    assert found.value.retry
    assert source.closed


def test_all_of_them_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_look_back, "KafkaSource", lambda *_: Source([0, 1]))
    settings = TelephonySettings.model_validate(
        {"kind": "kafka", "commands": TOPIC, "send_timeout": "1s"}
    )
    connection: Any = KafkaConnection(bootstrap="127.0.0.1:1")
    assert ids_after('{"0": 3}', settings, connection, SystemClock(), partitions={0, 1}) == set()

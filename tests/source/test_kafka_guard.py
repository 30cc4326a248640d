"""Whether batches are unpacked whole: where kafka-python is another than the one we know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.protocol import parser
from kafka.protocol.frame import KafkaBytes
from kafka.record.memory_records import MemoryRecords
from kafka.version import __version__
from structlog.testing import capture_logs

from monitor.source import kafka_guard, kafka_whole
from monitor.source.kafka_guard import PLAIN, STILL, unpack_whole
from monitor.source.kafka_whole import WholePartitionRecords
from monitor.source.kafka_wire import StillBytes


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    kafka_guard._unfit.cache_clear()
    yield
    kafka_guard._unfit.cache_clear()


def asked(environ: dict[str, str] | None = None) -> tuple[bool, Any, list[str]]:
    """The answer for a consumer, what it unpacks with, and the reasons in the log."""
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))
    with capture_logs() as lines:
        answers = {unpack_whole(consumer, environ or {}) for _ in range(3)}
    (answer,) = answers
    return answer, consumer._fetcher.PartitionRecords, [line["reason"] for line in lines]


def test_the_client_that_is_installed_is_known() -> None:
    assert asked() == (True, WholePartitionRecords, [])


@pytest.mark.parametrize("version", [STILL, "3.0.13"])
def test_answers_are_left_in_place_by_the_version_that_was_read(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(parser, "KafkaBytes", KafkaBytes)
    monkeypatch.setattr(kafka_guard, "__version__", version)
    assert asked()[0]
    assert parser.KafkaBytes is (StillBytes if version == STILL else KafkaBytes)


def test_it_can_be_kept_from_it() -> None:
    assert asked({PLAIN: "1"}) == (False, Fetcher.PartitionRecords, [])


@pytest.mark.parametrize("version", ["2.3.0", "3.0.11", "3.1.0", "3.1.0rc1", "4.0", "unknown"])
def test_another_version_is_left_as_it_is_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(kafka_guard, "__version__", version)
    answer, kind, (reason,) = asked()
    assert (answer, kind) == (False, Fetcher.PartitionRecords)
    assert version in reason


@pytest.mark.parametrize("version", [__version__, "3.0.12", "3.0.13", "3.0.20.dev1"])
def test_a_version_that_only_mends_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(kafka_guard, "__version__", version)
    assert asked()[0]


class Renamed(Fetcher.PartitionRecords):  # type: ignore[misc] # untyped
    def take(self, n: int | None = None, timeout_ms: int = 0) -> Any:
        del timeout_ms
        return super().take(n)


def _nothing(*_: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("owner", "name", "other", "reason"),
    [
        (Fetcher, "PartitionRecords", Renamed, r"take takes \(self n timeout_ms\), not \(self n\)"),
        (Fetcher.PartitionRecords, "drain", None, "drain"),
        (Fetcher, "_parse_fetched_data", _nothing, "does not know PartitionRecords"),
        (MemoryRecords, "next_batch", lambda self: self, r"next_batch takes \(self\)"),
        (kafka_whole, "find_records", lambda *_: 1, "not unpacked alike"),
    ],
)
def test_names_and_signatures_and_a_trial_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, other: Any, reason: str
) -> None:
    plain = Fetcher.PartitionRecords
    if other is None:
        monkeypatch.delattr(owner, name)
    else:
        monkeypatch.setattr(owner, name, other)
    answer, kind, (said,) = asked()
    assert (answer, kind) == (False, other if other is Renamed else plain)
    assert re.search(reason, said)

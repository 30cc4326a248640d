"""Whether batches may be unpacked whole: what ``monitor.source.kafka_whole`` leans on is looked at.

Owns the decision, once in a process. Where anything is not as it was in the versions that the
contract suite has run with, kafka-python unpacks record by record as it always did: slower, and
the same records.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.version import __version__

from monitor.source.kafka_records import columns

log = structlog.get_logger(__name__)

PLAIN = "MONITOR_KAFKA_PLAIN"
"""Environment variable: when it is set to anything, batches are never unpacked whole."""
SINCE, BEFORE = (3, 0, 12), (3, 1)
"""Versions of kafka-python whose private names are known: from, and up to without."""
STILL = "3.0.12"
"""The version whose decoders were read: none of them needs an answer to be ``bytes``."""

_SIGNATURES = {
    "Fetcher.PartitionRecords.__init__": (
        "self fetch_offset tp records key_deserializer value_deserializer check_crcs"
        " isolation_level aborted_transactions metric_aggregator on_drain"
    ),
    "Fetcher.PartitionRecords.take": "self n",
    "Fetcher.PartitionRecords.drain": "self",
    "Fetcher.PartitionRecords._maybe_raise_next_inline_exception": "self",
    "Fetcher.PartitionRecords._maybe_skip_record": "self record",
    "Fetcher.PartitionRecords._unpack_records": (
        "self tp records key_deserializer value_deserializer"
    ),
    "DefaultRecordBatch._maybe_uncompress": "self",
    "MemoryRecords.next_batch": "self _min_slice _magic_offset",
    "MemoryRecords._cache_next": "self len_offset log_overhead",
}
_RECORDS: tuple[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]], ...] = (
    (b"key", b'{"id":"1"}', []),
    (None, b"", [("name", b"text"), ("none", None)]),
    (b"", None, []),
    (b"k" * 200, b"v" * 300, []),
)
_TRIAL = ((10, 0), (20, 0), (30, 1), (40, 0))
"""Batches that are tried out: the first offset and the codec of each."""


class _Unfit(Exception):  # noqa: N818 - says what, never leaves this module
    """Raised when the client is not as it was."""


def unpack_whole(consumer: KafkaConsumer, environ: Mapping[str, str] = os.environ) -> bool:
    """Have the batches that ``consumer`` fetches unpacked whole, before its first poll.

    Returns:
        Whether it is so: false where the client does not fit, which is logged once, or
        ``environ`` has :data:`PLAIN`.
    """
    if environ.get(PLAIN) or not fits():
        return False
    from monitor.source.kafka_whole import WholePartitionRecords  # noqa: PLC0415 - see _look_at
    from monitor.source.kafka_wire import decode_in_place  # noqa: PLC0415

    if __version__ == STILL:
        decode_in_place()
    consumer._fetcher.PartitionRecords = WholePartitionRecords  # noqa: SLF001
    return True


def fits() -> bool:
    """Whether the client that is installed is one that we know; tries it out."""
    return not _unfit(__version__)


@cache
def _unfit(version: str) -> str:
    """Why this client does not fit; empty when it does."""
    try:
        _look_at(version)
    except Exception as fault:  # noqa: BLE001 - whatever it is, the client can do without us
        reason = f"{type(fault).__name__}: {fault}"
        log.warning("kafka_batches_unpacked_one_by_one", reason=reason, kafka_python=version)
        return reason
    return ""


def _look_at(version: str) -> None:
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if not SINCE <= numbers < BEFORE:
        msg = f"version {version}, known are those from 3.0.12 on and before 3.1"
        raise _Unfit(msg)
    # Here, not above: names that are not there any more are a reason like any other.
    from kafka.consumer.fetcher import Fetcher  # noqa: PLC0415
    from kafka.record.default_records import DefaultRecordBatch  # noqa: PLC0415
    from kafka.record.memory_records import MemoryRecords  # noqa: PLC0415

    from monitor.source.kafka_whole import WholePartitionRecords  # noqa: PLC0415

    roots = {each.__name__: each for each in (Fetcher, DefaultRecordBatch, MemoryRecords)}
    for name, expected in _SIGNATURES.items():
        found: Any = roots
        for step in name.split("."):
            found = found[step] if found is roots else getattr(found, step)
        told = " ".join(inspect.signature(found).parameters)
        if told != expected:
            msg = f"{name} takes ({told}), not ({expected})"
            raise _Unfit(msg)
    for function, name in (
        (KafkaConsumer.__init__, "_fetcher"),
        (Fetcher._parse_fetched_data, "PartitionRecords"),  # noqa: SLF001
    ):
        if name not in function.__code__.co_names:
            msg = f"{function.__qualname__} does not know {name}"
            raise _Unfit(msg)
    batches = b"".join(_batch(first, codec) for first, codec in _TRIAL)
    if _unpacked(WholePartitionRecords, MemoryRecords(batches)) != _unpacked(
        Fetcher.PartitionRecords, MemoryRecords(batches)
    ):
        raise _Unfit("a batch for trial was not unpacked alike")


def _batch(base_offset: int, codec: int) -> bytes:
    """A batch of trial, by the client's own builder."""
    from kafka.record.default_records import DefaultRecordBatchBuilder  # noqa: PLC0415

    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=False,
        producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=2**20,
    )  # fmt: skip
    for number, (key, value, headers) in enumerate(_RECORDS):
        builder.append(number, 1_000 + 7 * number, key, value, headers)
    built = bytearray(builder.build())
    built[:8] = base_offset.to_bytes(8, "big")  # not under the checksum
    return bytes(built)


def _unpacked(kind: Any, records: Any) -> list[Any]:
    """All that is heard of batches, whose first two records are not wanted, three at a time."""
    part = TopicPartition("trial", 0)
    unpacking = kind(12, part, records)
    told: list[Any] = []
    for _ in range(len(_TRIAL) * len(_RECORDS)):  # one that never ends is not alike either
        if not unpacking:
            break
        taken = unpacking.take(3)
        told.append((len(taken), unpacking.next_fetch_offset, unpacking.leader_epoch))
        for chunk in columns(part, list(taken)):
            told += [chunk.offsets.tolist(), chunk.timestamps.tolist(), list(chunk.values)]
            told += [chunk.append_time, chunk.next_position]
    return [*told, unpacking.records_read, unpacking.bytes_read]

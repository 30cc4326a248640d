"""Record batches as a broker sends them, made by kafka-python's own builder."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.consumer.fetcher import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c

from monitor.source.kafka_records import columns

PART = TopicPartition("batches", 0)
EPOCH, CRC, ATTRIBUTES, LAST_DELTA, MAX_TIMESTAMP, PRODUCER = 12, 17, 21, 23, 35, 43
"""Where they stand in a batch."""


class Record(NamedTuple):
    offset: int
    """From the batch's first on."""
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Aborted(NamedTuple):
    producer_id: int
    first_offset: int


def batch(
    records: Sequence[Record],
    base_offset: int = 0,
    *,
    codec: int = 0,
    producer: int = -1,
    append_time_ms: int | None = None,
    last_delta: int | None = None,
    sender: int = -1,
    epoch: int = 0,
) -> bytes:
    """A batch of today's format.

    ``producer``: in a transaction of this producer; ``last_delta``: compaction took the last ones,
    up to this offset; ``sender``: a producer that numbers what it sends, without a transaction;
    ``epoch``: the leader's.
    """
    within = producer >= 0
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=within,
        producer_id=producer, producer_epoch=0 if within else -1,
        base_sequence=0 if within else -1, batch_size=2**30,
    )  # fmt: skip
    for each in records:
        builder.append(each.offset, each.timestamp, each.key, each.value, list(each.headers))
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, base_offset)
    if last_delta is not None:
        struct.pack_into(">i", built, LAST_DELTA, last_delta)
    struct.pack_into(">i", built, EPOCH, epoch)
    if not within:
        struct.pack_into(">q", built, PRODUCER, sender)
    if append_time_ms is not None:
        built[ATTRIBUTES + 1] |= DefaultRecordBatch.TIMESTAMP_TYPE_MASK
        struct.pack_into(">q", built, MAX_TIMESTAMP, append_time_ms)
    return summed(built)


def marker(base_offset: int, producer: int, *, commit: bool) -> bytes:
    """The control batch that ends a transaction."""
    record = Record(0, 1_000, struct.pack(">hh", 0, int(commit)), b"\0\0\0\0\0\0")
    built = bytearray(batch([record], base_offset, producer=producer))
    built[ATTRIBUTES + 1] |= DefaultRecordBatch.CONTROL_MASK
    return summed(built)


def legacy(records: Sequence[Record], base_offset: int, *, magic: int, codec: int = 0) -> bytes:
    """Records of the formats before Kafka 0.11."""
    builder = LegacyRecordBatchBuilder(magic, codec, 2**30)
    for each in records:
        builder.append(base_offset + each.offset, each.timestamp, each.key, each.value)
    return bytes(builder.build())


def summed(built: bytearray) -> bytes:
    """The batch with its checksum put right, whatever was done to it."""
    struct.pack_into(">I", built, CRC, calc_crc32c(memoryview(built)[ATTRIBUTES:]))
    return bytes(built)


def told(
    kind: Any,
    data: bytes,
    takes: Sequence[int] = (1_000,),
    *,
    since: int = 0,
    aborted: Sequence[Aborted] = (),
    rows: Callable[[list[Any]], list[Any]],
) -> list[Any]:
    """All that is told of batches while they are handed out, the error that ends it too.

    Args:
        kind: The client's ``PartitionRecords``, or ours.
        data: Batches.
        takes: How many records are asked for, over and over again.
        since: The offset that is wanted.
        aborted: Transactions.
        rows: Records as (offset, timestamp, by the broker, value).
    """
    unpacking = kind(
        since,
        PART,
        MemoryRecords(data),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=aborted,
    )
    heard: list[Any] = []
    wanted = itertools.cycle(takes)
    while unpacking:
        try:
            taken = unpacking.take(next(wanted))
        except Exception as fault:  # noqa: BLE001 - that it is the same is what is asked
            return [*heard, type(fault), str(fault)]
        heard.append((len(taken), unpacking.next_fetch_offset, unpacking.leader_epoch))
        heard += rows(list(taken))
    return [*heard, unpacking.records_read, unpacking.bytes_read]


def rows_of_client(records: list[Any]) -> list[Any]:
    """As kafka-python has them; beyond 64 bits a timestamp wraps, as in the broker."""
    return [
        (
            each.offset,
            -1 if each.timestamp is None else _int64(each.timestamp),
            each.timestamp_type == 1,
            each.value,
        )
        for each in records
    ]


def rows_of_ours(records: list[Any]) -> list[Any]:
    """As the source hands them on."""
    return [
        (offset, timestamp, chunk.append_time, value)
        for chunk in columns(PART, records)
        for offset, timestamp, value in zip(
            chunk.offsets.tolist(), chunk.timestamps.tolist(), chunk.values, strict=True
        )
    ]


def _int64(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63

"""What the client gives us, as we hand it on: where partitions begin, and records as columns.

Owns no state: questions to the broker and conversions. Reading is ``monitor.source.kafka``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor.compiled.kafka_batch import ENDS, OFFSETS, STARTS, TIMESTAMPS
from monitor.source.base import Fetched, Partition
from monitor.source.kafka_client import translate
from monitor.source.records import Records
from monitor.source.settings import KafkaConnection

Int64 = npt.NDArray[np.int64]

_LOG_APPEND_TIME = 1


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where reading begins in one partition."""

    position: int
    end: int
    complete: bool
    """It begins at offset 0."""
    missed: int | None = None
    """The position that was wanted and does not exist: deleted, or beyond the end."""


def beginnings(
    consumer: KafkaConsumer,
    parts: Sequence[TopicPartition],
    *,
    wanted: Mapping[TopicPartition, int],
    since_ms: int | None,
    timeout_ms: int,
    connection: KafkaConnection | None = None,
) -> dict[TopicPartition, Beginning]:
    """Ask where to begin in ``parts``: as ``wanted``, else at the first record since ``since_ms``.

    Raises:
        SourceUnavailable: no answer within ``timeout_ms`` for each of at most three questions, or
            a right is missing, which is named where the ``connection`` is given.
    """
    try:
        begins = consumer.beginning_offsets(parts, timeout_ms=timeout_ms)
        ends = consumer.end_offsets(parts, timeout_ms=timeout_ms)
        positions = {part: wanted.get(part, begins[part]) for part in parts}
        if since_ms is not None:
            asked = {part: max(0, since_ms) for part in parts if part not in wanted}
            # After the ends: what is appended in between lies behind the end we begin at.
            young = consumer.offsets_for_times(asked, timeout_ms=timeout_ms) if asked else {}
            positions |= {
                part: ends[part] if found is None else found.offset for part, found in young.items()
            }
    except KafkaError as fault:
        raise translate(fault, "asking where partitions begin and end", connection) from fault
    result = {}
    for part in parts:
        begin, end, position = begins[part], ends[part], positions[part]
        if begin <= position <= end:
            result[part] = Beginning(position, end, complete=position == begin == 0)
        else:
            result[part] = Beginning(begin, end, complete=False, missed=position)
    return result


class Rows:
    """Records of one batch: where they stand in its memory, and no object for each.

    ``found`` is what ``monitor.compiled.kafka_batch.find_records`` finds, shape (4, records).
    """

    __slots__ = ("found", "memory")

    def __init__(self, memory: bytearray | memoryview, found: Int64) -> None:
        self.memory = memory
        self.found = found

    def __len__(self) -> int:
        """How many there are."""
        return int(self.found.shape[1])

    @property
    def last_offset(self) -> int:
        """Of the last of them."""
        return int(self.found[OFFSETS, -1])

    def since(self, offset: int) -> Rows:
        """Those from ``offset`` on, in the same memory."""
        if self.found[OFFSETS, 0] >= offset:
            return self
        return self._from(int(np.searchsorted(self.found[OFFSETS], offset)))

    def split(self, count: int) -> tuple[Rows, Rows]:
        """The first ``count``, in no more memory than they take; and the others."""
        found = self.found[:, :count].copy()
        first = int(found[STARTS, 0])
        last = int(found[STARTS:, -1].max())  # a null ends before its start
        found[STARTS:] -= first
        return Rows(memoryview(self.memory)[first:last], found), self._from(count)

    def _from(self, place: int) -> Rows:
        return Rows(self.memory, self.found[:, place:])


def _joined(batches: Sequence[Rows]) -> tuple[Int64, Sequence[bytes | None]]:
    """Batches side by side: offsets and timestamps, shape (2, records), and values."""
    memory = b"".join([batch.memory for batch in batches])
    sizes = np.array([len(batch.memory) for batch in batches])
    counts = [len(batch) for batch in batches]
    found = np.concatenate([batch.found for batch in batches], axis=1)
    found[STARTS:] += (sizes.cumsum() - sizes).repeat(counts)
    records = Records(memory, found[STARTS], found[ENDS])
    nulls = found[ENDS] < found[STARTS]
    if not nulls.any():
        return found[:STARTS], records
    values = zip(records, nulls.tolist(), strict=True)
    return found[:STARTS], [None if null else value for value, null in values]


def columns(part: TopicPartition, records: Sequence[Any]) -> list[Fetched]:
    """Records of one partition as columns; a new chunk where the kind of timestamp changes.

    Args:
        part: The partition.
        records: kafka-python's; the value of one may be a :class:`Rows`.
    """
    chunks = []
    for (kind, whole), group in groupby(records, key=_kind):
        rows = list(group)
        values: Sequence[bytes | None]
        if whole:
            stamps, values = _joined([row.value for row in rows])
        else:
            told = [(row.offset, _stamp(row.timestamp)) for row in rows]
            stamps, values = np.array(told, np.int64).T, [row.value for row in rows]
        chunks.append(
            Fetched(
                partition=Partition(part.topic, part.partition),
                offsets=stamps[OFFSETS],
                timestamps=stamps[TIMESTAMPS],
                append_time=kind == _LOG_APPEND_TIME,
                values=values,
                next_position=rows[-1].offset + 1,
            )
        )
    return chunks


def _kind(record: Any) -> tuple[int | None, bool]:
    return record.timestamp_type, isinstance(record.value, Rows)


def _stamp(timestamp: int | None) -> int:
    """As 64 bits, in which the broker adds; records of the oldest format have none."""
    return -1 if timestamp is None else (timestamp + 2**63) % 2**64 - 2**63

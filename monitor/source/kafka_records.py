"""What the client gives us, as we hand it on: where partitions begin, and records as columns.

Owns no state: questions to the broker and conversions. Reading is ``monitor.source.kafka``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor.source.base import Fetched, Partition
from monitor.source.kafka_client import translate

_OFFSET, _TIMESTAMP, _TIMESTAMP_TYPE, _VALUE = 3, 4, 5, 7  # fields of kafka.ConsumerRecord
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
) -> dict[TopicPartition, Beginning]:
    """Ask where to begin in ``parts``: as ``wanted``, else at the first record since ``since_ms``.

    Raises:
        SourceUnavailable: no answer within ``timeout_ms`` for each of at most three questions.
        SourceError: not authorised.
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
        raise translate(fault, "asking where partitions begin and end") from fault
    result = {}
    for part in parts:
        begin, end, position = begins[part], ends[part], positions[part]
        if begin <= position <= end:
            result[part] = Beginning(position, end, complete=position == begin == 0)
        else:
            result[part] = Beginning(begin, end, complete=False, missed=position)
    return result


def columns(part: TopicPartition, records: Sequence[Any]) -> list[Fetched]:
    """Records of one partition as columns; a new chunk where the kind of timestamp changes."""
    chunks = []
    for kind, group in groupby(records, key=itemgetter(_TIMESTAMP_TYPE)):
        rows = list(group)
        count = len(rows)
        chunks.append(
            Fetched(
                partition=Partition(part.topic, part.partition),
                offsets=np.fromiter(map(itemgetter(_OFFSET), rows), np.int64, count),
                timestamps=np.fromiter(map(itemgetter(_TIMESTAMP), rows), np.int64, count),
                append_time=kind == _LOG_APPEND_TIME,
                values=list(map(itemgetter(_VALUE), rows)),
                next_position=rows[-1].offset + 1,
            )
        )
    return chunks

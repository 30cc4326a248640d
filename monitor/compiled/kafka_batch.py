"""The records of a Kafka batch, the loop of ``monitor.source.kafka_whole``.

Owns where the parts of a record stand (message format 2: Kafka's ``DefaultRecord``). A batch that
is anything but plainly good is left to kafka-python, which says what is wrong with it: nothing is
looked at beyond the bytes that are given.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from monitor.compiled import compiled
from monitor.compiled.memory import byte

OFFSETS, TIMESTAMPS, STARTS, ENDS = 0, 1, 2, 3
"""Rows of what :func:`find_records` finds. A null value ends one before its start."""
RECORD_BYTES_MIN: Final = 7
"""Length, attributes, timestamp, offset, key, value, headers: a byte each."""

_U = np.uint64
_DELTA_MAX = 2**31 - 1


@compiled
def varint(raw: Any, at: int, end: int) -> Any:
    """A zigzag varint of at most 64 bits and where it ends; ends at -1 when it is none."""
    value, shift = _U(0), _U(0)
    while at < end:
        part = _U(byte(raw, at))
        at += 1
        value |= (part & _U(127)) << shift
        if part < _U(128):
            if shift == _U(63) and part > _U(1):
                return 0, -1
            return np.int64(value >> _U(1)) ^ -np.int64(value & _U(1)), at
        shift += _U(7)
        if shift > _U(63):
            return 0, -1
    return 0, -1


@compiled
def after_headers(raw: Any, at: int, end: int) -> int:
    """Where the headers end that begin there; -1 when they are damaged.

    Nobody asks what is in them, so a key need not be UTF-8, for which kafka-python refuses a batch.
    """
    count, at = varint(raw, at, end)
    if at < 0 or count < 0:
        return -1
    for _ in range(count):
        size, at = varint(raw, at, end)
        if at < 0 or not 0 <= size <= end - at:
            return -1
        size, at = varint(raw, at + size, end)
        if at < 0 or size > end - at:
            return -1
        at += max(size, 0)
    return at


@compiled
def find_records(raw: Any, at: int, base_offset: int, base_timestamp: int, found: Any) -> int:
    """Find the records of a batch; returns the bytes they have without their lengths.

    -1 when there are not exactly as many as ``found`` has columns up to the end of ``raw``, one of
    them is damaged, or their offsets do not ascend; ``found`` then means nothing.

    Args:
        raw: the batch, its records decompressed.
        at: where they begin.
        base_timestamp: the batch's; a sum beyond 64 bits wraps, as it does in the broker.
        found: ``OFFSETS``, ``TIMESTAMPS``, ``STARTS`` and ``ENDS`` in ``raw``, shape (4, records).
    """
    total = 0
    before = np.int64(-1)
    for row in range(found.shape[1]):
        length, at = varint(raw, at, len(raw))
        if at < 0 or not 0 < length <= len(raw) - at:
            return -1
        total += length
        end = at + length
        if byte(raw, at) >= 128:  # attributes; kafka-python would take them for more than a byte
            return -1
        age, at = varint(raw, at + 1, end)
        if at < 0:
            return -1
        delta, at = varint(raw, at, end)
        if at < 0 or not before < delta <= _DELTA_MAX:
            return -1
        before = delta
        size, at = varint(raw, at, end)
        if at < 0 or size > end - at:
            return -1
        size, at = varint(raw, at + max(size, 0), end)
        if at < 0 or size > end - at:
            return -1
        found[OFFSETS, row] = base_offset + delta
        found[TIMESTAMPS, row] = base_timestamp + age
        found[STARTS, row] = at
        found[ENDS, row] = at + max(size, -1)
        if after_headers(raw, at + max(size, 0), end) != end:
            return -1
        at = end
    return total if at == len(raw) else -1

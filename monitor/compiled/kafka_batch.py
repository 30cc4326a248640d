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
BEGIN, END, RECORDS, SUM, BASE, LAST, FIRST_TIME, MAX_TIME, EPOCH, APPENDED = range(10)
"""Columns of what :func:`find_batches` finds: where a batch begins, and where the next one does;
how many records it has; its checksum; the offset it begins with, and that of its last record; the
timestamp it begins with, and its latest; its leader's epoch; whether the broker gave the times."""
HEAD_COLUMNS: Final = APPENDED + 1
HEADER_BYTES: Final = 61
CHECKED_FROM: Final = 21
"""From here on a batch is under its checksum."""

_U = np.uint64
_DELTA_MAX = 2**31 - 1
_OFFSET_MAX = 2**63 - 1 - _DELTA_MAX


@compiled
def big_endian(raw: Any, at: int, size: int) -> Any:
    """A signed number of ``size`` bytes."""
    value = _U(0)
    for place in range(size):
        value = value << _U(8) | _U(byte(raw, at + place))
    unused = _U(64 - 8 * size)
    return np.int64(value << unused) >> np.int64(unused)


@compiled
def find_batches(raw: Any, at: int, heads: Any) -> int:
    """Find the batches from ``at`` on that need nobody to look at them; returns how many.

    Not compressed, of no transaction and no marker of one, whole, one after the other in their
    offsets, and alike in who gave the times and in their leader's epoch. The checksum is not
    looked at. It ends before the first that is otherwise, or when ``heads`` is full.

    Args:
        raw: what a broker sent of one partition.
        heads: is written, shape (batches, ``HEAD_COLUMNS``).
    """
    for count in range(len(heads)):
        if at < 0 or len(raw) - at < HEADER_BYTES:
            return count
        end = at + 12 + big_endian(raw, at + 8, 4)
        attributes = big_endian(raw, at + 21, 2)
        base, delta = big_endian(raw, at, 8), big_endian(raw, at + 23, 4)
        records, epoch = big_endian(raw, at + 57, 4), big_endian(raw, at + 12, 4)
        appended = (attributes >> 3) & 1
        if (
            not at + HEADER_BYTES <= end <= len(raw)
            or byte(raw, at + 16) != 2
            or attributes & 0b110111
            or not 0 <= base <= _OFFSET_MAX
            or delta < 0
            or not 0 < records <= (end - at - HEADER_BYTES) // RECORD_BYTES_MIN
        ):
            return count
        if count and (
            base <= heads[count - 1, LAST]
            or epoch != heads[0, EPOCH]
            or appended != heads[0, APPENDED]
        ):
            return count
        heads[count, BEGIN], heads[count, END], heads[count, RECORDS] = at, end, records
        heads[count, SUM] = big_endian(raw, at + 17, 4) & 0xFFFFFFFF
        heads[count, BASE], heads[count, LAST] = base, base + delta
        heads[count, FIRST_TIME] = big_endian(raw, at + 27, 8)
        heads[count, MAX_TIME] = big_endian(raw, at + 35, 8)
        heads[count, EPOCH], heads[count, APPENDED] = epoch, appended
        at = end
    return len(heads)


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


@compiled
def find_all_records(raw: Any, heads: Any, found: Any) -> Any:
    """As :func:`find_records`, of batches one after the other, none beyond its last offset.

    Args:
        heads: as :func:`find_batches` found them.
        found: with a column for each of their records.

    Returns:
        Of how many batches the records are found, before the first that is not plainly good, and
        the bytes they have without their lengths.
    """
    first, total = 0, 0
    for number in range(len(heads)):
        begin, end, base = heads[number, BEGIN], heads[number, END], heads[number, BASE]
        last = first + heads[number, RECORDS]
        part = found[:, first:last]
        size = find_records(raw[:end], begin + HEADER_BYTES, base, heads[number, FIRST_TIME], part)
        if size < 0 or part[OFFSETS, -1] > heads[number, LAST]:
            return number, total
        if heads[number, APPENDED]:
            part[TIMESTAMPS] = heads[number, MAX_TIME]
        first = last
        total += size
    return len(heads), total

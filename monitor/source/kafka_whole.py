"""A fetched batch as one object: how kafka-python's unpacking is replaced.

Owns what leans on private names of kafka-python: it makes an object and a tuple of 13 for each
record, which costs more than all that is done with them afterwards. Here the client's own
generator still walks the batches, checks CRCs and leaves out what was aborted; it only finds in
each batch a single record, whose value is a :class:`Rows`. Batches one after the other that are
neither compressed nor of a transaction are one to it: what a batch costs whatever is in it, and
each time that compiled code lets go of the interpreter's lock, comes once for all that a partition
sent. A batch that ``monitor.compiled`` does not take for plainly good, and one of the formats
before Kafka 0.11, is unpacked by the client.

``monitor.source.kafka_guard`` says whether all this fits the client that is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c

from monitor.compiled.kafka_batch import (
    APPENDED,
    BEGIN,
    CHECKED_FROM,
    END,
    EPOCH,
    HEAD_COLUMNS,
    HEADER_BYTES,
    LAST,
    MAX_TIME,
    RECORD_BYTES_MIN,
    RECORDS,
    STARTS,
    SUM,
    TIMESTAMPS,
    find_all_records,
    find_batches,
    find_records,
)
from monitor.source.kafka_records import Rows

Int64 = npt.NDArray[np.int64]

RUN_MAX = 2**12
"""Batches that are taken as one, at most."""


class _Whole:
    """A batch as the client's generator looks at a record."""

    __slots__ = ("offset", "size_in_bytes", "timestamp", "timestamp_type", "value")

    key = None
    headers = ()
    checksum = None

    def __init__(self, value: Rows, size_in_bytes: int, timestamp: int, kind: int) -> None:
        self.value = value
        self.size_in_bytes = size_in_bytes
        self.timestamp = timestamp
        self.timestamp_type = kind
        self.offset = value.last_offset
        """The last: so a batch that ends below the wanted offset is dropped as a record would."""

    def validate_crc(self) -> bool:
        """The batch's was checked."""
        return True


class _Batch(DefaultRecordBatch):  # type: ignore[misc] # kafka-python is untyped
    """A batch that iterates over one record, which is all of it."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        self._maybe_uncompress()
        whole = self._whole()
        return super().__iter__() if whole is None else iter((whole,))

    def _whole(self) -> _Whole | None:
        count = self.records_count
        raw = np.frombuffer(self._buffer, np.uint8)
        if not 0 < count <= (len(raw) - self._pos) // RECORD_BYTES_MIN:
            return None
        found = np.empty((4, count), np.int64)
        size = find_records(raw, self._pos, self.base_offset, self.first_timestamp, found)
        if size < 0:
            return None
        kind = self.timestamp_type
        if kind == self.LOG_APPEND_TIME:
            found[TIMESTAMPS] = self.max_timestamp
        return _Whole(Rows(self._buffer, found), size, self.max_timestamp, kind)


class _Run:
    """Batches one after the other, as the client's generator looks at one."""

    magic = 2
    is_control_batch = False

    def __init__(self, memory: Any, heads: Int64, found: Int64, size: int) -> None:
        """``heads`` as ``find_batches`` found them, ``found`` and ``size`` of their records."""
        last = heads[-1]
        self.leader_epoch = int(last[EPOCH])
        self.next_offset = int(last[LAST]) + 1
        self._whole = _Whole(Rows(memory, found), size, int(last[MAX_TIME]), int(last[APPENDED]))

    def validate_crc(self) -> bool:
        """Each was checked."""
        return True

    def has_producer_id(self) -> bool:
        """None is of a transaction, and who sent them matters to nobody else."""
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter((self._whole,))


class _Batches:
    """The client's ``MemoryRecords``, of which nothing is asked but the next batch."""

    def __init__(self, records: Any) -> None:
        self._records = records
        self._raw = np.frombuffer(records._buffer, np.uint8)  # noqa: SLF001
        self._heads = np.empty((RUN_MAX, HEAD_COLUMNS), np.int64)

    def next_batch(self) -> Any:
        run = self._run()
        if run is not None:
            return run
        batch = self._records.next_batch()
        if type(batch) is DefaultRecordBatch:
            batch.__class__ = _Batch  # the same fields, and no copy of them
        return batch

    def _run(self) -> _Run | None:
        """The batches from here on that are plainly good; None: the next one is not."""
        records = self._records
        following, end = records._next_slice, records._pos  # noqa: SLF001
        # A length below zero has the client stand before where it was, until it looks at it.
        if following is None or len(following) < HEADER_BYTES or end < len(following):
            return None
        begin = end - len(following)
        heads = self._heads[: find_batches(self._raw, begin, self._heads)]
        found = np.empty((4, int(heads[:, RECORDS].sum())), np.int64)
        count, size = find_all_records(self._raw, heads, found)
        # Last, as it takes the longest: a batch that is left to the client comes alone.
        sound = self._sound(heads[:count])
        if not sound:
            return None
        heads = heads[:sound]
        if sound < count:
            _, size = find_all_records(self._raw, heads, found)
        found = found[:, : int(heads[:, RECORDS].sum())]
        found[STARTS:] -= begin
        end = int(heads[-1, END])
        records._pos = end  # noqa: SLF001
        records._cache_next()  # noqa: SLF001
        return _Run(memoryview(records._buffer)[begin:end], heads, found, size)  # noqa: SLF001

    def _sound(self, heads: Int64) -> int:
        """How many batches there are before the first whose checksum is wrong."""
        memory = self._raw.data
        places = heads[:, [BEGIN, END, SUM]].tolist()
        for number, (begin, end, told) in enumerate(places):
            if calc_crc32c(memory[begin + CHECKED_FROM : end]) != told:
                return number
        return len(places)


class Taken:
    """What :meth:`WholePartitionRecords.take` gives: as long as it has records."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._count = 0

    def __len__(self) -> int:
        """Records, those in a ``Rows`` too."""
        return self._count

    def __iter__(self) -> Iterator[Any]:
        """The client's records; the value of one may be a ``Rows``."""
        return iter(self._parts)

    def add(self, part: Any, count: int) -> None:
        """Take in one of the client's records, which stands for ``count``."""
        self._parts.append(part)
        self._count += count


class WholePartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc] # untyped
    """What one fetch gave of one partition, handed out by batches and pieces of them."""

    _rest: Any = None
    """What the last :meth:`take` had no room for."""

    def take(self, n: int | None = None) -> Taken:
        """The next ``n`` records, or fewer: when it ends, or something is wrong behind them.

        Raises:
            CorruptRecordError: as soon as nothing good is left before it.
        """
        self._maybe_raise_next_inline_exception()
        taken = Taken()
        limit = sys.maxsize if n is None else n
        try:
            while len(taken) < limit:
                part, self._rest = self._rest, None
                part = part or next(self.record_iterator, None)
                if part is None:
                    break
                part, count = self._fitting(part, limit - len(taken))
                taken.add(part, count)
                self.next_fetch_offset = part.offset + 1
        except Exception as fault:
            if not len(taken):
                raise
            self._next_inline_exception = fault
        return taken

    def _fitting(self, part: Any, most: int) -> tuple[Any, int]:
        """As many records of ``part`` as there is room for; the others are the rest."""
        rows = part.value
        if not isinstance(rows, Rows):
            return part, 1
        if len(rows) > most:
            rows, rest = rows.split(most)
            self._rest = part._replace(value=rest)
            part = part._replace(value=rows, offset=rows.last_offset)
        return part, len(rows)

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
        for part in super()._unpack_records(tp, _Batches(records), *deserializers):
            rows = part.value
            if isinstance(rows, Rows):
                self.records_read += len(rows) - 1  # the client has counted one
                wanted = rows.since(self.fetch_offset)
                if wanted is not rows and len(wanted):
                    part = part._replace(value=wanted)  # noqa: PLW2901
            yield part

"""The source that ships as a fake: partitions in memory, with everything a broker can do to them.

Owns no thread and no clock: a poll never waits. It passes the contract suite that Kafka and files
pass (tests/source/contract.py), so a test that uses it says something about them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition, Standing


@dataclass(frozen=True, slots=True)
class _Record:
    offset: int
    value: bytes | None
    timestamp_ms: int
    append_time: bool


@dataclass(slots=True)
class _Log:
    """One partition as a broker keeps it: the records still there, and where it begins and ends."""

    records: list[_Record] = field(default_factory=list)
    begin: int = 0
    end: int = 0


@dataclass(slots=True)
class _Reading:
    position: int
    complete: bool


class MemorySource:
    """A log in memory and the reading of it. Records may be appended while it is read."""

    def __init__(self, partitions: Iterable[Partition] = ()) -> None:
        self.unavailable = False
        """While true the "broker" does not answer: start and poll raise."""
        self.out_of_range = 0
        """How often a position lay below the oldest record left."""
        self._logs: dict[Partition, _Log] = {}
        self._reading: dict[Partition, _Reading] = {}
        self._since_ms: int | None = None
        self._wanted: Mapping[Partition, int] = {}
        self._finished = False
        self._started = False
        self._closed = False
        for partition in partitions:
            self.create(partition)

    # The log's side: what producers and the broker do.

    def create(self, partition: Partition) -> None:
        """Add an empty partition; one that is there stays as it is."""
        self._logs.setdefault(partition, _Log())

    def append(
        self,
        partition: Partition,
        values: Sequence[bytes | None],
        *,
        timestamp_ms: int = -1,
        append_time: bool = False,
    ) -> int:
        """Append ``values`` (None is a tombstone) and give the offset of the first of them."""
        self.create(partition)
        log = self._logs[partition]
        first = log.end
        for value in values:
            log.records.append(_Record(log.end, value, timestamp_ms, append_time))
            log.end += 1
        return first

    def skip(self, partition: Partition, offsets: int) -> None:
        """Use up ``offsets`` offsets without records: compaction, markers, aborted transactions."""
        self.create(partition)
        self._logs[partition].end += offsets

    def delete_before(self, partition: Partition, offset: int) -> None:
        """Delete the records below ``offset``, as retention does."""
        log = self._logs[partition]
        log.begin = max(log.begin, min(offset, log.end))
        log.records = [record for record in log.records if record.offset >= log.begin]

    def finish(self) -> None:
        """Promise that nothing will be appended any more."""
        self._finished = True

    # The reader's side: the Source protocol.

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading; see :class:`monitor.source.base.Source`."""
        self._must_be_reachable()
        self._wanted = dict(positions)
        self._since_ms = since_ms
        self._reading = {}
        self._started = True
        self._discover()

    def poll(
        self,
        max_records: int,
        timeout_s: float,  # noqa: ARG002 - the protocol's
        skip: AbstractSet[Partition] = frozenset(),
    ) -> list[Fetched]:
        """The next records; never waits, since nobody else can append meanwhile."""
        self._must_be_reachable()
        self._discover()
        fetched: list[Fetched] = []
        left = max_records
        for partition in sorted(self._reading.keys() - skip):
            if left <= 0:
                break
            chunks = self._take(partition, left)
            left -= sum(len(chunk.values) for chunk in chunks)
            fetched.extend(chunks)
        return fetched

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the source stands, for every partition."""
        return {
            partition: Standing(reading.position, self._logs[partition].end, reading.complete)
            for partition, reading in sorted(self._reading.items())
        }

    def exhausted(self) -> bool:
        """True after :meth:`finish`, once everything has been read."""
        return self._finished and all(
            reading.position >= self._logs[partition].end
            for partition, reading in self._reading.items()
        )

    def close(self) -> None:
        """End the reading; the log stays."""
        self._closed = True

    def reopened(self) -> MemorySource:
        """A new reader of the same log, as after a restart of the process."""
        other = MemorySource()
        other._logs = self._logs
        other._finished = self._finished
        return other

    def _must_be_reachable(self) -> None:
        if self._closed:
            raise SourceError("the source is closed")
        if self.unavailable:
            raise SourceUnavailable("the source in memory was made unavailable")

    def _discover(self) -> None:
        if not self._started:
            raise SourceError("poll came before start")
        for partition, log in self._logs.items():
            if partition not in self._reading:
                self._reading[partition] = self._first(partition, log)
            self._mend(self._reading[partition], log)

    def _first(self, partition: Partition, log: _Log) -> _Reading:
        if partition in self._wanted:
            position = self._wanted[partition]
            return _Reading(position, complete=position == 0 and log.begin == 0)
        if self._since_ms is None:
            return _Reading(log.begin, complete=log.begin == 0)
        since_ms = self._since_ms
        young = (record.offset for record in log.records if record.timestamp_ms >= since_ms)
        position = next(young, log.end)
        return _Reading(position, complete=position == 0)

    def _mend(self, reading: _Reading, log: _Log) -> None:
        """Records deleted below the position, or a log that is shorter than it: begin anew."""
        if not log.begin <= reading.position <= log.end:
            self.out_of_range += 1
            reading.position = log.begin
            reading.complete = False

    def _take(self, partition: Partition, limit: int) -> list[Fetched]:
        reading, log = self._reading[partition], self._logs[partition]
        first = bisect_left(log.records, reading.position, key=lambda record: record.offset)
        taken = log.records[first : first + limit]
        chunks = []
        for append_time, group in groupby(taken, key=lambda record: record.append_time):
            records = list(group)
            chunks.append(
                Fetched(
                    partition=partition,
                    offsets=np.array([record.offset for record in records], dtype=np.int64),
                    timestamps=np.array([record.timestamp_ms for record in records], np.int64),
                    append_time=append_time,
                    values=[record.value for record in records],
                    next_position=records[-1].offset + 1,
                )
            )
        # Offsets without records are passed over only when nothing was left behind.
        left_behind = first + len(taken) < len(log.records)
        reading.position = taken[-1].offset + 1 if left_behind else log.end
        return chunks

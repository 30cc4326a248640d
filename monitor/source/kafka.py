"""Events from Kafka: all partitions of the configured topics, at positions that we keep.

Owns assignment, discovery, positions and the question whether a partition is at its end. There is
no consumer group: two daemons never share partitions, and a checkpoint that disagreed with a
committed offset would be wrong. Whatever happens to the client, it can be thrown away and built
anew from the positions.

Transactions are read committed: aborted records are never seen. A transaction that is still open
holds its partition *not at the end*, for the broker's ``transaction.max.timeout.ms`` at most.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import OffsetAndTimestamp

from monitor.clock import Clock, SystemClock
from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.kafka_client import Link, open_consumer, topic_partition, translate
from monitor.source.kafka_lag import LagReporter
from monitor.source.settings import KafkaSettings

log = structlog.get_logger(__name__)

POLL_RECORDS_MAX = 20_000
PROBE_EVERY_S = 0.5
"""A partition counts as *at the end* only when the broker said so after its last record, and not
longer ago than this; well below ``idle_after``, so that a silent broker never looks like an idle
stream. Costs one small request every so often, and only while a partition is at its end."""
PROBE_TIMEOUT_MS = 2_000
PROBE_PAUSE_S_MAX = 5.0
SAME_FAULT_MAX = 3
"""A fetch that fails so often at the same positions will not heal: a batch is damaged."""

_OFFSET, _TIMESTAMP, _TIMESTAMP_TYPE, _VALUE = 3, 4, 5, 7  # fields of kafka.ConsumerRecord
_LOG_APPEND_TIME = 1


@dataclass(slots=True)
class _Reading:
    """Where we stand in one partition."""

    position: int
    end: int
    complete: bool
    heard_s: float
    """Monotonic time at which the broker was last asked for ``end``."""
    highwater: int | None = None
    """The end that came with the last fetch: free, but as old as the fetch."""
    known: bool = False
    """The broker confirmed ``end`` after the last record was read."""


class KafkaSource:
    """A :class:`monitor.source.base.Source` over Apache Kafka."""

    def __init__(self, settings: KafkaSettings, clock: Clock | None = None) -> None:
        self.out_of_range = 0
        """How often records below our position were gone, or the log shorter than it."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._consumer: KafkaConsumer | None = None
        self._link = Link()
        self._lag = LagReporter(settings, self._clock) if settings.lag_group else None
        self._readings: dict[TopicPartition, _Reading] = {}
        self._wanted: dict[TopicPartition, int] = {}
        self._since_ms: int | None = None
        self._missing: set[str] = set()
        self._probe_after_s = 0.0
        self._probe_pause_s = PROBE_EVERY_S
        self._faults = 0
        self._started = False
        self._closed = False

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading; see :class:`monitor.source.base.Source`.

        Topics that do not exist yet are waited for. ``since_ms`` holds for partitions found later
        too, so that what is read depends on the log alone.
        """
        self._drop_client()
        self._readings = {}
        self._wanted = {topic_partition(key): offset for key, offset in positions.items()}
        self._since_ms = since_ms
        self._started = True
        self._connect()

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next records; see :class:`monitor.source.base.Source`.

        Raises:
            SourceUnavailable: no broker answers; nothing was lost, poll again later.
            SourceError: it never will: not authorised, a damaged batch, a codec not installed.
        """
        if self._closed or not self._started:
            raise SourceError("poll belongs between start and close")
        if self._consumer is None:
            self._connect()
        consumer = self._consumer
        assert consumer is not None  # noqa: S101 - _connect raises otherwise
        self._discover(consumer)
        self._pause(consumer, skip)
        limit = min(max_records, POLL_RECORDS_MAX)
        records = self._poll_client(consumer, limit, timeout_s)
        fetched = [chunk for part, rows in records.items() for chunk in columns(part, rows)]
        self._probe(consumer, nothing_read=not fetched)
        if self._lag is not None:
            self._lag.report({part: each.position for part, each in self._readings.items()})
        return fetched

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the source stands, for every partition.

        While the broker does not answer, ``end`` lies one beyond ``position``: a partition is
        never *at the end* by hearsay.
        """
        return {
            Partition(part.topic, part.partition): Standing(
                reading.position,
                reading.end if reading.known else max(reading.end, reading.position + 1),
                reading.complete,
            )
            for part, reading in sorted(self._readings.items())
        }

    def exhausted(self) -> bool:
        """Never: a topic has no end."""
        return False

    def close(self) -> None:
        """Leave the broker; calling it twice is fine."""
        self._closed = True
        self._drop_client()
        if self._lag is not None:
            self._lag.close()

    # Connection

    def _connect(self) -> None:
        settings = self._settings
        self._consumer, self._link = open_consumer(
            settings,
            auto_offset_reset="none",  # a lost position is ours to notice
            check_crcs=True,
            enable_auto_commit=False,
            enable_incremental_fetch_sessions=False,  # they can stall, and whole ones tell all ends
            fetch_max_bytes=settings.fetch_bytes,
            # One request at a time waits at a broker: a partition that is resumed, or was being
            # drained when the request went out, has to wait for it.
            fetch_max_wait_ms=100,
            isolation_level="read_committed",
            max_partition_fetch_bytes=settings.fetch_bytes_per_partition,
            max_poll_records=POLL_RECORDS_MAX,
            metadata_max_age_ms=settings.discover_every,
            metrics_enabled=False,
        )
        try:
            self._await_metadata()
            self._discover(self._consumer)
        except SourceUnavailable:
            self._drop_client()
            raise

    def _await_metadata(self) -> None:
        """All topics once: which of ours are there is not known yet."""
        heard = threading.Event()
        self._link.cluster.need_all_topic_metadata = True
        self._link.cluster.request_update().add_both(lambda _: heard.set())
        if not self._clock.wait(heard, self._settings.connect_timeout / 1000):
            msg = f"no metadata from {self._settings.bootstrap}"
            raise SourceUnavailable(msg)

    def _drop_client(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=1_000)

    # Partitions and where to begin in them

    def _discover(self, consumer: KafkaConsumer) -> None:
        """Take up partitions that the client has heard of and that we do not read yet."""
        cluster = self._link.cluster
        there = {topic: cluster.partitions_for_topic(topic) for topic in self._settings.topics}
        missing = {topic for topic, numbers in there.items() if not numbers}
        if missing != self._missing:
            self._missing = missing
            if missing:
                log.warning("topics_missing", topics=sorted(missing))
        # Asking for a missing topic by name would be repeated ten times a second.
        cluster.need_all_topic_metadata = bool(missing)
        found = {
            TopicPartition(topic, number)
            for topic, numbers in there.items()
            for number in numbers or ()
        }
        assigned = consumer.assignment()
        if not found <= assigned:
            self._take_up(consumer, sorted(found - assigned), assigned)

    def _take_up(
        self, consumer: KafkaConsumer, new: list[TopicPartition], assigned: set[TopicPartition]
    ) -> None:
        wanted = self._wanted | {part: each.position for part, each in self._readings.items()}
        timeout_ms = self._settings.request_timeout
        try:
            begins = consumer.beginning_offsets(new, timeout_ms=timeout_ms)
            ends = consumer.end_offsets(new, timeout_ms=timeout_ms)
            # After the ends: what is appended in between is then behind the end we begin at.
            asked = {part: max(0, self._since_ms or 0) for part in new if part not in wanted}
            young: Mapping[TopicPartition, OffsetAndTimestamp | None] = (
                consumer.offsets_for_times(asked, timeout_ms=timeout_ms)
                if asked and self._since_ms is not None
                else dict.fromkeys(asked)
            )
        except KafkaError as fault:
            raise translate(fault, "asking where partitions begin and end") from fault
        consumer.assign(sorted(assigned | set(new)))
        for part in new:
            begin, end, before = begins[part], ends[part], self._readings.get(part)
            if part in wanted:
                position = wanted[part]
            elif self._since_ms is None:
                position = begin
            else:
                first_young = young[part]
                position = end if first_young is None else first_young.offset
            complete = position == begin == 0 if before is None else before.complete
            if not begin <= position <= end:
                self._count_lost(part, position, begin)
                position, complete = begin, False
            consumer.seek(part, position)
            self._readings[part] = _Reading(position, end, complete, self._clock.monotonic_s())
        log.info("partitions_taken_up", count=len(new), topics=sorted({part.topic for part in new}))

    def _count_lost(self, part: TopicPartition, position: int, begin: int) -> None:
        """Records were deleted below our position, or the log is a shorter one than it was."""
        self.out_of_range += 1
        log.error(
            "position_out_of_range",
            topic=part.topic,
            partition=part.partition,
            position=position,
            beginning=begin,
        )

    # Reading

    @staticmethod
    def _pause(consumer: KafkaConsumer, skip: AbstractSet[Partition]) -> None:
        wanted = {topic_partition(partition) for partition in skip} & consumer.assignment()
        paused = consumer.paused()
        consumer.pause(*sorted(wanted - paused))
        consumer.resume(*sorted(paused - wanted))

    def _poll_client(
        self, consumer: KafkaConsumer, limit: int, timeout_s: float
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            records: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(
                timeout_ms=int(timeout_s * 1000), max_records=limit
            )
            self._advance(consumer, records)
        except OffsetOutOfRangeError as fault:
            self._begin_anew(consumer, dict.fromkeys(fault.args[0]))
            return {}
        except LogTruncationError as fault:
            self._begin_anew(consumer, fault.divergent_offsets)
            return {}
        except Exception as fault:
            raise self._failed(fault) from fault
        self._faults = 0
        return records

    def _advance(
        self, consumer: KafkaConsumer, records: Mapping[TopicPartition, Sequence[Any]]
    ) -> None:
        """Bring positions and ends up to what the client has just given."""
        for part in consumer.assignment():
            reading, rows = self._readings[part], records.get(part)
            highwater = consumer.highwater(part)
            if highwater != reading.highwater and highwater is not None:
                reading.end = reading.highwater = highwater
            if rows:
                reading.position = rows[-1].offset + 1
                reading.known = False
            elif reading.position < reading.end:
                # Offsets without records: markers, aborted transactions, what compaction took.
                reading.position = max(reading.position, consumer.position(part, timeout_ms=0) or 0)

    def _begin_anew(
        self, consumer: KafkaConsumer, lost: Mapping[TopicPartition, OffsetAndMetadata | None]
    ) -> None:
        """Go on from the oldest record there is, or from where the log was cut off."""
        try:
            begins = consumer.beginning_offsets(
                list(lost), timeout_ms=self._settings.request_timeout
            )
        except KafkaError as fault:
            raise translate(fault, "asking where partitions begin") from fault
        for part, cut in lost.items():
            reading = self._readings[part]
            self._count_lost(part, reading.position, begins[part])
            reading.position = begins[part] if cut is None else cut.offset
            reading.complete = reading.known = False
            consumer.seek(part, reading.position)

    def _failed(self, fault: Exception) -> Exception:
        """The client is in an unknown state: it goes, and the next poll builds another."""
        self._drop_client()
        found = translate(fault, "reading")
        if not isinstance(fault, KafkaError) or isinstance(fault, CorruptRecordError):
            self._faults += 1
            if self._faults >= SAME_FAULT_MAX:
                msg = f"{found}; {self._faults} times in a row, so it will not heal by itself"
                return SourceError(msg)
        return found

    def _probe(self, consumer: KafkaConsumer, *, nothing_read: bool) -> None:
        """Ask for the ends of partitions that seem to be read to theirs."""
        now_s = self._clock.monotonic_s()
        if now_s < self._probe_after_s:
            return
        asked = [
            part
            for part, reading in self._readings.items()
            if (reading.position >= reading.end or nothing_read)
            and not (reading.known and now_s - reading.heard_s < PROBE_EVERY_S)
        ]
        if not asked:
            return
        try:
            ends = consumer.end_offsets(asked, timeout_ms=PROBE_TIMEOUT_MS)
        except KafkaError as fault:
            for part in asked:
                self._readings[part].known = False
            # kafka-python leaves the sockets of failed attempts to the garbage collector, which in
            # a process that has nothing to do may not come before there are too many.
            gc.collect()
            self._probe_pause_s = min(self._probe_pause_s * 2, PROBE_PAUSE_S_MAX)
            self._probe_after_s = self._clock.monotonic_s() + self._probe_pause_s
            if nothing_read and len(asked) == len(self._readings):
                raise translate(fault, "asking where partitions end") from fault
            log.warning("ends_unknown", partitions=len(asked))
            return
        self._probe_pause_s = PROBE_EVERY_S
        self._probe_after_s = now_s + PROBE_EVERY_S
        for part in asked:
            reading = self._readings[part]
            # The last stable offset, which an open transaction holds back; the highwater is not.
            reading.end = max(ends[part], reading.highwater or 0)
            reading.heard_s, reading.known = now_s, reading.highwater is not None


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

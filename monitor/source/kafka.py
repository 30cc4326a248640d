"""Events from Kafka: all partitions of the configured topics, at positions that we keep.

Owns assignment, discovery, positions and the question whether a partition is at its end. There is
no consumer group: two daemons never share partitions, and a checkpoint that disagreed with a
committed offset would be wrong. Whatever happens to the client, it can be thrown away and built
anew from the positions.

Transactions are read committed: aborted records are never seen. A transaction that is still open
holds its partition *not at the end*, for the broker's ``transaction.max.timeout.ms`` at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, LogTruncationError, OffsetOutOfRangeError

from monitor.clock import Clock, SystemClock
from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.kafka_client import Link, open_consumer, topic_partition, translate
from monitor.source.kafka_ends import EndProbe, Reading
from monitor.source.kafka_guard import unpack_whole
from monitor.source.kafka_lag import LagReporter
from monitor.source.kafka_records import beginnings, columns
from monitor.source.kafka_topics import await_topics
from monitor.source.settings import KafkaSettings

log = structlog.get_logger(__name__)

POLL_RECORDS_MAX = 50_000
DISCOVER_PAUSE_S = 5.0
QUICK_TIMEOUT_MS = 2_000
SAME_FAULT_MAX = 3
"""A fetch that fails so often at the same positions will not heal: a batch is damaged."""


class KafkaSource:
    """A :class:`monitor.source.base.Source` over Apache Kafka."""

    def __init__(self, settings: KafkaSettings, clock: Clock | None = None) -> None:
        self.out_of_range = 0
        """How often records below our position were gone, or the log shorter than it."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._consumer: KafkaConsumer | None = None
        self._link = Link()
        self._ends = EndProbe(self._clock, settings)
        self._lag = LagReporter(settings, self._clock) if settings.lag_group else None
        self._readings: dict[TopicPartition, Reading] = {}
        self._wanted: dict[TopicPartition, int] = {}
        self._since_ms: int | None = None
        self._missing: set[str] = set()
        self._discover_after_s = 0.0
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
            SourceUnavailable: no broker answers, or a right is missing; nothing was lost, poll
                again later.
            SourceError: it never will: a damaged batch, a codec not installed.
        """
        if self._closed or not self._started:
            raise SourceError("poll belongs between start and close")
        if self._consumer is None:
            self._connect()
        consumer = self._consumer
        assert consumer is not None  # noqa: S101 - _connect raises otherwise
        self._discover_more(consumer)
        self._pause(consumer, skip)
        limit = min(max_records, POLL_RECORDS_MAX)
        records = self._poll_client(consumer, limit, timeout_s)
        fetched = [chunk for part, rows in records.items() for chunk in columns(part, rows)]
        self._ends.ask(consumer, self._readings, nothing_read=not fetched)
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
        unpack_whole(self._consumer)
        try:
            await_topics(self._link, settings, self._clock)
            self._discover(self._consumer)
        except SourceUnavailable:
            self._drop_client()
            raise

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

    def _discover_more(self, consumer: KafkaConsumer) -> None:
        """As :meth:`_discover`, while others are being read, which a bad one must not hold up."""
        if self._clock.monotonic_s() < self._discover_after_s:
            return
        try:
            self._discover(consumer)
        except SourceUnavailable as fault:
            self._discover_after_s = self._clock.monotonic_s() + DISCOVER_PAUSE_S
            log.warning("partitions_not_taken_up", detail=str(fault))

    def _take_up(
        self, consumer: KafkaConsumer, new: list[TopicPartition], assigned: set[TopicPartition]
    ) -> None:
        begun = beginnings(
            consumer,
            new,
            wanted=self._wanted | {part: each.position for part, each in self._readings.items()},
            since_ms=self._since_ms,
            timeout_ms=QUICK_TIMEOUT_MS if assigned else self._settings.request_timeout,
            connection=self._settings,
        )
        consumer.assign(sorted(assigned | set(new)))
        for part, beginning in begun.items():
            complete, before = beginning.complete, self._readings.get(part)
            if beginning.missed is not None:
                self._count_lost(part, beginning.missed, beginning.position)
            elif before is not None:  # the client is a new one, the reading goes on
                complete = before.complete
            consumer.seek(part, beginning.position)
            heard_s = self._clock.monotonic_s()
            self._readings[part] = Reading(beginning.position, beginning.end, complete, heard_s)
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
            raise translate(fault, "asking where partitions begin", self._settings) from fault
        for part, cut in lost.items():
            reading = self._readings[part]
            self._count_lost(part, reading.position, begins[part])
            reading.position = begins[part] if cut is None else cut.offset
            reading.complete = reading.known = False
            consumer.seek(part, reading.position)

    def _failed(self, fault: Exception) -> Exception:
        """The client is in an unknown state: it goes, and the next poll builds another."""
        self._drop_client()
        found = translate(fault, "reading", self._settings)
        if not isinstance(fault, KafkaError) or isinstance(fault, CorruptRecordError):
            self._faults += 1
            if self._faults >= SAME_FAULT_MAX:
                msg = f"{found}; {self._faults} times in a row, so it will not heal by itself"
                return SourceError(msg)
        return found

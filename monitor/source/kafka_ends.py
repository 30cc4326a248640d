"""Whether a Kafka partition is read to its end: the one question that must not be answered wrongly.

Owns what is known of each partition's end and when the broker is asked again. An idle partition is
left out of the watermark, so one that only *seems* idle, because its broker went silent or its
transaction is open, would make its records late.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor.clock import Clock
from monitor.source.kafka_client import translate
from monitor.source.settings import KafkaConnection

log = structlog.get_logger(__name__)

PROBE_EVERY_S = 0.5
"""A partition counts as *at the end* only when the broker said so after its last record, and not
longer ago than this; well below ``idle_after``, so that a silent broker never looks like an idle
stream. Costs one small request every so often, and only while a partition is at its end."""
PROBE_TIMEOUT_MS = 2_000
PROBE_PAUSE_S_MAX = 5.0


@dataclass(slots=True)
class Reading:
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


class EndProbe:
    """Asks for ends in so far as the fetches have not told them."""

    def __init__(self, clock: Clock, connection: KafkaConnection) -> None:
        self._clock = clock
        self._connection = connection
        self._after_s = 0.0
        self._pause_s = PROBE_EVERY_S

    def ask(
        self,
        consumer: KafkaConsumer,
        readings: Mapping[TopicPartition, Reading],
        *,
        nothing_read: bool,
    ) -> None:
        """Ask for the ends of partitions that seem to be read to theirs, when it is time to.

        Raises:
            SourceUnavailable: nothing was read and no partition's end is known.
        """
        now_s = self._clock.monotonic_s()
        if now_s < self._after_s:
            return
        asked = [
            part
            for part, reading in readings.items()
            if (reading.position >= reading.end or nothing_read)
            and not (reading.known and now_s - reading.heard_s < PROBE_EVERY_S)
        ]
        if not asked:
            return
        try:
            ends = consumer.end_offsets(asked, timeout_ms=PROBE_TIMEOUT_MS)
        except KafkaError as fault:
            for part in asked:
                readings[part].known = False
            # kafka-python leaves the sockets of failed attempts to the garbage collector, which in
            # a process that has nothing to do may not come before there are too many.
            gc.collect()
            self._pause_s = min(self._pause_s * 2, PROBE_PAUSE_S_MAX)
            self._after_s = self._clock.monotonic_s() + self._pause_s
            if nothing_read and len(asked) == len(readings):
                raise translate(fault, "asking where partitions end", self._connection) from fault
            log.warning("ends_unknown", partitions=len(asked))
            return
        self._pause_s = PROBE_EVERY_S
        self._after_s = now_s + PROBE_EVERY_S
        for part in asked:
            reading = readings[part]
            # The last stable offset, which an open transaction holds back; the highwater is not.
            reading.end = max(ends[part], reading.highwater or 0)
            reading.heard_s, reading.known = now_s, reading.highwater is not None

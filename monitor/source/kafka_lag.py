"""Committed offsets for lag tools, off by default.

Owns a second client that does nothing else, so that the coordinator of a consumer group can never
slow the reading down. The daemon never reads these offsets: a checkpoint alone says where it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import AuthorizationError

from monitor.clock import Clock
from monitor.errors import MonitorError
from monitor.source.kafka_client import open_consumer
from monitor.source.kafka_rights import denied
from monitor.source.settings import KafkaSettings

log = structlog.get_logger(__name__)


class LagReporter:
    """Commits positions to a group every so often; failures are logged and forgotten."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._consumer: KafkaConsumer | None = None
        self._next_s = clock.monotonic_s()

    def report(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit ``positions`` when it is time to; does not wait for the answer."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s or not positions:
            return
        self._next_s = now_s + self._settings.lag_every / 1000
        try:
            if self._consumer is None:
                self._consumer, _ = open_consumer(
                    self._settings,
                    group_id=self._settings.lag_group,
                    enable_auto_commit=False,
                    metrics_enabled=False,
                )
            self._consumer.commit_async(
                {part: OffsetAndMetadata(offset, "", -1) for part, offset in positions.items()},
                callback=self._log_failure,
            )
        except MonitorError as fault:
            log.warning("lag_not_reported", detail=str(fault))

    def close(self) -> None:
        """Leave the broker; calling it twice is fine."""
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=1_000)
            self._consumer = None

    def _log_failure(self, _offsets: object, response: object) -> None:
        detail = str(response)
        if isinstance(response, AuthorizationError):
            group = self._settings.lag_group or ""
            detail = denied(
                response, self._settings, "Read", topics=self._settings.topics, group=group
            )
        if isinstance(response, Exception):
            log.warning("lag_not_reported", detail=detail)

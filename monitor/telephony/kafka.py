"""Commands to a Kafka topic, each exactly once.

Owns the transactional producer and the look back at the topic. A transaction of one record makes
an attempt all or nothing, the ``transactional.id`` ends whatever an earlier life had left open, and
the topic itself, read from where it ended before the first attempt, says whether the command is
there. Answers are ``monitor.telephony.acks``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

import msgspec
import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
)

from monitor.clock import Clock, SystemClock
from monitor.errors import DeliveryError, MonitorError
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.kafka_client import open_consumer, open_producer
from monitor.source.kafka_rights import Operation, denied
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.settings import TelephonySettings

log = structlog.get_logger(__name__)

_SCAN_RECORDS = 5_000
CLOSE_S = 0.25


class _Sent(msgspec.Struct):
    """What the look back needs of a command."""

    command_id: str


class KafkaCommandChannel:
    """A :class:`monitor.telephony.base.CommandChannel` over a topic."""

    def __init__(
        self,
        settings: TelephonySettings,
        connection: KafkaConnection,
        clock: Clock | None = None,
    ) -> None:
        """``connection`` is the cluster to use; nothing is opened before it is needed."""
        self._settings = settings
        self._connection = connection
        self._clock = clock or SystemClock()
        self._timeout_s = settings.send_timeout / 1000
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._consumer: KafkaConsumer | None = None
        self._seen: tuple[str, frozenset[str]] | None = None

    def prepare(self) -> str:
        """JSON of partition → offset: where the topic ends now."""
        with self._lock:
            topic = self._settings.commands
            numbers = self._ready().partitions_for(topic)
            try:
                if self._consumer is None:
                    self._consumer, _ = open_consumer(
                        self._connection,
                        enable_auto_commit=False,
                        isolation_level="read_committed",
                        metrics_enabled=False,
                    )
                ends = self._consumer.end_offsets(
                    [TopicPartition(topic, number) for number in sorted(numbers)],
                    timeout_ms=self._settings.send_timeout,
                )
            except (KafkaError, MonitorError) as fault:
                self._drop_consumer()
                raise self._delivery_error(fault, "Read") from fault
            mark = {str(part.partition): offset for part, offset in sorted(ends.items())}
            return msgspec.json.encode(mark).decode()

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        """Write one record in a transaction of its own; on return it is committed.

        Raises:
            DeliveryError: it may or may not be there. The producer is given up, so that the next
                use ends its transaction one way or the other.
        """
        with self._lock:
            producer = self._ready()
            self._seen = None

            def attempt() -> None:
                producer.begin_transaction()
                sent = producer.send(
                    self._settings.commands,
                    command_json,
                    key=key.encode(),
                    headers=[("command_id", command_id.encode())],
                )
                sent.get(timeout=self._timeout_s)
                producer.commit_transaction()

            try:
                self._within(attempt, producer)
            except DeliveryError:
                self._producer = None
                raise

    def already_sent(self, command_id: str, mark: str) -> bool:
        """Whether the command stands in the topic at or after ``mark``."""
        with self._lock:
            self._ready()  # after this no earlier attempt can still become visible
            if self._seen is None or self._seen[0] != mark:
                self._seen = (mark, self._ids_after(mark))
            return command_id in self._seen[1]

    def close(self) -> None:
        """Leave the broker; calling it twice is fine.

        An attempt that is under way holds everything, and ends by itself: what became of it is
        looked up after the next start.
        """
        if not self._lock.acquire(timeout=CLOSE_S):
            return
        try:
            self._drop_consumer()
            producer, self._producer = self._producer, None
            if producer is not None:
                _close(producer, self._timeout_s)
        finally:
            self._lock.release()

    def _ready(self) -> KafkaProducer:
        """A producer whose predecessors can no longer write."""
        if self._producer is not None:
            return self._producer
        timeout_ms = self._settings.send_timeout
        try:
            producer, _ = open_producer(
                self._connection,
                acks="all",
                delivery_timeout_ms=timeout_ms,
                max_block_ms=timeout_ms,
                metrics_enabled=False,
                request_timeout_ms=timeout_ms // 2,
                transaction_timeout_ms=max(60_000, 2 * timeout_ms),
                transactional_id=self._settings.transactional_id,
            )
        except MonitorError as fault:
            raise self._delivery_error(fault) from fault

        def begin() -> None:
            producer.init_transactions()
            producer.partitions_for(self._settings.commands)

        self._within(begin, producer)
        self._producer = producer
        return producer

    def _within(self, work: Callable[[], None], producer: KafkaProducer) -> None:
        """Do ``work`` in bounded time, which the client's own calls do not promise.

        Raises:
            DeliveryError: it failed, or took longer than ``send_timeout``; the producer is closed.
        """
        done, given_up = threading.Event(), threading.Event()
        faults: list[Exception] = []

        def run() -> None:
            try:
                work()
            except Exception as fault:  # noqa: BLE001 - raised by the caller below
                faults.append(fault)
            done.set()
            if faults or given_up.is_set():
                _close(producer, self._timeout_s)

        threading.Thread(target=run, name="telephony-commands", daemon=True).start()
        if not self._clock.wait(done, self._timeout_s):
            given_up.set()
            if not done.is_set():
                msg = f"{self._connection.bootstrap} did not answer in {self._timeout_s:g} s"
                raise DeliveryError(msg, retry=True, reason="timeout")
        if faults:
            raise self._delivery_error(faults[0]) from faults[0]

    def _ids_after(self, mark: str) -> frozenset[str]:
        """Command ids in the topic from ``mark`` to its end, of committed transactions only."""
        try:
            offsets = msgspec.json.decode(mark, type=dict[str, int])
        except msgspec.MsgspecError:  # made by another kind of system: the whole topic, then
            offsets = {}
        topic = self._settings.commands
        source = KafkaSource(KafkaSettings.of(self._connection, topic), self._clock)
        deadline_s = self._clock.monotonic_s() + self._timeout_s
        found: set[str] = set()
        try:
            source.start({Partition(topic, int(n)): at for n, at in offsets.items()}, None)
            while any(each.position < each.end for each in source.standings().values()):
                if self._clock.monotonic_s() > deadline_s:
                    # Behind a transaction that another producer holds open there may be ours.
                    msg = f"the end of {topic} was not reached in {self._timeout_s:g} s"
                    raise DeliveryError(msg, retry=True, reason="timeout")
                for chunk in source.poll(_SCAN_RECORDS, 0.1):
                    found.update(_ids(chunk.values))
        except MonitorError as fault:
            raise self._delivery_error(fault) from fault
        finally:
            source.close()
        return frozenset(found)

    def _delivery_error(self, fault: Exception, tried: Operation = "Write") -> DeliveryError:
        """What the lane is to do about it; the reason is a bounded label."""
        if isinstance(fault, DeliveryError):
            return fault
        if isinstance(fault, AuthorizationError):
            detail = denied(
                fault,
                self._connection,
                tried,
                topics=[self._settings.commands],
                transactional_id=self._settings.transactional_id,
            )
            return DeliveryError(detail, retry=True, reason="refused")
        if isinstance(fault, ProducerFencedError):
            # Another daemon uses our transactional.id, or we were away for too long.
            log.error("commands_fenced", detail=str(fault))
            return DeliveryError(str(fault), retry=True, reason="fenced")
        if isinstance(fault, MessageSizeTooLargeError):
            return DeliveryError(str(fault), retry=False, reason="too_large")
        reason = "timeout" if isinstance(fault, KafkaTimeoutError) else "connection"
        if isinstance(fault.__cause__, AuthorizationError):  # the source has put it into words
            return DeliveryError(str(fault), retry=True, reason="refused")
        return DeliveryError(f"{type(fault).__name__}: {fault}", retry=True, reason=reason)

    def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=1_000)


def _ids(values: Iterable[bytes | None]) -> Iterator[str]:
    for value in values:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # not one of ours
            yield msgspec.json.decode(value or b"", type=_Sent).command_id


def _close(producer: KafkaProducer, timeout_s: float) -> None:
    """Close; waits for what is still on its way to expire, or the client would not let go."""
    with contextlib.suppress(KafkaError):
        producer.close(timeout=timeout_s + 1)

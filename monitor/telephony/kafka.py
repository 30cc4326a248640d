"""Commands to a Kafka topic, each exactly once.

Owns the transactional producer and its marks. A transaction makes an attempt all or nothing,
whatever it holds; the ``transactional.id`` ends what an earlier life had left open, and the topic
itself, read from where it ended before the first attempt, says whether a command is there
(``monitor.telephony.kafka_look_back``). Answers are ``monitor.telephony.acks``.

Why a mark need not be asked for each time: a mark is good for a command as long as no attempt to
send that command lies before it, so one that is too old is never wrong, it only makes the look back
longer. The broker is asked once for each producer; from then on our own records move the mark, to
behind the last one in each partition. Marks that are equal mean, as before, that nothing of ours
was written between them: whatever is committed moves the mark, and an attempt that fails, committed
or not, ends the producer, and with it the mark.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.producer.future import RecordMetadata

from monitor.clock import Clock, SystemClock
from monitor.errors import DeliveryError, MonitorError
from monitor.source.kafka_client import open_consumer, open_producer
from monitor.source.kafka_rights import Operation
from monitor.source.settings import KafkaConnection
from monitor.telephony.base import Outgoing
from monitor.telephony.kafka_faults import delivery_error
from monitor.telephony.kafka_look_back import ids_after
from monitor.telephony.settings import SystemSettings

CLOSE_S = 0.25
SEEN_MAX = 10_000
"""Ids that are remembered of a look back; with more, the next one reads the topic again."""
RETRY_BACKOFF_MS = 20
"""A transaction that follows another at once is refused until the first one's end is written."""


class KafkaCommandChannel:
    """A :class:`monitor.telephony.base.CommandChannel` over a topic."""

    def __init__(
        self,
        settings: SystemSettings,
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
        # Both are of the present producer: while it can write, no other of its name can.
        self._ends: dict[int, int] | None = None
        """By partition, an offset behind all that was tried before."""
        self._seen: tuple[str, set[str]] | None = None
        """A mark, and the ids that stand behind it."""

    def prepare(self) -> str:
        """JSON of partition → offset: where the topic ends, or ended after our last record."""
        with self._lock:
            numbers = self._partitions()
            if self._ends is None or self._ends.keys() != numbers:
                self._ends = self._ask_ends(numbers)
            return msgspec.json.encode({str(n): at for n, at in self._ends.items()}).decode()

    def _partitions(self) -> set[int]:
        """That the topic has, as the producer knows.

        Raises:
            DeliveryError: it cannot tell.
        """
        producer = self._ready()
        try:
            numbers: set[int] = producer.partitions_for(self._settings.commands)
        except (KafkaError, MonitorError) as fault:
            raise self._delivery_error(fault) from fault
        return numbers

    def _ask_ends(self, numbers: set[int]) -> dict[int, int]:
        """Where these partitions end now.

        Raises:
            DeliveryError: no answer.
        """
        topic = self._settings.commands
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
        return {part.partition: offset for part, offset in sorted(ends.items())}

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        """As :meth:`send_all`, one."""
        self.send_all([(command_json, key, command_id)])

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        """Write all of them in one transaction, in their order; on return it is committed.

        Raises:
            DeliveryError: all are there or none is. The producer is given up, so that the next
                use ends its transaction one way or the other.
        """
        with self._lock:
            producer = self._ready()
            written: list[RecordMetadata] = []

            def attempt() -> None:
                producer.begin_transaction()
                sent = [
                    producer.send(
                        self._settings.commands,
                        command_json,
                        key=key.encode(),
                        headers=[("command_id", command_id.encode())],
                    )
                    for command_json, key, command_id in commands
                ]
                written.extend(each.get(timeout=self._timeout_s) for each in sent)
                producer.commit_transaction()

            try:
                self._within(attempt, producer)
            except DeliveryError:
                self._drop_producer()
                raise
            self._advance(written)
            self._remember(command_id for _, _, command_id in commands)

    def _advance(self, written: Iterable[RecordMetadata]) -> None:
        """Move the mark behind what has been committed."""
        for record in written:
            if self._ends is None:
                return
            if record.offset < self._ends.get(record.partition, 0):
                self._ends = None  # the log is shorter than it was, or nobody knows where it is
            else:
                self._ends[record.partition] = record.offset + 1

    def _remember(self, ids: Iterable[str]) -> None:
        """What is committed stands behind every mark; so nothing need be read again for it."""
        if self._seen is not None:
            self._seen[1].update(ids)
            if len(self._seen[1]) > SEEN_MAX:
                self._seen = None

    def already_sent(self, command_id: str, mark: str) -> bool:
        """Whether the command stands in the topic at or after ``mark``."""
        with self._lock:
            self._ready()  # after this no earlier attempt can still become visible
            if self._seen is None or self._seen[0] != mark:
                found = ids_after(
                    mark,
                    self._settings,
                    self._connection,
                    self._clock,
                    partitions=self._partitions(),
                )
                self._seen = (mark, found)
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
            producer = self._drop_producer()
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
                retry_backoff_ms=RETRY_BACKOFF_MS,
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

    def _drop_producer(self) -> KafkaProducer | None:
        """Forget it, with what holds only while it is there."""
        producer, self._producer = self._producer, None
        self._ends = self._seen = None
        return producer

    def _delivery_error(self, fault: Exception, tried: Operation = "Write") -> DeliveryError:
        return delivery_error(fault, self._connection, self._settings, tried)

    def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=1_000)


def _close(producer: KafkaProducer, timeout_s: float) -> None:
    """Close; waits for what is still on its way to expire, or the client would not let go."""
    with contextlib.suppress(KafkaError):
        producer.close(timeout=timeout_s + 1)

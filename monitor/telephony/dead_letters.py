"""Dead letters to a Kafka topic: the original bytes, with what was wrong in the headers.

Owns a bounded queue and a thread. The engine only ever puts into the queue: a broker that is slow
or gone costs dead letters, counted, and never time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

import structlog
from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from kafka.producer.future import FutureRecordMetadata

from monitor.clock import Clock, SystemClock
from monitor.errors import MonitorError
from monitor.events.batch import Reject
from monitor.source.kafka_client import open_producer
from monitor.source.kafka_rights import denied
from monitor.source.settings import KafkaConnection

log = structlog.get_logger(__name__)

WAITING_MAX = 10_000
WAITING_BYTES_MAX = 64 * 2**20
VALUE_BYTES_MAX = 900_000
"""A longer value is cut: brokers refuse records above 1 MB unless told otherwise."""
_DETAIL_CHARS = 500
_RETRY_S = 2.0
_IDLE_S = 0.25
_BATCH = 500
_SEND_S = 15.0
CLOSE_S = 2.0
"""How long closing waits for a broker that does not answer."""


class KafkaDeadLetters:
    """A :class:`monitor.events.rejects.DeadLetters` over a topic.

    Headers: ``reason``, ``topic``, ``partition``, ``offset``, ``detail``, all text; ``length`` too
    where the value was cut. Delivery is at least once.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str = "monitor.dead-letters",
        clock: Clock | None = None,
    ) -> None:
        """Nothing is opened before the first dead letter."""
        self.lost = 0
        self._connection = connection
        self._topic = topic
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._waiting: queue.Queue[Reject] = queue.Queue(WAITING_MAX)
        self._bytes = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._producer: KafkaProducer | None = None

    def put(self, rejects: Sequence[Reject]) -> None:
        """Queue ``rejects``; past the bound the newest are lost, and counted. Never waits."""
        if self._thread is None and rejects:
            self._thread = threading.Thread(target=self._run, name="dead-letters", daemon=True)
            self._thread.start()
        lost = 0
        for reject in rejects:
            with self._lock:
                room = self._bytes + _size(reject) <= WAITING_BYTES_MAX
                if room and not self._waiting.full():  # nobody else puts
                    self._waiting.put_nowait(reject)
                    self._bytes += _size(reject)
                else:
                    lost += 1
        if lost:
            self._lose(lost, "the queue is full")

    def waiting(self) -> tuple[int, int]:
        """How many wait for a broker, and how many may."""
        return self._waiting.qsize(), WAITING_MAX

    def close(self) -> None:
        """Send what waits, as far as a broker takes it soon; calling it twice is fine."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive() and not self._waiting.empty():
                log.warning("dead_letters_left", count=self._waiting.qsize())
            self._thread = None

    def _run(self) -> None:
        try:
            self._send_until_closed()
        finally:
            if self._producer is not None:
                self._producer.close(timeout=_SEND_S)

    def _send_until_closed(self) -> None:
        pending: list[Reject] = []
        while not (self._stop.is_set() and self._waiting.empty() and not pending):
            pending = pending or self._take()
            if not pending:
                continue
            left = self._send(pending)
            if left and self._stop.is_set():
                self._lose(len(left) + self._waiting.qsize(), "no broker at the end")
                break
            self._release([reject for reject in pending if reject not in left])
            pending = left
            if left:
                self._clock.wait(self._stop, _RETRY_S)

    def _take(self) -> list[Reject]:
        """What waits, at most a batch of it; empty after a moment without any."""
        taken: list[Reject] = []
        try:
            taken.append(self._waiting.get(timeout=_IDLE_S))
            while len(taken) < _BATCH:
                taken.append(self._waiting.get_nowait())
        except queue.Empty:
            pass
        return taken

    def _send(self, rejects: list[Reject]) -> list[Reject]:
        """Write a batch; gives back what is to be tried again."""
        try:
            if self._producer is None:
                self._producer, _ = open_producer(
                    self._connection,
                    delivery_timeout_ms=int(_SEND_S * 1000),
                    linger_ms=20,
                    max_block_ms=int(_SEND_S * 1000),
                    max_request_size=2 * VALUE_BYTES_MAX,
                    metrics_enabled=False,
                    request_timeout_ms=int(_SEND_S * 500),
                )
            sent = [(reject, self._send_one(self._producer, reject)) for reject in rejects]
            self._producer.flush(timeout=_SEND_S + 5)
        except (KafkaError, MonitorError) as fault:
            self._delayed(fault)
            return rejects
        left: list[Reject] = []
        for reject, future in sent:
            if isinstance(future.exception, MessageSizeTooLargeError | RecordListTooLargeError):
                self._lose(1, "the broker takes no record of this size")
            elif future.exception is not None:
                if not left:
                    self._delayed(future.exception)
                left.append(reject)
        return left

    def _delayed(self, fault: Exception) -> None:
        detail = str(fault)
        if isinstance(fault, AuthorizationError):
            detail = denied(fault, self._connection, "Write", topics=[self._topic])
        log.warning("dead_letters_delayed", waiting=self._waiting.qsize(), detail=detail)

    def _send_one(self, producer: KafkaProducer, reject: Reject) -> FutureRecordMetadata:
        place = reject.partition
        headers = [
            ("reason", reject.reason),
            ("topic", place.topic),
            ("partition", str(place.number)),
            ("offset", str(reject.offset)),
            ("detail", reject.detail[:_DETAIL_CHARS]),
        ]
        if len(reject.value) > VALUE_BYTES_MAX:
            headers.append(("length", str(len(reject.value))))
        return producer.send(
            self._topic,
            reject.value[:VALUE_BYTES_MAX],
            key=f"{place.topic}-{place.number}".encode(),
            headers=[(name, text.encode(errors="replace")) for name, text in headers],
        )

    def _release(self, rejects: Sequence[Reject]) -> None:
        with self._lock:
            self._bytes -= sum(_size(reject) for reject in rejects)

    def _lose(self, count: int, why: str) -> None:
        with self._lock:
            self.lost += count
        log.warning("dead_letters_lost", count=count, lost=self.lost, detail=why)


def _size(reject: Reject) -> int:
    return min(len(reject.value), VALUE_BYTES_MAX)

"""Calls by the thousand a second. Some numbers go badly for a while; events come late or twice.

Owns the producer. What could not be sent is sent again by the client; what it gives up on is
counted, and may be on the topic or not.
"""

from __future__ import annotations

import random
import threading
from collections import deque

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from monitor.clock import SystemClock

NUMBERS = 400
TEAMS = 4
BAD = 60
"""So many numbers are bad at a time; each second the longest bad gives way to another."""
AGAIN, LATE = 0.005, 0.01
"""Shares of events that come twice, and that come up to ``LATE_MS`` after their time."""
LATE_MS = 5_000
SLICE_S = 0.05


class Traffic:
    """A thread that calls until it is stopped."""

    def __init__(self, bootstrap: str, topic: str, *, rate: int, seed: int) -> None:
        self.sent = 0
        self.given_up = 0
        self.took_s = 0.0
        """For how long it has been calling, once it is stopped."""
        self.fault: BaseException | None = None
        """Why it ended before it was told to."""
        self._bootstrap = bootstrap
        self._topic = topic
        self._rate = rate
        self._random = random.Random(seed)
        self._clock = SystemClock()
        self._stop = threading.Event()
        self._bad: deque[int] = deque(maxlen=BAD)
        self._turned = 0
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=128 * 1024,
            max_block_ms=120_000,
            delivery_timeout_ms=240_000,
            reconnect_backoff_max_ms=1_000,
        )
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more calls; waits until those made have arrived. Twice is fine."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        self._producer.flush(timeout=300)
        self._producer.close(timeout=60)

    def on_topic(self) -> int:
        """How many records the topic holds, by its offsets."""
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap)
        try:
            parts = [
                TopicPartition(self._topic, n) for n in consumer.partitions_for_topic(self._topic)
            ]
            begins, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
            return sum(ends[part] - begins[part] for part in parts)
        finally:
            consumer.close()

    def _run(self) -> None:
        started_s = self._clock.monotonic_s()
        try:
            self._call_on(started_s)
        except BaseException as fault:  # noqa: BLE001 - whoever stops it is to know
            self.fault = fault
        self.took_s = self._clock.monotonic_s() - started_s

    def _call_on(self, started_s: float) -> None:
        while not self._clock.wait(self._stop, SLICE_S):
            elapsed_s = self._clock.monotonic_s() - started_s
            while self._turned < BAD + elapsed_s:
                self._turned += 1
                self._bad.append(self._random.randrange(NUMBERS))
            now_ms = self._clock.now_ms()
            for _ in range(min(int(elapsed_s * self._rate) - self.sent, self._rate)):
                self._call(now_ms)

    def _call(self, now_ms: int) -> None:
        draw = self._random.random
        number = int(draw() * NUMBERS)
        short = draw() < (0.7 if number in self._bad else 0.1)
        talk_s = draw() * 25 if short else 30 + draw() * 200
        time_ms = now_ms - int(draw() * (LATE_MS if draw() < LATE else 400))
        event = (
            f'{{"id":"s-{self.sent}","type":"call.ended","time":{time_ms},'
            f'"number":"+8621500{number:05}","customer":"c-{int(draw() * 1e8):08}",'
            f'"agent":"agent-{number % 100:04}","team":"team-{number % TEAMS}",'
            f'"campaign":"campaign-{number % 12}","call_id":"k-{self.sent}",'
            f'"direction":"outbound","outcome":"answered","talk_s":{talk_s:.1f},'
            f'"hangup_by":"{"customer" if short else "agent"}"}}'
        ).encode()
        for _ in range(2 if draw() < AGAIN else 1):
            future = self._producer.send(
                self._topic, event, key=b"%d" % number, timestamp_ms=now_ms
            )
            future.add_errback(self._count_given_up)
            self.sent += 1

    def _count_given_up(self, _error: BaseException) -> None:
        self.given_up += 1

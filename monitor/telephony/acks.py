"""Telephony's answers, read from any source: parsed, counted, handed to the engine's thread.

Owns a thread of its own, because the engine must never wait for a broker. Positions move only with
what was handed out, so that the caller can store both together.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
import structlog

from monitor.clock import Clock, SystemClock
from monitor.decisions import Ack
from monitor.errors import MonitorError
from monitor.events.times import NotATimeError, read_time
from monitor.source.base import Fetched, Partition, Source

log = structlog.get_logger(__name__)

POLL_RECORDS = 500
POLL_TIMEOUT_S = 0.25
RETRY_S = 2.0
CLOSE_S = 0.75
"""How long closing waits for the poll under way, whose answers nobody takes any more; a thread that
a silent broker holds longer ends by itself."""
WAITING_MAX = 16
"""Batches read and not yet taken; past it reading waits."""
_DETAIL_CHARS = 500
_FAULT_CHARS = 200
"""Of what is wrong with a record, in the log: it may quote what stands in it."""


class _AckRecord(msgspec.Struct):
    """One record of ``telephony.acks``; fields that are not ours are left alone."""

    command_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    status: Literal["applied", "rejected"]
    detail: str | None = None
    at: str | int | None = None


class AckReader:
    """A :class:`monitor.telephony.base.AckSource` over a :class:`monitor.source.base.Source`."""

    def __init__(self, source: Source, clock: Clock | None = None) -> None:
        """``source`` reads the topic of answers and nothing else; it is closed with this."""
        self.ignored: Counter[str] = Counter(malformed=0, bad_time=0, tombstone=0)
        """Records that are no answer, by reason: ``malformed``, ``bad_time``, ``tombstone``."""
        self._fresh: dict[str, tuple[int, str]] = {}
        """How many of the batch at hand were ignored, and what is wrong with the first."""
        self._source = source
        self._clock = clock or SystemClock()
        self._batches: queue.Queue[tuple[list[Ack], dict[Partition, int]]] = queue.Queue(
            WAITING_MAX
        )
        self._positions: dict[Partition, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._decoder = msgspec.json.Decoder(_AckRecord)

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Begin reading in the background, at ``positions`` or at the oldest answer."""
        self._positions = dict(positions)
        self._thread = threading.Thread(
            target=self._run, args=(dict(positions),), name="telephony-acks", daemon=True
        )
        self._thread.start()

    def poll(self) -> list[Ack]:
        """All answers read so far; never waits."""
        acks: list[Ack] = []
        try:
            while True:
                batch, positions = self._batches.get_nowait()
                acks.extend(batch)
                self._positions |= positions
        except queue.Empty:
            return acks

    def positions(self) -> Mapping[Partition, int]:
        """Where to begin after what :meth:`poll` has given so far."""
        return dict(self._positions)

    def close(self) -> None:
        """End the thread; calling it twice is fine."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            self._thread = None

    def _run(self, positions: dict[Partition, int]) -> None:
        started = False
        while not self._stop.is_set():
            try:
                if not started:
                    self._source.start(positions, None)
                    started = True
                self._hand_over(self._source.poll(POLL_RECORDS, POLL_TIMEOUT_S))
            except MonitorError as fault:
                log.warning("acks_unreadable", detail=str(fault))
                self._clock.wait(self._stop, RETRY_S)
        self._source.close()

    def _hand_over(self, fetched: Iterable[Fetched]) -> None:
        acks: list[Ack] = []
        positions: dict[Partition, int] = {}
        for chunk in fetched:
            for value, stamp in zip(chunk.values, chunk.timestamps.tolist(), strict=True):
                ack = self._read(value, stamp)
                if ack is not None:
                    acks.append(ack)
            positions[chunk.partition] = chunk.next_position
        self._tell_ignored()
        while positions and not self._stop.is_set():
            try:
                self._batches.put((acks, positions), timeout=POLL_TIMEOUT_S)
            except queue.Full:
                continue
            return

    def _read(self, value: bytes | None, stamp_ms: int) -> Ack | None:
        """The answer in a record; None where it is none, counted."""
        if value is None:
            self._ignore("tombstone", "a null record")
            return None
        try:
            record = self._decoder.decode(value)
            at_ms = read_time(stamp_ms if record.at is None else record.at)
        except NotATimeError as fault:
            self._ignore("bad_time", str(fault))
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            self._ignore("malformed", str(fault)[:_FAULT_CHARS])
            return None
        detail = (record.detail or "")[:_DETAIL_CHARS]
        return Ack(record.command_id, record.status, detail, at_ms)

    def _ignore(self, reason: str, detail: str) -> None:
        self.ignored[reason] += 1
        count, first = self._fresh.get(reason, (0, detail))
        self._fresh[reason] = count + 1, first

    def _tell_ignored(self) -> None:
        """A line for each reason: whoever may write there must not fill the log."""
        for reason, (count, detail) in self._fresh.items():
            log.warning("acks_ignored", reason=reason, count=count, detail=detail)
        self._fresh.clear()

"""Records on their way to a sink: bounded, and many confirmed at once.

Owns a thread. While the disk or the broker confirms one batch the next one gathers, so that a
confirmation is shared by all that came meanwhile.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import structlog

from monitor.clock import Clock
from monitor.errors import BackPressure, MonitorError
from monitor.ingest.figures import Counts
from monitor.ingest.sinks import Kept, Sink

log = structlog.get_logger(__name__)

BATCH_MAX = 500
_CLOSE_S = 10.0

_Waiting = tuple[Kept, "Future[None]"]


class KeepingQueue:
    """Takes records from any thread, and says when each is kept."""

    def __init__(self, sink: Sink, waiting: int, clock: Clock) -> None:
        """``waiting``: at most so many."""
        self.counts = Counts()
        """What was kept, and what was not; this thread's part of it."""
        self._sink, self._clock = sink, clock
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(waiting)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Records that wait."""
        return self._waiting.qsize()

    def put(self, name: str, record: bytes) -> Future[None]:
        """Done once the record is durable; it raises what the sink raised.

        Raises:
            BackPressure: too many wait already.
        """
        done: Future[None] = Future()
        if self._closed:
            raise BackPressure("the receiver is stopping")
        try:
            self._waiting.put_nowait(((name, record), done))
        except queue.Full:
            raise BackPressure("too many records wait to be kept") from None
        return done

    def close(self) -> None:
        """Keep what waits, then close the sink."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        over = False
        while not over:
            batch, over = self._gathered()
            if batch:
                self._keep(batch)
        self._sink.close()

    def _gathered(self) -> tuple[list[_Waiting], bool]:
        """What waits, at least one; and whether it was the last."""
        batch: list[_Waiting] = []
        item = self._waiting.get()
        while item is not None:
            batch.append(item)
            if len(batch) >= BATCH_MAX:
                return batch, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _keep(self, waiting: list[_Waiting]) -> None:
        # Whoever has gone meanwhile hears nothing, and ends nothing.
        batch = [each for each in waiting if each[1].set_running_or_notify_cancel()]
        if not batch:
            return
        self.counts.busy_since_s = self._clock.monotonic_s()
        try:
            self._sink.keep([record for record, _ in batch])
        except (OSError, MonitorError) as fault:
            log.warning("webhooks_not_kept", count=len(batch), detail=str(fault))
            self._failed(batch, fault)
        except Exception as fault:
            log.exception("webhooks_not_kept", count=len(batch))
            self._failed(batch, fault)
        else:
            counts = self.counts
            counts.kept.update(name for (name, _), _ in batch)
            counts.failing, counts.last_kept_ms = "", self._clock.now_ms()
            for _, done in batch:
                done.set_result(None)
        self.counts.busy_since_s = None

    def _failed(self, batch: Sequence[_Waiting], fault: Exception) -> None:
        self.counts.sink_errors += 1
        self.counts.failing = str(fault) or type(fault).__name__
        for _, done in batch:
            done.set_exception(fault)

"""Any source behind a thread of its own, so that its reader can always be told to stop.

Owns the handing over of one call at a time. A client whose broker has gone silent holds a call for
as long as its timeouts say, which is longer than a program may take to end. The reader waits for
the call or for the word to stop; a call that is left behind changes nothing that the reader sees.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition, Source, Standing

THREAD = "source"
"""The thread's name: where the watchdog looks when the engine waits here."""
_LOOK_S = 0.1
"""How soon the word to stop is heard."""
_GRACE_S = 0.5
"""How long a call under way may still take then: nearly all end within it."""
_CLOSE_S = 1.5

_Call = Callable[[], list[Fetched]]
_Answer = tuple[list[Fetched] | BaseException, Mapping[Partition, Standing]]


class Aside:
    """A :class:`monitor.source.base.Source` over another one; one thread uses it."""

    def __init__(self, inner: Source, stop: threading.Event) -> None:
        """``stop``: the reader is to end; calls are given up from then on."""
        self._inner = inner
        self._stop = stop
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        self._standings: Mapping[Partition, Standing] = {}
        self._thread: threading.Thread | None = None
        self._left = False
        """A call was given up: its thread alone knows what the inner source is doing."""
        self._closed = False

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading; see :class:`monitor.source.base.Source`."""
        wanted = dict(positions)

        def call() -> list[Fetched]:
            self._inner.start(wanted, since_ms)
            return []

        self._do(call)

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next records; see :class:`monitor.source.base.Source`.

        Raises:
            SourceUnavailable: also when told to stop while the source does not answer.
        """
        return self._do(lambda: self._inner.poll(max_records, timeout_s, skip))

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the source stood after the last call that ended."""
        return self._standings

    def exhausted(self) -> bool:
        """No record will ever come again."""
        return self._inner.exhausted()

    def close(self) -> None:
        """Close the inner source, as soon as it is done; calling it twice is fine."""
        if self._closed:
            return
        self._closed = True
        if self._thread is None:
            self._inner.close()
            return
        self._calls.put(None)
        # A call that was given up has had its time already.
        self._thread.join(_LOOK_S if self._left else _CLOSE_S)

    def _do(self, call: _Call) -> list[Fetched]:
        if self._closed:
            raise SourceError("the source is closed")
        if self._left:
            raise SourceUnavailable("told to stop")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
            self._thread.start()
        self._calls.put(call)
        found, self._standings = self._answer()
        if isinstance(found, BaseException):
            raise found
        return found

    def _answer(self) -> _Answer:
        looks = int(_GRACE_S / _LOOK_S)
        while True:
            try:
                return self._answers.get(timeout=_LOOK_S)
            except queue.Empty:
                if not self._stop.is_set():
                    continue
            looks -= 1
            if looks < 0:
                self._left = True
                raise SourceUnavailable("told to stop while the source did not answer")

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            found: list[Fetched] | BaseException
            try:
                found = call()
            except BaseException as fault:  # noqa: BLE001 - raised where it was asked for
                found = fault
            self._answers.put((found, dict(self._inner.standings())))
        self._inner.close()

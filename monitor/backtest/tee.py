"""One reading of a source for two readers, each at its own pace.

Owns the queues between them. Both see every record of every partition in order, whatever the other
does; neither runs further ahead of the other than ``ROWS_MAX``.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from monitor.source.base import Fetched, Partition, Source, Standing

ROWS_MAX = 600_000
"""Records that wait for the reader who is behind; the other gets nothing meanwhile."""


class Tee:
    """Reads ``inner`` once; :attr:`sides` are sources over it, for two threads."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._started = self._closed = False
        self.sides = (Side(self), Side(self))

    def _start(self, since_ms: int | None) -> None:
        with self._lock:
            if not self._started:
                self._inner.start({}, since_ms)
                self._started = True

    def _poll(
        self, side: Side, max_records: int, timeout_s: float, skip: AbstractSet[Partition]
    ) -> list[Fetched]:
        with self._lock:
            waiting = side.take(max_records, skip)
            if waiting or any(other.rows >= ROWS_MAX for other in self.sides if other is not side):
                return waiting
            fetched = self._inner.poll(max_records, timeout_s, skip)
            for other in self.sides:
                if other is not side:
                    other.put(fetched)
            return fetched

    def _standings(self, side: Side) -> Mapping[Partition, Standing]:
        with self._lock:
            return {
                part: replace(standing, position=side.position(part, standing.position))
                for part, standing in self._inner.standings().items()
            }

    def _exhausted(self, side: Side) -> bool:
        with self._lock:
            return self._inner.exhausted() and not side.rows

    def _close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._inner.close()


class Side:
    """A :class:`monitor.source.base.Source`: one reader's view. Closing one closes both."""

    def __init__(self, tee: Tee) -> None:
        self.rows = 0
        """Records that wait here."""
        self._tee = tee
        self._waiting: dict[Partition, deque[Fetched]] = defaultdict(deque)

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:  # noqa: ARG002
        """Begin reading, at ``since_ms`` of whoever starts first."""
        self._tee._start(since_ms)  # noqa: SLF001 - two halves of one thing, here and below

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next records; none while the other reader is far behind."""
        return self._tee._poll(self, max_records, timeout_s, skip)  # noqa: SLF001

    def standings(self) -> Mapping[Partition, Standing]:
        """Where this reader stands."""
        return self._tee._standings(self)  # noqa: SLF001

    def exhausted(self) -> bool:
        """This reader has had all there is."""
        return self._tee._exhausted(self)  # noqa: SLF001

    def close(self) -> None:
        """Close the source; calling it twice is fine."""
        self._tee._close()  # noqa: SLF001

    def put(self, fetched: list[Fetched]) -> None:
        """Records that the other reader has just been given."""
        for batch in fetched:
            self._waiting[batch.partition].append(batch)
            self.rows += len(batch.values)

    def take(self, max_records: int, skip: AbstractSet[Partition]) -> list[Fetched]:
        """Of what waits, about so many records; whole batches."""
        taken: list[Fetched] = []
        room = max_records
        for partition, batches in self._waiting.items():
            while batches and partition not in skip and room > 0:
                batch = batches.popleft()
                taken.append(batch)
                room -= len(batch.values)
        self.rows -= max_records - room
        return taken

    def position(self, partition: Partition, inner: int) -> int:
        """The next offset of a partition for this reader."""
        batches = self._waiting.get(partition)
        return int(batches[0].offsets[0]) if batches else inner

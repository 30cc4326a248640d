"""A stretch of another source, with an end: what a replay of a live log reads.

Owns the end only: the offsets that existed when reading began, and the broker time up to which
records count.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np

from monitor.source.base import Fetched, Partition, Source, Standing


class BoundedSource:
    """``inner`` up to its ends at the start, and to ``until_ms`` of broker time."""

    def __init__(self, inner: Source, until_ms: int | None = None) -> None:
        self._inner = inner
        self._until_ms = until_ms
        self._ends: dict[Partition, int] = {}

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading; what is appended from now on is not part of it."""
        self._inner.start(positions, since_ms)
        self._ends = {part: standing.end for part, standing in self._inner.standings().items()}

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next records of the stretch."""
        fetched = self._inner.poll(max_records, timeout_s, skip)
        return [cut for batch in fetched if len((cut := self._cut(batch)).values)]

    def standings(self) -> Mapping[Partition, Standing]:
        """Where reading stands, against the end of the stretch."""
        return {
            part: replace(standing, end=min(standing.end, self._ends[part]))
            for part, standing in self._inner.standings().items()
            if part in self._ends
        }

    def exhausted(self) -> bool:
        """Everything up to the ends has been read."""
        return all(standing.position >= standing.end for standing in self.standings().values())

    def close(self) -> None:
        """Close the inner source."""
        self._inner.close()

    def _cut(self, batch: Fetched) -> Fetched:
        keep = batch.offsets < self._ends.get(batch.partition, 0)
        if self._until_ms is not None:
            keep &= batch.timestamps < self._until_ms
        if keep.all():
            return batch
        return replace(
            batch,
            offsets=batch.offsets[keep],
            timestamps=batch.timestamps[keep],
            values=[batch.values[row] for row in np.flatnonzero(keep).tolist()],
        )

"""The event log read through a bad network.

Owns what a reader of Kafka meets: polls that fail, that give a part, that leave partitions out;
ends that nobody has confirmed. Records come again after a restart, from an older checkpoint's
positions; within one reading offsets only rise, as ``monitor.source.base`` promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from monitor.errors import SourceUnavailable
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.memory import MemorySource
from tests.faults.chance import Chance


class ShakySource(MemorySource):
    """A reading of a log; :meth:`reader` makes that of the next life."""

    def __init__(self, chance: Chance, partitions: tuple[Partition, ...] = ()) -> None:
        super().__init__(partitions)
        self.down = False
        """The broker does not answer; ends are not confirmed."""
        self._chance = chance

    def reader(self) -> ShakySource:
        """The same log, read by a new process."""
        other = ShakySource(self._chance)
        other._logs = self._logs
        other.down = self.down
        return other

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading; may fail."""
        if self.down or self._chance.strikes("source start", 0.1):
            raise SourceUnavailable("the broker does not answer")
        super().start(positions, since_ms)

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """Some of the next records."""
        chance = self._chance
        chance.crash("poll")
        if self.down or chance.strikes("poll fails", 0.04):
            raise SourceUnavailable("the broker does not answer")
        if chance.strikes("poll is empty", 0.1):
            return []
        limit = chance.pick("poll size", [3, 12, 10_000, 10_000])
        behind = {p for p in self._reading if chance.strikes("partition behind", 0.15)}
        return super().poll(min(max_records, limit), timeout_s, skip | behind)

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the reader stands; ends are as good as the last answer."""
        found = super().standings()
        if not self.down:
            return found
        return {p: replace(standing, confirmed=False) for p, standing in found.items()}

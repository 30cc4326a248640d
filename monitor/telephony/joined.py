"""Answers from several sources as one.

Owns the names under which the sources' positions are kept apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from monitor.decisions import Ack
from monitor.source.base import Partition
from monitor.telephony.base import AckSource

EXPECTED_MAX = 10_000
"""Commands that wait for more than one answer; of the oldest the first one counts."""
_BETWEEN = "/"
"""Stands in no name of a topic."""


class Joined:
    """An :class:`monitor.telephony.base.AckSource` over others, by name."""

    def __init__(self, sources: Mapping[str, AckSource]) -> None:
        """The source of the empty name keeps its positions as if it were the only one."""
        self._sources = dict(sources)
        self._expected: dict[str, set[str]] = {}
        """By command, the sources whose answer has not come, of those that have to."""

    @property
    def ignored(self) -> Mapping[str, int]:
        """Of all of them together."""
        total: Counter[str] = Counter()
        for source in self._sources.values():
            total.update(source.ignored)
        return total

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Begin each where it was."""
        for name, source in self._sources.items():
            source.restore(
                {
                    Partition(topic, partition.number): at
                    for partition, at in positions.items()
                    for of, topic in [_parted(partition.topic)]
                    if of == name
                }
            )

    def poll(self) -> list[Ack]:
        """The answers of each that have come."""
        return [
            ack
            for name, source in self._sources.items()
            for ack in source.poll()
            if self._answers(name, ack)
        ]

    def expect(self, command_id: str, names: Iterable[str]) -> None:
        """A command went to several: it is applied once all of them say so, or rejected by one."""
        if len(self._expected) >= EXPECTED_MAX:
            del self._expected[next(iter(self._expected))]
        self._expected[command_id] = set(names)

    def _answers(self, name: str, ack: Ack) -> bool:
        """Whether ``ack`` is the answer of all that were asked."""
        left = self._expected.get(ack.command_id)
        if left is None:
            return True
        left.discard(name)
        if left and ack.status == "applied":
            return False
        del self._expected[ack.command_id]
        return True

    def positions(self) -> Mapping[Partition, int]:
        """Where each begins next time."""
        return {
            Partition(f"{name}{_BETWEEN}{at.topic}" if name else at.topic, at.number): position
            for name, source in self._sources.items()
            for at, position in source.positions().items()
        }

    def close(self) -> None:
        """Close them all."""
        for source in self._sources.values():
            source.close()


def _parted(topic: str) -> tuple[str, str]:
    """The source's name, and the topic as it calls it."""
    name, between, rest = topic.rpartition(_BETWEEN)
    return (name, rest) if between else ("", topic)

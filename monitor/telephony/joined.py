"""Answers from several sources as one.

Owns the names under which the sources' positions are kept apart, the note on each answer whose it
is, and the memory of who was asked. Whether all have answered is the desk's to say: that is part
of a checkpoint, and the answers are in the journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from monitor.decisions import Ack
from monitor.source.base import Partition
from monitor.telephony.base import AckSource

KNOWN_MAX = 10_000
"""Commands of which is remembered here whom they went to; of others the outbox is asked."""
_BETWEEN = "/"
"""Stands in no name of a topic."""


class Asked:
    """By command, the systems that it went to."""

    def __init__(self) -> None:
        self.look_up: Callable[[str], Sequence[str]] = lambda _command: ()
        """Of a command that is not remembered here; may raise StoreError."""
        self._known: dict[str, Sequence[str]] = {}

    def note(self, command_id: str, systems: Sequence[str]) -> None:
        """A command goes to ``systems``."""
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[command_id] = systems

    def whole(self, ack: Ack) -> Ack:
        """``ack`` with all who were asked; of one alone it is the answer, whoever gave it.

        Raises:
            StoreError: it is not remembered, and the store cannot be read.
        """
        if not ack.system or ack.systems:
            return ack
        systems = self._known.get(ack.command_id)
        if systems is None:
            systems = self.look_up(ack.command_id)
            self.note(ack.command_id, systems)
        if len(systems) < 2:
            return replace(ack, system="")
        return replace(ack, systems=tuple(systems))


class Joined:
    """An :class:`monitor.telephony.base.AckSource` over others, by name."""

    def __init__(
        self,
        sources: Mapping[str, AckSource],
        *,
        named: bool = False,
        formerly: Mapping[str, str] | None = None,
    ) -> None:
        """The source of the empty name keeps its positions as if it were the only one.

        ``named``: each answer says whose it is. ``formerly``: the name today of one that has
        positions under an earlier one.
        """
        self._sources = dict(sources)
        self._named = named
        self._formerly = formerly or {}

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
                    if self._formerly.get(of, of) == name
                }
            )

    def poll(self) -> list[Ack]:
        """The answers of each that have come."""
        return [
            replace(ack, system=name) if self._named else ack
            for name, source in self._sources.items()
            for ack in source.poll()
        ]

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

"""The interfaces of every telephony system: commands out, answers in.

Owns the contract of sending a command *once*. A command is never lost, and never on its way twice:
the caller keeps a mark before the first attempt and asks :meth:`CommandChannel.already_sent`
before every later one, so that a death between sending and bookkeeping is survived
(docs/numbers.md, "Commands and acknowledgements"). What a command means belongs to
``monitor.numbers``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.decisions import Ack
from monitor.source.base import Partition

Outgoing = tuple[bytes, str, str]
"""A command for :meth:`CommandChannel.send_all`: what :meth:`CommandChannel.send` takes."""


class CommandChannel(Protocol):
    """A way to telephony. Threads may share one; it locks where it must.

    The caller's order of work for one command::

        mark = channel.prepare()            # once, before the first attempt
        … store the mark durably …
        channel.send(command, key, command_id)
        … store that it was sent …

    and for a command that may have gone out before (the process died, ``send`` raised)::

        if not channel.already_sent(command_id, mark):
            channel.send(command, key, command_id)

    After an attempt that failed, the caller makes sure that it is still the active daemon, and
    prepares anew, before any other: to send again may shut out the one that has taken over.
    """

    def prepare(self) -> str:
        """An opaque mark: what is sent from now on lies behind it. Bounded, a few hundred bytes.

        It may be older than now, and then more lies behind it. Two that are equal mean that no
        attempt was made between them.

        Raises:
            DeliveryError: the receiver does not answer.
        """
        ...

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        """Hand one command over; on return the receiver has it durably.

        Args:
            command_json: ``Command.to_wire()`` as JSON.
            key: the number: commands of one key keep their order.
            command_id: what a receiver drops repeats by.

        Raises:
            DeliveryError: it may or may not have arrived; ``retry`` says whether trying again can
                help, after :meth:`already_sent`.
        """
        ...

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        """Hand several over, in their order; on return the receiver has all of them durably.

        Raises:
            DeliveryError: as :meth:`send`; each of them may or may not have arrived.
        """
        ...

    def already_sent(self, command_id: str, mark: str) -> bool:
        """Whether the receiver has ``command_id``, sent after ``mark`` was made.

        False also where a receiver cannot be asked: it then drops repeats by the id itself.

        Raises:
            DeliveryError: the receiver does not answer, so nothing is known.
        """
        ...

    def close(self) -> None:
        """Release what is held; calling it twice is fine."""
        ...


class AckSource(Protocol):
    """Telephony's answers. One thread uses it; positions are kept by the caller."""

    @property
    def ignored(self) -> Mapping[str, int]:
        """Records that are no answer, by reason: a fixed, small set."""
        ...

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Begin at what :meth:`positions` gave, or at the oldest answer when empty.

        Called once, before the first :meth:`poll`. An unreachable broker is not an error here.
        """
        ...

    def poll(self) -> list[Ack]:
        """The answers that have come, in the order of their log; empty when there are none.

        Returns at once. A bad record is left out, counted and logged; an unreachable broker gives
        an empty list. The same answer may come twice after a restart.
        """
        ...

    def positions(self) -> Mapping[Partition, int]:
        """Where to begin after what :meth:`poll` has given so far."""
        ...

    def close(self) -> None:
        """Release what is held; calling it twice is fine."""
        ...


@dataclass(frozen=True, slots=True)
class Blocked:
    """What a system blocks just now."""

    ours: Mapping[str, int | None]
    """Numbers that we had it block, with the time (ms) at which it lets go; None: when told."""
    others: frozenset[str]
    """Numbers that somebody else had it block."""
    timed: bool = True
    """Whether it knows when each is let go; otherwise the times mean nothing."""
    asked: frozenset[str] | None = None
    """The numbers it was asked about; None: it lists all."""

    def tells_of(self, number: str) -> bool:
        """Whether it was asked about ``number``; else that it is not named means nothing."""
        return self.asked is None or number in self.asked


class Reconciler(Protocol):
    """A system that can say what it blocks. It may be asked from any thread."""

    def blocked(self, numbers: Iterable[str]) -> Blocked:
        """What is blocked now.

        Args:
            numbers: those of interest, for a system that cannot list what it blocks.

        Raises:
            DeliveryError: it does not answer, so nothing is known.
        """
        ...

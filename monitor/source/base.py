"""The interface of everything that events are read from.

A source hands out records of numbered partitions in offset order and remembers nothing for us:
positions are kept in the checkpoint and given back through :meth:`Source.start`. Decoding is
``monitor.events``; the shipped fake is ``monitor.source.memory`` and passes the same contract
suite as the real ones (tests/source/contract.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]


class Partition(NamedTuple):
    """One ordered log: a Kafka partition, or a file (number 0). Sorts by topic, then number."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """Consecutive records of one partition, in offset order.

    ``offsets`` are strictly increasing, not always by one. All columns have the same length.
    """

    partition: Partition
    offsets: Int64
    timestamps: Int64
    """The broker's, in ms since 1970 UTC; -1 where there is none."""
    append_time: bool
    """The broker set the timestamps itself (``LogAppendTime``)."""
    values: Sequence[bytes | None]
    next_position: int
    """The position to resume from after these records."""
    as_kept: bool = False
    """As ``monitor.archive.hashing`` wrote them: events of ours whatever mapping their topic has,
    or lists of them with what was refused (``monitor.mapping.kept``)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the source stands in one partition."""

    position: int
    """The next offset to be read."""
    end: int
    """One after the last offset known to exist; ``position >= end`` is *at the end*."""
    complete: bool
    """Reading began at the start of the log and nothing had been deleted before it."""
    confirmed: bool = True
    """``end`` was confirmed by the broker a moment ago; false while it does not answer. An
    unconfirmed partition is never taken for idle, or an outage would look like a quiet night."""


class Source(Protocol):
    """A set of partitions to read from. One thread uses it."""

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading.

        Partitions in ``positions`` resume there; others begin at the first record whose broker
        timestamp is not before ``since_ms``, or at the beginning of the log when None.

        Raises:
            SourceUnavailable: the broker does not answer; try again.
            SourceError: it never will (no such file, not authorised).
        """
        ...

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next records, at most about ``max_records``; empty after ``timeout_s`` seconds.

        Partitions in ``skip`` are left where they are for this call: back-pressure on those whose
        event time has run far ahead of the others.
        """
        ...

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the source stands, for every partition it reads, those without records too."""
        ...

    def exhausted(self) -> bool:
        """No record will ever come again: a finite source that is read to its end."""
        ...

    def close(self) -> None:
        """Release what is held; calling it twice is fine."""
        ...

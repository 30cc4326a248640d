"""Records of other systems on their way to columns: mapped first, then decoded as events are.

Owns which topics are read by which mapping, and what becomes of offsets: all events of one record
have its offset, in the order of the mapping. A topic without a mapping is none of its business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

import msgspec
import numpy as np

from monitor.events.ahead import Decodes
from monitor.events.batch import Decoded, Reject
from monitor.events.strict import Fault
from monitor.mapping.kept import KEPT, has_lists
from monitor.mapping.mapper import Broken, Event, Mapper
from monitor.source.base import Fetched

_TOPICS_MAX = 10_000
"""Topics whose mapping is remembered."""


class Maps(Protocol):
    """Makes events of a record."""

    def of_bytes(
        self, record: bytes
    ) -> tuple[Sequence[Event | msgspec.Raw], Sequence[Broken | Fault]]:
        """The events, and what could not be made."""
        ...

    def told(self, detail: str) -> str:
        """What is said of a fault in one of them."""
        ...


class MappingOf:
    """Which mapping reads a topic."""

    def __init__(self, topics: Sequence[tuple[str, Mapper]]) -> None:
        """``topics``: names or patterns, each with its mapping; the first that fits holds."""
        self._patterns = tuple(topics)
        self._topics: dict[str, Mapper | None] = {}

    def __call__(self, topic: str) -> Mapper | None:
        """None: its records are events of ours."""
        if topic not in self._topics:
            fits = (each for pattern, each in self._patterns if fnmatchcase(topic, pattern))
            if len(self._topics) >= _TOPICS_MAX:
                self._topics.clear()
            self._topics[topic] = next(fits, None)
        return self._topics[topic]


class MappedDecoder:
    """A :class:`monitor.events.ahead.Decodes` over another one."""

    def __init__(self, inner: Decodes, topics: Sequence[tuple[str, Mapper]]) -> None:
        """``topics``: as of :class:`MappingOf`."""
        self._inner = inner
        self._of = MappingOf(topics)
        self._encode = msgspec.json.Encoder().encode

    def decode(self, fetched: Fetched) -> Decoded:
        """The rows of one batch, and what was refused with the mapping's name and line."""
        if fetched.as_kept:
            return (
                self._mapped(fetched, KEPT) if has_lists(fetched) else self._inner.decode(fetched)
            )
        mapper = self._of(fetched.partition.topic)
        return self._inner.decode(fetched) if mapper is None else self._mapped(fetched, mapper)

    def _mapped(self, fetched: Fetched, mapper: Maps) -> Decoded:
        rows: list[int] = []
        events: list[bytes] = []
        rejects: list[Reject] = []
        tombstones = unmapped = 0
        for row, record in enumerate(fetched.values):
            if record is None:
                tombstones += 1
                continue
            made, broken = mapper.of_bytes(record)
            unmapped += not made and not broken
            rows += [row] * len(made)
            events += map(self._encode, made)
            offset = int(fetched.offsets[row])
            rejects += (
                Reject(fetched.partition, offset, each.reason, each.detail, record)
                for each in broken
            )
        at = np.array(rows, np.int64)
        decoded = self._inner.decode(
            Fetched(
                partition=fetched.partition,
                offsets=fetched.offsets[at],
                timestamps=fetched.timestamps[at],
                append_time=fetched.append_time,
                values=events,
                next_position=fetched.next_position,
            )
        )
        original = _by_offset(fetched) if decoded.rejects else {}
        rejects += (
            Reject(
                each.partition,
                each.offset,
                each.reason,
                mapper.told(each.detail),
                original[each.offset],
            )
            for each in decoded.rejects
        )
        decoded.rejects = sorted(rejects, key=lambda reject: reject.offset)
        decoded.tombstones += tombstones
        decoded.unmapped += unmapped
        return decoded


def _by_offset(fetched: Fetched) -> Mapping[int, bytes]:
    return dict(
        zip(fetched.offsets.tolist(), (value or b"" for value in fetched.values), strict=True)
    )

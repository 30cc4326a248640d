"""Each event id once (docs/semantics.md, 8).

Owns the ids seen lately. Redelivery after a restart is handled by positions, not here: this is for
producers that send twice. Works on rows in their one order, so the copy that counts does not
depend on batches.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from monitor.events.hashed import Known
from monitor.sealed import Sealed, Stretches
from monitor.windows.arrays import begins_of

CHUNK_IDS = 32_768
"""Ids of a full chunk: packed once, and the same part of every snapshot from then on."""
AHEAD_IDS_MAX = 2**18
"""Room is made ahead for so many at most: with more in one load nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Unique:
    """Released rows with each id once."""

    frame: pl.DataFrame
    duplicates: pl.DataFrame
    """The rows dropped: ``type`` alone, for the counters."""
    uncertain: int
    """Rows accepted while the table was full, whose copies may not be recognised."""
    uncertain_ticks: list[int]
    """Ticks that have such rows, ascending."""


class Dedup:
    """Ids in two generations of event time.

    A generation is ``lateness`` rounded up to ticks, plus one tick, and aligned, so forgetting
    depends on event time alone. An id is remembered for at least one generation after its tick,
    which is as long as a copy can still be accepted, and for at most two.
    """

    def __init__(self, *, lateness_ms: int, tick_ms: int, limit: int = 5_000_000) -> None:
        self._span_ms = (-(-lateness_ms // tick_ms) + 1) * tick_ms
        self._limit = limit
        self._generation = -(2**62)
        self._current = _Ids()
        self._previous = _Ids()
        self._latest = 0
        """Rows of the last call of :meth:`apply`."""

    def __len__(self) -> int:
        """Ids remembered."""
        return len(self._current) + len(self._previous)

    def apply(self, released: pl.DataFrame) -> Unique:
        """Drop rows whose id was seen; ``released`` is in order of tick."""
        self._latest = released.height
        frames: list[pl.DataFrame] = []
        dropped: list[pl.DataFrame] = []
        uncertain, ticks = 0, set[int]()
        generations = released["tick"].to_numpy() // self._span_ms
        begins = np.flatnonzero(begins_of(generations)).tolist()
        for begin, end in pairwise([*begins, released.height]):
            self._turn(int(generations[begin]))
            part = released[begin:end]
            room = max(self._limit - len(self), 0)
            first, doubtful = self._current.add(part["id"], self._previous, room)
            # None that is not remembered is recognised, even beside its copy: whether both are
            # released at once depends on how fast the log was read.
            if doubtful.any():
                ticks.update(part.filter(doubtful)["tick"].to_list())
                uncertain += int(doubtful.sum())
            kept = part if first.all() else part.filter(first)
            if kept.height != part.height:
                dropped.append(part.filter(~first).select("type"))
            frames.append(kept)
        return Unique(
            frame=frames[0] if len(frames) == 1 else pl.concat(frames),
            duplicates=pl.concat(dropped) if dropped else released.select("type").clear(),
            uncertain=uncertain,
            uncertain_ticks=sorted(ticks),
        )

    def make_room(self) -> None:
        """Have room for as many rows as came last, and half as many again.

        Between ticks, when nobody waits: millions of ids take their time to move.
        """
        wanted = min(self._latest * 3 // 2, AHEAD_IDS_MAX)
        self._current.make_room(min(wanted, max(self._limit - len(self), 0)))

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint; what it costs is the ids since the last one."""
        return {
            "generation": self._generation,
            "current": self._current.parts(),
            "previous": self._previous.parts(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self._generation = state["generation"]
        self._current = _Ids(state["current"])
        self._previous = _Ids(state["previous"])

    def _turn(self, generation: int) -> None:
        if generation == self._generation:
            return
        self._previous = self._current if generation == self._generation + 1 else _Ids()
        self._current = _Ids()
        self._generation = generation


class _Ids:
    """The ids of one generation: a table to ask, and the order they came in to write down."""

    def __init__(self, parts: Iterable[Sealed] = ()) -> None:
        self._known = Known()
        self._full: list[Sealed] = []
        self._open: list[pl.Series] = []
        self._open_size = 0
        stretches: list[tuple[int, Sealed]] = []
        for part in parts:
            ids = unpacked(part.content())
            self._known.add(ids)
            if len(ids) == CHUNK_IDS:
                self._full.append(part)
            else:
                self._open.append(ids)
                self._open_size += len(ids)
                stretches.append((len(ids), part))
        self._stretches = Stretches(stretches)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, ids: pl.Series, before: _Ids, room: int) -> tuple[pl.Series, pl.Series]:
        """Remember ids, see :meth:`monitor.events.hashed.Known.take`."""
        first, doubtful = self._known.take(ids, room, before._known)
        new = first & ~doubtful
        if new.any():
            self._open.append(ids if new.all() else ids.filter(new))
            self._open_size += int(new.sum())
        return first, doubtful

    def make_room(self, count: int) -> None:
        """See to it that ``count`` further ids find the table large enough."""
        self._known.make_room(count)

    def parts(self) -> list[Sealed]:
        """All ids, to be packed where they are written."""
        if self._open_size == 0:
            return list(self._full)
        ids = pl.concat(self._open)
        while len(ids) >= CHUNK_IDS:
            self._full.append(_sealed(ids.head(CHUNK_IDS)))
            ids, self._stretches = ids.slice(CHUNK_IDS), Stretches()
        self._open, self._open_size = [ids], len(ids)
        rest = self._stretches.upto(
            len(ids), lambda begin, end: _sealed(ids.slice(begin, end - begin))
        )
        return [*self._full, *rest]


class _Pack:
    """Ids that let their strings go once they are packed."""

    def __init__(self, ids: pl.Series) -> None:
        self._held: pl.Series | bytes = ids

    def bytes(self) -> bytes:
        if isinstance(self._held, pl.Series):
            self._held = packed(self._held)
        return self._held


def _sealed(ids: pl.Series) -> Sealed:
    return Sealed(_Pack(ids), _Pack.bytes)


def packed(ids: pl.Series | Sequence[str]) -> bytes:
    """Ids as an Arrow IPC blob."""
    blob = io.BytesIO()
    frame = pl.DataFrame({"id": pl.Series("id", ids, dtype=pl.String)})
    frame.write_ipc(blob, compression="zstd")
    return blob.getvalue()


def unpacked(blob: bytes) -> pl.Series:
    """The ids of :func:`packed`."""
    return pl.read_ipc(io.BytesIO(blob))["id"]

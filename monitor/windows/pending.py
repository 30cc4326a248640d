"""Rows that are read but not yet judged, and their one order (docs/semantics.md, 6 and 7).

Owns the buffer between reading and judging. A row waits until the tick after its effective time,
so that a tick sees the same rows however fast each partition was read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from monitor.sealed import Later, plain
from monitor.source.base import Partition

_BITS = 63
SETTLED_AT_ONCE, FRAMES_AT_ONCE = 3_000, 100
"""So many rows, or batches of them, are put in order before their tick: for fewer it is not worth
it. A batch may be a single row, and then it costs as much as a hundred."""
SLICED_FROM, SLICED_FROM_SHARE = 4_096, 8
"""A frame of so many rows, of which at most one in so many lies between the first that waits and
the last that is due, is cut into slices, as is every one in which none does. Others are copied:
else each cut would leave two pieces of every piece where rows come in disorder, and a row that
waits would hold the memory of all."""
SETTLED_A_TICK = 20
"""How often, as event time goes on."""


def aligned(ms: int, tick_ms: int) -> int:
    """The first tick that is not before ``ms``."""
    return -(-ms // tick_ms) * tick_ms


def aligned_after(ms: int, after: int, tick_ms: int) -> int:
    """The first tick after ``after`` that is not before ``ms``."""
    return max(aligned(ms, tick_ms), after - after % tick_ms + tick_ms)


class Pending:
    """Placed rows waiting for their tick; one thread uses it."""

    def __init__(self, *, tick_ms: int) -> None:
        self.tick_ms = tick_ms
        self.latest = 0
        """The largest effective time ever buffered, ms."""
        self._settle_at_ms = 0
        self._runs: list[pl.DataFrame] = []
        """Rows in their order, each of these by itself; nearly always one after the other, too."""
        self._frames: list[pl.DataFrame] = []
        """Rows as they were read, after all of the runs'."""

    def __len__(self) -> int:
        """Rows waiting."""
        return sum(frame.height for frame in self._all())

    def _all(self) -> list[pl.DataFrame]:
        return [*self._runs, *self._frames]

    def add(self, placed: pl.DataFrame) -> None:
        """Buffer the rows of one batch."""
        if placed.height:
            self._frames.append(placed)
            self.latest = max(self.latest, int(placed["eff"].max()))  # type: ignore[arg-type]

    def widen(self, columns: Mapping[str, pl.DataType | type[pl.DataType]]) -> None:
        """Give all rows these columns; where they are missing, they are null."""
        self._runs = [_widened(frame, columns) for frame in self._runs]
        self._frames = [_widened(frame, columns) for frame in self._frames]

    def nth_tick(self, count: int, until_ms: int) -> int:
        """The ``count``-th tick that has rows; ``until_ms``, where that comes first."""
        due = [frame["eff"].filter(frame["eff"] < until_ms) for frame in self._all()]
        ticks = [(eff // self.tick_ms).unique() for eff in due if len(eff)]
        if sum(len(each) for each in ticks) < count:
            return until_ms
        found = pl.concat(ticks).unique().sort()
        if len(found) < count:
            return until_ms
        return min(until_ms, (int(found[count - 1]) + 1) * self.tick_ms)

    def settle(self, before_ms: int, partitions: Sequence[Partition]) -> None:
        """Put rows with ``eff < before_ms`` in order already, once there are many of them.

        It changes nothing but when the work is done: ahead of the tick, where ``before_ms`` is the
        engine's watermark, which rows that are still to come hardly ever stand before.
        """
        if before_ms < self._settle_at_ms or not _many(self._frames):
            return
        # Not each time, should most rows wait for a partition that is behind.
        self._settle_at_ms = before_ms + self.tick_ms // SETTLED_A_TICK
        taken, kept = _cut(self._frames, before_ms)
        if _many(taken):
            self._runs.append(_ordered(taken, partitions))
            self._frames = kept

    def release(self, until_ms: int, partitions: Sequence[Partition]) -> pl.DataFrame | None:
        """Take out the rows with ``eff < until_ms``, in their order, with ``tick``; None if none.

        The order is (eff, time, topic, partition, offset); ``partitions`` is indexed by ``src``.
        """
        runs, self._runs = _cut(self._runs, until_ms)
        taken, self._frames = _cut(self._frames, until_ms)
        if taken:
            runs.append(_ordered(taken, partitions))
        if not runs:
            return None
        rows = _joined(runs) if _follow_on(runs) else _ordered(runs, partitions)
        eff = rows["eff"].to_numpy()
        return rows.hstack([pl.Series("tick", eff - eff % self.tick_ms + self.tick_ms)])

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint; rows as one Arrow file where they are written."""
        rows = Later(tuple(self._all()), _to_blob) if len(self) else b""
        return {"latest": self.latest, "rows": rows}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.latest, rows = state["latest"], plain(state["rows"])
        self._runs = []
        self._frames = [pl.read_ipc(io.BytesIO(rows))] if rows else []


def _to_blob(frames: Sequence[pl.DataFrame]) -> bytes:
    buffer = io.BytesIO()
    pl.concat(frames, how="diagonal").write_ipc(buffer)
    return buffer.getvalue()


def _many(frames: Sequence[pl.DataFrame]) -> bool:
    return len(frames) >= FRAMES_AT_ONCE or sum(frame.height for frame in frames) >= SETTLED_AT_ONCE


def _widened(
    frame: pl.DataFrame, columns: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.DataFrame:
    return frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in frame
    )


def _cut(
    frames: Sequence[pl.DataFrame], before_ms: int
) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Rows with ``eff < before_ms``, and the others."""
    taken, kept = list[pl.DataFrame](), list[pl.DataFrame]()
    for frame in frames:
        due = frame["eff"].to_numpy() < before_ms
        count = int(np.count_nonzero(due))
        if count in {0, len(due)}:
            (taken if count else kept).append(frame)
            continue
        # Before the first that has to wait, and after the last that is due, nothing needs a copy.
        first, last = int(due.argmin()), len(due) - int(due[::-1].argmax())
        if first == last:
            taken.append(frame[:first])
            kept.append(frame[first:])
            continue
        if len(due) < SLICED_FROM or last - first > len(due) // SLICED_FROM_SHARE:
            first, last = 0, len(due)
        mixed, mask = frame[first:last], pl.Series(due[first:last])
        taken += [part for part in (frame[:first], mixed.filter(mask)) if part.height]
        kept += [part for part in (mixed.filter(~mask), frame[last:]) if part.height]
    return taken, kept


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # Diagonal: after a reload, rows read before it lack the new rules' columns.
    return pl.concat(frames, how="diagonal", rechunk=True) if len(frames) > 1 else frames[0]


def _follow_on(runs: Sequence[pl.DataFrame]) -> bool:
    """Whether each begins after the one before it has ended."""
    return all(run["eff"][-1] < after["eff"][0] for run, after in pairwise(runs))


def _ordered(frames: Sequence[pl.DataFrame], partitions: Sequence[Partition]) -> pl.DataFrame:
    rows = _joined(frames)
    return rows[_in_order(rows, partitions)]


def _in_order(rows: pl.DataFrame, partitions: Sequence[Partition]) -> pl.Series:
    """Where the rows stand that come first, second, … by (eff, time, topic, partition, offset).

    Rows of one partition that are equal in ``eff`` and ``time`` stand in the order of their
    offsets, in frames as they were read and in runs alike, so their place says the rest.
    All of it fits into one number nearly always; sorting that is several times as fast.
    """
    rank = np.empty(len(partitions), np.int64)
    rank[sorted(range(len(partitions)), key=partitions.__getitem__)] = np.arange(len(partitions))
    eff, time = rows["eff"].to_numpy(), rows["time"].to_numpy()
    early = eff - time
    parts = (
        (eff - eff.min(), int(eff.max() - eff.min())),
        (early.max() - early, int(early.max() - early.min())),
        (rank[rows["src"].to_numpy()], len(partitions) - 1),
        (np.arange(len(eff)), len(eff) - 1),
    )
    if sum(most.bit_length() for _, most in parts) > _BITS:
        return pl.Series(np.lexsort([part for part, _ in reversed(parts)]))
    packed = np.zeros(len(eff), np.int64)
    for part, most in parts:
        packed = packed << most.bit_length() | part
    # No two are equal; the stable one takes half as long where they are nearly in order.
    return pl.Series(np.argsort(packed, kind="stable"))

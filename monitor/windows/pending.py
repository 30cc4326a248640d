"""Rows that are read but not yet judged, and their one order (docs/semantics.md, 6 and 7).

Owns the buffer between reading and judging. A row waits until the tick after its effective time,
so that a tick sees the same rows however fast each partition was read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from monitor.sealed import Later, plain
from monitor.source.base import Partition

_BITS = 63


def aligned(ms: int, tick_ms: int) -> int:
    """The first tick that is not before ``ms``."""
    return -(-ms // tick_ms) * tick_ms


class Pending:
    """Placed rows waiting for their tick; one thread uses it."""

    def __init__(self, *, tick_ms: int) -> None:
        self.tick_ms = tick_ms
        self.latest = 0
        """The largest effective time ever buffered, ms."""
        self._frames: list[pl.DataFrame] = []

    def __len__(self) -> int:
        """Rows waiting."""
        return sum(frame.height for frame in self._frames)

    def add(self, placed: pl.DataFrame) -> None:
        """Buffer the rows of one batch."""
        if placed.height:
            self._frames.append(placed)
            self.latest = max(self.latest, int(placed["eff"].max()))  # type: ignore[arg-type]

    def widen(self, columns: Mapping[str, pl.DataType | type[pl.DataType]]) -> None:
        """Give all rows these columns; where they are missing, they are null."""
        self._frames = [
            frame.with_columns(
                pl.lit(None, dtype).alias(name)
                for name, dtype in columns.items()
                if name not in frame
            )
            for frame in self._frames
        ]

    def nth_tick(self, count: int, until_ms: int) -> int:
        """The ``count``-th tick that has rows; ``until_ms``, where that comes first."""
        due = [frame["eff"].filter(frame["eff"] < until_ms) for frame in self._frames]
        ticks = [(eff // self.tick_ms).unique() for eff in due if len(eff)]
        if sum(len(each) for each in ticks) < count:
            return until_ms
        found = pl.concat(ticks).unique().sort()
        if len(found) < count:
            return until_ms
        return min(until_ms, (int(found[count - 1]) + 1) * self.tick_ms)

    def release(self, until_ms: int, partitions: Sequence[Partition]) -> pl.DataFrame | None:
        """Take out the rows with ``eff < until_ms``, in their order, with ``tick``; None if none.

        The order is (eff, time, topic, partition, offset); ``partitions`` is indexed by ``src``.
        """
        taken, kept = [], []
        for frame in self._frames:
            due = frame["eff"] < until_ms
            if due.all():
                taken.append(frame)
            elif due.any():
                taken.append(frame.filter(due))
                kept.append(frame.filter(~due))
            else:
                kept.append(frame)
        self._frames = kept
        if not taken:
            return None
        # Diagonal: after a reload, rows read before it lack the new rules' columns.
        rows = pl.concat(taken, how="diagonal", rechunk=True) if len(taken) > 1 else taken[0]
        tick = pl.col("eff") - pl.col("eff") % self.tick_ms + self.tick_ms
        return rows[_in_order(rows, partitions)].with_columns(tick=tick)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint; rows as one Arrow file where they are written."""
        rows = Later(tuple(self._frames), _to_blob) if self._frames else b""
        return {"latest": self.latest, "rows": rows}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.latest, rows = state["latest"], plain(state["rows"])
        self._frames = [pl.read_ipc(io.BytesIO(rows))] if rows else []


def _to_blob(frames: Sequence[pl.DataFrame]) -> bytes:
    buffer = io.BytesIO()
    pl.concat(frames, how="diagonal").write_ipc(buffer)
    return buffer.getvalue()


def _in_order(rows: pl.DataFrame, partitions: Sequence[Partition]) -> pl.Series:
    """Where the rows stand that come first, second, … by (eff, time, topic, partition, offset).

    The rows of one partition stand in the order of their offsets, so their place says the rest.
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
    return pl.Series(np.argsort(packed))

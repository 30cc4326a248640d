"""Rows that are read but not yet judged, and their one order (docs/semantics.md, 6 and 7).

Owns the buffer between reading and judging. A row waits until the tick after its effective time,
so that a tick sees the same rows however fast each partition was read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from monitor.sealed import Later, plain
from monitor.source.base import Partition


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

    def release(self, until_ms: int, partitions: Sequence[Partition]) -> pl.DataFrame | None:
        """Take out the rows with ``eff < until_ms``, in their order, with ``tick``; None if none.

        The order is (eff, time, topic, partition, offset); ``partitions`` is indexed by ``src``.
        """
        if not self._frames:
            return None
        # Diagonal: after a reload, rows read before it lack the new rules' columns.
        rows = pl.concat(self._frames, how="diagonal") if len(self._frames) > 1 else self._frames[0]
        due = pl.col("eff") < until_ms
        taken, kept = rows.filter(due), rows.filter(~due)
        self._frames = [kept] if kept.height else []
        if not taken.height:
            return None
        ranks = [0] * len(partitions)
        for rank, index in enumerate(sorted(range(len(partitions)), key=partitions.__getitem__)):
            ranks[index] = rank
        return (
            taken.with_columns(
                pl.Series("rank", ranks, dtype=pl.UInt32).gather(taken["src"]),
                tick=pl.col("eff") - pl.col("eff") % self.tick_ms + self.tick_ms,
            )
            .sort("eff", "time", "rank", "offset")
            .drop("rank")
        )

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

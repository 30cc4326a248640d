"""How far event time has come, per partition and for the engine (docs/semantics.md, 5 and 6).

Owns: the running watermark of each partition, the effective time of each record, the refusal of
records from the future or from too far in the past, and the leaving out of idle partitions.
Does not own the buffer of rows (``monitor.windows.pending``) nor the journal: a *floor* is handed
to the caller, who makes it durable.

Why an effective time: ticks are judged when the engine's watermark passes them, and the engine's
watermark is never ahead of a partition's. A record whose time lies below its own partition's
watermark is given that watermark instead, so nothing ever arrives in the judged past, and what a
tick sees depends on the log alone, not on batches or on how partitions interleave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.events.batch import Decoded, Reject
from monitor.source.base import Int64, Partition, Standing

Bool = npt.NDArray[np.bool_]
NEVER = -(2**62)
"""Before every event: the watermark of a partition that has shown no record."""


class Floor(NamedTuple):
    """From ``offset`` on, records of this partition count as no earlier than ``floor_ms``.

    Made when ticks were judged while the partition was left out: its later records cannot change
    those ticks any more, now or in a replay.
    """

    partition: Partition
    offset: int
    floor_ms: int


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """The four tolerances of event time, in milliseconds."""

    out_of_order_ms: int = 1_000
    lateness_ms: int = 600_000
    max_ahead_ms: int = 30_000
    idle_after_ms: int = 2_000


@dataclass(slots=True)
class _Track:
    """What is known of one partition."""

    index: int
    """The partition's ``src`` in placed frames."""
    watermark: int = NEVER
    quiet_since_s: float | None = None
    """Since when nothing came; None until the first look, so a restart is no silence."""
    left_out: bool = False
    floors: list[Floor] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    def floor_at(self, position: int) -> int:
        """The highest floor that waits at or before ``position``; NEVER when there is none."""
        return max((f.floor_ms for f in self.floors if f.offset <= position), default=NEVER)


@dataclass(frozen=True, slots=True)
class Placed:
    """A decoded batch with effective times, and what was refused of it."""

    frame: pl.DataFrame
    rejects: list[Reject]
    refused_by_clock: list[int]
    """Offsets refused because of the wall clock: the caller journals them."""
    late: int
    resumed_late: int


class Watermarks:
    """The watermarks of all partitions; one thread uses it."""

    def __init__(self, settings: TimeSettings) -> None:
        self.settings = settings
        self.engine = NEVER
        """The engine's watermark, ms; never goes back."""
        self._tracks: dict[Partition, _Track] = {}

    def partitions(self) -> list[Partition]:
        """All partitions known, by their ``src`` index."""
        return sorted(self._tracks, key=lambda partition: self._tracks[partition].index)

    def watermark(self, partition: Partition) -> int:
        """A partition's watermark, ms; ``NEVER`` when it has shown nothing."""
        track = self._tracks.get(partition)
        return NEVER if track is None else track.watermark

    def expect(self, floors: Iterable[Floor], refused: Iterable[tuple[Partition, int]]) -> None:
        """Take over what the journal says of records that are still to be read (again)."""
        for floor in sorted(floors):
            self._track(floor.partition).floors.append(floor)
        for partition, offset in refused:
            self._track(partition).refused.add(offset)

    def place(
        self,
        decoded: Decoded,
        *,
        wall_ms: int | None,
        resumed_at: int,
        raw: Callable[[int], bytes],
    ) -> Placed:
        """Give each row its effective time; refuse the future and the too distant past.

        Args:
            decoded: well-formed records of one partition in offset order.
            raw: the original bytes at an offset, for a record that is refused.
            wall_ms: the wall clock when they were read; None in a replay, where the journal alone
                says what was refused by it.
            resumed_at: the last judged tick, which becomes the floor of a partition that had been
                left out.
        """
        track = self._track(decoded.partition)
        if track.left_out and decoded.frame.height:
            track.left_out = False
            track.watermark = max(track.watermark, resumed_at)
        frame = decoded.frame
        times = frame["time"].to_numpy()
        offsets = frame["offset"].to_numpy()
        ahead, by_clock = self._ahead(decoded, track, times, offsets, wall_ms)
        counted = times
        if decoded.append_time:
            # The broker's stamp caps what a record may claim, so one wrong clock cannot run away
            # with the partition.
            counted = np.minimum(times, decoded.timestamps.to_numpy())
        steps = np.where(ahead, NEVER, counted - self.settings.out_of_order_ms)
        before, floored = self._before(track, steps, offsets)
        too_late = ~ahead & (times < before - self.settings.lateness_ms)
        late = ~ahead & ~too_late & (times < before)
        keep = ~(ahead | too_late)
        placed = frame.with_columns(
            pl.lit(track.index, dtype=pl.UInt32).alias("src"),
            pl.Series("eff", np.maximum(times, before), dtype=pl.Int64),
        )
        return Placed(
            frame=placed if keep.all() else placed.filter(pl.Series(keep)),
            rejects=_rejects(decoded.partition, offsets, ahead, too_late, raw),
            refused_by_clock=by_clock,
            late=int(late.sum()),
            resumed_late=int((late & floored).sum()),
        )

    def advance(
        self,
        standings: Mapping[Partition, Standing],
        *,
        wall_ms: int | None,
        now_s: float,
        promised: int = NEVER,
    ) -> int:
        """Move the engine's watermark as far as the partitions allow; returns it.

        A partition at its end and silent for ``idle_after`` is left out; with ``wall_ms`` None
        (a finite source) being at the end is enough, for nothing more can come.

        Up to ``promised``, the last tick that an earlier run of this log judged, a partition is
        left out as far as that run's floor at its position says, and no further: whatever else
        that run knew of it stands in the log and is waited for.
        """
        recovering = self.engine < promised and wall_ms is not None
        held: list[int] = []
        for partition, standing in standings.items():
            track = self._track(partition)
            idle = self._idle(track, standing, wall_ms=wall_ms, now_s=now_s)
            if recovering:
                known = max(track.watermark, track.floor_at(standing.position))
                if idle and known < promised:
                    # The log has lost what that run had read of it; waiting would never end.
                    known = promised
                held.append(known)
                continue
            track.left_out = track.left_out or idle
            if not track.left_out:
                held.append(track.watermark)
        if recovering:
            self.engine = max(self.engine, min(promised, *held)) if held else self.engine
        elif held:
            self.engine = max(self.engine, min(held))
        elif wall_ms is not None and standings:
            self.engine = max(self.engine, wall_ms - self.settings.out_of_order_ms)
        elif standings:
            self.engine = max(self.engine, *(track.watermark for track in self._tracks.values()))
        return self.engine

    def _idle(
        self, track: _Track, standing: Standing, *, wall_ms: int | None, now_s: float
    ) -> bool:
        at_end = standing.confirmed and standing.position >= standing.end
        if not at_end or track.quiet_since_s is None:
            track.quiet_since_s = now_s
        quiet_ms = (now_s - track.quiet_since_s) * 1000
        return at_end and (wall_ms is None or quiet_ms >= self.settings.idle_after_ms)

    def heard(self, partition: Partition, now_s: float) -> None:
        """Records of this partition have just been read."""
        self._track(partition).quiet_since_s = now_s

    def left_out(self) -> list[Partition]:
        """Partitions that the engine does not wait for."""
        return sorted(partition for partition, track in self._tracks.items() if track.left_out)

    def ahead(self, by_ms: int) -> frozenset[Partition]:
        """Partitions whose watermark is more than ``by_ms`` ahead of the engine's."""
        limit = self.engine + by_ms
        return frozenset(p for p, track in self._tracks.items() if track.watermark > limit)

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint; the journal's part (floors, refusals) is not in it."""
        order = self.partitions()
        return {
            "engine": self.engine,
            "topics": [partition.topic for partition in order],
            "numbers": [partition.number for partition in order],
            "watermarks": [self._tracks[partition].watermark for partition in order],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.engine = state["engine"]
        self._tracks.clear()
        columns = ("topics", "numbers", "watermarks")
        for topic, number, watermark in zip(*(state[c] for c in columns), strict=True):
            self._track(Partition(topic, number)).watermark = watermark

    def _track(self, partition: Partition) -> _Track:
        return self._tracks.setdefault(partition, _Track(index=len(self._tracks)))

    def _ahead(
        self,
        decoded: Decoded,
        track: _Track,
        times: Int64,
        offsets: Int64,
        wall_ms: int | None,
    ) -> tuple[Bool, list[int]]:
        """Which rows claim a time too far ahead, and the offsets that the wall clock refused.

        A stamp that the producer set proves nothing, so only the broker's own is compared with;
        otherwise the wall clock at first reading is, and what it refused is journaled, because a
        later reading would accept it.
        """
        limit = self.settings.max_ahead_ms
        if decoded.append_time:
            return times > decoded.timestamps.to_numpy() + limit, []
        ahead = np.zeros(len(times), dtype=np.bool_)
        if track.refused:
            ahead |= np.isin(offsets, np.fromiter(track.refused, dtype=np.int64))
        by_clock: list[int] = []
        if wall_ms is not None:
            fresh = (times > wall_ms + limit) & ~ahead
            by_clock = offsets[fresh].tolist()
            ahead |= fresh
        return ahead, by_clock

    def _before(self, track: _Track, steps: Int64, offsets: Int64) -> tuple[Int64, Bool]:
        """Each row's partition watermark before the row, and whether a floor set it.

        Moves the track to its watermark after the last row.
        """
        count = len(steps)
        before = np.empty(count, dtype=np.int64)
        floored = np.zeros(count, dtype=np.bool_)
        if not count:
            return before, floored
        before[0] = track.watermark
        before[1:] = steps[:-1]
        before = np.maximum.accumulate(before)
        while track.floors and track.floors[0].offset <= offsets[-1]:
            floor = track.floors.pop(0)
            row = int(np.searchsorted(offsets, floor.offset, side="left"))
            raised = before[row:] < floor.floor_ms
            floored[row:] |= raised
            before[row:] = np.maximum(before[row:], floor.floor_ms)
        track.watermark = int(max(before[-1], steps[-1]))
        return before, floored


def _rejects(
    partition: Partition, offsets: Int64, ahead: Bool, too_late: Bool, raw: Callable[[int], bytes]
) -> list[Reject]:
    return [
        Reject(
            partition=partition,
            offset=int(offsets[row]),
            reason="from_the_future" if ahead[row] else "too_late",
            detail="time lies too far ahead of the clock"
            if ahead[row]
            else "time lies below the watermark by more than the allowed lateness",
            value=raw(int(offsets[row])),
        )
        for row in np.flatnonzero(ahead | too_late)
    ]

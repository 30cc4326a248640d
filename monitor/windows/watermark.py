"""How far event time has come, per partition and for the engine (docs/semantics.md, 5 and 6).

Owns: the running watermark of each partition, the effective time of each record, the refusal of
records from the future or from too far in the past, and the leaving out of idle partitions.
Does not own the buffer of rows (``monitor.windows.pending``) nor the journal: a *floor*
(``monitor.windows.floors``) is handed to the caller, who makes it durable.

Why an effective time: ticks are judged when the engine's watermark passes them, and the engine's
watermark is never ahead of a partition's. A record whose time lies below its own partition's
watermark is given that watermark instead, so nothing ever arrives in the judged past, and what a
tick sees depends on the log alone, not on batches or on how partitions interleave. A partition
that was not there when ticks were judged begins at the last of them, with a floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from monitor.events.batch import Decoded, Reject
from monitor.source.base import Int64, Partition, Standing
from monitor.windows.floors import NEVER, Bool, Floor, Trial
from monitor.windows.track import TimeSettings, Track

__all__ = ["NEVER", "Floor", "Placed", "TimeSettings", "Watermarks"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A decoded batch with effective times, and what was refused of it."""

    frame: pl.DataFrame
    rejects: list[Reject]
    refused_by_clock: list[int]
    """Offsets refused because of the wall clock: the caller journals them."""
    late: int
    resumed_late: int
    floors: list[Floor]
    """Made of it, and not in the journal yet: the caller journals them before it judges."""
    needless: list[Floor]
    """In the journal, and turned out to change nothing."""


class Watermarks:
    """The watermarks of all partitions; one thread uses it."""

    def __init__(self, settings: TimeSettings) -> None:
        self.settings = settings
        self.engine = NEVER
        """The engine's watermark, ms; never goes back."""
        self._tracks: dict[Partition, Track] = {}
        self._first_known = False
        """The journal says which partitions were there before any tick was judged."""

    def partitions(self) -> list[Partition]:
        """All partitions known, by their ``src`` index."""
        return sorted(self._tracks, key=lambda partition: self._tracks[partition].index)

    def watermark(self, partition: Partition) -> int:
        """A partition's watermark, ms; ``NEVER`` when it has shown nothing."""
        track = self._tracks.get(partition)
        return NEVER if track is None else track.watermark

    def expect(self, floors: Iterable[Floor], refused: Iterable[tuple[Partition, int]]) -> None:
        """Take over what the journal says of records that are still to be read (again)."""
        by_partition: dict[Partition, list[Floor]] = {}
        for floor in floors:
            by_partition.setdefault(floor.partition, []).append(floor)
            self._first_known |= floor.floor_ms == NEVER
        for partition, theirs in sorted(by_partition.items()):
            self._track(partition).floors.add(theirs)
        offsets: dict[Partition, list[int]] = {}
        for partition, offset in refused:
            offsets.setdefault(partition, []).append(offset)
        for partition, found in sorted(offsets.items()):
            track = self._track(partition)
            track.refused = np.union1d(track.refused, np.array(found, dtype=np.int64))

    def place(
        self,
        decoded: Decoded,
        *,
        wall_ms: int | None,
        resumed_at: int,
        raw: Callable[[int], bytes],
        promised: int = NEVER,
    ) -> Placed:
        """Give each row its effective time; refuse the future and the too distant past.

        Args:
            decoded: well-formed records of one partition in offset order.
            raw: the original bytes at an offset, for a record that is refused.
            wall_ms: the wall clock when they were read; None in a replay, where the journal alone
                says what was refused by it.
            resumed_at: the last judged tick, which becomes the floor of a partition that had been
                left out, or was not there.
            promised: the last tick that an earlier run judged: the floor of a partition that it
                had not seen.
        """
        track = self._track(decoded.partition)
        frame = decoded.frame
        times = frame["time"].to_numpy()
        offsets = frame["offset"].to_numpy()
        floor, floors, needless = NEVER, list[Floor](), list[Floor]()
        if frame.height:
            floor = self._floor(track, int(offsets[0]), resumed_at, promised)
            floors, needless = self._begin(decoded.partition, int(offsets[0]), floor)
        ahead, by_clock = track.ahead(decoded, wall_ms, self.settings.max_ahead_ms)
        counted = times
        if decoded.append_time:
            # The broker's stamp caps what a record may claim, so one wrong clock cannot run away
            # with the partition.
            counted = np.minimum(times, decoded.timestamps.to_numpy())
        steps = np.where(ahead, NEVER, counted - self.settings.out_of_order_ms)
        if track.trial is not None and frame.height:
            matters = track.trial.judge(times, steps, ahead)
            needless += [track.trial.floor] if matters is False else []
            track.trial = track.trial if matters is None else None
        before, floored = track.before(steps, offsets, floor)
        too_late = ~ahead & (times < before - self.settings.lateness_ms)
        late = ~ahead & ~too_late & (times < before)
        keep = ~(ahead | too_late)
        placed = frame.hstack(
            [
                pl.Series("src", np.full(frame.height, track.index, dtype=np.uint32)),
                pl.Series("eff", np.maximum(times, before)),
            ]
        )
        return Placed(
            frame=placed if keep.all() else placed.filter(pl.Series(keep)),
            rejects=_rejects(decoded.partition, offsets, ahead, too_late, raw),
            refused_by_clock=by_clock,
            late=int(late.sum()),
            resumed_late=int((late & floored).sum()),
            floors=floors,
            needless=needless,
        )

    def _floor(self, track: Track, offset: int, judged: int, promised: int) -> int:
        """What was judged without the records that begin at ``offset``, or could have been."""
        new = not track.begun and not track.floors.begun_by(offset)
        if new and (judged != NEVER or self._first_known):
            return max(judged, promised)
        return judged

    def _begin(
        self, partition: Partition, offset: int, floor: int
    ) -> tuple[list[Floor], list[Floor]]:
        """Note that records of a partition are there, from ``offset`` on.

        Returns:
            Floors to journal, and those in the journal that changed nothing.
        """
        track, needless = self._tracks[partition], list[Floor]()
        new = not track.begun and not track.floors.begun_by(offset)
        raised = floor > max(track.watermark, track.floors.at(offset))
        made = [Floor(partition, offset, floor)] if new or (raised and not track.left_out) else []
        if track.left_out:
            track.left_out = False
            if track.trial is not None:  # no record came between the two silences that felt it
                needless.append(track.trial.floor)
                track.trial = None
            # One that records begin with stays: it says that they had begun.
            if track.silence is not None and track.watermark != NEVER:
                track.trial = Trial(track.silence, track.watermark)
            track.silence = None
        track.begun = True
        return made, needless

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
                known = max(track.watermark, track.floors.at(standing.position))
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

    def _idle(self, track: Track, standing: Standing, *, wall_ms: int | None, now_s: float) -> bool:
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

    def silences(self, standings: Mapping[Partition, Standing], until_ms: int) -> list[Floor]:
        """The floors of the partitions without which ticks were judged, up to ``until_ms``."""
        floors = []
        for partition in self.left_out():
            if partition in standings:
                floor = Floor(partition, standings[partition].position, until_ms)
                self._tracks[partition].silence = floor
                floors.append(floor)
        return floors

    def pass_to(self, tick: int, standings: Mapping[Partition, Standing]) -> list[Floor]:
        """Let a tick be judged with what was read; returns the floors that this makes.

        What is still to come of it counts from that tick on. No partition is left out by this.
        """
        self.engine = max(self.engine, tick)
        floors = []
        for partition, standing in standings.items():
            track = self._track(partition)
            if track.watermark < tick and not track.left_out:
                track.begun, track.watermark = True, tick
                floors.append(Floor(partition, standing.position, tick))
        return floors

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
            track = self._track(Partition(topic, number))
            track.watermark, track.begun = watermark, watermark != NEVER

    def _track(self, partition: Partition) -> Track:
        return self._tracks.setdefault(partition, Track(index=len(self._tracks)))


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

"""What is known of the event time of one partition, and the tolerances it is judged by.

Owns the step from claimed times to the partition's watermark before each record. What the engine
makes of several partitions is ``monitor.windows.watermark``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor.events.batch import Decoded
from monitor.source.base import Int64
from monitor.windows.floors import NEVER, Bool, Expected, Floor, Trial


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """The four tolerances of event time, in milliseconds."""

    out_of_order_ms: int = 1_000
    lateness_ms: int = 600_000
    max_ahead_ms: int = 30_000
    idle_after_ms: int = 2_000


@dataclass(slots=True)
class Track:
    """What is known of one partition."""

    index: int
    """The partition's ``src`` in placed frames."""
    watermark: int = NEVER
    quiet_since_s: float | None = None
    """Since when nothing came; None until the first look, so a restart is no silence."""
    left_out: bool = False
    begun: bool = False
    """Records were read of it, now or by an earlier run."""
    silence: Floor | None = None
    """The floor of the silence that lasts, as it was journaled last."""
    trial: Trial | None = None
    """The floor of the last silence, while it is not known whether it matters."""
    floors: Expected = field(default_factory=Expected)
    refused: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Offsets that the wall clock refused when they were first read, ascending."""

    def ahead(self, decoded: Decoded, wall_ms: int | None, limit_ms: int) -> tuple[Bool, list[int]]:
        """Which rows claim a time too far ahead, and the offsets that the wall clock refused.

        A stamp that the producer set proves nothing, so only the broker's own is compared with;
        otherwise the wall clock at first reading is, and what it refused is journaled, because a
        later reading would accept it.
        """
        times = decoded.frame["time"].to_numpy()
        offsets = decoded.frame["offset"].to_numpy()
        if decoded.append_time:
            return times > decoded.timestamps.to_numpy() + limit_ms, []
        ahead = np.zeros(len(times), dtype=np.bool_)
        if len(self.refused) and len(offsets):
            first, last = np.searchsorted(self.refused, [offsets[0], offsets[-1] + 1])
            ahead |= np.isin(offsets, self.refused[first:last])
        by_clock: list[int] = []
        if wall_ms is not None:
            fresh = (times > wall_ms + limit_ms) & ~ahead
            by_clock = np.unique(offsets[fresh]).tolist()
            # By its offset, as a later reading will: all events that one record was mapped to.
            ahead |= np.isin(offsets, by_clock) if by_clock else fresh
        return ahead, by_clock

    def before(self, steps: Int64, offsets: Int64, floor_ms: int) -> tuple[Int64, Bool]:
        """The watermark before each row, and whether ``floor_ms`` or a journaled floor set it.

        Moves to the watermark after the last row. ``steps``: what each row alone raises it to.
        """
        count = len(steps)
        before = np.empty(count, dtype=np.int64)
        if not count:
            return before, np.zeros(0, dtype=np.bool_)
        before[0] = self.watermark
        before[1:] = steps[:-1]
        before = np.maximum.accumulate(before)
        heights = np.full(count, floor_ms, dtype=np.int64)
        expected = self.floors.take(offsets)
        if expected is not None:
            heights = np.maximum(heights, expected)
        floored: Bool = before < heights
        before = np.maximum(before, heights)
        self.watermark = int(max(before[-1], steps[-1]))
        return before, floored

"""Who is at work when, and the change of state that each call brings.

Owns the day's profile and the spacing of an agent's calls, in seconds. All figures are means of a
busy outbound floor; together they keep an agent in effective talk for about six tenths of the
signed-in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.errors import UsageError
from monitor.simulate.truth import HEALTHY

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LOCAL_OFFSET_MS: Final = 8 * 3_600_000  # Asia/Shanghai, which has no daylight saving
DAY_MS: Final = 86_400_000
NIGHT: Final = 0.02
"""So little goes on outside the calling hours, of what the busiest hour sees."""
_BY_HOUR: Final = np.array(
    # 8–21 h are calling hours; lunch is quiet, ten o'clock and three are busiest.
    [NIGHT] * 8
    + [0.1, 0.9, 1.0, 0.95, 0.55, 0.6, 0.9, 1.0, 0.95, 0.85, 0.7, 0.6, 0.45]
    + [NIGHT] * 3
)

COME_BACK_MS: Final = 1_800_000
"""After a silence all are back at work within so long."""
SHORT_TALK_S: Final = (2.0, 29.5)
"""Hung up by the customer within 30 s."""
MIDDLE_TALK_S: Final = (31.0, 119.0)
LONG_TALK_S: Final = (120.0, 230.0, 1_800.0)
"""Least, mean above it, most (exponential)."""
LONG_SHARE: Final = 0.6
NEED_CAPTURED: Final = 0.92
RING_S: Final = 11.0
WRAP_S: Final = 12.0
DIAL_S: Final = 5.0
"""Between two attempts for the same agent: the dialler rings ahead."""
BREAK_EVERY: Final = 40
"""Answered calls from one break to the next, on average."""
BREAK_S: Final = (300.0, 900.0)


def profile(times_ms: Int64) -> Float64:
    """How busy the day is at each time, from ``NIGHT`` to 1: straight lines between the hours."""
    # Between hours, not in steps: a crowd that begins at once ends its short calls first.
    hours = (times_ms + LOCAL_OFFSET_MS) % DAY_MS / 3_600_000
    busy: Float64 = np.interp(hours, np.arange(25), np.append(_BY_HOUR, _BY_HOUR[0]))
    return busy


class Floor:
    """How many of the agents are at work at any time of one simulation."""

    def __init__(
        self,
        start_ms: int,
        end_ms: int,
        silences: Sequence[tuple[int, int]] = (),
        *,
        around_the_clock: bool = False,
    ) -> None:
        self._silences = tuple(silences)
        self._flat = around_the_clock
        grid = np.arange(start_ms, end_ms, max(1_000, (end_ms - start_ms) // 2_000), dtype=np.int64)
        # The share at work is relative to the busiest time of the span, so that a simulation of
        # an hour of the night is not empty; its mean turns a mean rate into a number of agents.
        self._busiest = 1.0
        busy = self.at_work(grid)
        self._busiest = float(busy.max()) or 1.0
        self.mean = float(busy.mean()) / self._busiest
        """Of the share at work over the whole span."""

    def at_work(self, times_ms: Int64) -> Float64:
        """The share of all agents at work, 0 to 1."""
        share = np.ones(len(times_ms)) if self._flat else profile(times_ms) / self._busiest
        for begin, end in self._silences:
            back = (times_ms - end) / COME_BACK_MS
            share = np.where(times_ms >= begin, np.minimum(share, np.maximum(back, 0.0)), share)
        return share


def busy_s() -> float:
    """Seconds that one attempt takes of an agent's time, on average, without idling."""
    short = sum(SHORT_TALK_S) / 2
    middle = sum(MIDDLE_TALK_S) / 2
    least, above, most = LONG_TALK_S
    long = least + above * (1 - np.exp(-(most - least) / above))
    talk = HEALTHY.hangup * short
    talk += (1 - HEALTHY.hangup) * (LONG_SHARE * long + (1 - LONG_SHARE) * middle)
    rest = sum(BREAK_S) / 2 / BREAK_EVERY
    return DIAL_S + HEALTHY.answer * float(RING_S + talk + WRAP_S + rest)


def staffing(calls_per_s: float, agents: int | None) -> tuple[int, float]:
    """Agents at the busiest time for so many attempts in a second then, and their idle seconds.

    Raises:
        UsageError: the agents asked for cannot make so many calls.
    """
    needed = max(1, int(np.ceil(calls_per_s * busy_s() * 1.02)))
    count = needed if agents is None else agents
    idle = count / calls_per_s - busy_s()
    if idle < 0:
        msg = f"{count} agents cannot make {calls_per_s:.2f} calls a second: it takes {needed}"
        raise UsageError(msg)
    return count, idle

"""While events may be counted twice: no figure moves a number (docs/semantics.md, 8).

Owns since when the id table has been full, and for how long that matters: until the longest window
has passed since the last row that was accepted without knowing its copies. Wishes that rest on
figures are shadow meanwhile, and one alert says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from monitor.decisions import Alert, Evidence, Figures, Order, Want, derive_id
from monitor.windows.floors import NEVER

RULE: Final = "duplicates_unknown"
_MESSAGE: Final = {
    "en": "The table of event ids is full (limits.ids), so events may count twice: until the"
    " longest window has passed, no figure suspends a number. Events that flag one still do.",
    "zh": "事件 ID 表已满 (limits.ids),事件可能被重复计数:在最长窗口过去之前,"
    "任何指标都不会暂停号码;标记事件仍会。",
}


class Doubt:
    """Whether figures may hold an event twice, as of each tick; one thread uses it."""

    def __init__(self) -> None:
        self._coming: deque[int] = deque()
        self._since = NEVER
        """The first tick of the doubt; NEVER while there is none."""
        self._last = NEVER

    def load(self, ticks: Iterable[int]) -> None:
        """Ticks, ascending, that have rows accepted while the table was full."""
        self._coming.extend(ticks)

    def step(self, tick: int, horizon_ms: int) -> list[Alert]:
        """Go to ``tick``; ``horizon_ms`` is how long a row matters. Returns what people hear."""
        while self._coming and self._coming[0] <= tick:
            self._last = self._coming.popleft()
            if self._since == NEVER:
                self._since = tick
                return [self._alert(tick, "firing", "breach")]
        if self._since == NEVER or tick <= self._last + horizon_ms:
            return []
        alert = self._alert(tick, "resolved", "recovered")
        self._since = NEVER
        return [alert]

    def next_event_tick(self, horizon_ms: int, tick_ms: int) -> int | None:
        """The tick at which the doubt is over; None while there is none."""
        if self._since == NEVER:
            return None
        over = self._last + horizon_ms
        return over - over % tick_ms + tick_ms

    def shadowed(self, wants: Sequence[Want]) -> list[Want]:
        """The wishes that stand; what one event says is true however often it is said."""
        if self._since == NEVER:
            return list(wants)
        return [
            want if want.evidence.method == "event" else replace(want, shadow=True)
            for want in wants
        ]

    def shadowed_orders(self, orders: Sequence[Order], alerts: Sequence[Alert]) -> list[Order]:
        """The orders that stand, as of the wishes; ``alerts`` are those that they come with.

        What does not come can be no copy, so orders of rules on absence stand too.
        """
        if self._since == NEVER:
            return list(orders)
        sure = {each.episode for each in alerts if each.evidence.method in {"event", "absence"}}
        return [each if each.episode in sure else replace(each, shadow=True) for each in orders]

    def snapshot(self) -> dict[str, Any]:
        """State for a checkpoint, after a step."""
        return {"since": self._since, "last": self._last}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self._since, self._last = state["since"], state["last"]

    def _alert(self, tick: int, state: Literal["firing", "resolved"], reason: str) -> Alert:
        episode = derive_id(RULE, self._since)
        return Alert(
            at_ms=tick,
            id=derive_id(episode, state, tick),
            episode=episode,
            rule=RULE,
            scope=(),
            level="crit",
            state=state,
            since_ms=self._since,
            figures=Figures(value=None, hits=1, of=1, window=""),
            evidence=Evidence("event", 1.0, 1.0),
            reason=reason,
            message=_MESSAGE,
        )

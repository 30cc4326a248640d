"""A wave: more scopes have their event within a short time than people can look at one by one.

Owns the brake of rules on events. A vendor's false batch flags thousands of numbers at once; it is
one incident, told once with its size, and nothing is suspended for it: a person decides. What a
single scope's episode is, is ``event_rule``'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from monitor.decisions import Alert, Evidence, Figures
from monitor.rules.episodes import Row
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.units import Rate

KEY: Final = ""
"""Of the wave's row among those of its rule: no scope has an empty text."""
ROWS_MAX: Final = 1_000
"""Scopes of one rule that fire on their own; past it new ones join the wave, however slowly."""
FOLDED_MAX: Final = 200_000
"""Scopes remembered as part of the wave; past it the oldest are forgotten."""
USUAL: Final = Rate(30, 600_000)
"""What a rule that says nothing takes for single events: 30 in 10 minutes."""


class Wave:
    """The brake of one rule; ``folded`` are the scopes that fire as part of the wave."""

    def __init__(self, rule: Rule) -> None:
        self.folded: dict[str, None] = {}
        """By scope text, the oldest first."""
        self.total = 0
        """Scopes folded in since construction."""
        self._rule = rule
        self._most = rule.wave or USUAL
        self._recent: deque[tuple[int, int]] = deque()
        """(tick, scopes that had their event), the last period's."""
        self._told = 0

    def lets(self, tick: int, new: int, rows: int) -> bool:
        """Whether ``new`` scopes are told of one by one; ``rows`` fire already.

        All of a tick are treated alike, so that it does not matter which of them came first.
        """
        while self._recent and self._recent[0][0] <= tick - self._most.per_ms:
            self._recent.popleft()
        self._recent.append((tick, new))
        calm = sum(count for _, count in self._recent) <= self._most.count
        return calm and rows + new <= ROWS_MAX

    def fold(self, text: str) -> None:
        """The scope is part of the wave."""
        if text not in self.folded:
            self.total += 1
        self.folded[text] = None
        while len(self.folded) > FOLDED_MAX:
            del self.folded[next(iter(self.folded))]

    def row(self) -> Row:
        """The row of the wave as it begins."""
        return Row((), State.FIRING, self.figures(), Evidence("event", 1, 1))

    def figures(self) -> Figures:
        """How many scopes are in it."""
        size = len(self.folded)
        return Figures(None, size, size, "")

    def grown(self) -> bool:
        """Whether it is twice as large as when people last heard of it; then it is told again."""
        if len(self.folded) < 2 * self._told:
            return False
        self._told = len(self.folded)
        return True

    def over(self) -> None:
        """It has ended; the next one is told from its beginning."""
        self.folded.clear()
        self._told = 0

    def worded(self, alert: Alert) -> Alert:
        """The alert in words of its own: the rule's are about one scope."""
        size, what = int(alert.figures.hits), ", ".join(self._rule.by)
        acts = self._rule.action is not None
        english = f"{self._rule.id}: a wave, {size:,} at once (by {what})"
        chinese = f"{self._rule.id}:批量事件,同时 {size:,} 个({what})"
        if acts:
            english += "; none of them is suspended for it, a person decides"
            chinese += ";均未自动停用,请人工处理"
        return replace(alert, message={"en": english, "zh": chinese})

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {
            "folded": list(self.folded),
            "recent": [list(entry) for entry in self._recent],
            "told": self._told,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.folded = dict.fromkeys(state["folded"])
        self._recent = deque((tick, count) for tick, count in state["recent"])
        self._told = state["told"]

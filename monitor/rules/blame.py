"""Whether an agent is to blame for what a number shows: then the number is spared.

Owns the comparison of one agent with the others, from the indicator by number and agent. The number
is spared only if both halves are there: it is good with everybody else, and whoever spoils it is
bad on other numbers too. One bad agent on one number may as well be the number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.rules.conditions import Bounds
from monitor.rules.levels import Level
from monitor.rules.model import Rule
from monitor.rules.ports import FigureSource, FigureView, Int64
from monitor.rules.scopes import SEPARATOR
from monitor.windows.arrays import grown

PAIR: Final = ("number", "agent")
"""By this, in this order, the indicator of a rule with `blame: agent` has to be."""
OTHERS_MIN: Final = 3
"""On so many other numbers an agent has to be bad."""
CALLS_MIN: Final = 10
"""Below the line, fewer than this say nothing: of the agent on a number, of all others on it."""


@dataclass(frozen=True, slots=True)
class Blamed:
    """Who spoils a number that rests for it otherwise."""

    agent: str
    detail: str


class Blame:
    """The figures of one rule by number and agent."""

    def __init__(self, level: Level, views: Mapping[str, FigureView]) -> None:
        """``level`` is the one that acts; ``views`` are by window, all of one scope."""
        first = next(iter(views.values()))
        self._views = views
        self._view = first
        self._bounds = Bounds.of(level, scale_hits=first.scale_hits, scale_of=first.scale_of)
        self._least = CALLS_MIN * first.scale_of
        self._above = level.direction == "above"
        self._known = np.zeros(0, dtype=np.bool_)
        self._pairs: dict[int, tuple[str, str]] = {}
        """By key, the number and the agent."""
        self._of_number: dict[str, set[int]] = {}
        self._of_agent: dict[str, set[int]] = {}

    @classmethod
    def of(cls, rule: Rule, source: FigureSource) -> Blame | None:
        """For a rule that says `blame: agent`; None for others."""
        if rule.indicator is None or rule.action is None or rule.action.suspend.blame != "agent":
            return None
        _, acting = rule.levels.severest
        views = {key: source.view(rule.indicator, PAIR, key) for key in rule.window_keys}
        return cls(acting, views)

    def step(self) -> None:
        """Take notice of the pairs that came with the last step."""
        self._take(self._view.touched())

    def _take(self, ids: Int64) -> None:
        self._known = grown(self._known, int(ids.max()) + 1 if len(ids) else 0)
        for key in ids[~self._known[ids]].tolist():
            number, agent = self._view.keys.name(key).split(SEPARATOR)
            self._pairs[key] = number, agent
            self._of_number.setdefault(number, set()).add(key)
            self._of_agent.setdefault(agent, set()).add(key)
            self._known[key] = True

    def forget(self, keys: Iterable[int]) -> None:
        """The pairs are gone, and their ids may come back as others."""
        for key in keys:
            pair = self._pairs.pop(key, None)
            if pair is None:
                continue
            self._known[key] = False
            for table, name in zip((self._of_number, self._of_agent), pair, strict=True):
                table[name].discard(key)
                if not table[name]:
                    del table[name]

    def restore(self) -> None:
        """Look at all pairs that there are: the key table was taken over."""
        self.forget(list(self._pairs))
        self._take(self._view.keys.living())

    def who(self, number: str, window: str) -> Blamed | None:
        """The agent who is to blame for the number, in the window by which it was judged."""
        keys = self._of_number.get(number)
        if not keys:
            return None
        ids = np.array(sorted(keys), dtype=np.int64)
        hits, of = self._views[window].figures(ids)
        bad = hits if self._above else of - hits
        agents = [self._pairs[key][1] for key in ids.tolist()]
        worst = max(range(len(ids)), key=lambda at: (int(bad[at]), agents[at]))
        rest_hits, rest_of = hits.sum() - hits[worst], of.sum() - of[worst]
        if not self._is_good(int(rest_hits), int(rest_of)):
            return None
        agent = agents[worst]
        others = self._bad_of(agent, number, window)
        if others < OTHERS_MIN:
            return None
        scale = self._view.scale_of
        detail = (
            f"agent {agent} is bad on {others} other numbers; with others {number} is good "
            f"({rest_hits / self._view.scale_hits:g} of {rest_of / scale:g})"
        )
        return Blamed(agent, detail)

    def _is_good(self, hits: int, of: int) -> bool:
        pair = np.array([hits], dtype=np.int64), np.array([of], dtype=np.int64)
        return of >= self._least and not bool(self._bounds.breached(*pair)[0])

    def _bad_of(self, agent: str, number: str, window: str) -> int:
        """On how many numbers but this one the agent is bad."""
        keys = [key for key in self._of_agent[agent] if self._pairs[key][0] != number]
        ids = np.array(keys, dtype=np.int64)
        hits, of = self._views[window].figures(ids)
        return int(np.count_nonzero(self._bounds.breached(hits, of) & (of >= self._least)))

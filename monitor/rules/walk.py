"""One scope of a rule on an indicator, one tick further: figures in, transitions out.

Owns the timers (pending, recovering), the levels within an episode and what people hear of each
transition. Which state follows is ``lifecycle``'s table; where figures come from is ``judge``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.decisions import Alert, Evidence, Figures
from monitor.decisions import Level as LevelName
from monitor.rules.episodes import NEVER, Episodes, Row, rank
from monitor.rules.lifecycle import Facts, Reason, State, advance
from monitor.rules.model import Rule

_NO_DATA = "no_data"
"""The condition, beside the levels, of a rule that alerts when data is missing."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is seen of one scope at one tick; mappings are by level."""

    data: bool
    enough: bool
    ample: bool
    """There is enough below the line to believe a recovery (``recovering.min_of``)."""
    breach: Mapping[LevelName, bool]
    cleared: Mapping[LevelName, bool]
    figures: Figures
    evidence: Mapping[LevelName, Evidence]


@dataclass(frozen=True, slots=True)
class Step:
    """What a walk led to."""

    alert: Alert | None = None
    let_go: LevelName | None = None
    """The level whose evidence starts again, because the episode was relaxed from it."""


class Walker:
    """Moves the rows of one rule."""

    def __init__(self, rule: Rule, episodes: Episodes) -> None:
        self._rule = rule
        self._episodes = episodes
        self._levels: tuple[LevelName, ...] = tuple(name for name, _ in rule.levels.items())

    def walk(self, row: Row, tick: int, sighting: Sighting) -> Step:
        """Move ``row`` to its state at ``tick``; ticks ascend."""
        due = self._due(row, tick, sighting)
        milder = self._milder(row, sighting)
        facts = self._facts(row, tick, sighting, due, milder)
        row.shown = self._shown(row, due)
        row.show_now(sighting.figures, sighting.evidence[row.shown])
        row.state, reason = advance(row.state, facts)
        return self._tell(row, tick, reason, due, milder)

    def _due(self, row: Row, tick: int, sighting: Sighting) -> LevelName | None:
        """Keep when each condition began to hold; the worst level whose has lasted."""
        missing = not sighting.data and self._rule.no_data == "alert" and row.level is None
        due = self._levels[0] if self._lasts(row, _NO_DATA, tick, holds=missing) else None
        for name in self._levels:
            if self._lasts(row, name, tick, holds=sighting.breach[name]):
                due = name
        return due

    def _lasts(self, row: Row, name: str, tick: int, *, holds: bool) -> bool:
        if not holds:
            row.breach_since.pop(name, None)
            return False
        return tick - row.breach_since.setdefault(name, tick) >= self._rule.pending.for_ms

    def _milder(self, row: Row, sighting: Sighting) -> LevelName | None:
        """The worst level below the one that fires whose value has not let go."""
        if row.level is None:
            return None
        below = (name for name in reversed(self._levels) if rank(name) < rank(row.level))
        return next((name for name in below if not sighting.cleared[name]), None)

    def _shown(self, row: Row, due: LevelName | None) -> LevelName:
        """The level whose evidence an alert of now is about: the worst of those concerned."""
        concerned = [name for name in (due, row.level) if name is not None]
        return max(concerned, key=rank, default=self._levels[-1])

    def _facts(
        self,
        row: Row,
        tick: int,
        sighting: Sighting,
        due: LevelName | None,
        milder: LevelName | None,
    ) -> Facts:
        let_go = row.level is not None and sighting.cleared[row.level]
        if sighting.data:
            # Without data the value is unknown: the timer neither starts nor stops.
            began = tick if row.clear_since == NEVER else row.clear_since
            row.clear_since = began if let_go else NEVER
        lasted = let_go and tick - row.clear_since >= self._rule.recovering.for_ms
        return Facts(
            data=sighting.data,
            resolves_without_data=self._rule.no_data == "resolve",
            enough=sighting.enough,
            breach=bool(row.breach_since),
            due=due is not None,
            worse=due is not None
            and row.level is not None
            and (rank(due) > rank(row.level) or not row.by_value),
            cleared=let_go,
            settled=lasted and sighting.ample,
            milder_holds=milder is not None,
        )

    def _tell(
        self, row: Row, tick: int, reason: Reason, due: LevelName | None, milder: LevelName | None
    ) -> Step:
        """Carry out a transition; the alert people get for it, if any."""
        alert = self._episodes.alert
        if reason is Reason.BREACH and due is not None:
            row.by_value = row.figures.value is not None
            self._episodes.begin(row, tick, due)
            return Step(alert(row, tick, "breach" if row.by_value else "no_data"))
        if reason is Reason.ESCALATED and due is not None:
            row.level, row.by_value = due, True
            return Step(alert(row, tick, "escalated"))
        if reason is Reason.RELAXED and milder is not None:
            let_go, row.level, row.clear_since = row.level, milder, NEVER
            return Step(alert(row, tick, "relaxed"), let_go)
        if reason in (Reason.RECOVERED, Reason.NO_DATA):
            return Step(alert(row, tick, reason.value, state="resolved"))
        return Step()

    def deadline(self, row: Row, after: int) -> int | None:
        """The earliest time after ``after`` at which a timer of ``row`` runs out, in ms."""
        due: list[int] = []
        if row.state is State.FIRING:
            due.append(row.repeat_at)
        if row.state is State.RECOVERING:
            due.append(row.clear_since + self._rule.recovering.for_ms)
        due += [since + self._rule.pending.for_ms for since in row.breach_since.values()]
        return min((at for at in due if at > after), default=None)

"""The scopes of one rule that fire by what happened to them: one by one, or as a wave.

Owns their rows, and the alerts and wants that come of them. When a scope begins and ends is the
business of rules on events (``event_rule``) and on absence (``absence_rule``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from monitor.decisions import Alert, Evidence, Figures, Scope, Want
from monitor.rules.episodes import NEVER, Episodes, Row, pictures, restored
from monitor.rules.lifecycle import State
from monitor.rules.model import Rule
from monitor.rules.wave import KEY, Wave

Standing = Callable[[str], tuple[Figures, Evidence]]
"""What an alert shows of a scope, given its text."""


class Firing:
    """The episodes of one rule."""

    def __init__(self, rule: Rule) -> None:
        self.rows: dict[str, Row] = {}
        """The scopes that fire, by scope text; the wave's is ``wave.KEY``."""
        self.wave = Wave(rule)
        self._episodes = Episodes(rule)
        self._level = next(name for name, _ in rule.levels.items())

    def begin(self, tick: int, begun: Mapping[str, Scope], standing: Standing) -> list[Alert]:
        """Episodes of their own for scopes that begin to fire, or one for the wave they are."""
        if not begun:
            return []
        if not self.wave.lets(tick, len(begun), len(self.rows)):
            for text in begun:
                self.wave.fold(text)
            return self._tell_wave(tick)
        alerts: list[Alert] = []
        for text, scope in begun.items():
            alerts += self.leave_wave(tick, text)
            row = self.rows[text] = Row(scope, State.FIRING, *standing(text))
            self._episodes.begin(row, tick, self._level)
            alerts.append(self._episodes.alert(row, tick, "breach"))
        return alerts

    def _tell_wave(self, tick: int) -> list[Alert]:
        row = self.rows.get(KEY)
        begins = row is None
        if row is None:
            row = self.rows[KEY] = self.wave.row()
            self._episodes.begin(row, tick, self._level)
        row.figures = self.wave.figures()
        if not self.wave.grown():
            return []
        alert = self._episodes.alert(row, tick, "breach" if begins else "grown")
        return [self._worded(KEY, alert)]

    def leave_wave(self, tick: int, text: str) -> list[Alert]:
        """A scope of the wave is over, or tells its own story; the last one ends the wave."""
        if text not in self.wave.folded:
            return []
        del self.wave.folded[text]
        return [] if self.wave.folded else [self.close(KEY, tick, "recovered")]

    def end(self, tick: int, text: str, reason: str) -> list[Alert]:
        """The scope fires no more, whether on its own or in the wave."""
        alerts = self.leave_wave(tick, text)
        return [*alerts, self.close(text, tick, reason)] if text in self.rows else alerts

    def end_all(self, tick: int) -> list[Alert]:
        """The rule is not in force."""
        return [self.close(key, tick, "rule_over") for key in list(self.rows)]

    def lasting(
        self, tick: int, standing: Standing | None = None
    ) -> tuple[list[Alert], list[Want]]:
        """What is said again of episodes that last, and what they want.

        ``standing`` renews what an alert shows when it is said again.
        """
        alerts: list[Alert] = []
        wants: list[Want] = []
        for key, row in self.rows.items():
            if standing is not None and key != KEY and NEVER < row.repeat_at <= tick:
                row.figures, row.evidence = standing(key)
            again = self._episodes.repeat(row, tick)
            alerts += [] if again is None else [self._worded(key, again)]
            want = None if key == KEY else self._episodes.want(row)
            wants += [] if want is None else [want]
        return alerts, wants

    def close(self, key: str, tick: int, reason: str) -> Alert:
        """End the episode of a scope that has one; the alert that says so."""
        alert = self._episodes.alert(self.rows.pop(key), tick, reason, state="resolved")
        if key == KEY:
            alert = self.wave.worded(alert)
            self.wave.over()
        return alert

    def _worded(self, key: str, alert: Alert) -> Alert:
        return self.wave.worded(alert) if key == KEY else alert

    def fires(self, text: str) -> bool:
        """Whether the scope has an episode, its own or the wave's."""
        return text in self.rows or text in self.wave.folded

    def find(self, episode: str) -> str | None:
        """The scope text whose row has this episode."""
        return next((key for key, row in self.rows.items() if row.episode == episode), None)

    def repeats(self) -> list[int]:
        """Ticks, aligned or not, at which something is said again."""
        return [row.repeat_at for row in self.rows.values() if row.repeat_at != NEVER]

    def counts(self) -> Counter[str]:
        """Scopes by state."""
        return Counter({str(State.FIRING): len(self.rows)})

    def snapshot(self) -> dict[str, Any]:
        """Everything that a restart must not lose."""
        return {"rows": pictures(self.rows), "wave": self.wave.snapshot()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`snapshot` gave."""
        self.rows = restored(state["rows"])
        self.wave.restore(state["wave"])


class FiringRule:
    """A rule whose scopes fire by what happened to them, as the rule book sees it."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.firing = Firing(rule)

    @property
    def rows(self) -> dict[str, Row]:
        """The scopes that fire, by scope text."""
        return self.firing.rows

    @property
    def folded(self) -> int:
        """Scopes that became part of a wave, since construction."""
        return self.firing.wave.total

    def find(self, episode: str) -> str | None:
        """The scope text whose row has this episode."""
        return self.firing.find(episode)

    def close(self, key: str, tick: int, reason: str) -> Alert:
        """End the episode of a scope that has one; the alert that says so."""
        return self.firing.close(key, tick, reason)

    def counts(self) -> Counter[str]:
        """Scopes by state; those that do not fire are not known."""
        return self.firing.counts()

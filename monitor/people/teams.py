"""Whose alert it is: the team behind a scope that names an agent or a group alone.

Owns the look-up. It is for people: no decision depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from monitor.decisions import Alert

Places = Mapping[str, tuple[str, str]]
"""Group and team by agent."""


class Teams:
    """What the configuration says, and beyond it what events said last."""

    def __init__(self, configured: Callable[[], Places], seen: Callable[[], Places]) -> None:
        self._configured = configured
        self._seen = seen
        self._groups: dict[str, str] = {}
        self._groups_of: tuple[int, int] = (-1, -1)

    def of(self, alert: Alert) -> str:
        """The team; empty where the scope is of none, or nobody knows."""
        scope = dict(alert.scope)
        if "team" in scope:
            return scope["team"]
        if "agent" in scope:
            agent = scope["agent"]
            return (self._configured().get(agent) or self._seen().get(agent) or ("", ""))[1]
        return self._of_group(scope["group"]) if "group" in scope else ""

    def of_all(self, alerts: Iterable[Alert]) -> dict[str, str]:
        """By episode, where there is one."""
        return {alert.episode: team for alert in alerts if (team := self.of(alert))}

    def _of_group(self, group: str) -> str:
        configured, seen = self._configured(), self._seen()
        sizes = (len(configured), len(seen))
        if sizes != self._groups_of or group not in self._groups:
            both = [*seen.values(), *configured.values()]
            self._groups, self._groups_of = dict(both), sizes
        return self._groups.get(group, "")

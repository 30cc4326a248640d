"""Alerts on single numbers while one page speaks of their whole pool.

Owns which alerts these are: of rules that want numbers of a pool out while a wave or the campaign's
own breach keeps them in service, *and people have had the page of it*. They are decided, stored and
listed like any other; who has the page is not sent them too (``delivery.routes``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Final

from monitor.decisions import Alert, Want
from monitor.numbers.incidents import Incidents

EPISODES_MAX: Final = 10_000
"""Episodes nobody was told of that are remembered; of older ones the end is told."""


class Inhibition:
    """What was kept from people; a function of the calls made to it."""

    def __init__(self, incidents: Incidents, pools_of: Callable[[str], Sequence[str]]) -> None:
        self._incidents = incidents
        self._pools_of = pools_of
        self._untold: dict[str, str] = {}
        """By episode that nobody heard the beginning of, the page that stands for it."""

    def apply(self, alerts: Iterable[Alert], wants: Sequence[Want]) -> list[Alert]:
        """``alerts`` of the step that was just made, those that a page stands for naming it.

        ``wants``: of that step; a number that is spared for its agent is part of no wave.
        """
        rules = {each.rule for each in wants if not each.shadow}
        spared = {each.number for each in wants if each.blamed}
        return [
            self._ended(each) if each.state == "resolved" else self._fires(each, rules, spared)
            for each in alerts
        ]

    def _fires(self, alert: Alert, rules: AbstractSet[str], spared: AbstractSet[str]) -> Alert:
        number = dict(alert.scope).get("number")
        page = ""
        part = number not in spared and alert.rule in rules and not alert.shadow
        if number is not None and part:
            page = self._incidents.page_of(self._pools_of(number), alert.route)
        if not page:
            self._untold.pop(alert.episode, None)
            return alert
        if alert.reason == "breach":  # else they know of it, and will hear of its end
            if len(self._untold) >= EPISODES_MAX:
                del self._untold[next(iter(self._untold))]
            self._untold[alert.episode] = page
        return replace(alert, inhibited_by=page)

    def _ended(self, alert: Alert) -> Alert:
        page = self._untold.pop(alert.episode, "")
        if not page or (alert.reason == "suspended" and not self._incidents.is_open(page)):
            return alert  # once the wave is over, people hear of each number that goes out
        return replace(alert, inhibited_by=page)

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return dict(self._untold)

    def restore(self, state: Mapping[str, str]) -> None:
        """Continue from what :meth:`snapshot` gave."""
        self._untold = dict(state)

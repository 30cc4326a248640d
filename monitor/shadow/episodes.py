"""Alerts as episodes."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.decisions import Alert


def begun(alerts: Iterable[Alert]) -> list[Alert]:
    """The first alert of each episode, in the order of the alerts, which is that of their times."""
    first: dict[str, Alert] = {}
    for alert in alerts:
        if alert.state == "firing":
            first.setdefault(alert.episode, alert)
    return list(first.values())

"""What is known of an alert beside the alert itself, for those who put it into words.

Owns the values. Who finds them out stands outside delivery (``monitor.explain.background``); an
alert goes without what cannot be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.decisions import Alert, Command, Refusal


@dataclass(frozen=True, slots=True)
class About:
    """Of the alert's rule, and of what was done."""

    title: Mapping[str, str] = field(default_factory=dict)
    """Name of the rule by language."""
    bound: Mapping[str, str] = field(default_factory=dict)
    """Where the alert's level fires, by language: ``above 30%``; empty where that moves or there is
    none."""
    runbook: str = ""
    """Where it says what to do."""
    done: tuple[Command | Refusal, ...] = ()
    """Of the same episode, the oldest first."""


class Background(Protocol):
    """Who can be asked."""

    def of(self, alert: Alert, /) -> About:
        """What is known now; never raises."""
        ...


class NoBackground:
    """Alerts speak for themselves."""

    def of(self, _alert: Alert, /) -> About:
        """Nothing."""
        return About()

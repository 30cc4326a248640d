"""What messages tell of an alert's rule, and of what was done about it.

Owns the look-up, on delivery's threads, just before a message is made. An alert is never held up
for it: what cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from monitor.decisions import Alert, Command, Refusal
from monitor.delivery.messages.background import About
from monitor.errors import StoreError
from monitor.rules.model import Rule
from monitor.site import Site
from monitor.store.history import History

log = structlog.get_logger(__name__)

_DONE_MAX: Final = 5
_SEARCHED: Final = 50
"""Of a number's last commands and refusals."""
_SIDES: Final = {
    ("above", False): {"en": "above", "zh": "高于"},
    ("above", True): {"en": "at least", "zh": "不低于"},
    ("below", False): {"en": "below", "zh": "低于"},
    ("below", True): {"en": "at most", "zh": "不高于"},
}


class SiteBackground:
    """Who delivery asks; see :class:`monitor.delivery.messages.background.Background`."""

    def __init__(self, site: Callable[[], Site], history: History) -> None:
        """``site``: as it is configured now."""
        self._site = site
        self._history = history

    def of(self, alert: Alert) -> About:
        """See :meth:`monitor.delivery.messages.background.Background.of`."""
        rule = next((each for each in self._site().rules if each.id == alert.rule), None)
        done = self._done(alert)
        if rule is None:
            return About(done=done)
        title = {str(language): text for language, text in rule.title.items()}
        return About(title, _bound(rule, alert), rule.runbook, done)

    def _done(self, alert: Alert) -> tuple[Command | Refusal, ...]:
        number = dict(alert.scope).get("number")
        if number is None:
            return ()
        try:
            commands = self._history.commands(
                since_ms=alert.since_ms, number=number, limit=_SEARCHED
            )
            refusals = self._history.refusals(
                since_ms=alert.since_ms, number=number, limit=_SEARCHED
            )
        except StoreError as error:
            log.warning("background_unknown", detail=str(error))
            return ()
        mine: list[Command | Refusal] = [
            *(each for each in commands if each.episode == alert.episode and not each.shadow),
            *(each for each in refusals if each.episode == alert.episode),
        ]
        return tuple(sorted(mine, key=lambda each: each.at_ms)[-_DONE_MAX:])


def _bound(rule: Rule, alert: Alert) -> dict[str, str]:
    level = getattr(rule.levels, alert.level)
    if level is None or level.bound is None:
        return {}
    words = _SIDES[level.direction, level.inclusive]
    return {language: f"{side} {level.bound}" for language, side in words.items()}

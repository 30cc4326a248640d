"""Whose alerts a rule on other rules rests on.

Owns the choice: of each rule that is a part, the episodes that were open when it fired, where their
scope does not contradict its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.decisions import Alert
from monitor.rules.model import Rule
from monitor.site import Site

PARTS_MAX = 5
"""Of one rule; a campaign has as many numbers as it likes."""


def rule_of(site: Site, alert: Alert) -> Rule | None:
    """The rule of an alert, as it is configured now."""
    return next((each for each in site.rules if each.id == alert.rule), None)


def parts_of(alert: Alert, rule: Rule, known: Callable[[str], Iterable[Alert]]) -> list[Alert]:
    """Alerts that ``alert``, of a rule on others, rests on: how each open episode began or rose.

    Args:
        alert: the one to explain.
        rule: its rule.
        known: alerts of a rule, in any order.
    """
    found: list[Alert] = []
    for name in rule.parts:
        episodes: dict[str, list[Alert]] = {}
        for each in sorted(known(name), key=lambda each: each.at_ms):
            # What ended at its tick was open when it was judged: a suspension ends its rule's.
            ended = each.state == "resolved" and each.at_ms == alert.at_ms
            if each.at_ms <= alert.at_ms and not ended and _agree(each, alert):
                episodes.setdefault(each.episode, []).append(each)
        open_ones = [told for told in episodes.values() if told[-1].state == "firing"]
        found += [told[-1] for told in open_ones[-PARTS_MAX:]]
    return found


def with_records(site: Site, alerts: Iterable[Alert]) -> list[Alert]:
    """Those whose rule is not on others itself: they alone have records of their own."""
    return [each for each in alerts if not ((rule := rule_of(site, each)) and rule.parts)]


def _agree(part: Alert, whole: Alert) -> bool:
    scope = dict(whole.scope)
    return all(scope.get(name, value) == value for name, value in part.scope)

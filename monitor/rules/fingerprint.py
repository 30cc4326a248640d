"""What the state of a rule depends on, so that it outlives a reload and an upgrade.

Owns the choice of what a rule says that changes its judgement.
"""

from __future__ import annotations

from monitor.decisions import derive_id
from monitor.rules.model import Rule

_JUDGED = {
    "id",
    "indicator",
    "event",
    "by",
    "status",
    "levels",
    "window",
    "windows",
    "evidence",
    "pending",
    "recovering",
    "no_data",
    "except_",
}
_NEWER = ("absent", "for_ms", "while_", "all_of", "any_of")


def fingerprint(rule: Rule, indicator: str, *, tick_ms: int, scope_day_ms: int) -> str:
    """What the state of a rule depends on; wording, routes and actions may change without loss."""
    # What a rule does not say is left out, so that state outlives new words in the language.
    newer = {name for name in _NEWER if getattr(rule, name)}
    judged = rule.model_dump_json(include=_JUDGED | newer)
    return derive_id(judged, indicator, tick_ms, scope_day_ms)

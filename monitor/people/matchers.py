"""Which alerts are meant: patterns over an alert's labels.

Owns the labels of an alert and of a refusal, the comparison, and what is shown of a pattern. A
pattern is a name as it is written, or one with ``*``, ``?`` and ``[…]`` for what may stand there
(case counts); ``!`` before it means the others. A label that an alert does not have is the empty
text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from monitor.decisions import Alert, Refusal
from monitor.logs import mask_customer

Matchers = Mapping[str, Sequence[str]]
"""By label, the patterns of which one has to fit; every label named has to fit."""

OWN: Final = ("kind", "rule", "level", "route", "pack", "team", "episode")
"""Labels beside those of the scope."""
PATTERN_MAX: Final = 200
"""Characters."""
MATCHERS_MAX: Final = 20
"""Labels, and patterns of each."""


def labels_of(alert: Alert, *, team: str = "", pack: str = "") -> dict[str, str]:
    """An alert's labels; ``team`` where its scope does not say it."""
    own = {
        "kind": "alert",
        "rule": alert.rule,
        "level": alert.level,
        "route": alert.route,
        "pack": pack,
        "team": team,
        "episode": alert.episode,
    }
    if alert.inhibited_by:
        own["inhibited_by"] = alert.inhibited_by
    return own | {name: str(value) for name, value in alert.scope}


def labels_of_refusal(
    refusal: Refusal, alert: Alert | None, *, team: str = "", pack: str = "", route: str = ""
) -> dict[str, str]:
    """A refusal's labels: those of its alert, and what is its own.

    ``route``: of refusals that name none. Without an alert it is about a pool or an agent, or about
    what telephony did, and critical.
    """
    own = {
        "kind": "refusal",
        "guard": refusal.guard,
        "rule": refusal.rule,
        "level": "crit" if alert is None else alert.level,
        "route": refusal.route or route,
        "pack": pack,
        "team": team,
        "episode": refusal.id,
        "number": refusal.number,
        "pool": refusal.pool,
    }
    about = {} if alert is None else {name: str(value) for name, value in alert.scope}
    return about | {name: text for name, text in own.items() if text or name not in about}


def misses(matchers: Matchers, labels: Mapping[str, str]) -> list[str]:
    """The labels that do not fit; empty: it is meant."""
    return [
        name
        for name, patterns in matchers.items()
        if not any(fits(pattern, labels.get(name, "")) for pattern in patterns)
    ]


def fits(pattern: str, value: str) -> bool:
    """Whether a label's value is one that ``pattern`` stands for."""
    if pattern.startswith("!"):
        return not fnmatchcase(value, pattern[1:])
    return fnmatchcase(value, pattern)


def masked(matchers: Matchers) -> dict[str, list[str]]:
    """Patterns as people are shown them, by label: customers are masked, meant or not meant."""
    return {
        name: [_masked(each) if name == "customer" else each for each in patterns]
        for name, patterns in matchers.items()
    }


def _masked(pattern: str) -> str:
    negation = "!" if pattern.startswith("!") else ""
    meant = pattern.removeprefix("!")
    return negation + (mask_customer(meant) if meant.strip("*?") else meant)


def read(written: Mapping[str, str | Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Matchers as people write them, one pattern or several a label.

    Raises:
        ValueError: there are none, or too many, or one is too long.
    """
    found = {
        name.strip(): (patterns,) if isinstance(patterns, str) else tuple(patterns)
        for name, patterns in written.items()
    }
    if not found or not all(found) or not all(found.values()):
        raise ValueError("say which alerts are meant: a label and a pattern, such as rule=line-*")
    if len(found) > MATCHERS_MAX or max(map(len, found.values())) > MATCHERS_MAX:
        msg = f"more than {MATCHERS_MAX} matchers"
        raise ValueError(msg)
    if any(len(pattern) > PATTERN_MAX for patterns in found.values() for pattern in patterns):
        msg = f"a pattern is longer than {PATTERN_MAX} characters"
        raise ValueError(msg)
    return found

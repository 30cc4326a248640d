"""A rule in shadow: its alerts and would-be suspensions, next to what happened after.

Owns the query that the command line and the console show. All of it is read from the store: what
the rule recorded, and what was decided for real. Whether a carrier flagged a number, or a customer
complained, is known as far as some rule looks at such events, in shadow or not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from monitor.decisions import Alert, Command, Scope, iso
from monitor.indicators.formula import formula
from monitor.indicators.model import Indicator
from monitor.rules.chances import poisson_limits
from monitor.rules.model import Rule
from monitor.shadow.episodes import begun
from monitor.store.history import History

Event = Literal["suspended", "flagged", "complained", "alerted"]
EVENTS: Final[tuple[Event, ...]] = ("suspended", "flagged", "complained", "alerted")
READ_MAX: Final = 20_000
"""Alerts, and commands, that are read at most: the newest."""
CASES_MAX: Final = 200
"""Cases of one rule, the newest."""
AFTER_MS: Final = 86_400_000
_WEEK_MS = 7 * 86_400_000
_FLAGS = frozenset({"number.flagged"})
_COMPLAINTS = frozenset({"complaint.filed"})


@dataclass(frozen=True, slots=True)
class Follow:
    """Something real that happened to the same scope."""

    what: Event
    """``suspended``: taken out of service; ``flagged``: by a carrier; ``complained``: a rule on
    complaints fired; ``alerted``: another rule did."""
    after_ms: int
    """Since the shadow alert."""
    rule: str
    """Of the decision; empty where a person did it."""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"what": self.what, "after_s": self.after_ms / 1000, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class Case:
    """One episode of a rule in shadow."""

    alert: Alert
    """Its first."""
    suspends: bool
    """A number would have been suspended."""
    open: bool
    """It is too young to say that nothing happened."""
    follows: tuple[Follow, ...]
    """The first of each kind, within the time looked at."""

    def to_json(self) -> dict[str, Any]:
        """For programs; customers are the caller's to mask."""
        return {
            "at": iso(self.alert.at_ms),
            "episode": self.alert.episode,
            "scope": dict(self.alert.scope),
            "level": self.alert.level,
            "value": self.alert.figures.value,
            "hits": self.alert.figures.hits,
            "of": self.alert.figures.of,
            "suspends": self.suspends,
            "open": self.open,
            "after": [follow.to_json() for follow in self.follows],
        }


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What one rule would have done."""

    rule: str
    status: str
    """As it is configured now."""
    since_ms: int
    until_ms: int
    after_ms: int
    episodes: int
    a_week: tuple[float, float, float]
    """With the 95 % limits of a Poisson count."""
    by_level: Mapping[str, int]
    """By the level each began with."""
    suspensions: int
    scopes: int
    followed: Mapping[Event, int]
    """Episodes after which it happened; one may count in several."""
    nothing: int
    """Episodes after which nothing did, among those old enough."""
    open: int
    """Episodes after which nothing did so far."""
    missed: Mapping[Event, int]
    """Scopes to which it happened, with no alert of this rule as long before. Of rules by number
    ``suspended`` and ``flagged``; it may be none of this rule's business."""
    cases: tuple[Case, ...]
    """The newest first, at most :data:`CASES_MAX`."""
    cut: bool
    """There was more than is read: counts are of the newest."""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "rule": self.rule,
            "status": self.status,
            "since": iso(self.since_ms),
            "until": iso(self.until_ms),
            "after_s": self.after_ms / 1000,
            "episodes": self.episodes,
            "a_week": [float(f"{each:.4g}") for each in self.a_week],
            "by_level": dict(self.by_level),
            "suspensions": self.suspensions,
            "scopes": self.scopes,
            "followed": dict(self.followed),
            "nothing": self.nothing,
            "open": self.open,
            "missed": dict(self.missed),
            "cases": [case.to_json() for case in self.cases],
            "cut": self.cut,
        }


def report(
    history: History,
    rules: Sequence[Rule],
    indicators: Sequence[Indicator],
    *,
    since_ms: int,
    until_ms: int,
    only: str | None = None,
    after_ms: int = AFTER_MS,
) -> list[ShadowReport]:
    """Rules that are in shadow, in their order; or ``only`` that one, whatever it is now.

    Args:
        history: of the store.
        rules: of the site.
        indicators: of the site.
        since_ms: shadow alerts from then on.
        until_ms: now.
        only: the id of a rule.
        after_ms: how long after an alert what happens is looked at.
    """
    wanted = [rule for rule in rules if (rule.shadow if only is None else rule.id == only)]
    if not wanted:
        return []
    alerts = history.alerts(since_ms=since_ms - after_ms, limit=READ_MAX)
    commands = history.commands(since_ms=since_ms - after_ms, limit=READ_MAX)
    cut = READ_MAX in {len(alerts), len(commands)}
    real = _real(alerts, commands, _kinds(rules, indicators))
    would = {each.episode for each in commands if each.shadow and each.action == "suspend"}
    found: list[ShadowReport] = []
    for rule in wanted:
        mine = [each for each in reversed(alerts) if each.rule == rule.id and each.shadow]
        first = [each for each in begun(mine) if each.at_ms >= since_ms]
        cases = [_case(each, real, would, until_ms, after_ms) for each in first]
        found.append(_report(rule, cases, real, (since_ms, until_ms, after_ms), cut=cut))
    return found


_Happened = tuple[int, Event, str]
"""When, what, and by which rule."""
_Real = Mapping[tuple[str, str], list[_Happened]]
"""By dimension and value, in the order of time."""


def _kinds(rules: Iterable[Rule], indicators: Iterable[Indicator]) -> dict[str, Event]:
    """By rule, what its alert says has happened."""
    by_id = {each.id: each for each in indicators}
    kinds: dict[str, Event] = {}
    for rule in rules:
        types = frozenset({rule.event.on}) if rule.event is not None else frozenset[str]()
        indicator = by_id.get(rule.indicator or "")
        if indicator is not None and indicator.measures:
            types = formula(indicator).hits.types
        kinds[rule.id] = (
            "flagged" if types & _FLAGS else "complained" if types & _COMPLAINTS else "alerted"
        )
    return kinds


def _real(
    alerts: Sequence[Alert], commands: Sequence[Command], kinds: Mapping[str, Event]
) -> _Real:
    """All that happened for real; alerts in shadow count where they say what others did."""
    found: defaultdict[tuple[str, str], list[_Happened]] = defaultdict(list)
    for command in commands:
        if command.action == "suspend" and not command.shadow:
            found["number", command.number].append((command.at_ms, "suspended", command.rule))
    for alert in begun(reversed(alerts)):
        kind = kinds.get(alert.rule, "alerted")
        if not alert.shadow or kind in {"flagged", "complained"}:
            for name, value in alert.scope:
                found[name, value].append((alert.at_ms, kind, alert.rule))
    for happened in found.values():
        happened.sort()
    return found


def _key(scope: Scope) -> tuple[str, str] | None:
    """By what a scope is followed: its number, or its first dimension; None: of a wave."""
    return next((each for each in scope if each[0] == "number"), scope[0] if scope else None)


def _case(alert: Alert, real: _Real, would: set[str], until_ms: int, after_ms: int) -> Case:
    follows: dict[Event, Follow] = {}
    key = _key(alert.scope)
    happened = [] if key is None else real.get(key, [])
    for at_ms, what, rule in happened[bisect_left(happened, (alert.at_ms,)) :]:
        if at_ms > alert.at_ms + after_ms:
            break
        if rule != alert.rule:
            follows.setdefault(what, Follow(what, at_ms - alert.at_ms, rule))
    is_open = alert.at_ms + after_ms > until_ms
    return Case(alert, alert.episode in would, is_open, tuple(follows.values()))


def _report(
    rule: Rule, cases: list[Case], real: _Real, times: tuple[int, int, int], *, cut: bool
) -> ShadowReport:
    since_ms, until_ms, after_ms = times
    weeks = max(until_ms - since_ms, 1) / _WEEK_MS
    low, high = poisson_limits(len(cases))
    followed: Counter[Event] = Counter(each.what for case in cases for each in case.follows)
    bare = [case for case in cases if not case.follows]
    return ShadowReport(
        rule=rule.id,
        status=rule.status,
        since_ms=since_ms,
        until_ms=until_ms,
        after_ms=after_ms,
        episodes=len(cases),
        a_week=(len(cases) / weeks, low / weeks, high / weeks),
        by_level=dict(Counter(case.alert.level for case in cases)),
        suspensions=sum(case.suspends for case in cases),
        scopes=len({case.alert.scope for case in cases}),
        followed={what: followed[what] for what in EVENTS if followed[what]},
        nothing=sum(not case.open for case in bare),
        open=sum(case.open for case in bare),
        missed=_missed(rule, cases, real, since_ms, after_ms),
        cases=tuple(reversed(cases[-CASES_MAX:])),
        cut=cut,
    )


def _missed(
    rule: Rule, cases: list[Case], real: _Real, since_ms: int, after_ms: int
) -> dict[Event, int]:
    if "number" not in rule.by:
        return {}
    warned: defaultdict[tuple[str, str] | None, list[int]] = defaultdict(list)
    for case in cases:
        warned[_key(case.alert.scope)].append(case.alert.at_ms)
    missed: Counter[Event] = Counter()
    for key, happened in real.items():
        if key[0] != "number":
            continue
        for what in ("suspended", "flagged"):
            times = [
                at for at, each, by in happened if each == what and at >= since_ms and by != rule.id
            ]
            seen = warned.get(key, [])
            missed[what] += any(
                not any(at - after_ms <= before <= at for before in seen) for at in times
            )
    return {what: count for what, count in missed.items() if count}

"""What is reported of a run: figures by rule, day, route and number, and how cases were found.

Owns the shapes and their JSON. ``build`` makes one; how it looks is ``text`` and ``page``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, tzinfo
from statistics import median
from typing import Any

from monitor.backtest.labels import Verdict
from monitor.backtest.tally import Episode, Outage
from monitor.decisions import iso

HOUR_MS = 3_600_000
NUMBERS_SHOWN = 20
BY_HAND = "(by hand)"
"""In place of a rule."""
EPISODES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, and how fast."""

    events: int
    duplicates: int = 0
    late: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    """Dead letters by reason."""
    seconds: float = 0.0
    numbers: int = 0
    """Outbound numbers that were known in the end."""
    rules: str = ""
    """What was tested: folders, or the configuration."""
    hash: str = ""


@dataclass(slots=True)
class RuleLine:
    """One rule over the whole range."""

    rule: str
    title: Mapping[str, str]
    shadow: bool = False
    alerts: int = 0
    critical: int = 0
    scopes: int = 0
    """Different scopes that it fired for."""
    firing_h: float = 0.0
    pages: int = 0
    suspensions: int = 0
    out_h: float = 0.0
    """Number-hours out of service; of a shadow rule, as they would have been."""
    refused: int = 0
    """Suspensions that guards did not let through."""
    found: int = 0
    """Cases that it found first."""
    unexplained: int | None = None
    """Alerts that no case explains; None without cases."""

    @property
    def did_something(self) -> bool:
        """Whether anybody could tell that it was on."""
        return bool(self.alerts or self.suspensions or self.refused or self.pages)


@dataclass(slots=True)
class DayLine:
    """One local day."""

    day: str
    warn: int = 0
    crit: int = 0
    suspensions: int = 0
    out_h: float = 0.0
    pages: int = 0
    whole: bool = True
    """All of it was read."""


@dataclass(slots=True)
class RouteLine:
    """One route, or one receiver: how often it rings."""

    name: str
    pages: int
    a_day: float
    busiest_day: str
    busiest_pages: int
    quarter_most: int
    """The most within a quarter of an hour."""


@dataclass(slots=True)
class PersonLine:
    """One person: how often they are told something."""

    name: str
    pages: int
    a_day: float
    busiest_day: str
    """Empty: they are told nothing."""
    busiest_pages: int
    quarter_most: int
    """The most within a quarter of an hour."""
    repeats: int
    """Of ``pages``: said again, as nobody acknowledges."""
    escalations: int
    """Of ``pages``: passed on to them, as nobody acknowledges."""
    digests: int
    """Of ``pages``: many in one, beyond their cap."""
    by_day: Mapping[str, int]


@dataclass(slots=True)
class NumberLine:
    """One number that was out of service."""

    number: str
    times: int
    out_h: float
    rules: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """All of it."""

    from_ms: int
    to_ms: int
    zone: str
    read: Read
    rules: list[RuleLine]
    days: list[DayLine]
    routes: list[RouteLine]
    receivers: list[RouteLine]
    people: list[PersonLine] | None
    """None: the configuration has no `delivery.routing`, which says who is told."""
    numbers: list[NumberLine]
    cases: list[Verdict]
    episodes: list[Episode]
    outages: list[Outage]
    refusals: Mapping[str, int]
    """By guard."""
    beyond: int
    pages_by_hour: list[list[int]]
    """Shape (7, 24): pages by weekday (Monday first) and local hour."""
    pages_by_quarter: Mapping[int, int]
    """Pages by quarter of an hour since 1970."""

    # --- in total ---------------------------------------------------------------------------------

    @property
    def span_days(self) -> float:
        """What ``a day`` divides by: the length of the range in days, but no less than one."""
        return max((self.to_ms - self.from_ms) / (24 * HOUR_MS), 1.0)

    @property
    def active(self) -> list[RuleLine]:
        """Rules that are not shadow."""
        return [line for line in self.rules if not line.shadow]

    @property
    def alerts(self) -> int:
        """Episodes of rules that are not shadow."""
        return sum(not each.shadow for each in self.episodes)

    @property
    def shadow_alerts(self) -> int:
        """Those of shadow rules, of which nobody hears."""
        return sum(each.shadow for each in self.episodes)

    @property
    def pages(self) -> int:
        """Notifications to people, each route's counted once."""
        return sum(day.pages for day in self.days)

    @property
    def suspensions(self) -> int:
        """Times that a number went out of service."""
        return sum(1 for each in self.outages if not each.shadow)

    @property
    def out_h(self) -> float:
        """Number-hours out of service within the range: lost dialling capacity."""
        return sum(day.out_h for day in self.days)

    @property
    def out_share(self) -> float | None:
        """The same of all number-hours there were; None where no number is known."""
        of = self.read.numbers * (self.to_ms - self.from_ms) / HOUR_MS
        return self.out_h / of if of else None

    @property
    def out_at_once(self) -> int:
        """The most numbers out of service at one time."""
        return max((count for _, count in steps(self.outages, self.from_ms, self.to_ms)), default=0)

    @property
    def found(self) -> list[Verdict]:
        """Cases that an alert found."""
        return [each for each in self.cases if each.outcome != "missed"]

    @property
    def median_after_ms(self) -> int | None:
        """Half of the found cases were found within this; those that were known before left out."""
        told = [each.after_ms for each in self.found if each.outcome == "found" and each.after_ms]
        return round(median(told)) if told else None

    def to_json(self) -> dict[str, Any]:
        """Plain values; times in RFC 3339, customers masked."""
        return {
            "kind": "backtest",
            "from": iso(self.from_ms),
            "to": iso(self.to_ms),
            "zone": self.zone,
            "read": asdict(self.read),
            "total": {
                "alerts": self.alerts,
                "alerts_a_day": _round(self.alerts / self.span_days),
                "shadow_alerts": self.shadow_alerts,
                "pages": self.pages,
                "pages_a_day": _round(self.pages / self.span_days),
                "suspensions": self.suspensions,
                "out_h": _round(self.out_h),
                "out_share": None if self.out_share is None else round(self.out_share, 6),
                "out_at_once": self.out_at_once,
                "refused": sum(self.refusals.values()),
                "cases": len(self.cases),
                "cases_found": len(self.found),
                "median_after_s": _seconds(self.median_after_ms),
                "not_listed": self.beyond,
            },
            "rules": [_rounded(asdict(line)) for line in self.rules],
            "days": [_rounded(asdict(line)) for line in self.days],
            "routes": [_rounded(asdict(line)) for line in self.routes],
            "receivers": [_rounded(asdict(line)) for line in self.receivers],
            "people": None
            if self.people is None
            else [_rounded(asdict(line)) for line in self.people],
            "refusals": dict(self.refusals),
            "cases": [_case(each) for each in self.cases],
            "episodes": [_episode(each) for each in self.episodes],
            "outages": [_outage(each) for each in self.outages],
        }


def clipped_h(from_ms: int, to_ms: int | None, span: tuple[int, int]) -> float:
    """Hours of a stretch that lie within ``span``; without an end it lasts."""
    end = span[1] if to_ms is None else min(to_ms, span[1])
    return max(0, end - max(from_ms, span[0])) / HOUR_MS


def steps(outages: Iterable[Outage], from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """How many numbers are out of service from each moment on, where that changes."""
    changes: Counter[int] = Counter({from_ms: 0})
    for each in outages:
        if each.shadow:
            continue
        changes[max(each.from_ms, from_ms)] += 1
        if each.to_ms is not None and each.to_ms < to_ms:
            changes[max(each.to_ms, from_ms)] -= 1
    found, out = [], 0
    for at in sorted(changes):
        out += changes[at]
        found.append((at, out))
    return found


def local_day(ms: int, zone: tzinfo | None) -> date:
    """The day that a moment belongs to."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone).date()


def _round(value: float) -> float:
    return round(value, 4)


def _rounded(line: dict[str, Any]) -> dict[str, Any]:
    return {k: _round(v) if isinstance(v, float) else v for k, v in line.items()}


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _case(case: Verdict) -> dict[str, Any]:
    return {
        "scope": dict(case.scope),
        "from": iso(case.from_ms),
        "to": iso(case.to_ms),
        "outcome": case.outcome,
        "rule": case.rule or None,
        "after_s": _seconds(case.after_ms),
        "suspended_after_s": _seconds(case.suspended_after_ms),
        "note": case.note,
    }


def _episode(each: Episode) -> dict[str, Any]:
    return {
        "rule": each.rule,
        "scope": dict(each.scope),
        "level": each.level,
        "shadow": each.shadow,
        "from": iso(each.from_ms),
        "critical": None if each.crit_ms is None else iso(each.crit_ms),
        "to": None if each.to_ms is None else iso(each.to_ms),
        "ended": each.ended or None,
        "route": each.route,
        "pages": each.pages,
    }


def _outage(each: Outage) -> dict[str, Any]:
    return {
        "number": each.number,
        "rule": each.rule or None,
        "shadow": each.shadow,
        "from": iso(each.from_ms),
        "to": None if each.to_ms is None else iso(each.to_ms),
        "planned": None if each.planned_ms is None else iso(each.planned_ms),
        "ended": each.ended or None,
    }

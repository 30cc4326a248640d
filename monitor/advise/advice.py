"""What ``monitor advise`` says of a rule: shapes, and how they are made of its history.

Owns the conclusions. Reading is ``monitor.advise.history``'s, what evidence promises
``monitor.advise.odds``'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from monitor.advise.history import History
from monitor.advise.odds import Estimate
from monitor.advise.weigh import LevelAdvice, Volume
from monitor.decisions import Alert, iso
from monitor.rules.chances import poisson_limits
from monitor.rules.model import Rule
from monitor.rules.ports import Float64
from monitor.rules.scopes import SEPARATOR
from monitor.shadow.episodes import begun

QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
BINS: Final = 12
SHOWN: Final = 5
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a figure is spread."""

    count: int
    quantiles: tuple[float, ...]
    """At :data:`QUANTILES`."""
    edges: tuple[float, ...]
    """Of the histogram's bins; one more than bins."""
    bins: tuple[int, ...]

    @classmethod
    def of(cls, values: Float64) -> Distribution | None:
        """None: there is nothing."""
        values = values[np.isfinite(values)]
        if not len(values):
            return None
        bins, edges = np.histogram(values, bins=BINS)
        spread = np.quantile(values, QUANTILES)
        return cls(len(values), tuple(spread.tolist()), tuple(edges.tolist()), tuple(bins.tolist()))


@dataclass(frozen=True, slots=True)
class Fired:
    """Episodes that the rule would have begun, as it stands."""

    episodes: int
    a_week: Estimate
    """95 %, as a Poisson count."""
    by_level: tuple[tuple[str, int], ...]
    """By the worst level of each."""
    scopes: int
    most: tuple[tuple[str, int], ...]
    """The scopes with most of them, at most :data:`SHOWN`."""
    lasted_ms: int | None
    """Half of those that ended were shorter."""
    first: tuple[Alert, ...]
    """The first alert of some of them, the newest last."""


@dataclass(frozen=True, slots=True)
class Advice:
    """All of it."""

    rule: str
    indicator: str | None
    by: tuple[str, ...]
    window: str
    kind: str
    """``ratio``, ``mean`` or ``count``; of a rule without an indicator empty."""
    is_share: bool
    first_ms: int | None
    last_ms: int
    days: int
    events: int
    scopes: int
    fired: Fired
    over_scopes: Distribution | None
    """Of each scope's figure over everything that was read."""
    over_windows: Distribution | None
    """Of the windows that were looked at."""
    volume: Volume | None
    """None: nobody can say what stands below its line."""
    levels: tuple[LevelAdvice, ...]
    wished: float
    """Alerts a week."""
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For programs; customers in the names of scopes are the caller's to mask."""
        fired = asdict(self.fired) | {
            "a_week": self.fired.a_week.to_json(),
            "by_level": dict(self.fired.by_level),
            "most": [{"scope": list(scope_of(name)), "episodes": n} for name, n in self.fired.most],
            "first": [alert.to_json() for alert in self.fired.first],
        }
        return {
            "rule": self.rule,
            "indicator": self.indicator,
            "by": list(self.by),
            "window": self.window,
            "history": {
                "from": None if self.first_ms is None else iso(self.first_ms),
                "to": None if self.first_ms is None else iso(self.last_ms),
                "days": self.days,
                "events": self.events,
                "scopes": self.scopes,
            },
            "fired": fired,
            "quantiles": list(QUANTILES),
            "over_scopes": None if self.over_scopes is None else asdict(self.over_scopes),
            "over_windows": None if self.over_windows is None else asdict(self.over_windows),
            "volume": None if self.volume is None else asdict(self.volume),
            "alerts_per_week_wished": self.wished,
            "levels": [level.to_json() for level in self.levels],
            "remarks": list(self.remarks),
        }


def scope_of(name: str) -> tuple[str, ...]:
    """The values of a scope's dimensions; none of a wave."""
    return tuple(name.split(SEPARATOR)) if name else ()


def a_week(count: int, days: int) -> Estimate:
    """So many in so many days, as a rate a week with its 95 % limits."""
    if not days:
        return Estimate(0.0, 0.0, 0.0)
    low, high = poisson_limits(count)
    scale = _WEEK_DAYS / days
    return Estimate(count * scale, low * scale, high * scale)


def fired(alerts: Sequence[Alert], days: int) -> Fired:
    """What came of a rule."""
    first = begun(alerts)
    worst: dict[str, str] = {}
    ended: dict[str, int] = {}
    for alert in alerts:
        if alert.state == "firing":
            worst[alert.episode] = max(worst.get(alert.episode, ""), alert.level, key=_rank)
        else:
            ended[alert.episode] = alert.at_ms - alert.since_ms
    scopes = Counter(SEPARATOR.join(value for _, value in each.scope) for each in first)
    return Fired(
        episodes=len(first),
        a_week=a_week(len(first), days),
        by_level=tuple(sorted(Counter(worst.values()).items(), key=lambda each: _rank(each[0]))),
        scopes=len(scopes),
        most=tuple(scopes.most_common(SHOWN)),
        lasted_ms=int(np.median(list(ended.values()))) if ended else None,
        first=tuple(first[-SHOWN:]),
    )


def _rank(level: str) -> int:
    return ("", "warn", "crit").index(level)


def values_of(kind: str, hits: Float64, of: Float64) -> Float64:
    """Figures as people read them; NaN where there is none."""
    if kind == "count":
        return hits
    found: Float64 = np.divide(hits, of, out=np.full(len(hits), np.nan), where=of != 0)
    return found


def by_scope(kind: str, history: History) -> Float64:
    """Each scope's figure over everything read; of a count, its largest window."""
    windows = history.windows
    if windows is None:
        return np.zeros(0)
    count = len(history.scopes)
    if kind == "count":
        largest = np.zeros(count)
        np.maximum.at(largest, windows.scope, windows.hits)
        return largest
    if len(history.hits):
        return values_of(kind, history.hits, history.of)
    sums = [np.bincount(windows.scope, each, count) for each in (windows.hits, windows.of)]
    return values_of(kind, *(each.astype(np.float64) for each in sums))


def remarks(rule: Rule, history: History) -> list[str]:
    """What a reader has to know before believing the rest."""
    found: list[str] = []
    if history.first_ms is None:
        return ["no event of this rule was read: nothing can be said"]
    if history.days < _WEEK_DAYS:
        found.append(
            f"less than a week was read: figures a week are {history.days} day(s) times"
            f" {_WEEK_DAYS / history.days:.2g}, and weekends are not in them"
        )
    if rule.action is not None:
        found.append(
            "its action is left out: a number that was really suspended made no calls then, and"
            " here none is taken out"
        )
    return found

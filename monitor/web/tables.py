"""One snapshot as tables: for each dimension its keys, and a column for each indicator.

Owns which window and which keys a table has, how good each figure is, and where agents belong.
Made once for a snapshot, in the threads of those who read; arrays throughout, so that five thousand
agents cost what fifty do.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from monitor.decisions import Scope
from monitor.snapshot import AlertStanding, Float64, IndicatorFigures, IndicatorInfo, Snapshot

Int8 = npt.NDArray[np.int8]
Span = Literal["short", "long"]
"""Of several windows of an indicator the shortest, or the longest."""
AREAS: Final = ("compliance", "efficiency", "conversion", "experience")
TREE: Final = ("team", "group", "agent")
STATES: Final = ("none", "plain", "good", "off", "beyond", "warn", "crit")
"""Of a figure. ``none``: nothing to divide by; ``plain``: nobody said what is good; ``good``: its
target is met; ``off``: it is missed; ``beyond``: a rule's bound is crossed, and the rule is not
sure yet; ``warn``, ``crit``: a rule fires."""
NONE, PLAIN, GOOD, OFF, BEYOND, WARN, CRIT = range(len(STATES))
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NAMED_MS: Final = {"day": 86_400_000, "week": 604_800_000, "month": 2_592_000_000}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One indicator over one window, for the keys of a table."""

    info: IndicatorInfo
    window: str
    covered: bool
    hits: Float64
    of: Float64
    value: Float64
    """NaN where there is none."""
    state: Int8
    """Positions in ``STATES``."""
    bound: float | None
    """The least severe bound of a rule, None where no rule has one."""
    direction: str = "above"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The keys of one dimension."""

    dimension: str
    names: tuple[str, ...]
    """In ascending order."""
    columns: Mapping[str, Column]
    """By indicator, in the packs' order."""
    firing: Int8
    """Per key, the worst alert that fires there or below: 0, ``WARN`` or ``CRIT``."""
    alerts: npt.NDArray[np.int32]
    """Per key, how many do."""
    index: Mapping[str, int]


def window_ms(key: str) -> int:
    """About how long a window is; for order alone."""
    name, _, _ = key.partition("@")
    if name in _NAMED_MS:
        return _NAMED_MS[name]
    digits = name.rstrip("smhd")
    unit = name[len(digits) :][-1:]
    return int(digits) * _UNIT_MS[unit] if digits.isdigit() and unit in _UNIT_MS else 0


@dataclass(eq=False)
class Tables:
    """What is made of one snapshot; each part when it is first asked for."""

    picture: Snapshot
    version: int = 0
    """Another for each that people see as another."""
    _made: dict[tuple[str, Span], Table] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def infos(self) -> Mapping[str, IndicatorInfo]:
        """Indicators by id, in the packs' order."""
        return {info.id: info for info in self.picture.indicators}

    @cached_property
    def places(self) -> Mapping[str, tuple[str, str]]:
        """Group and team by agent."""
        return {place.agent: (place.group, place.team) for place in self.picture.agents}

    @cached_property
    def team_of(self) -> Mapping[str, str]:
        """The team of each group, as its agents say."""
        return {place.group: place.team for place in self.picture.agents if place.group}

    @cached_property
    def indicator_of(self) -> Mapping[str, str]:
        """Indicator by rule; empty for one on events."""
        return {rule.rule: rule.indicator for rule in self.picture.rules}

    @cached_property
    def runbook_of(self) -> Mapping[str, str]:
        """What to do about a rule's alerts; empty where nobody wrote it down."""
        return {rule.rule: rule.runbook for rule in self.picture.rules}

    @cached_property
    def loud(self) -> Sequence[AlertStanding]:
        """Alerts that fire and are no shadows."""
        return [alert for alert in self.picture.alerts if not alert.shadow]

    def above(self, scope: Scope) -> dict[str, str]:
        """The scope's dimensions, and group and team of whom it is about."""
        found = dict(scope)
        if "agent" in found:
            group, team = self.places.get(found["agent"], ("", ""))
            found.setdefault("group", group)
            found.setdefault("team", team)
        elif "group" in found:
            found.setdefault("team", self.team_of.get(found["group"], ""))
        return found

    def team(self, scope: Scope) -> str:
        """Whose matter a scope is; empty: no one team's."""
        return self.above(scope).get("team", "")

    def table(self, dimension: str, span: Span = "short") -> Table:
        """The keys of a dimension with a figure, an alert or a place."""
        with self._lock:
            found = self._made.get((dimension, span))
            if found is None:
                found = self._made[dimension, span] = self._table(dimension, span)
            return found

    def windows(self, dimension: str) -> Mapping[str, list[IndicatorFigures]]:
        """Figures of a dimension by indicator, the shortest window first."""
        found: dict[str, list[IndicatorFigures]] = defaultdict(list)
        for figures in self.picture.figures:
            if figures.by == (dimension,):
                found[figures.indicator].append(figures)
        return {
            name: sorted(found[name], key=lambda each: window_ms(each.window))
            for name in self.infos
            if name in found
        }

    def _table(self, dimension: str, span: Span) -> Table:
        chosen = {
            name: each[0 if span == "short" else -1]
            for name, each in self.windows(dimension).items()
        }
        names = self._names(dimension, chosen.values())
        index = {name: place for place, name in enumerate(names)}
        firing, alerts, by_indicator = self._alerts(dimension, index)
        columns = {
            name: self._column(figures, names, index, by_indicator.get(name, {}))
            for name, figures in chosen.items()
        }
        return Table(dimension, names, columns, firing, alerts, index)

    def _names(self, dimension: str, chosen: Iterable[IndicatorFigures]) -> tuple[str, ...]:
        """All names; the tuple of the figures itself where they agree."""
        seen: dict[int, tuple[str, ...]] = {id(each.names): each.names for each in chosen}
        known = set[str]().union(*seen.values())
        if dimension in TREE:
            known |= {getattr(place, dimension) for place in self.picture.agents} - {""}
        if dimension == "number":
            known |= {standing.number for standing in self.picture.standing}
        return tuple(sorted(known))

    def _alerts(
        self, dimension: str, index: Mapping[str, int]
    ) -> tuple[Int8, npt.NDArray[np.int32], dict[str, dict[int, int]]]:
        firing = np.zeros(len(index), dtype=np.int8)
        alerts = np.zeros(len(index), dtype=np.int32)
        own: dict[str, dict[int, int]] = defaultdict(dict)
        for alert in self.loud:
            place = index.get(self.above(alert.scope).get(dimension, ""))
            if place is None:
                continue
            rank = CRIT if alert.level == "crit" else WARN
            firing[place] = max(firing[place], rank)
            alerts[place] += 1
            if len(alert.scope) == 1 and alert.scope[0][0] == dimension:
                ranks = own[self.indicator_of.get(alert.rule, "")]
                ranks[place] = max(ranks.get(place, 0), rank)
        return firing, alerts, own

    def _column(
        self,
        figures: IndicatorFigures,
        names: tuple[str, ...],
        index: Mapping[str, int],
        firing: Mapping[int, int],
    ) -> Column:
        info = self.infos[figures.indicator]
        hits, of, value = (np.full(len(names), np.nan) for _ in range(3))
        if figures.names == names:
            places = np.arange(len(names))
        else:
            places = np.fromiter((index[name] for name in figures.names), np.intp)
        hits[places], of[places], value[places] = figures.hits, figures.of, figures.values
        if figures.kind == "count":
            of = np.full(len(names), np.nan)
        bound, direction = self._bound(figures)
        state = _states(info, value, bound, direction)
        if not figures.covered:
            state[state > PLAIN] = PLAIN
        for place, rank in firing.items():
            state[place] = rank
        return Column(
            info, figures.window, figures.covered, hits, of, value, state, bound, direction
        )

    def _bound(self, figures: IndicatorFigures) -> tuple[float | None, str]:
        """Of the rules on this figure, the bound that is crossed first."""
        levels = [
            level
            for rule in self.picture.rules
            if rule.indicator == figures.indicator
            and rule.by == figures.by
            and figures.window in rule.window.split(",")
            and rule.status == "active"
            for level in rule.levels
        ]
        if not levels:
            return None, "above"
        direction = levels[0].direction
        bounds = [level.bound for level in levels if level.direction == direction]
        return (min(bounds) if direction == "above" else max(bounds)), direction


def _states(info: IndicatorInfo, value: Float64, bound: float | None, direction: str) -> Int8:
    state = np.full(len(value), PLAIN, dtype=np.int8)
    if info.target is not None:
        lower = info.better == "lower"
        met = value <= info.target if lower else value >= info.target
        state[:] = np.where(met, GOOD, OFF)
    elif bound is not None:
        state[:] = GOOD
    if bound is not None:
        state[value > bound if direction == "above" else value < bound] = BEYOND
    state[np.isnan(value)] = NONE
    return state


def headlines(tables: Tables, table: Table, of: Iterable[Table], per_area: int) -> list[str]:
    """The indicators that say most about a table: those with figures on all levels of the tree.

    Then those that most rules judge, that have a target, and the packs' order. Of those that have
    any figure now.
    """
    others = list(of)
    judging = Counter(rule.indicator for rule in tables.picture.rules if rule.status == "active")
    ranked: dict[str, list[tuple[int, int, bool, int, str]]] = defaultdict(list)
    for place, (name, column) in enumerate(table.columns.items()):
        if not column.info.area or not np.any(column.state != NONE):
            continue
        shared = sum(name in other.columns for other in others)
        rank = (-shared, -judging[name], column.info.target is None, place, name)
        ranked[column.info.area].append(rank)
    return [name for area in AREAS for *_, name in sorted(ranked[area])[:per_area]]


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether people see the same in both: figures are others once a tick alone."""
    return one is other or (
        one.figures is other.figures
        and one.alerts == other.alerts
        and one.standing == other.standing
        and one.rules == other.rules
        and one.agents == other.agents
        and one.numbers == other.numbers
        and one.unready == other.unready
        and one.frozen == other.frozen
    )


class Desk:
    """The tables of the newest snapshot, for all who ask."""

    def __init__(self) -> None:
        self._latest: Tables | None = None
        self._lock = threading.Lock()

    def of(self, picture: Snapshot) -> Tables:
        """The tables of a snapshot; made anew when people see another one."""
        with self._lock:
            latest = self._latest
            if latest is None:
                latest = self._latest = Tables(picture, 1)
            elif not same(latest.picture, picture):
                latest = self._latest = Tables(picture, latest.version + 1)
            return latest

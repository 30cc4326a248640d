"""What the settings mean for one alert at one moment.

Owns matching, hours, people on duty; pure. Nothing here is remembered: ``board`` does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from monitor.decisions import Level, derive_id
from monitor.delivery.routing.rota import Rota
from monitor.delivery.routing.settings import (
    Flapping,
    Inhibition,
    Person,
    Repeat,
    Rotation,
    RouteEntry,
)
from monitor.indicators.now_model import WorkHours
from monitor.indicators.response_plan import HoursPlan
from monitor.people.matchers import misses
from monitor.units import Rate
from monitor.windows.arrays import column
from monitor.windows.hours import NEVER_AGAIN, WorkingHours

WRITTEN: Final = ("en", "zh")
"""Languages of messages."""
DEFAULT: Final = "default"
"""What takes what no route of ``routing`` takes: its rule's route, else the default."""


class Target(NamedTuple):
    """Somebody who is told, and how; or a receiver that is nobody's."""

    person: str
    """Empty: a receiver named as such; it has no cap of its own."""
    receivers: tuple[str, ...]
    via: str = ""
    """The rotation whose turn it is."""
    silent: bool = False
    """It is in the log alone: no person hears."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of escalation."""

    after_ms: int
    to: tuple[str, ...]


class Hours:
    """When a route holds."""

    def __init__(self, plan: HoursPlan) -> None:
        self._hours: WorkingHours = plan.made()
        self._outside = plan.outside

    def hold(self, now_ms: int) -> bool:
        """Whether they hold now."""
        return bool(self._hours.inside(column([now_ms]))[0]) != self._outside

    def next_ms(self, now_ms: int) -> int:
        """When they will hold next, looked at minute by minute; now where they do."""
        if self.hold(now_ms):
            return now_ms
        if not self._outside:
            return self._hours.next_moving(now_ms, 60_000) - 60_000
        at_ms = now_ms - now_ms % 60_000
        for _ in range(60 * 24 * 8):
            at_ms += 60_000
            if self.hold(at_ms):
                return at_ms
        return NEVER_AGAIN

    def end_ms(self, now_ms: int) -> int:
        """When they will be over, looked at minute by minute; now where they are."""
        at_ms = now_ms - now_ms % 60_000
        for _ in range(60 * 24 * 8):
            if not self.hold(max(at_ms, now_ms)):
                return max(at_ms, now_ms)
            at_ms += 60_000
        return NEVER_AGAIN


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route, ready to be asked."""

    name: str
    match: Mapping[str, Sequence[str]]
    to: tuple[str, ...]
    hours: Hours | None = None
    holds: bool = False
    """At other hours what comes is held; else the next route is looked at."""
    goes_on: bool = False
    group_by: tuple[str, ...] = ()
    wait_ms: int = 0
    interval_ms: int = 0
    ends: bool = True
    repeat: Repeat | None = None
    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, entry: RouteEntry) -> RoutePlan:
        """As it is set."""
        hours = entry.hours
        made = None if hours is None else _hours(hours)
        return cls(
            entry.name,
            entry.match,
            tuple(entry.to),
            made,
            entry.otherwise == "hold",
            entry.continue_,
            tuple(entry.group_by),
            entry.wait_ms,
            entry.group_interval,
            entry.ends,
            entry.repeat,
            tuple(Step(step.after, tuple(step.to)) for step in entry.escalate),
        )

    def group_of(self, labels: Mapping[str, str]) -> str:
        """The name of the group that an alert with these labels is in; without its customer."""
        if not self.group_by:
            return derive_id("group", self.name, "episode", labels["episode"])
        return derive_id("group", self.name, *(labels.get(name, "") for name in self.group_by))


class Verdict(NamedTuple):
    """What one route says of one alert."""

    route: RoutePlan
    misses: tuple[str, ...]
    """Labels that do not fit."""
    in_hours: bool
    taken: bool
    looked_at: bool
    """No route before it has taken the alert and ended the search."""


class Plan:
    """The routes of one configuration; immutable."""

    def __init__(
        self,
        *,
        people: Mapping[str, Person],
        rotations: Mapping[str, Rotation],
        routing: Sequence[RouteEntry],
        inhibit: Sequence[Inhibition] = (),
        flapping: Flapping | None = None,
        at_most: Rate | None = None,
        legacy: Mapping[str, tuple[str, ...]] | None = None,
        default: tuple[str, ...] = (),
        pages: str = "",
        stateful: frozenset[str] = frozenset(),
        languages: Mapping[str, str] | None = None,
        silent: frozenset[str] = frozenset(),
        packs: Mapping[str, str] | None = None,
    ) -> None:
        """``legacy``: receivers by the route that a rule names; ``packs``: by rule.

        ``pages``: the route of refusals that name none.
        ``languages``: what is written to receivers that have one of their own.
        ``silent``: receivers that are no more than a log.
        ``stateful``: receivers that show what fires, and so are told of every transition.
        """
        self.routes = tuple(map(RoutePlan.of, routing))
        self.on = bool(self.routes)
        """Whether alerts go by these routes at all."""
        self.inhibit = tuple(inhibit)
        self.flapping = flapping
        self.packs = dict(packs or {})
        self.pages = pages
        """The route of refusals that name none."""
        self._stateful = stateful
        self._languages = dict(languages or {})
        self._silent = silent
        self._people = dict(people)
        self._rotas = {name: Rota(rotation) for name, rotation in rotations.items()}
        self._at_most = at_most
        self._legacy = dict(legacy or {})
        self._default = default
        self._by_name = {route.name: route for route in self.routes}

    def verdicts(self, labels: Mapping[str, str], now_ms: int) -> list[Verdict]:
        """What each route says, and at the end that which takes what none took."""
        found: list[Verdict] = []
        looking = True
        for route in self.routes:
            missed = tuple(misses(route.match, labels))
            in_hours = route.hours is None or route.hours.hold(now_ms)
            taken = looking and not missed and (in_hours or route.holds)
            found.append(Verdict(route, missed, in_hours, taken, looking))
            looking = looking and (not taken or route.goes_on)
        nobody = not any(verdict.taken for verdict in found)
        found.append(Verdict(self._fallback(labels.get("route", "")), (), True, nobody, nobody))
        return found

    def taking(self, labels: Mapping[str, str], now_ms: int) -> list[RoutePlan]:
        """The routes that an alert with these labels takes now; at least one."""
        return [verdict.route for verdict in self.verdicts(labels, now_ms) if verdict.taken]

    def route(self, name: str, of_rule: str) -> RoutePlan | None:
        """A route by its name; None where it is gone. ``of_rule``: the route its rule names."""
        return self._fallback(of_rule) if name == DEFAULT else self._by_name.get(name)

    def targets(self, names: Sequence[str], level: Level, now_ms: int) -> list[Target]:
        """Who that is now, each once."""
        found: dict[str, Target] = {}
        for name in names:
            rota = self._rotas.get(name)
            who = name if rota is None else rota.person(now_ms)
            person = self._people.get(who)
            if person is None:
                found.setdefault(who, Target("", (who,), silent=who in self._silent))
                continue
            ways = [*person.receivers, *(person.crit if level == "crit" else ())]
            via = name if rota is not None else ""
            silent = self._silent.issuperset(ways)
            found.setdefault(who, Target(who, tuple(dict.fromkeys(ways)), via, silent))
        return list(found.values())

    def anybody(self, labels: Mapping[str, str], level: Level, now_ms: int) -> bool:
        """Whether a person would hear of an alert with these labels now, by whatever route."""
        routes = self.taking(labels, now_ms)
        return any(
            not each.silent for route in routes for each in self.targets(route.to, level, now_ms)
        )

    def stateful(self, names: Sequence[str], level: Level, now_ms: int) -> tuple[str, ...]:
        """Receivers among the targets that are told of every transition as it is."""
        found = self.targets(names, level, now_ms) if self._stateful else []
        ways = [way for target in found for way in target.receivers if way in self._stateful]
        return tuple(dict.fromkeys(ways))

    def without_stateful(self, receivers: Sequence[str]) -> tuple[str, ...]:
        """The others."""
        return tuple(name for name in receivers if name not in self._stateful)

    def is_silent(self, receivers: Sequence[str]) -> bool:
        """Whether they are no more than logs."""
        return self._silent.issuperset(receivers)

    def reached_by(self, receivers: Sequence[str]) -> tuple[str, ...]:
        """The people who have one of these among their ways."""
        return tuple(
            name
            for name, person in self._people.items()
            if not {*person.receivers, *person.crit}.isdisjoint(receivers)
        )

    @property
    def people(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._people)

    def rota(self, name: str) -> Rota | None:
        """A rotation by its name."""
        return self._rotas.get(name)

    def at_most(self, person: str) -> Rate | None:
        """How many messages a person gets in how long; None: all of them."""
        known = self._people.get(person)
        own = None if known is None else known.at_most
        return own or (None if known is None else self._at_most)

    def language(self, person: str) -> str:
        """What a person reads; empty: as the receiver says."""
        known = self._people.get(person)
        return (known.language if known is not None else None) or ""

    def translated(self, person: str, receivers: Sequence[str]) -> bool:
        """Whether a person reads another language than one of these receivers is written in."""
        wanted = self.language(person).partition("-")[0]
        return wanted in WRITTEN and any(
            self._languages.get(name, wanted) != wanted for name in receivers
        )

    def _fallback(self, of_rule: str) -> RoutePlan:
        return RoutePlan(DEFAULT, {}, self._legacy.get(of_rule, self._default))


def _hours(hours: WorkHours) -> Hours:
    return Hours(
        HoursPlan(
            hours.tz, hours.from_min, hours.to_min, hours.weekdays, hours.holidays, hours.outside
        )
    )

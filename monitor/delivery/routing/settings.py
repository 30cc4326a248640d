"""Routes, people and rotas: the part of ``delivery:`` that says who hears of which alert.

Owns the settings models and the faults between them. What they mean at a moment is ``plan``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from monitor.indicators.now_model import Clock, WorkHours
from monitor.indicators.parts import Local
from monitor.people.matchers import MATCHERS_MAX, PATTERN_MAX
from monitor.units import DurationMs, Rate

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Loc = tuple[str | int, ...]

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Pattern = Annotated[str, StringConstraints(max_length=PATTERN_MAX)]
_TEXTS = {"type": "array", "items": {"type": "string", "maxLength": PATTERN_MAX}, "minItems": 1}
Patterns = Annotated[
    list[Pattern],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=MATCHERS_MAX),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": PATTERN_MAX}, _TEXTS]}),
]
Label = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Matchers = Annotated[dict[Label, Patterns], Field(max_length=MATCHERS_MAX)]
Targets = Annotated[list[Name], Field(max_length=50)]
Positive = Annotated[DurationMs, Field(gt=0, le=30 * _DAY_MS)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Person(_Model):
    """Somebody who is told, and by which ways."""

    receivers: Annotated[list[Name], Field(min_length=1)]
    """By each of these."""
    crit: list[Name] = []
    """By these, too, where it is critical: a text message, a call."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    """What this person reads; null: as the receiver says."""
    at_most: Rate | None = None
    """Messages in so long; what is more comes as a digest. Null: `delivery.at_most`."""


class Cover(_Model):
    """Days on which somebody else takes the shift."""

    from_: date = Field(alias="from")
    """The shift that begins on this day is the first."""
    until: date
    """The shift that begins on this day is the first that is not."""
    person: Name
    """Who takes them."""


class Rotation(Local):
    """People who take turns."""

    people: Annotated[list[Name], Field(min_length=1, max_length=100)]
    """In the order of their turns; one may stand there twice."""
    every: Literal["day", "week"] = "week"
    """How long a turn is."""
    begins: date
    """The first day of the first one's turn; weekly turns begin on its day of the week."""
    handover: Clock = "09:00"
    """Local time at which a turn begins."""
    overrides: Annotated[tuple[Cover, ...], Field(max_length=1_000)] = ()
    """Holidays, swaps; of two for one day the later one counts."""


class Repeat(_Model):
    """Telling again what nobody has acknowledged."""

    every: Annotated[Positive, Field(ge=_MINUTE_MS)]
    """After so long without news."""
    factor: Annotated[int, Field(ge=1, le=10)] = 2
    """Each pause is so many times as long as the one before; 1: all are alike."""
    max: Positive = 8 * 60 * _MINUTE_MS
    """The longest pause."""


class Step(_Model):
    """Whom else to tell when nobody has acknowledged."""

    after: Annotated[Positive, Field(ge=_MINUTE_MS)]
    """Since the alert was first told."""
    to: Annotated[Targets, Field(min_length=1)]
    """People, rotations or receivers."""


class RouteEntry(_Model):
    """One route; an alert takes the first that matches, and with `continue` those after it too."""

    name: Name
    """What it is called in `monitor route`, in messages and in the log."""
    match: Matchers = {}
    """Patterns by label: `rule`, `level`, `team`, `pack`, `route` (of the rule), `kind` (`alert`,
    `refusal`), of refusals `guard` and `pool`, and what the alert is about (`agent`, `number`,
    `campaign`, …). `*` stands for anything, `!` before a pattern for the others; of several
    patterns one has to match, of several labels all."""
    hours: WorkHours | None = None
    """The route holds in these hours; with `outside: true` outside of them."""
    otherwise: Literal["skip", "hold"] = "skip"
    """At other hours: look at the next route, or hold what comes until the hours begin."""
    to: Targets
    """People, rotations or receivers; none at all: nobody is told."""
    continue_: bool = Field(False, alias="continue")
    """Look at the routes after this one, too."""
    group_by: Annotated[list[Label], Field(max_length=10)] = []
    """Alerts that are alike in these labels are told together; none: each by itself."""
    group_wait: DurationMs | None = Field(None, le=_DAY_MS)
    """How long the first of a group waits for others; null: 30s, and 0s without `group_by`."""
    group_interval: Positive = 5 * _MINUTE_MS
    """How long news of a group waits after the last message about it; an alert that gets critical
    does not."""
    ends: bool = True
    """Whoever was told is told of the end, too."""
    repeat: Repeat | None = None
    """Tell again while nobody acknowledges; null: once."""
    escalate: Annotated[list[Step], Field(max_length=10)] = []
    """Who else is told while nobody acknowledges, in steps."""

    @property
    def wait_ms(self) -> int:
        """``group_wait`` in effect."""
        if self.group_wait is not None:
            return self.group_wait
        return 30_000 if self.group_by else 0


class Inhibition(_Model):
    """An alert that makes others needless."""

    source: Annotated[Matchers, Field(min_length=1)]
    """While an alert with these labels fires …"""
    target: Annotated[Matchers, Field(min_length=1)]
    """… nobody is told of alerts with these, …"""
    equal: Annotated[list[Label], Field(max_length=10)] = []
    """… where both have the same value, not an empty one, in each of these labels."""


class Flapping(_Model):
    """When an alert that comes and goes is told once, as one that does."""

    count: Annotated[int, Field(ge=2, le=100)] = 4
    """It begins so often …"""
    within: Annotated[Positive, Field(ge=_MINUTE_MS)] = 60 * _MINUTE_MS
    """… in so long; it is told again once it has neither begun nor ended for so long."""


class RoutingFault(NamedTuple):
    """A fault between parts; ``loc`` is its place below ``delivery:``."""

    loc: Loc
    message: str
    hint: str


class Parts(NamedTuple):
    """What ``delivery:`` says about who hears of alerts."""

    people: dict[str, Person]
    rotations: dict[str, Rotation]
    routing: list[RouteEntry]


def faults(parts: Parts, receivers: Collection[str], orders: Collection[str]) -> list[RoutingFault]:
    """What is wrong between the parts. ``orders``: receivers that take orders alone."""
    found = [
        RoutingFault(("rotations", name), f"{name} is also the name of {other}", "choose another")
        for name in parts.rotations
        for other in _others(name, parts.people, receivers)
    ]
    found += [
        RoutingFault(("people", name), f"{name} is also the name of a receiver", "choose another")
        for name in parts.people
        if name in receivers
    ]
    for loc, names, known, what in _places(parts, sorted(receivers)):
        for index, name in enumerate(names):
            if name not in known:
                hint = f"one of: {', '.join(known)}" if known else f"there is no {what} yet"
                found.append(RoutingFault((*loc, index), f"there is no {what} {name}", hint))
            elif name in orders:
                hint = "name it in `orders`"
                found.append(RoutingFault((*loc, index), f"{name} takes orders only", hint))
    found += _bad_turns(parts)
    found += [
        RoutingFault(("people", name, "at_most"), "nobody would ever be told", "at least 1")
        for name, person in parts.people.items()
        if person.at_most is not None and person.at_most.count < 1
    ]
    names = [route.name for route in parts.routing]
    found += [
        RoutingFault(("routing", index, "name"), f"two routes are called {name}", "choose another")
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    for index, route in enumerate(parts.routing):
        after = [step.after for step in route.escalate]
        if after != sorted(set(after)):
            loc = ("routing", index, "escalate")
            found.append(RoutingFault(loc, "steps come one after the other", "order them by after"))
        if route.name == "default":
            loc = ("routing", index, "name")
            hint = "`default` is what takes the rest"
            found.append(RoutingFault(loc, "default is a route of its own", hint))
        if route.otherwise == "hold" and route.hours is None:
            loc = ("routing", index, "otherwise")
            found.append(RoutingFault(loc, "`hold` goes with hours", "say which: hours"))
    return found


def _others(name: str, people: Collection[str], receivers: Collection[str]) -> list[str]:
    named = {"a person": people, "a receiver": receivers}
    return [what for what, names in named.items() if name in names]


def _places(parts: Parts, receivers: list[str]) -> Iterator[tuple[Loc, list[str], list[str], str]]:
    """Place, names, those that are known there, and what they are."""
    people = sorted(parts.people)
    targets = sorted({*people, *parts.rotations, *receivers})
    for name, person in parts.people.items():
        yield ("people", name, "receivers"), person.receivers, receivers, "receiver"
        yield ("people", name, "crit"), person.crit, receivers, "receiver"
    for name, rotation in parts.rotations.items():
        yield ("rotations", name, "people"), rotation.people, people, "person"
    what = "person, rotation or receiver"
    for index, route in enumerate(parts.routing):
        yield ("routing", index, "to"), route.to, targets, what
        for step, each in enumerate(route.escalate):
            yield ("routing", index, "escalate", step, "to"), each.to, targets, what


def _bad_turns(parts: Parts) -> Iterator[RoutingFault]:
    for name, rotation in parts.rotations.items():
        if rotation.handover == "24:00":
            yield RoutingFault(("rotations", name, "handover"), "24:00 is 00:00", "write 00:00")
        for index, cover in enumerate(rotation.overrides):
            loc: Loc = ("rotations", name, "overrides", index)
            if cover.until <= cover.from_:
                yield RoutingFault((*loc, "until"), "it ends before it begins", "a later day")
            if cover.person not in parts.people:
                hint = f"one of: {', '.join(sorted(parts.people))}"
                yield RoutingFault((*loc, "person"), f"there is no person {cover.person}", hint)

"""``*.test.yaml``: rules tested by their users, in YAML.

Owns the file's shape, its checks against rules and the event catalogue, and the events a test
stands for. What came of them is compared in ``monitor.rules.testing``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from monitor.decisions import Action, Level, OrderAction
from monitor.errors import ConfigError
from monitor.events.batch import SCOPES
from monitor.events.catalogue import EVENT_TYPES, FIELDS, ON_EVERY_EVENT, FieldType, Kind
from monitor.indicators.findings import Finding, Loc, near
from monitor.indicators.model import Indicator
from monitor.rules.fields import Part, fault
from monitor.rules.model import Rule
from monitor.strict_yaml import Loaded, load_yaml, loads_yaml
from monitor.units import DurationMs, format_duration, spoken_duration

EVENTS_MAX = 200_000
"""Events that one test may stand for."""
Scalar = str | int | float | bool | None


class EventLine(Part):
    """One or many events: ``times`` of them, ``every`` so long, lists of values taken in turn."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Any]

    at: DurationMs
    """After the test's start."""
    every: DurationMs | None = None
    """Between two of the repetitions."""
    times: int = Field(default=1, ge=1, le=EVENTS_MAX)
    """How many."""
    kind: str = Field(alias="type")
    """Type of the event, such as `call.ended`; docs/events.md has all."""
    id: str | None = None
    """The same for all repetitions: duplicates. Left out, each event has its own."""

    @model_validator(mode="after")
    def _spread(self) -> Self:
        if self.times > 1 and self.every is None:
            raise fault("times needs every", "every: 5s")
        return self

    @property
    def values(self) -> dict[str, Any]:
        """The event's fields: a value, or a list of values taken in turn."""
        return dict(self.__pydantic_extra__)


class Expectation(Part):
    """A decision that should, or should not, come; dimensions such as ``number`` narrow it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Any]

    within: DurationMs | None = None
    """Not later than so long after the start; None: at any time in the test."""
    alert: str | None = None
    """Id of the rule."""
    command: Action | OrderAction | None = None
    """What another system is told."""
    refusal: str | None = None
    """The guard that said no."""
    level: Level | None = None
    """Of an alert; any, where it is left out."""
    state: Literal["firing", "resolved"] = "firing"
    """Of an alert."""
    reason: str | None = None
    """Of an alert or a command, such as `breach` or `recovered`."""
    rule: str | None = None
    """Of a command or a refusal."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in (self.alert, self.command, self.refusal) if kind is not None]
        if len(kinds) != 1:
            raise fault("an expectation is of one kind", "alert, command or refusal")
        if self.alert is None and {"level", "state"} & self.model_fields_set:
            raise fault("level and state go with alert")
        if self.alert is not None and self.rule is not None:
            raise fault("rule goes with command and refusal; alert names the rule already")
        if self.refusal is not None and self.reason is not None:
            raise fault("reason goes with alert and command; a refusal names its guard")
        return self

    @property
    def scope(self) -> dict[str, Any]:
        """Dimensions that the decision must have, and their values."""
        return dict(self.__pydantic_extra__)


class RuleTest(Part):
    """One test: a story of events, and what should come of it."""

    name: Annotated[str, Field(min_length=1)]
    """What it shows, in one sentence."""
    start: AwareDatetime
    """When the story begins, with its zone."""
    events: tuple[EventLine, ...]
    """What happens."""
    expect: tuple[Expectation, ...] = ()
    """What should come of it."""
    expect_no: tuple[Expectation, ...] = ()
    """What should not."""

    @model_validator(mode="after")
    def _asserts(self) -> Self:
        if not self.expect and not self.expect_no:
            raise fault("a test that expects nothing cannot fail", "expect: or expect_no:")
        if sum(line.times for line in self.events) > EVENTS_MAX:
            message = f"a test has at most {EVENTS_MAX} events"
            raise fault(message)
        return self


class CasesFile(Part):
    """A whole ``*.test.yaml``."""

    version: Literal[1]
    """Of the file's form: 1."""
    tests: tuple[RuleTest, ...]
    """Stories, each run on its own."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        # A bound on the tuple itself would be told beside every fault inside its only entry.
        if not self.tests:
            raise fault("a file of tests without a test")
        return self


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the engine is given for one test."""

    name: str
    start_ms: int
    events: tuple[dict[str, Any], ...]
    """JSON objects in order of time, as producers send them."""
    until_ms: int
    """The end of the story: judge up to the first tick not before it."""


def load_cases(
    path: Path, rules: Collection[Rule], indicators: Collection[Indicator] = ()
) -> Loaded[CasesFile]:
    """Read and check one file of tests of ``rules``, which look at ``indicators``.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    return checked(load_yaml(path, CasesFile), rules, indicators)


def loads_cases(
    text: str, path: Path, rules: Collection[Rule], indicators: Collection[Indicator] = ()
) -> Loaded[CasesFile]:
    """Like :func:`load_cases` for text; ``path`` is only named in problems."""
    return checked(loads_yaml(text, path, CasesFile), rules, indicators)


def checked(
    loaded: Loaded[CasesFile], rules: Collection[Rule], indicators: Collection[Indicator] = ()
) -> Loaded[CasesFile]:
    """``loaded`` itself when nothing is wrong with it.

    Raises:
        ConfigError: with every problem found.
    """
    known = {rule.id: rule for rule in rules}
    figures = {each.id: each for each in indicators}
    waits = {name: _waits_ms(rule, figures) for name, rule in known.items()}
    problems = [
        loaded.problem(found.loc, found.message, found.hint, at_key=found.offset == 0)
        for index, test in enumerate(loaded.value.tests)
        for found in (
            *_faults(test, ("tests", index), known),
            *_vain(test, ("tests", index), waits),
        )
    ]
    if problems:
        raise ConfigError(sorted(problems, key=lambda at: (at.line, at.column, at.message)))
    return loaded


def scenario(test: RuleTest, *, index: int = 0) -> Scenario:
    """The events of a test; ids are made from ``index``, the line and the repetition."""
    start = round(test.start.timestamp() * 1000)
    timed: list[tuple[int, int, int, dict[str, Any]]] = []
    for number, line in enumerate(test.events):
        for turn in range(line.times):
            time = start + line.at + turn * (line.every or 0)
            event: dict[str, Any] = {
                "id": line.id or f"test-{index}-{number}-{turn}",
                "type": line.kind,
                "time": time,
            }
            for name, value in line.values.items():
                event[name] = value[turn % len(value)] if isinstance(value, list) else value
            timed.append((time, number, turn, event))
    timed.sort(key=lambda entry: entry[:3])
    ends = [time for time, *_ in timed]
    ends += [start + (wish.within or 0) for wish in (*test.expect, *test.expect_no)]
    return Scenario(test.name, start, tuple(event for *_, event in timed), max(ends))


def _faults(test: RuleTest, loc: Loc, rules: Mapping[str, Rule]) -> Iterator[Finding]:
    for index, line in enumerate(test.events):
        here = (*loc, "events", index)
        if line.kind not in EVENT_TYPES:
            hint = near(line.kind, EVENT_TYPES)
            yield Finding((*here, "type"), f"no event type '{line.kind}'", hint)
        for name, value in line.values.items():
            yield from _field(name, value, line.kind, (*here, name))
    for key, wishes in (("expect", test.expect), ("expect_no", test.expect_no)):
        for index, wish in enumerate(wishes):
            yield from _wish(wish, (*loc, key, index), rules)


def _waits_ms(rule: Rule, indicators: Mapping[str, Indicator]) -> int:
    """How long nothing but time has to pass, at least, before the rule can fire."""
    if rule.for_ms is not None:
        return rule.for_ms
    indicator = indicators.get(rule.indicator or "")
    return 0 if indicator is None else indicator.unchanged_for or 0


def _vain(test: RuleTest, loc: Loc, waits: Mapping[str, int]) -> Iterator[Finding]:
    """Silence that proves nothing: the story is over before the rule could have fired."""
    lasts_ms = max(
        [line.at + (line.times - 1) * (line.every or 0) for line in test.events]
        + [wish.within or 0 for wish in (*test.expect, *test.expect_no)],
        default=0,
    )
    begins_ms = min((line.at for line in test.events), default=0)
    for index, wish in enumerate(test.expect_no):
        needs_ms = begins_ms + waits.get(wish.alert or "", 0)
        ends_ms = lasts_ms if wish.within is None else wish.within
        if wish.state == "firing" and waits.get(wish.alert or "", 0) and ends_ms < needs_ms:
            message = (
                f"{wish.alert} cannot fire before {spoken_duration(needs_ms)}, and nothing is"
                f" looked at after {spoken_duration(ends_ms)}: this proves nothing"
            )
            hint = f"within: {format_duration(needs_ms)}, or more"
            key = () if wish.within is None else ("within",)
            yield Finding((*loc, "expect_no", index, *key), message, hint)


def _field(name: str, value: Any, event_type: str, loc: Loc) -> Iterator[Finding]:
    known = (
        *ON_EVERY_EVENT,
        *(EVENT_TYPES[event_type].fields if event_type in EVENT_TYPES else ()),
    )
    if name not in FIELDS or (event_type in EVENT_TYPES and name not in known):
        message = f"{event_type} has no field '{name}'"
        yield Finding(loc, message, near(name, known), 0)
        return
    values = value if isinstance(value, list) else [value]
    if not values:
        yield Finding(loc, "an empty list has no values to take in turn")
    for each in values:
        wrong = _misfit(FIELDS[name], each)
        if wrong:
            yield Finding(loc, f"'{name}' {wrong}")
            return


def _misfit(field: FieldType, value: Scalar) -> str:
    """Why ``value`` cannot be of ``field``; empty when it can."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match field.kind:
        case _ if value is None:
            right, wanted = True, ""
        case Kind.BOOL:
            right, wanted = isinstance(value, bool), "is true or false"
        case Kind.INT if number and isinstance(value, float):
            right, wanted = False, "is a whole number"
        case Kind.SECONDS | Kind.NUMBER | Kind.INT if number:
            low, high = field.low, field.high
            right, wanted = low <= float(str(value)) <= high, f"is from {low:g} to {high:g}"
        case Kind.SECONDS | Kind.NUMBER | Kind.INT:
            right, wanted = False, "is a number"
        case Kind.ENUM:
            right, wanted = value in field.values, f"is one of {', '.join(field.values)}"
        case Kind.TIME:
            right, wanted = (
                isinstance(value, (str, int)) and not isinstance(value, bool),
                "is a time",
            )
        case _:
            right, wanted = isinstance(value, str), 'is text: write it in quotes, "…"'
    return "" if right else wanted


def _wish(wish: Expectation, loc: Loc, rules: Mapping[str, Rule]) -> Iterator[Finding]:
    for key, rule in (("alert", wish.alert), ("rule", wish.rule)):
        if rule is not None and rule not in rules:
            yield Finding((*loc, key), f"no rule '{rule}'", near(rule, rules))
    concerned = None if wish.alert is None else rules.get(wish.alert)
    for name, value in wish.scope.items():
        if name not in SCOPES:
            known = (*SCOPES, *type(wish).model_fields)
            yield Finding((*loc, name), f"unknown key '{name}'", near(name, known), 0)
        elif not isinstance(value, str):
            yield Finding((*loc, name), f"'{name}' is text", f'write it in quotes: "{value}"')
        elif concerned is not None and name not in concerned.by:
            by = ", ".join(concerned.by)
            yield Finding((*loc, name), f"{concerned.id} is by {by}: no alert of it has a {name}")

"""Tests of a card in YAML: sums of a few people, and what each must be paid.

Owns their form and the comparison, which is exact: 1200.00 is not 1200.004.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from monitor.errors import ConfigError, Problem, UsageError
from monitor.indicators.model import Identifier, Indicator
from monitor.indicators.parts import Part, fault, some
from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.figures import Figure, Sums
from monitor.scorecards.load import Card, load_card
from monitor.scorecards.people import Employment, People
from monitor.scorecards.periods import parse_period
from monitor.scorecards.report import Sheet, text_of
from monitor.strict_yaml import Loaded, load_yaml
from monitor.units import Threshold

SUFFIX = ".cases.yaml"


class Ratio(Part):
    """A figure with its parts."""

    hits: Threshold
    of: Threshold


Told = Threshold | Ratio


class Given(Part):
    """Figures of one person, one team, or everybody."""

    person: str = ""
    team: str = ""
    role: str = ""
    figures: dict[Identifier, Told] = Field(default={})


class Row(Part):
    """As a row of the table of people."""

    person: str
    name: str = ""
    team: str = ""
    role: str = ""
    stage: str = ""
    joined: date | None = None
    from_: date | None = Field(default=None, alias="from")
    to: date | None = None


class Wish(Part):
    """What one person must have; what is not named may be anything."""

    person: str
    team: str | None = None
    profile: str | None = None
    lines: dict[str, Threshold | None] = Field(default={})
    """Exact amounts; null: no value."""
    total: Threshold | None = None


class PoolWish(Part):
    """What one pool must be."""

    line: str
    of: str = ""
    amount: Threshold


class Case(Part):
    """One test."""

    name: str
    period: str
    people: Annotated[tuple[Row, ...], Field(max_length=1_000)] = ()
    sums: Annotated[tuple[Given, ...], Field(max_length=1_000)] = ()
    expect: Annotated[tuple[Wish, ...], Field(max_length=1_000)] = ()
    pools: Annotated[tuple[PoolWish, ...], Field(max_length=100)] = ()
    sheet_total: Threshold | None = None
    """Of everybody."""

    @model_validator(mode="after")
    def _asks(self) -> Case:
        if not self.expect and not self.pools and self.sheet_total is None:
            raise fault("a test that expects nothing", "say what who is paid under expect")
        return self


class ScorecardCases(Part):
    """The whole of a file of tests."""

    version: Literal[1]
    card: str
    """The card's file, beside this one."""
    tests: Annotated[tuple[Case, ...], some(500)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test went."""

    name: str
    path: Path
    line: int
    failures: tuple[str, ...]


def run_cases(path: Path, indicators: Iterable[Indicator] = ()) -> list[Outcome]:
    """Run all tests of a file.

    Raises:
        ConfigError: the file or its card is wrong.
    """
    loaded = load_yaml(path, ScorecardCases)
    card = load_card(path.parent / loaded.value.card, indicators)
    problems = [
        loaded.problem(("tests", index, *loc), message, hint)
        for index, case in enumerate(loaded.value.tests)
        for loc, message, hint in _unknown(card, case)
    ]
    if problems:
        raise ConfigError(problems)
    return [_run(card, loaded, index, case) for index, case in enumerate(loaded.value.tests)]


def _unknown(card: Card, case: Case) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    figures, lines = card.spec.figures, {line.id for line in card.spec.lines}
    try:
        parse_period(case.period, card.spec.zone, month_begins=card.spec.month_begins)
    except UsageError as error:
        yield ("period",), str(error), ""
    for place, given in enumerate(case.sums):
        for name in given.figures:
            if name not in figures:
                known = f"there are {', '.join(figures)}"
                yield ("sums", place, "figures", name), f"no figure '{name}'", known
    for place, wish in enumerate(case.expect):
        for name in wish.lines:
            if name not in lines:
                known = f"there are {', '.join(sorted(lines))}"
                yield ("expect", place, "lines", name), f"no line '{name}'", known


def _run(card: Card, loaded: Loaded[ScorecardCases], index: int, case: Case) -> Outcome:
    sheet = evaluate(card, _sums(card, case), _people(case))
    place: Problem = loaded.problem(("tests", index), "")
    failures: list[str] = []
    for number, wish in enumerate(case.expect):
        line = loaded.problem(("tests", index, "expect", number), "").line
        failures += [f"{loaded.path}:{line}: {each}" for each in _failed(sheet, wish)]
    for number, pool in enumerate(case.pools):
        line = loaded.problem(("tests", index, "pools", number), "").line
        found = {(each.line, each.of): each.amount for each in sheet.pools}
        came = found.get((pool.line, pool.of))
        if came != pool.amount:
            told = f"pool {pool.line} of {pool.of or 'everybody'}"
            failures.append(f"{loaded.path}:{line}: {told} is {_said(came)}, not {pool.amount}")
    if case.sheet_total is not None and sheet.total != case.sheet_total:
        told = f"everybody together is paid {_said(sheet.total)}, not {case.sheet_total}"
        failures.append(f"{loaded.path}:{place.line}: {told}")
    return Outcome(case.name, loaded.path, place.line, tuple(failures))


def _sums(card: Card, case: Case) -> Sums:
    spec = card.spec
    sums = Sums(parse_period(case.period, spec.zone, month_begins=spec.month_begins))
    for given in case.sums:
        figures = {name: _figure(card, name, told) for name, told in given.figures.items()}
        if given.person:
            split = given.team if spec.team_changes == "split" else ""
            standing = sums.standing(given.person, split)
            standing.figures.update(figures)
            standing.team, standing.role = given.team, given.role
        elif given.team:
            sums.teams.setdefault(given.team, {}).update(figures)
        else:
            sums.company.update(figures)
    return sums


def _figure(card: Card, name: str, told: Told) -> Figure:
    if isinstance(told, Ratio):
        return Figure(Fraction(told.hits), Fraction(told.of))
    made = card.formulas.get(name)
    divided = made is not None and made.of is not None
    return Figure(Fraction(told), Fraction(1) if divided else None)


def _people(case: Case) -> People:
    rows: dict[str, list[Employment]] = {}
    for each in case.people:
        rows.setdefault(each.person, []).append(
            Employment(
                each.person, each.name, each.team, each.role, each.stage, each.joined,
                each.from_ or each.joined or date.min, each.to or date.max,
            )
        )  # fmt: skip
    return People({name: tuple(sorted(of, key=lambda row: row.first)) for name, of in rows.items()})


def _failed(sheet: Sheet, wish: Wish) -> Iterator[str]:
    found = [
        each
        for each in sheet.statements
        if each.person == wish.person and wish.team in {None, each.team}
    ]
    if len(found) != 1:
        yield f"{wish.person} has {len(found)} statements; name the team where there are several"
        return
    (statement,) = found
    if wish.profile is not None and statement.profile != wish.profile:
        yield f"{wish.person} has the profile {statement.profile}, not {wish.profile}"
    for name, amount in wish.lines.items():
        line = statement.line(name)
        came = None if line is None else line.value
        if came != amount:
            why = "there is no such line for the profile" if line is None else line.working
            wanted: Any = "null" if amount is None else amount
            yield f"{wish.person}: {name} is {_said(came)}, not {wanted}: {why}"
    if wish.total is not None and statement.total != wish.total:
        yield f"{wish.person}: the total is {_said(statement.total)}, not {wish.total}"


def _said(value: Fraction | None) -> str:
    return text_of(value) or "null"

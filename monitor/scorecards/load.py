"""Scorecards from disk: read, checked as a whole, and made ready to work.

Owns the checks and the place of each fault; syntax is ``monitor.strict_yaml``, meaning
``language``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError, ExpressionError, Problem
from monitor.indicators.check import check_indicators
from monitor.indicators.formula import Formula, formula
from monitor.indicators.model import Indicator
from monitor.indicators.response_plan import response
from monitor.scorecards.language import RESERVED, Names, Node, Type, names_of, parse
from monitor.scorecards.model import FigureSpec, Line, Scorecard, Tiers
from monitor.scorecards.working import Table
from monitor.strict_yaml import Loaded, load_yaml, loads_yaml

Loc = tuple[str | int, ...]

KNOWN: Mapping[str, Type] = {
    "person": "text",
    "team": "text",
    "role": "text",
    "stage": "text",
    "profile": "text",
    "days": "number",
    "days_employed": "number",
    "tenure": "number",
}
"""What is known of a person and a period; tenure, whole months since joining, may be null."""
KNOWN_OF_POOL: Mapping[str, Type] = {"team": "text", "members": "number", "days": "number"}
DEFAULT = "default"
"""The profile of who fits none."""
TICK_MS = 5_000


@dataclass(frozen=True, slots=True)
class LineCard:
    """A line, its formulas read."""

    spec: Line
    formula: Node | None = None
    floor: Node | None = None
    cap: Node | None = None
    amount: Node | None = None
    weight: Node | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A card that is right."""

    file: Loaded[Scorecard]
    formulas: Mapping[str, Formula]
    """Of the figures that come from events."""
    lines: tuple[LineCard, ...]
    floor: Node | None
    cap: Node | None
    hash: str
    """BLAKE2b-64 over the file's values, hex."""

    @property
    def spec(self) -> Scorecard:
        """As it is written."""
        return self.file.value

    @property
    def name(self) -> str:
        """What commands and kept results call it."""
        return self.spec.scorecard

    @property
    def given(self) -> Mapping[str, str]:
        """Figures that are in no event, and whose they are."""
        return {
            name: each.given for name, each in self.spec.figures.items() if each.given is not None
        }

    def operation(self, name: str) -> str:
        """How the figures of several become one: min, max or sum."""
        made = self.formulas.get(name)
        found = "sum" if made is None else made.hits.operation
        return found if found in {"min", "max"} else "sum"


def load_card(path: Path, indicators: Iterable[Indicator] = ()) -> Card:
    """Read and check one file; ``indicators``: those that figures may name.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    return _made(load_yaml(path, Scorecard), indicators)


def loads_card(text: str, path: Path, indicators: Iterable[Indicator] = ()) -> Card:
    """Like :func:`load_card` for text; ``path`` is only named in problems."""
    return _made(loads_yaml(text, path, Scorecard), indicators)


def tables(tiers: Mapping[str, Tiers]) -> dict[str, Table]:
    """Tiers as formulas use them."""
    return {
        name: Table(
            tuple((Fraction(step.from_), Fraction(step.rate)) for step in each.steps),
            above=each.reached_by == "more_than",
        )
        for name, each in tiers.items()
    }


def _made(file: Loaded[Scorecard], indicators: Iterable[Indicator]) -> Card:
    builder = _Builder(file, {each.id: each for each in indicators})
    card = builder.build()
    if builder.problems:
        order = sorted(builder.problems, key=lambda each: (each.line, each.column))
        raise ConfigError(order)
    return card


class _Builder:
    """Reads the formulas of one file, and gathers what is wrong with it."""

    def __init__(self, file: Loaded[Scorecard], indicators: Mapping[str, Indicator]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._spec = file.value
        self._indicators = indicators
        self._types: dict[str, Type] = {}
        self._shared: dict[str, Type] = {}
        """What names mean in the amount of a pool."""

    def build(self) -> Card:
        spec = self._spec
        self._names()
        formulas = {
            name: made
            for name, each in spec.figures.items()
            if (made := self._figure(name, each)) is not None
        }
        for name, each in spec.figures.items():
            self._types[name] = self._shared[name] = "number"
            if each.given is None and (name not in formulas or formulas[name].of is not None):
                for part in ("hits", "of"):
                    self._types[f"{name}.{part}"] = self._shared[f"{name}.{part}"] = "number"
        self._profiles()
        lines = tuple(self._line(index, line) for index, line in enumerate(spec.lines))
        if not any(line.pays for line in spec.lines):
            self._problem(("lines",), "no line pays", "pays: true where it is part of the total")
        names = Names(self._types, frozenset(spec.tiers))
        floor = self._formula(spec.total.floor, ("total", "floor"), names)
        cap = self._formula(spec.total.cap, ("total", "cap"), names)
        self._dates()
        digest = hashlib.blake2b(spec.model_dump_json(by_alias=True).encode(), digest_size=8)
        return Card(self._file, formulas, lines, floor, cap, digest.hexdigest())

    def _names(self) -> None:
        self._types |= KNOWN
        self._shared |= KNOWN_OF_POOL
        seen: dict[str, Loc] = {}
        for loc, name in self._spec.placed():
            at_key = loc[0] != "lines"
            if name in RESERVED or name in KNOWN or name in KNOWN_OF_POOL:
                message = f"'{name}' means something already"
                self._problem(loc, message, "rename it", at_key=at_key)
            elif name in seen:
                message = f"'{name}' stands among the {seen[name][0]} already"
                self._problem(loc, message, "rename one of them", at_key=at_key)
            seen.setdefault(name, loc)
        for name in self._spec.parameters:
            self._types[name] = self._shared[name] = "number"

    def _figure(self, name: str, spec: FigureSpec) -> Formula | None:
        loc: Loc = ("figures", name)
        if spec.given is not None:
            return None
        if spec.indicator is not None:
            return self._indicator(spec.indicator, (*loc, "indicator"))
        if spec.value is None:
            kind, measures = "ratio", {"hits": spec.hits, "of": spec.of}
        else:
            is_mean = spec.value.verb in {"mean", "min", "max"}
            kind, measures = "mean" if is_mean else "count", {"value": spec.value}
        try:
            made = Indicator.model_validate(
                {"id": name, "kind": kind, "by": ("agent",), "windows": ("1h",), **measures}
            )
        except ValueError as error:
            self._problem(loc, _first_of(error), at_key=True)
            return None
        found = check_indicators([made], TICK_MS)
        for each in found:
            self._problem((*loc, *each.loc[2:]), each.message, each.hint, offset=each.offset)
        return None if found else formula(made)

    def _indicator(self, name: str, loc: Loc) -> Formula | None:
        found = self._indicators.get(name)
        if found is None:
            near = get_close_matches(name, self._indicators, 1)
            steps = [each for each in self._indicators if each.startswith(f"{name}_")]
            hint = f"did you mean {near[0]}?" if near else "is its pack on, in config.yaml?"
            if steps:
                hint = f"of a funnel name a step: {', '.join(steps)}"
            self._problem(loc, f"no indicator {name}", hint)
            return None
        if found.kind == "population":
            why = "it is how things stand at a moment, and a period has no one value of it"
            hint = "work it out elsewhere and write given: person"
            self._problem(loc, f"{name} is a population: {why}", hint)
            return None
        return response(found) if found.kind == "response" else formula(found)

    def _profiles(self) -> None:
        seen = {DEFAULT}
        for index, profile in enumerate(self._spec.profiles):
            loc: Loc = ("profiles", index)
            if profile.id in seen:
                self._problem((*loc, "id"), f"profile '{profile.id}' stands twice", "rename it")
            seen.add(profile.id)
            for part in ("parameters", "tiers"):
                known = getattr(self._spec, part)
                for name in getattr(profile, part):
                    if name not in known:
                        what = "parameter" if part == "parameters" else "table of tiers"
                        self._unknown((*loc, part, name), f"the card has no {what} '{name}'", known)

    def _line(self, index: int, spec: Line) -> LineCard:
        loc: Loc = ("lines", index)
        names = Names(dict(self._types), frozenset(self._spec.tiers))
        pooled = Names(dict(self._shared), frozenset(self._spec.tiers))
        known = [DEFAULT, *(profile.id for profile in self._spec.profiles)]
        for place, name in enumerate(spec.for_):
            if name not in known:
                self._unknown((*loc, "for", place), f"no profile '{name}'", known, at_key=False)
        for name in spec.weighted or {}:
            if self._types.get(name) != "number":
                numbers = [each for each, kind in self._types.items() if kind == "number"]
                self._unknown((*loc, "weighted", name), f"no figure or line '{name}'", numbers)
        pool = spec.pool
        made = LineCard(
            spec,
            formula=self._formula(spec.formula, (*loc, "formula"), names),
            floor=self._formula(spec.floor, (*loc, "floor"), names),
            cap=self._formula(spec.cap, (*loc, "cap"), names),
            amount=None
            if pool is None
            else self._formula(pool.amount, (*loc, "pool", "amount"), pooled),
            weight=None
            if pool is None
            else self._formula(pool.weight, (*loc, "pool", "weight"), names),
        )
        if pool is not None and pool.by == "company" and made.amount is not None:
            self._of_company(made.amount, (*loc, "pool", "amount"))
        self._types[spec.id] = self._shared[spec.id] = "number"
        return made

    def _of_company(self, amount: Node, loc: Loc) -> None:
        teams = [name for name, each in self._spec.figures.items() if each.given == "team"]
        for name in sorted(names_of(amount) & {*teams, "team"}):
            message = f"{name} is of one team, and this pool is of the whole company"
            self._problem(loc, message, "by: team, or another figure")

    def _dates(self) -> None:
        spec = self._spec
        last = None
        for index, change in enumerate(spec.changes):
            loc: Loc = ("changes", index, "on")
            if change.on >= spec.valid_from:
                hint = "the change that made the card what it is, is valid_from's"
                self._problem(loc, f"not before valid_from, {spec.valid_from}", hint)
            if last is not None and change.on <= last:
                self._problem(loc, "not after the change before", "write them in their order")
            last = change.on

    def _formula(self, text: str | None, loc: Loc, names: Names) -> Node | None:
        if text is None:
            return None
        try:
            return parse(text, names)
        except ExpressionError as error:
            self._problem(loc, str(error), error.hint, offset=error.offset)
            return None

    def _unknown(
        self, loc: Loc, message: str, known: Iterable[str], *, at_key: bool = True
    ) -> None:
        names = list(known)
        near = get_close_matches(str(loc[-1]) if at_key else message.split("'")[1], names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"
        self._problem(loc, message, hint, at_key=at_key)

    def _problem(
        self,
        loc: Loc,
        message: str,
        hint: str = "",
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> None:
        owner = self._spec.scorecard
        problem = self._file.problem(loc, message, hint, owner, at_key=at_key, offset=offset)
        self.problems.append(problem)


def _first_of(error: ValueError) -> str:
    errors: list[dict[str, Any]] = getattr(error, "errors", list)()
    return str(errors[0].get("ctx", {}).get("fault", error)) if errors else str(error)

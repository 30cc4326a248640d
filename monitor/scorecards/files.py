"""Sums told by hand: a CSV table or a JSON list, exact to the last digit that is written.

Owns their form. ``period,person,team,role`` say whose; every other column is a figure, or
``name.hits`` and ``name.of`` of a ratio. Without a person, a row is its team's; without either,
everybody's. An empty cell says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path

from monitor.errors import ConfigError, Problem
from monitor.scorecards.figures import Figure, Standing, Sums
from monitor.scorecards.load import Card
from monitor.scorecards.people import read_table, rows_of
from monitor.scorecards.periods import Period

WHOSE = ("period", "person", "team", "role")
ROWS_MAX = 500_000
_NUMBER = re.compile(r"(-?[0-9]{1,30}(?:\.[0-9]{1,20})?)( ?%)?")


def load_sums(path: Path, card: Card, periods: Sequence[Period]) -> list[Sums]:
    """The sums of each of ``periods`` in a file; rows of other periods are left alone.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    text = read_table(path)
    rows = _of_json(text, path) if path.suffix == ".json" else _of_csv(text, path)
    reader = _Reader(path, card, periods)
    for number, (line, cells) in enumerate(rows):
        if number >= ROWS_MAX:
            raise ConfigError([Problem(path, line, 1, f"more than {ROWS_MAX:,} rows")])
        reader.take(line, cells)
    if reader.problems:
        raise ConfigError(reader.problems)
    return reader.found


Cells = list[tuple[str, int, str]]
"""Column's name, its place from 1 on, and what the cell says."""


def _of_csv(text: str, path: Path) -> Iterator[tuple[int, Cells]]:
    rows = iter(rows_of(text))
    line, heads = next(rows, (1, []))
    if not heads:
        raise ConfigError([Problem(path, line, 1, "the file is empty", "see docs/scorecards.md")])
    twice = [name for name in heads if heads.count(name) > 1]
    if twice:
        column = heads.index(twice[0]) + 1
        raise ConfigError([Problem(path, line, column, f"column '{twice[0]}' stands twice")])
    yield line, [(name, place + 1, "") for place, name in enumerate(heads)]
    for line, row in rows:
        yield (
            line,
            [
                (name, place + 1, cell)
                for place, (name, cell) in enumerate(zip(heads, row, strict=False))
                if cell
            ],
        )


def _of_json(text: str, path: Path) -> Iterator[tuple[int, Cells]]:
    try:
        rows = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise ConfigError([Problem(path, line, 1, "is not JSON", "a list of objects")]) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError([Problem(path, 1, 1, "is not a list of objects")])
    for number, row in enumerate(rows, 1):
        yield (
            number,
            [
                (name, place + 1, str(value))
                for place, (name, value) in enumerate(row.items())
                if value is not None
            ],
        )


class _Reader:
    """Takes rows, and gathers what is wrong with them."""

    def __init__(self, path: Path, card: Card, periods: Sequence[Period]) -> None:
        self.problems: list[Problem] = []
        self.found = [Sums(period) for period in periods]
        self._path = path
        self._card = card
        self._labels = {each.period.label: each for each in self.found}
        self._seen: dict[tuple[str, str, str], int] = {}

    def take(self, line: int, cells: Cells) -> None:
        """One row; the first of a table has its columns' names and empty cells."""
        told = {name: cell for name, _, cell in cells}
        figures = [each for each in cells if each[0] not in WHOSE]
        for name, column, _ in figures:
            self._known(line, column, name)
        sums = self._sums(line, told, is_head=not any(told.values()))
        if sums is None or self.problems:
            return
        person, team = told.get("person", ""), told.get("team", "")
        row = (sums.period.label, person, team)
        if row in self._seen:
            self._problem(
                line, 1, f"this person, or team, stands in line {self._seen[row]} already"
            )
        self._seen.setdefault(row, line)
        into = self._into(sums, person, team)
        if person:
            standing = self._standing(sums, person, team)
            standing.team, standing.role = team, told.get("role", "")
        values = {
            name: value
            for name, column, cell in figures
            if (value := self._number(line, column, cell)) is not None
        }
        for name, figure in self._joined(line, values).items():
            self._whose(line, name, person=person, team=team)
            into[name] = figure

    def _sums(self, line: int, told: Mapping[str, str], *, is_head: bool) -> Sums | None:
        if is_head:
            return None
        label = told.get("period", "")
        if not label and len(self.found) == 1:
            return self.found[0]
        if not label:
            self._problem(line, 1, "which period?", "a column period, such as 2026-11")
        return self._labels.get(label)

    def _into(self, sums: Sums, person: str, team: str) -> dict[str, Figure]:
        if person:
            return self._standing(sums, person, team).figures
        return sums.teams.setdefault(team, {}) if team else sums.company

    def _standing(self, sums: Sums, person: str, team: str) -> Standing:
        return sums.standing(person, team if self._card.spec.team_changes == "split" else "")

    def _joined(self, line: int, values: Mapping[str, Fraction]) -> dict[str, Figure]:
        place = f"{self._path.name}:{line}"
        found: dict[str, Figure] = {}
        for name, value in values.items():
            figure, _, part = name.partition(".")
            if not part:
                # A ratio told as its value: one of one, as far as anybody knows.
                made = self._card.formulas.get(figure)
                of = Fraction(1) if made is not None and made.of is not None else None
                found[figure] = Figure(value, of, by_hand=place)
            elif part == "hits":
                of = values.get(f"{figure}.of", Fraction())
                found[figure] = Figure(value, of, by_hand=place)
            elif f"{figure}.hits" not in values:
                self._problem(line, 1, f"{figure}.of without {figure}.hits")
        return found

    def _whose(self, line: int, name: str, *, person: str, team: str) -> None:
        wanted = self._card.spec.figures[name].given or "person"
        told = "person" if person else "team" if team else "company"
        if told != wanted:
            words = {"person": "a person", "team": "a team", "company": "everybody"}
            message = f"{name} is told of {words[wanted]}, and this row is of {words[told]}"
            self._problem(line, 1, message)

    def _known(self, line: int, column: int, name: str) -> None:
        figure, dot, part = name.partition(".")
        specs = self._card.spec.figures
        if figure in specs and (not dot or part in {"hits", "of"}):
            return
        near = get_close_matches(figure, [*specs, *WHOSE], 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*WHOSE, *specs])}"
        self._problem(line, column, f"no figure '{name}'", hint)

    def _number(self, line: int, column: int, cell: str) -> Fraction | None:
        if not cell:
            return None
        match = _NUMBER.fullmatch(cell)
        if match is None:
            hint = "write 1234.50, without blanks, commas or signs of currency; or 30%"
            self._problem(line, column, f"'{cell[:40]}' is no number", hint)
            return None
        return Fraction(match[1]) / (100 if match[2] else 1)

    def _problem(self, line: int, column: int, message: str, hint: str = "") -> None:
        if len(self.problems) < 100:
            self.problems.append(Problem(self._path, line, column, message, hint))

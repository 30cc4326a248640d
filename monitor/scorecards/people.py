"""Who works where, in which role, from when to when: a CSV table beside the events.

Owns its form. ``person,name,team,role,stage,joined,from,to``: all but the first may be left out or
empty; dates as 2026-11-30, ``to`` included. Several rows of a person are one after the other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from monitor.errors import ConfigError, Problem
from monitor.scorecards.periods import Period

COLUMNS = ("person", "name", "team", "role", "stage", "joined", "from", "to")
ROWS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Employment:
    """One row."""

    person: str
    name: str = ""
    team: str = ""
    role: str = ""
    stage: str = ""
    joined: date | None = None
    first: date = date.min
    last: date = date.max

    def days_in(self, period: Period) -> int:
        """Days of the period on which it holds."""
        return max(0, (min(self.last, period.last) - max(self.first, period.first)).days + 1)


@dataclass(frozen=True, slots=True)
class People:
    """All rows, by person."""

    rows: Mapping[str, tuple[Employment, ...]] = field(default_factory=dict)

    def during(self, person: str, period: Period) -> tuple[Employment, ...]:
        """Rows of a person that hold on some day of the period, in order."""
        return tuple(each for each in self.rows.get(person, ()) if each.days_in(period))

    def employed(self, period: Period) -> list[str]:
        """Who has such a row, by name of person."""
        return sorted(name for name in self.rows if self.during(name, period))


def load_people(path: Path) -> People:
    """Read a table.

    Raises:
        ConfigError: with every problem found, each with line and column.
    """
    return parse_people(read_table(path), path)


def read_table(path: Path) -> str:
    """The text of a CSV file.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise ConfigError([Problem(path, 0, 0, why)]) from error
    except ValueError as error:
        raise ConfigError([Problem(path, 0, 0, "is not UTF-8", "save it as UTF-8")]) from error


def rows_of(text: str) -> Iterable[tuple[int, list[str]]]:
    """Rows that hold anything but a comment (``#``), with their line from 1 on."""
    lines = csv.reader(io.StringIO(text))
    for row in lines:
        if any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#"):
            yield lines.line_num, [cell.strip() for cell in row]


def parse_people(text: str, path: Path) -> People:
    """The table in ``text``; ``path`` is only named in problems.

    Raises:
        ConfigError: with every problem found.
    """
    rows = iter(rows_of(text))
    line, heads = next(rows, (1, []))
    problems = [
        Problem(path, line, index + 1, f"no column '{name}'", f"there are {', '.join(COLUMNS)}")
        for index, name in enumerate(heads)
        if name not in COLUMNS
    ]
    if "person" not in heads:
        problems.append(
            Problem(path, line, 1, "no column 'person'", "the first line names columns")
        )
    if problems:
        raise ConfigError(problems)
    found: dict[str, list[tuple[int, Employment]]] = {}
    for number, (line, row) in enumerate(rows):
        if number >= ROWS_MAX:
            raise ConfigError([Problem(path, line, 1, f"more than {ROWS_MAX:,} rows")])
        cells = dict(zip(heads, row, strict=False))
        try:
            one = _employment(cells)
        except ValueError as error:
            problems.append(Problem(path, line, 1, str(error), "dates as 2026-11-30"))
            continue
        found.setdefault(one.person, []).append((line, one))
    for several in found.values():
        several.sort(key=lambda each: each[1].first)
        for (_, one), (line, two) in pairwise(several):
            if two.first <= one.last:
                until = two.first - timedelta(days=1)
                message = f"{two.person} stands twice on {two.first}"
                problems.append(Problem(path, line, 1, message, f"end the row before on {until}"))
    if problems:
        raise ConfigError(problems)
    return People({name: tuple(one for _, one in several) for name, several in found.items()})


def _employment(cells: Mapping[str, str]) -> Employment:
    person = cells.get("person", "")
    if not person:
        raise ValueError("no person")
    dates = {
        name: date.fromisoformat(text) if (text := cells.get(name, "")) else None
        for name in ("joined", "from", "to")
    }
    made = Employment(
        person=person,
        **{name: cells.get(name, "") for name in ("name", "team", "role", "stage")},
        joined=dates["joined"],
        first=dates["from"] or dates["joined"] or date.min,
        last=dates["to"] or date.max,
    )
    if made.last < made.first:
        raise ValueError("it ends before it begins")
    return made


def months_between(joined: date, day: date) -> int:
    """Whole months from ``joined`` to ``day``."""
    return (day.year - joined.year) * 12 + day.month - joined.month - (day.day < joined.day)

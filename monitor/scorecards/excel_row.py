"""One statement as a row of a workbook, its lines as formulas over cells.

Owns the translation of formulas into Excel's, and what cannot be translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell

from monitor.scorecards.language import Node, names_of
from monitor.scorecards.load import Card, LineCard
from monitor.scorecards.model import Rounding
from monitor.scorecards.report import Statement

TEXTS = ("person", "name", "team", "role", "stage", "profile")
NUMBERS = ("days", "days_employed", "tenure")
_ROUNDING = {"half_up": "ROUND", "down": "ROUNDDOWN", "up": "ROUNDUP"}
_SIGNS = {"==": "=", "!=": "<>"}
_LENGTH_MAX = 8_000


class _Untranslatable(Exception):  # noqa: N818 - control flow inside this module
    """Raised when Excel has no way to say it."""


@dataclass(slots=True)
class Places:
    """Where things stand in the workbook, and how amounts look."""

    card: Card
    money: Any
    parameters: dict[tuple[str, str], str] = field(default_factory=dict)
    """Profile and parameter → cell."""
    tiers: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Profile and table → ranges of where steps begin and of what each adds to the rate."""

    def place_of(self, profile: str, name: str) -> str | None:
        """The cell of a parameter."""
        return self.parameters.get((profile, name))

    def tier(self, profile: str, name: str) -> tuple[str, str, str]:
        """Ranges of a table, and the sign by which a step is reached."""
        tiers = dict(self.card.spec.tiers)
        for each in self.card.spec.profiles:
            if each.id == profile:
                tiers |= each.tiers
        sign = ">" if tiers[name].reached_by == "more_than" else ">="
        return (*self.tiers[profile, name], sign)


class Row:
    """One statement."""

    def __init__(
        self, places: Places, page: Any, line: int, columns: Mapping[str, int], of: Statement
    ) -> None:
        self._places = places
        self._page = page
        self._line = line
        self._columns = columns
        self._of = of

    def write(self) -> None:
        """All of its cells."""
        for name in TEXTS:
            text = self._of.name if name == "name" else str(self._of.values.get(name) or "")
            self._page.write_string(self._line, self._columns[name], text)
        figures = [name for name in self._columns if name.partition(".")[0] in self._of.figures]
        for name in (*NUMBERS, *figures):
            self._figure(name)
        for line in self._places.card.lines:
            self._one(line)
        paid = [each.id for each in self._of.lines if each.pays and each.value is not None]
        cells = ",".join(self._ref(name) for name in paid)
        column, total = self._columns["total"], float(self._of.total)
        if not cells:
            self._page.write_number(self._line, column, total, self._places.money)
            return
        card = self._places.card
        self._write("total", self._bounded(f"SUM({cells})", card.floor, card.cap))

    def _figure(self, name: str) -> None:
        value = self._of.values.get(name)
        if not isinstance(value, Fraction):
            return
        figure, cell = self._of.figures.get(name), (self._line, self._columns[name])
        if figure is not None and figure.value is not None and f"{name}.of" in self._columns:
            text = f"={self._ref(f'{name}.hits')}/{self._ref(f'{name}.of')}"
            self._page.write_formula(*cell, text, None, float(value))
        else:
            self._page.write_number(*cell, float(value))

    def _one(self, line: LineCard) -> None:
        found = self._of.line(line.spec.id)
        if found is None or found.value is None:
            return
        text: str | None = None
        try:
            if line.formula is not None:
                text = self._formula(line.formula)
            elif line.spec.weighted is not None:
                text = self._weighted(line.spec.weighted)
        except _Untranslatable:
            text = None
        rounding = line.spec.round or (self._places.card.spec.rounding if line.spec.pays else None)
        text = self._rounded(self._bounded(text, line.floor, line.cap), rounding)
        self._write(line.spec.id, text)

    def _write(self, name: str, text: str | None) -> None:
        """The cell of a line, or of the total."""
        line = self._of.line(name)
        value = self._of.total if line is None else line.value
        assert value is not None  # noqa: S101 - the caller looked
        cell = (self._line, self._columns[name])
        pays = line is None or line.pays
        style = self._places.money if pays else None
        if text is None or len(text) > _LENGTH_MAX:
            self._page.write_number(*cell, float(value), style)
        else:
            self._page.write_formula(*cell, f"={text}", style, float(value))

    def _bounded(self, text: str | None, floor: Node | None, cap: Node | None) -> str | None:
        try:
            if text is not None and cap is not None:
                text = f"MIN({text},{self._formula(cap)})"
            if text is not None and floor is not None:
                text = f"MAX({text},{self._formula(floor)})"
        except _Untranslatable:
            return None
        return text

    @staticmethod
    def _rounded(text: str | None, rounding: Rounding | None) -> str | None:
        if text is None or rounding is None:
            return text
        function = _ROUNDING.get(rounding.mode)
        return None if function is None else f"{function}({text},{rounding.places})"

    def _weighted(self, weights: Mapping[str, Fraction]) -> str:
        there = [name for name in weights if self._of.values.get(name) is not None]
        parts = "+".join(f"{self._ref(name)}*{float(weights[name])!r}" for name in there)
        total = sum((weights[name] for name in there), Fraction())
        return f"({parts})/{float(total)!r}"

    def _formula(self, node: Node) -> str:
        if any(self._of.values.get(name) is None for name in names_of(node)):
            raise _Untranslatable
        return self._text(node)

    def _ref(self, name: str) -> str:
        if name in self._columns:
            return str(xl_rowcol_to_cell(self._line, self._columns[name], col_abs=True))
        found = self._places.place_of(self._of.profile, name)
        if found is None:
            raise _Untranslatable
        return found

    def _text(self, node: Node) -> str:
        if node.kind == "value":
            return _constant(node)
        if node.kind == "name":
            return self._ref(node.name)
        if node.kind == "null":
            return "FALSE"
        if node.kind == "coalesce":
            return self._text(node.parts[0])
        if node.name:
            return self._tiered(node)
        parts = [self._text(part) for part in node.parts]
        return _combined(node.kind, parts)

    def _tiered(self, node: Node) -> str:
        x = self._text(node.parts[0])
        starts, grows, sign = self._places.tier(self._of.profile, node.name)
        if node.kind == "marginal":
            return f"SUMPRODUCT(({x}{sign}{starts})*({x}-{starts})*{grows})"
        step = f"SUMPRODUCT(({x}{sign}{starts})*{grows})"
        return step if node.kind == "step" else f"({x})*{step}"


def _constant(node: Node) -> str:
    match node.value:
        case bool():
            return "TRUE" if node.value else "FALSE"
        case Fraction():
            return repr(float(node.value)).removesuffix(".0")
        case _:
            return '"{}"'.format(str(node.value).replace('"', '""'))


def _combined(kind: str, parts: list[str]) -> str:  # noqa: PLR0911 - a case a node
    joined = ",".join(parts)
    match kind:
        case "if":
            return f"IF({parts[1]},{parts[0]},{parts[2]})"
        case "and" | "or" | "not" | "min" | "max" | "abs":
            return f"{kind.upper()}({joined})"
        case "neg":
            return f"(-{parts[0]})"
        case "in":
            return f"OR({','.join(f'{parts[0]}={each}' for each in parts[1:])})"
        case "clamp":
            return f"MAX({parts[1]},MIN({parts[0]},{parts[2]}))"
        case "scale":
            x, x1, x2, y1, y2 = parts
            return f"({y1}+MIN(MAX(({x}-{x1})/({x2}-{x1}),0),1)*({y2}-{y1}))"
        case "round":
            raise _Untranslatable  # the card's mode may be one that Excel has not
    return f"({parts[0]}{_SIGNS.get(kind, kind)}{parts[1]})"

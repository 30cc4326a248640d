"""A sheet as a workbook: figures as numbers, lines as formulas that can be followed cell by cell.

Owns the layout and the translation of formulas. Excel works in binary floats, so every cell also
holds our exact outcome; where Excel has no such function (half to even), or a figure has no value,
the outcome stands there alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from monitor.scorecards.language import Node, names_of
from monitor.scorecards.load import DEFAULT, Card, LineCard, tables
from monitor.scorecards.model import Rounding
from monitor.scorecards.report import Sheet, Statement
from monitor.scorecards.working import Table
from monitor.units import Threshold

_ROUNDING = {"half_up": "ROUND", "down": "ROUNDDOWN", "up": "ROUNDUP"}
_SIGNS = {"==": "=", "!=": "<>"}
_LENGTH_MAX = 8_000
_TEXTS = ("person", "name", "team", "role", "stage", "profile")
_NUMBERS = ("days", "days_employed", "tenure")
_FIRST_ROW = 4


class _Untranslatable(Exception):  # noqa: N818 - control flow inside this module
    """Raised when Excel has no way to say it."""


def to_excel(card: Card, sheet: Sheet) -> bytes:
    """The workbook of one period."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    writer = _Writer(book, card, sheet)
    writer.parameters()
    writer.tiers()
    writer.statements()
    writer.pools()
    writer.workings()
    writer.notes()
    book.close()
    return out.getvalue()


class _Writer:
    """Writes one workbook; places of names are learnt on the way."""

    def __init__(self, book: Any, card: Card, sheet: Sheet) -> None:
        self._card = card
        self._sheet = sheet
        self._main = book.add_worksheet("Statements")
        self._book = book
        digits = "0" * sheet.places
        self._bold = book.add_format({"bold": True})
        self._head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self._money = book.add_format({"num_format": f"#,##0{'.' + digits if digits else ''}"})
        self._sum = book.add_format(
            {"num_format": f"#,##0{'.' + digits if digits else ''}", "bold": True, "top": 1}
        )
        self._wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self._parameters: dict[tuple[str, str], str] = {}
        """Profile and parameter → cell."""
        self._tiers: dict[tuple[str, str], tuple[str, str]] = {}
        """Profile and table → ranges of where steps begin and of what each adds to the rate."""

    def parameters(self) -> None:
        """A row for each profile."""
        page = self._book.add_worksheet("Parameters")
        names = list(self._card.spec.parameters)
        page.write_row(0, 0, ["profile", *names], self._head)
        profiles: dict[str, dict[str, Threshold]] = {DEFAULT: {}} | {
            each.id: each.parameters for each in self._card.spec.profiles
        }
        for line, (profile, own) in enumerate(profiles.items(), 1):
            page.write_string(line, 0, profile)
            for column, name in enumerate(names, 1):
                value = own.get(name, self._card.spec.parameters[name])
                page.write_number(line, column, float(value))
                cell = xl_rowcol_to_cell(line, column, row_abs=True, col_abs=True)
                self._parameters[profile, name] = f"Parameters!{cell}"
        page.set_column(0, len(names), 16)

    def tiers(self) -> None:
        """A block for each table and profile: from, rate, and what the rate grows by there."""
        page = self._book.add_worksheet("Tiers")
        line = 0
        profiles = [(DEFAULT, {}), *((each.id, each.tiers) for each in self._card.spec.profiles)]
        for profile, own in profiles:
            for name, table in tables({**self._card.spec.tiers, **own}).items():
                if profile != DEFAULT and name not in own:
                    self._tiers[profile, name] = self._tiers[DEFAULT, name]
                    continue
                reached = "more than" if table.above else "from"
                heads = [f"{name} ({profile})", reached, "rate", "grows by"]
                page.write_row(line, 0, heads, self._head)
                self._tiers[profile, name] = self._block(page, line + 1, table)
                line += len(table.steps) + 2
        page.set_column(0, 0, 28)

    def _block(self, page: Any, line: int, table: Table) -> tuple[str, str]:
        before = Fraction()
        for place, (start, rate) in enumerate(table.steps):
            page.write_number(line + place, 1, float(start))
            page.write_number(line + place, 2, float(rate))
            page.write_number(line + place, 3, float(rate - before))
            before = rate
        ends = line + len(table.steps) - 1
        ranges = []
        for column in (1, 3):
            one, two = (xl_rowcol_to_cell(row, column, True, True) for row in (line, ends))
            ranges.append(f"Tiers!{one}:{two}")
        return ranges[0], ranges[1]

    def statements(self) -> None:
        """A row for each statement."""
        spec, page = self._card.spec, self._main
        names = [*_TEXTS, *_NUMBERS]
        for name in spec.figures:
            made = self._card.formulas.get(name)
            more = made is not None and made.of is not None
            names += [f"{name}.hits", f"{name}.of", name] if more else [name]
        names += [line.id for line in spec.lines]
        columns = {name: place for place, name in enumerate([*names, "total"])}
        period = f"{self._sheet.period.label}, {self._sheet.currency}"
        page.write_string(0, 0, f"{self._sheet.title}: {period}", self._bold)
        page.write_row(_FIRST_ROW - 1, 0, list(columns), self._head)
        for place, statement in enumerate(self._sheet.statements):
            _Row(self, page, _FIRST_ROW + place, columns, statement).write()
        last = _FIRST_ROW + len(self._sheet.statements)
        if self._sheet.statements:
            column = columns["total"]
            one, two = (xl_rowcol_to_cell(row, column) for row in (_FIRST_ROW, last - 1))
            total = float(self._sheet.total)
            page.write_formula(last, column, f"=SUM({one}:{two})", self._sum, total)
            page.write_string(last, 0, "total", self._bold)
        page.set_column(0, len(columns), 13)
        page.freeze_panes(_FIRST_ROW, 1)
        page.autofilter(_FIRST_ROW - 1, 0, max(last - 1, _FIRST_ROW), len(columns) - 1)

    def pools(self) -> None:
        """A row for each share."""
        page = self._book.add_worksheet("Pools")
        heads = ["line", "of", "amount", "person", "weight", "share", "working"]
        page.write_row(0, 0, heads, self._head)
        line = 1
        for pool in self._sheet.pools:
            for person, weight, share in pool.shares:
                page.write_string(line, 0, pool.line)
                page.write_string(line, 1, pool.of)
                page.write_number(line, 2, float(pool.amount), self._money)
                page.write_string(line, 3, person)
                page.write_number(line, 4, float(weight))
                page.write_number(line, 5, float(share), self._money)
                page.write_string(line, 6, pool.working)
                line += 1
        page.set_column(0, 5, 14)

    def workings(self) -> None:
        """A row for each line of each statement."""
        page = self._book.add_worksheet("Working")
        page.write_row(0, 0, ["person", "team", "line", "value", "working", "remark"], self._head)
        place = 1
        for statement in self._sheet.statements:
            for line in statement.lines:
                page.write_string(place, 0, statement.person)
                page.write_string(place, 1, statement.team)
                page.write_string(place, 2, line.id)
                if line.value is not None:
                    page.write_number(place, 3, float(line.value))
                page.write_string(place, 4, line.working[:32_000])
                page.write_string(place, 5, line.remark)
                place += 1
        page.set_column(4, 4, 80)

    def notes(self) -> None:
        """What the reader must know."""
        page, period = self._book.add_worksheet("Notes"), self._sheet.period
        told = [
            f"Card {self._sheet.card}, fingerprint {self._sheet.hash}.",
            f"From {period.first} to {period.last}, days of {period.zone}.",
            "Every cell holds the exact outcome.",
            "Where Excel works a formula out anew, it does so in binary floats:",
            "half a cent may then fall the other way. The CSV and JSON files hold.",
            *self._sheet.remarks,
        ]
        for line, text in enumerate(told):
            page.write_string(line, 0, text, self._wrap)
        page.set_column(0, 0, 100)

    def place_of(self, profile: str, name: str) -> str | None:
        """The cell of a parameter."""
        return self._parameters.get((profile, name))

    def tier(self, profile: str, name: str) -> tuple[str, str, str]:
        """Ranges of a table, and the sign by which a step is reached."""
        tiers = dict(self._card.spec.tiers)
        for each in self._card.spec.profiles:
            if each.id == profile:
                tiers |= each.tiers
        sign = ">" if tiers[name].reached_by == "more_than" else ">="
        return (*self._tiers[profile, name], sign)

    @property
    def money(self) -> Any:
        """Format of amounts."""
        return self._money

    @property
    def card(self) -> Card:
        """What is written."""
        return self._card


class _Row:
    """One statement."""

    def __init__(
        self, writer: _Writer, page: Any, line: int, columns: Mapping[str, int], of: Statement
    ) -> None:
        self._writer = writer
        self._page = page
        self._line = line
        self._columns = columns
        self._of = of

    def write(self) -> None:
        """All of its cells."""
        for name in _TEXTS:
            text = self._of.name if name == "name" else str(self._of.values.get(name) or "")
            self._page.write_string(self._line, self._columns[name], text)
        figures = [name for name in self._columns if name.partition(".")[0] in self._of.figures]
        for name in (*_NUMBERS, *figures):
            self._figure(name)
        for line in self._writer.card.lines:
            self._one(line)
        paid = [each.id for each in self._of.lines if each.pays and each.value is not None]
        cells = ",".join(self._ref(name) for name in paid)
        column, total = self._columns["total"], float(self._of.total)
        if not cells:
            self._page.write_number(self._line, column, total, self._writer.money)
            return
        card = self._writer.card
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
        rounding = line.spec.round or (self._writer.card.spec.rounding if line.spec.pays else None)
        text = self._rounded(self._bounded(text, line.floor, line.cap), rounding)
        self._write(line.spec.id, text)

    def _write(self, name: str, text: str | None) -> None:
        """The cell of a line, or of the total."""
        line = self._of.line(name)
        value = self._of.total if line is None else line.value
        assert value is not None  # noqa: S101 - the caller looked
        cell = (self._line, self._columns[name])
        pays = line is None or line.pays
        style = self._writer.money if pays else None
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
        found = self._writer.place_of(self._of.profile, name)
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
        starts, grows, sign = self._writer.tier(self._of.profile, node.name)
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

"""A sheet as a workbook: figures as numbers, lines as formulas that can be followed cell by cell.

Owns the layout; formulas are translated in ``excel_row``. Excel works in binary floats, so every
cell also
holds our exact outcome; where Excel has no such function (half to even), or a figure has no value,
the outcome stands there alone.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from monitor.scorecards.excel_row import NUMBERS, TEXTS, Places, Row
from monitor.scorecards.load import DEFAULT, Card, tables
from monitor.scorecards.report import Sheet
from monitor.scorecards.working import Table
from monitor.units import Threshold

_FIRST_ROW = 4


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
        self._places = Places(card, self._money)

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
                self._places.parameters[profile, name] = f"Parameters!{cell}"
        page.set_column(0, len(names), 16)

    def tiers(self) -> None:
        """A block for each table and profile: from, rate, and what the rate grows by there."""
        page = self._book.add_worksheet("Tiers")
        line = 0
        profiles = [(DEFAULT, {}), *((each.id, each.tiers) for each in self._card.spec.profiles)]
        for profile, own in profiles:
            for name, table in tables({**self._card.spec.tiers, **own}).items():
                if profile != DEFAULT and name not in own:
                    self._places.tiers[profile, name] = self._places.tiers[DEFAULT, name]
                    continue
                reached = "more than" if table.above else "from"
                heads = [f"{name} ({profile})", reached, "rate", "grows by"]
                page.write_row(line, 0, heads, self._head)
                self._places.tiers[profile, name] = self._block(page, line + 1, table)
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
        names = [*TEXTS, *NUMBERS]
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
            Row(self._places, page, _FIRST_ROW + place, columns, statement).write()
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

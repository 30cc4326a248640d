"""A sheet as rows of text: what CSV files and terminals show.

Owns which columns there are; looks are the command line's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from monitor.scorecards.load import Card
from monitor.scorecards.report import Sheet, Statement, text_of

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns(card: Card) -> list[str]:
    """Headings of :func:`row`."""
    return [
        "period",
        "person",
        "name",
        "team",
        "role",
        "profile",
        *card.spec.figures,
        *(line.id for line in card.spec.lines),
        "total",
        "currency",
        "remarks",
    ]


def row(card: Card, sheet: Sheet, statement: Statement) -> list[str]:
    """One statement; empty where there is no value, or no such line."""
    figures = [statement.figures.get(name) for name in card.spec.figures]
    lines = [statement.line(line.id) for line in card.spec.lines]
    remarks = [
        *statement.remarks,
        *(f"{each.id}: {each.remark}" for each in lines if each and each.remark),
    ]
    return [
        sheet.period.label,
        *map(safe, (statement.person, statement.name, statement.team, statement.role)),
        statement.profile,
        *("" if each is None else text_of(each.value) or "" for each in figures),
        *("" if each is None else text_of(each.value, each.places) or "" for each in lines),
        text_of(statement.total) or "",
        sheet.currency,
        safe("; ".join(remarks)),
    ]


def to_csv(card: Card, sheets: Sequence[Sheet]) -> str:
    """All statements; with a byte order mark, by which spreadsheets know UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns(card))
    for sheet in sheets:
        writer.writerows(row(card, sheet, each) for each in sheet.statements)
    return f"\ufeff{out.getvalue()}"


def safe(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula: names come from events."""
    return f"'{text}" if text.startswith(_FORMULA) else text

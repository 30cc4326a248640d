"""Against a spreadsheet worked out on paper: tests/fixtures/scorecards/hand.csv shows how."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.files import load_sums
from monitor.scorecards.load import load_card
from monitor.scorecards.people import rows_of
from monitor.scorecards.periods import parse_period
from monitor.scorecards.report import Sheet, Statement

HAND = Path(__file__).parents[1] / "fixtures" / "scorecards"
CARD = load_card(HAND / "hand.yaml")
PERIOD = parse_period("2026-10", "Europe/Berlin")
HEADS, *ROWS = [row for _, row in rows_of((HAND / "hand.csv").read_text(encoding="utf-8"))]


def told(folder: Path) -> Path:
    """The columns that people hand in, without what must come of them."""
    keep = [place for place, name in enumerate(HEADS) if not name.startswith("=")]
    path = folder / "sums.csv"
    lines = [",".join(row[place] for place in keep) for row in (HEADS, *ROWS)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Sheet:
    (sums,) = load_sums(told(tmp_path_factory.mktemp("hand")), CARD, [PERIOD])
    return evaluate(CARD, sums)


def statement(sheet: Sheet, person: str) -> Statement:
    return next(each for each in sheet.statements if each.person == person)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_every_line_is_as_on_paper(sheet: Sheet, row: list[str]) -> None:
    cells = dict(zip(HEADS, row, strict=True))
    mine = statement(sheet, cells["person"])
    wanted = {name[1:]: Fraction(text) for name, text in cells.items() if name.startswith("=")}
    found = {line.id: line.value for line in mine.lines} | {"total": mine.total}
    assert found == wanted


def test_the_sheet_is_the_sum_of_its_statements(sheet: Sheet) -> None:
    paper = sum(Fraction(row[-1]) for row in ROWS)
    assert sheet.total == paper
    assert sum(Fraction(each["total"]) for each in sheet.to_json()["statements"]) == paper


def test_a_working_can_be_followed(sheet: Sheet) -> None:
    mine = statement(sheet, "p4")
    workings = {line.id: line.working for line in mine.lines}
    assert workings["parts_pay"] == (
        "marginal(reached, deals 25) [10 × 10 + 10 × 12 + 5 × 15] = 295"
    )
    assert workings["up"] == "amount 12345.67 × share 0.015 = 185.18505 → 185.19 (half_up)"
    assert workings["adjusted"] == "adjustment 300 = 300 → cap 100"
    remarks = statement(sheet, "p5").remarks
    assert remarks == ("total -11.09 → floor 0",)

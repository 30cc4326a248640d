"""Tables, workbooks and pages: what others read."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest

from monitor.scorecards.compare import backtest
from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.excel import to_excel
from monitor.scorecards.load import Card
from monitor.scorecards.page import WORDS, backtest_page, sheet_page
from monitor.scorecards.report import Sheet
from monitor.scorecards.tables import columns, safe, to_csv
from tests.scorecards.made import card, sums

FIGURES = {
    "deals": {"value": {"count": "deal.won"}, "title": {"en": "Deals", "zh": "成交"}},
    "csat": {"value": {"mean": "score", "on": "call.rated"}},
}
TIERS = {
    "t": {"steps": [{"from": 0, "rate": 1}, {"from": 10, "rate": 1.5}]},
    "u": {"reached_by": "more_than", "steps": [{"from": 0, "rate": 1}, {"from": 10, "rate": 2}]},
}
SAID = "max(abs(-deals), 2) if team in ['red', 'a\"b'] and not deals < 3 else clamp(deals, 0, 1)"
LINES: list[dict[str, Any]] = [
    {"id": "base", "formula": "whole(t, deals) * each", "pays": True, "cap": "5000", "floor": "0"},
    {"id": "more", "formula": "marginal(u, deals) - step(u, deals)", "pays": True},
    {
        "id": "half",
        "formula": "deals / 3",
        "round": {"places": 2, "mode": "half_even"},
        "pays": True,
    },
    {"id": "good", "formula": "scale(csat, 3, 5, 0, 1)"},
    {"id": "mixed", "weighted": {"good": "50%", "deals": "50%"}},
    {"id": "said", "formula": SAID},
    {
        "id": "coalesced",
        "formula": "coalesce(csat, 1) if csat is not null or true else 0",
        "round": {"places": 0, "mode": "down"},
    },
    {"id": "rounded", "formula": "round(deals / 7, 2)"},
    {"id": "alone", "formula": "1", "for": "vip"},
    {"id": "bonus", "pays": True, "pool": {"by": "team", "amount": "deals * 2", "weight": "deals"}},
]


@pytest.fixture(scope="module")
def made() -> tuple[Card, Sheet]:
    profiles = [
        {
            "id": "vip",
            "match": {"person": "amy"},
            "parameters": {"each": 20},
            "tiers": {"t": TIERS["u"]},
        }
    ]
    found = card(figures=FIGURES, tiers=TIERS, lines=LINES, profiles=profiles, total={"floor": "0"})
    people: dict[str, Any] = {
        "amy": ("red", {"deals": 10, "csat": (9, 2)}),
        "bob": ("red", {"deals": 12}),
        "=cmd()": ("blue", {"deals": 0}),
    }
    told = sums(**people)
    told.remarks.append("something <b>odd</b>")
    return found, evaluate(found, told)


def cells(data: bytes, *, values: bool) -> dict[str, dict[str, Any]]:
    """Rows of the statements by person, each by heading."""
    book = openpyxl.load_workbook(io.BytesIO(data), data_only=values)
    rows = list(book["Statements"].iter_rows(min_row=4, values_only=True))
    heads = rows[0]
    return {str(row[0]): dict(zip(map(str, heads), row, strict=True)) for row in rows[1:]}


def test_a_workbook_holds_our_outcome_in_every_cell(made: tuple[Card, Sheet]) -> None:
    found = cells(to_excel(*made), values=True)
    for statement in made[1].statements:
        row = found[statement.person]
        assert row["total"] == pytest.approx(float(statement.total))
        for line in made[0].spec.lines:
            mine = statement.line(line.id)
            wanted = None if mine is None or mine.value is None else float(mine.value)
            assert row[line.id] == (None if wanted is None else pytest.approx(wanted))
    assert found["total"]["total"] == pytest.approx(float(made[1].total))


def test_a_workbook_shows_its_formulas(made: tuple[Card, Sheet]) -> None:
    amy = cells(to_excel(*made), values=False)["amy"]
    # J: deals; K, L, M: csat.hits, csat.of, csat; N on: the lines. Row 5: "=cmd()" is row 5, amy 6.
    assert amy["csat"] == "=$K6/$L6"
    assert amy["base"] == (
        "=ROUND(MAX(MIN((($J6)*SUMPRODUCT(($J6>Tiers!$B$10:$B$11)*Tiers!$D$10:$D$11)"
        "*Parameters!$B$3),5000),0),2)"
    )
    assert amy["more"] == (
        "=ROUND((SUMPRODUCT(($J6>Tiers!$B$6:$B$7)*($J6-Tiers!$B$6:$B$7)*Tiers!$D$6:$D$7)"
        "-SUMPRODUCT(($J6>Tiers!$B$6:$B$7)*Tiers!$D$6:$D$7)),2)"
    )
    assert amy["half"] == pytest.approx(3.33)  # half to even: Excel has no such function
    assert amy["good"] == "=(0+MIN(MAX(($M6-3)/(5-3),0),1)*(1-0))"
    assert amy["mixed"] == "=($Q6*0.5+$J6*0.5)/1.0"
    assert amy["said"] == (
        '=IF(AND(OR($C6="red",$C6="a""b"),NOT(($J6<3))),MAX(ABS((-$J6)),2),MAX(0,MIN($J6,1)))'
    )
    assert amy["coalesced"] == "=ROUNDDOWN(IF(OR(NOT(FALSE),TRUE),$M6,0),0)"
    assert amy["rounded"] == pytest.approx(1.43)
    assert amy["total"] == "=MAX(SUM($N6,$O6,$P6,$W6),0)"


def test_what_has_no_value_is_a_blank_or_its_outcome(made: tuple[Card, Sheet]) -> None:
    bob = cells(to_excel(*made), values=False)["bob"]
    assert bob["good"] is None
    assert bob["csat"] is None
    assert bob["mixed"] == "=($J7*0.5)/0.5"
    assert bob["coalesced"] == 1
    assert bob["alone"] is None


def test_parameters_tiers_pools_and_workings_are_there(made: tuple[Card, Sheet]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(to_excel(*made)))
    assert book.sheetnames == ["Statements", "Parameters", "Tiers", "Pools", "Working", "Notes"]
    assert list(book["Parameters"].values) == [("profile", "each"), ("default", 10), ("vip", 20)]
    pools = list(book["Pools"].values)[1:]
    assert [(row[1], row[3], row[5]) for row in pools] == [
        ("blue", "=cmd()", 0),
        ("red", "amy", 20),
        ("red", "bob", 24),
    ]
    assert "something <b>odd</b>" in [row[0] for row in book["Notes"].values]
    assert book["Statements"]["A5"].data_type == "s"  # a name is no formula


def test_a_table_has_every_figure_and_no_formula(made: tuple[Card, Sheet]) -> None:
    text = to_csv(made[0], [made[1]])
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert list(rows[0]) == columns(made[0])
    assert rows[0]["person"] == "'=cmd()"
    assert Fraction(rows[1]["total"]) == made[1].statements[1].total
    assert (rows[2]["csat"], rows[2]["good"], rows[2]["alone"]) == ("", "", "")
    assert [safe(text) for text in ("-1", "@a", "a")] == ["'-1", "'@a", "a"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def tags(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    return parser


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_needs_nothing_else_and_quotes_what_comes_from_outside(
    made: tuple[Card, Sheet], language: Any
) -> None:
    page = tags(sheet_page(*made, language=language))
    assert "something <b>odd</b>" in page.text
    names = {tag for tag, _ in page.found}
    assert not names & {"script", "link", "img", "iframe", "b odd"}
    assert not any("src" in attributes or "href" in attributes for _, attributes in page.found)
    assert "228.00" in page.text or "=cmd()" in page.text
    assert WORDS[language]["total"] in page.text
    assert ("成交" if language == "zh" else "Deals") in page.text


def test_both_languages_have_all_words() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])


def test_a_comparison_is_a_page_too(made: tuple[Card, Sheet]) -> None:
    old = evaluate(card(), sums(amy=("red", {"deals": 10})))
    found = backtest(
        [(old, old), (evaluate(card(), sums("2026-09")), evaluate(card(), sums("2026-09")))]
    )
    page = tags(backtest_page(found, places=2, language="zh"))
    assert "+0.00" in page.text
    assert "2026-09" in page.text
    assert made


def test_nobody_at_all_is_a_sheet_too() -> None:
    found = card()
    sheet = evaluate(found, sums())
    assert "0.00" in sheet_page(found, sheet)
    assert cells(to_excel(found, sheet), values=True) == {}

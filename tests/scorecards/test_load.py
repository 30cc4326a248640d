from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ConfigError
from monitor.indicators.load import load_indicators
from monitor.scorecards.cases import run_cases
from monitor.scorecards.changes import warnings
from monitor.scorecards.files import load_sums
from monitor.scorecards.language import FUNCTIONS
from monitor.scorecards.lint import lint
from monitor.scorecards.load import load_card, loads_card
from monitor.scorecards.periods import parse_period
from tests.scorecards.made import BASE, card, text

RULES = Path(__file__).resolve().parents[2] / "rules"
SHIPPED = sorted(path.parent for path in (RULES / "scorecards").glob("*/card.yaml"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_cards_pass_their_tests_without_a_warning(folder: Path) -> None:
    made = load_card(folder / "card.yaml")
    assert [*lint(made), *warnings(made)] == []
    outcomes = run_cases(folder / "card.cases.yaml")
    assert len(outcomes) >= 3
    assert [failure for each in outcomes for failure in each.failures] == []
    assert (folder / "README.md").is_file()
    assert (folder / "README.zh-CN.md").is_file()


def test_the_three_examples_are_shipped() -> None:
    names = [folder.name for folder in SHIPPED]
    assert names == ["process-bonuses", "service-weight", "step-rates"]


def test_figures_may_be_indicators() -> None:
    indicators = load_indicators(RULES / "service-desk" / "indicators.yaml").value.indicators
    made = card(
        indicators,
        figures={"csat": {"indicator": "desk_csat"}},
        parameters={},
        lines=[{"id": "pay", "formula": "coalesce(csat, 0) * csat.of", "pays": True}],
    )
    assert made.formulas["csat"].of is not None
    populations = [
        each
        for pack in sorted(RULES.glob("*/indicators.yaml"))
        for each in load_indicators(pack).value.indicators
        if each.kind == "population"
    ]
    assert populations
    for each in populations:
        with pytest.raises(ConfigError, match=f"{each.id} is a population: it is how things stand"):
            card((each,), figures={"x": {"indicator": each.id}})


def told(**over: Any) -> list[str]:
    return [f"{each.line}: {each.message}" for each in lint(card(**over))]


def test_what_is_hardly_meant_is_warned_of() -> None:
    tiers = {"t": {"steps": [{"from": 0, "rate": 2}, {"from": 5, "rate": 1}]}}
    lines = [{"id": "pay", "formula": "whole(t, deals) + csat", "pays": True}]
    figures = {**BASE["figures"], "csat": {"value": {"mean": "score", "on": "call.rated"}}}
    found = told(tiers=tiers, lines=lines, figures=figures)
    assert [each.partition(": ")[2] for each in found] == [
        "each is used in no formula",
        "the rate falls from 2 to 1: doing more may pay less",
        "null, and so nothing, for whom csat has no evidence",
    ]


def test_null_is_followed_from_line_to_line() -> None:
    figures = {**BASE["figures"], "csat": {"value": {"mean": "score", "on": "call.rated"}}}
    first = {"id": "one", "formula": "csat / 5"}
    pay = {"id": "pay", "formula": "deals * each * one", "pays": True}
    assert "for whom one has no evidence" in told(figures=figures, lines=[first, pay])[0]
    mixed = {"id": "one", "weighted": {"csat": "50%", "deals": "50%"}}
    assert told(figures=figures, lines=[mixed, pay]) == []
    alone = {"id": "one", "weighted": {"csat": "100%"}}
    assert "for whom one has no evidence" in told(figures=figures, lines=[alone, pay])[0]
    asked = {"id": "one", "formula": "1 if csat is null else csat"}
    assert told(figures=figures, lines=[asked, pay]) == []


CASES = """
version: 1
card: card.yaml
tests:
  - name: wrong on purpose
    period: 2026-10
    people: [{person: zoe, from: 2026-10-01, to: 2026-10-31, role: x}]
    sums:
      - {person: amy, team: red, figures: {deals: 3}}
      - {figures: {}}
    expect:
      - {person: amy, profile: other, lines: {pay: 31}, total: 31}
      - {person: nobody, total: 3}
      - {person: amy, lines: {pay: null}}
    pools: [{line: bonus, of: red, amount: 3}]
    sheet_total: 29
"""


def test_a_case_that_fails_says_where_and_how(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(text())
    path = tmp_path / "card.cases.yaml"
    path.write_text(CASES)
    (outcome,) = run_cases(path)
    assert [each.removeprefix(f"{path}:") for each in outcome.failures] == [
        "12: amy has the profile default, not other",
        "12: amy: pay is 30, not 31: deals 3 × each 10 = 30",
        "12: amy: the total is 30, not 31",
        "13: nobody has 0 statements; name the team where there are several",
        "14: amy: pay is 30, not null: deals 3 × each 10 = 30",
        "15: pool bonus of red is null, not 3",
        "5: everybody together is paid 30, not 29",
    ]


def test_a_case_that_names_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(text())
    path = tmp_path / "card.cases.yaml"
    path.write_text(
        "version: 1\ncard: card.yaml\ntests:\n"
        "  - name: x\n    period: november\n    sums: [{person: a, figures: {dels: 3}}]\n"
        "    expect: [{person: a, lines: {pya: 3}}]\n"
    )
    with pytest.raises(ConfigError) as caught:
        run_cases(path)
    told = [(each.line, each.message.partition(":")[0]) for each in caught.value.problems]
    assert told == [(5, "'november' is no period"), (6, "no figure 'dels'"), (7, "no line 'pya'")]
    path.write_text("version: 1\ncard: card.yaml\ntests:\n  - {name: x, period: 2026-10}\n")
    with pytest.raises(ConfigError, match="a test that expects nothing"):
        run_cases(path)


def test_the_card_and_the_cases_of_the_page_are_right(tmp_path: Path) -> None:
    page = (RULES.parent / "docs" / "scorecards.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    made = loads_card(first, Path("page.yaml"))
    assert [*lint(made), *warnings(made)] == []
    path = SHIPPED[-1] / "card.yaml"
    (tmp_path / "card.yaml").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "card.cases.yaml").write_text(second, encoding="utf-8")
    assert [each.failures for each in run_cases(tmp_path / "card.cases.yaml")] == [()]
    table = re.search(r"```\n(period,person.*?)```", page, re.DOTALL)
    assert table is not None
    (tmp_path / "sums.csv").write_text(table[1], encoding="utf-8")
    load_sums(tmp_path / "sums.csv", load_card(path), [parse_period("2026-10", made.spec.zone)])


def test_the_functions_of_the_page_are_those_there_are() -> None:
    page = (RULES.parent / "docs" / "scorecards.md").read_text(encoding="utf-8")
    assert [name for name in FUNCTIONS if f"`{name}" not in page] == []

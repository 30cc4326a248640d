"""Broken files, each named after its fault and opening with the exact complaint it must get.

The first lines of a fixture, ``# expect: line:column: owner: message (mend)``, are all that may be
said about it, in that order.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.indicators.funnel import expanded
from monitor.indicators.load import load_indicators
from monitor.indicators.model import Indicator
from monitor.mapping.load import load_mapping
from monitor.rules.cases import load_cases
from monitor.rules.load import load_rules
from monitor.rules.model import Rule
from monitor.scorecards.load import load_card

BROKEN = Path(__file__).parents[1] / "fixtures" / "broken"
PACK = Path(__file__).parents[2] / "rules" / "telemarketing"
MARK = "# expect: "
KINDS = ("indicators", "mappings", "rules", "scorecards", "tests")
FILES = sorted(path.relative_to(BROKEN) for kind in KINDS for path in (BROKEN / kind).iterdir())


@cache
def indicators() -> tuple[Indicator, ...]:
    return expanded(load_indicators(PACK / "indicators.yaml").value.indicators)


@cache
def rules() -> tuple[Rule, ...]:
    return load_rules(PACK / "rules.yaml", indicators()).value.rules


def load(path: Path) -> None:
    match path.parent.name:
        case "indicators":
            load_indicators(path)
        case "mappings":
            load_mapping(path)
        case "rules":
            load_rules(path, indicators())
        case "scorecards":
            load_card(path, indicators())
        case "tests":
            load_cases(path, rules())


def expected(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]


@pytest.mark.parametrize("name", FILES, ids=str)
def test_a_broken_file_gets_exactly_its_complaint(name: Path) -> None:
    path = BROKEN / name
    with pytest.raises(ConfigError) as caught:
        load(path)
    found = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert found == expected(path)


@pytest.mark.parametrize("name", FILES, ids=str)
def test_a_complaint_is_in_plain_words(name: Path) -> None:
    for line in expected(BROKEN / name):
        for jargon in ("Input should", "pydantic", "NoneType", "dict", "str_", "Error", "mark"):
            assert jargon not in line.replace("dictionary", "")


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 40
    assert all(expected(BROKEN / name) for name in FILES)

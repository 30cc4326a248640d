from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.scorecards.files import load_sums
from monitor.scorecards.people import COLUMNS, load_people, months_between, parse_people
from tests.scorecards.made import card, period

CARD = card(
    figures={
        "deals": {"value": {"count": "deal.won"}},
        "csat": {"value": {"mean": "score", "on": "call.rated"}},
        "coop": {"given": "team"},
        "market": {"given": "company"},
        "extra": {"given": "person"},
    }
)
PERIODS = [period("2026-09"), period("2026-10")]


def problems(folder: Path, text: str, name: str = "sums.csv") -> list[str]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_sums(path, CARD, PERIODS)
    return [str(each).removeprefix(f"{path}:") for each in caught.value.problems]


def test_figures_of_people_teams_and_all_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    path.write_text(
        "\ufeffperiod,person,team,role,deals,csat.hits,csat.of,csat,extra,coop,market\n"
        "# a comment\n"
        "2026-10,amy,red,senior,3,9,2,,-0.10,,\n"
        "2026-10,bob,red,,,,,95%,,,\n"
        "2026-10,,red,,,,,,,79.9,\n"
        "2026-10,,,,,,,,,,5\n"
        "2026-08,amy,red,,9,,,,,,\n",
        encoding="utf-8",
    )
    none, found = load_sums(path, CARD, PERIODS)
    amy, bob = found.people["amy", ""], found.people["bob", ""]
    assert not none.people
    assert (amy.team, amy.role) == ("red", "senior")
    assert amy.figures["deals"].value == 3
    assert (amy.figures["csat"].value, amy.figures["extra"].value) == (
        Fraction(9, 2),
        Fraction("-0.1"),
    )
    assert amy.figures["csat"].by_hand == "sums.csv:3"
    assert bob.figures["csat"].value == Fraction("0.95")
    assert found.teams["red"]["coop"].value == Fraction("79.9")
    assert found.company["market"].value == 5


def test_json_is_as_exact_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "sums.json"
    rows = '[{"person": "amy", "team": null, "deals": 3, "extra": 0.10000000000000001}]'
    path.write_text(rows, encoding="utf-8")
    (found,) = load_sums(path, CARD, PERIODS[1:])
    assert found.people["amy", ""].figures["extra"].value == Fraction("0.10000000000000001")


def test_a_split_card_has_a_row_for_each_team(tmp_path: Path) -> None:
    path = tmp_path / "sums.csv"
    path.write_text("person,team,deals\namy,red,3\namy,blue,4\n", encoding="utf-8")
    (found,) = load_sums(path, card(team_changes="split"), PERIODS[1:])
    assert sorted(found.people) == [("amy", "blue"), ("amy", "red")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "1:1: the file is empty (see docs/scorecards.md)"),
        ("person,deals,deals\n", "1:2: column 'deals' stands twice"),
        (
            "person,dales\namy,3\n",
            "1:2: no figure 'dales' (did you mean deals?)",
        ),
        (
            "period,person,deals\n2026-10,amy,1 000\n",
            (
                "2:3: '1 000' is no number (write 1234.50, without blanks, commas or signs of"
                " currency; or 30%)"
            ),
        ),
        ("person,deals\namy,3\n", "2:1: which period? (a column period, such as 2026-11)"),
        (
            "period,person,deals\n2026-10,amy,1\n2026-10,amy,2\n",
            "3:1: this person, or team, stands in line 2 already",
        ),
        (
            "period,person,coop\n2026-10,amy,1\n",
            "2:1: coop is told of a team, and this row is of a person",
        ),
        (
            "period,team,market\n2026-10,red,1\n",
            "2:1: market is told of everybody, and this row is of a team",
        ),
        ("period,person,csat.of\n2026-10,amy,1\n", "2:1: csat.of without csat.hits"),
        (
            "period,person,csat.mean\n",
            "1:3: no figure 'csat.mean' (did you mean csat?)",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    assert problems(tmp_path, text)[0] == wanted


def test_json_that_is_none_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "[{", "s.json") == ["1:1: is not JSON (a list of objects)"]
    assert problems(tmp_path, "{}", "s.json") == ["1:1: is not a list of objects"]


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_sums(tmp_path / "none.csv", CARD, PERIODS)
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_sums(tmp_path / "latin.csv", CARD, PERIODS)


def test_people_have_rows_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "person,name,team,role,stage,joined,from,to\n"
        "amy,Amy,blue,senior,,,2026-10-15,\n"
        "amy,Amy,red,junior,startup,2026-01-02,,2026-10-14\n",
        encoding="utf-8",
    )
    people = load_people(path)
    one, two = people.during("amy", period("2026-10"))
    assert (one.team, two.team, one.first) == ("red", "blue", date(2026, 1, 2))
    assert [each.days_in(period("2026-10")) for each in (one, two)] == [14, 17]
    assert people.employed(period("2025-12")) == []
    assert people.employed(period("2026-09")) == ["amy"]
    assert people.during("bob", period()) == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("name\nAmy\n", "p:1:1: no column 'person' (the first line names columns)"),
        ("", "p:1:1: no column 'person' (the first line names columns)"),
        (
            "person,rolle\n",
            f"p:1:2: no column 'rolle' (there are {', '.join(COLUMNS)})",
        ),
        (
            "person,to\namy,30.11.2026\n",
            "p:2:1: Invalid isoformat string: '30.11.2026' (dates as 2026-11-30)",
        ),
        ("person,to\n,2026-01-01\n", "p:2:1: no person (dates as 2026-11-30)"),
        (
            "person,from,to\namy,2026-02-01,2026-01-01\n",
            "p:2:1: it ends before it begins (dates as 2026-11-30)",
        ),
        (
            "person,from\namy,2026-01-01\namy,2026-02-01\n",
            "p:3:1: amy stands twice on 2026-02-01 (end the row before on 2026-01-31)",
        ),
    ],
)
def test_a_wrong_table_of_people_is_told_with_its_place(text: str, wanted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_people(text, Path("p"))
    assert list(map(str, caught.value.problems)) == [wanted]


def test_whole_months_are_counted() -> None:
    assert months_between(date(2026, 8, 30), date(2026, 11, 30)) == 3
    assert months_between(date(2026, 8, 31), date(2026, 11, 30)) == 2
    assert months_between(date(2025, 12, 1), date(2026, 1, 1)) == 1


def test_a_kept_json_can_be_handed_back(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps([{"period": "2026-10", "person": "amy", "deals": "12.50"}]))
    assert load_sums(path, CARD, PERIODS)[1].people["amy", ""].figures["deals"].value == Fraction(
        "12.5"
    )

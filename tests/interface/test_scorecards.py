"""Kept results over HTTP: who sees whose pay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import UsageError
from monitor.scorecards.evaluate import evaluate
from monitor.scorecards.kept import Shelf
from monitor.scorecards.report import title_in
from monitor.scorecards.settings import ScorecardSettings
from monitor.web import scorecards_api
from monitor.web.application import API, Part
from tests.interface.serving import TEAM, Served, serving
from tests.scorecards.made import card, sums

AT = f"{API}/scorecards"
TITLES = {"card": {"en": "Pay made up", "zh": "测试绩效"}, "line": {"en": "Bonus", "zh": "奖金"}}
FIGURES = {"deals": {"value": {"count": "deal.won"}, "title": {"en": "Deals", "zh": "成交"}}}
POOL = {
    "id": "bonus",
    "title": TITLES["line"],
    "pays": True,
    "pool": {"by": "team", "amount": "100", "weight": "deals"},
}


def kept(folder: Path, *labels: str, kept_max: int = 120) -> Shelf:
    shelf = Shelf(ScorecardSettings(folder=folder, kept_max=kept_max))
    for label in labels:
        made = sums(label, amy=(TEAM, {"deals": 3}), bob=("south", {"deals": 4}))
        made_card = card(lines=[POOL], title=TITLES["card"], figures=FIGURES)
        shelf.keep(evaluate(made_card, made))
    return shelf


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    shelf = kept(tmp_path_factory.mktemp("kept"), "2026-09", "2026-10")
    with serving(Part(scorecards_api.router, AT, {"scorecards": shelf})) as made:
        yield made


def test_what_is_kept_is_listed(served: Served) -> None:
    found = served.ask(AT, "supervisor").json()
    assert found == {"cards": [{"card": "made", "periods": ["2026-10", "2026-09"]}]}
    assert served.ask(AT, "viewer").status_code == 403


def test_operators_see_everybody(served: Served) -> None:
    found = served.ask(f"{AT}/made/2026-10", "operator").json()
    assert [each["person"] for each in found["statements"]] == ["amy", "bob"]
    assert (found["total"], len(found["pools"])) == ("200", 2)


def test_titles_are_there_in_all_languages(served: Served) -> None:
    wanted = {
        "card": {"made": TITLES["card"]},
        "lines": {"bonus": TITLES["line"]},
        "figures": {"deals": {"en": "Deals", "zh": "成交"}},
    }
    for path in ("made/2026-10", "made/2026-10/amy"):
        found = served.ask(f"{AT}/{path}", "operator").json()
        assert (found["title"], found["titles"]) == ("Pay made up", wanted)
    assert title_in(found, "lines", "bonus", "zh", "?") == "奖金"
    assert title_in(found, "lines", "bonus", "fr", "?") == "Bonus"
    assert title_in({"title": "old"}, "card", "made", "zh", "old") == "old"


def test_a_result_that_was_kept_without_them_is_still_served(tmp_path: Path) -> None:
    shelf = kept(tmp_path, "2026-10")
    path = tmp_path / "made" / "2026-10.json"
    old = json.loads(path.read_text())
    del old["titles"]
    path.write_text(json.dumps(old))
    with serving(Part(scorecards_api.router, AT, {"scorecards": shelf})) as made:
        found = made.ask(f"{AT}/made/2026-10", "operator").json()
    assert (found["title"], found["titles"]) == ("Pay made up", {})


def test_supervisors_see_their_own_teams_alone(served: Served) -> None:
    answer = served.ask(f"{AT}/made/2026-10", "supervisor")
    found = answer.json()
    assert [each["person"] for each in found["statements"]] == ["amy"]
    assert ([each["of"] for each in found["pools"]], found["total"]) == ([TEAM], "100")
    assert "bob" not in answer.text
    assert (
        served.ask(f"{AT}/made/2026-10/amy", "supervisor").json()["statements"][0]["total"] == "100"
    )
    assert served.ask(f"{AT}/made/2026-10/bob", "supervisor").status_code == 404
    assert served.ask(f"{AT}/made/2026-10/bob", "admin").status_code == 200


def test_viewers_see_nobodys_pay(served: Served) -> None:
    for path in (f"{AT}/made/2026-10", f"{AT}/made/2026-10/amy"):
        assert served.ask(path, "viewer").status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [("made/2026-08", 404), ("other/2026-10", 404), ("made/..%2f..", 422), ("Made/x", 422)],
)
def test_what_is_not_kept_is_not_there(served: Served, path: str, status: int) -> None:
    assert served.ask(f"{AT}/{path}", "admin").status_code == status


def test_the_oldest_goes_when_there_is_no_room(tmp_path: Path) -> None:
    shelf = kept(tmp_path, "2026-07", "2026-08", "2026-09", kept_max=2)
    assert shelf.listed() == {"made": ["2026-09", "2026-08"]}


def test_nothing_is_kept_is_nothing(tmp_path: Path) -> None:
    shelf = Shelf(ScorecardSettings(folder=tmp_path / "none"))
    assert shelf.listed() == {}
    assert shelf.read("made", "2026-10") is None
    assert shelf.read("../made", "2026-10") is None
    assert shelf.of_card("../made") == []


def test_what_is_none_of_ours_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = kept(tmp_path, "2026-10")
    path = tmp_path / "made" / "2026-10.json"
    document = json.loads(path.read_text())
    (tmp_path / "made" / "notes.json").write_text("{}")
    assert shelf.listed() == {"made": ["2026-10"]}
    path.write_text(json.dumps({**document, "card": "other"}))
    assert shelf.read("made", "2026-10") is None
    path.write_text("{")
    assert shelf.read("made", "2026-10") is None
    path.write_text(json.dumps(document))
    monkeypatch.setattr("monitor.scorecards.kept.BYTES_MAX", 10)
    assert shelf.read("made", "2026-10") is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        kept(tmp_path / "file", "2026-10")

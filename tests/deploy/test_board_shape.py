"""What Grafana asks of a dashboard's JSON, and what we ask of it."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.units import Threshold
from tests.deploy.dashboards import BOARDS, DEPLOY
from tests.deploy.tools import run
from tests.packs.stories import NAMES, site_of

PROVISIONING = DEPLOY / "grafana" / "provisioning"
UNITS = {
    "short", "none", "s", "percentunit", "bytes", "cps", "dateTimeFromNow",
}  # fmt: skip


def loaded(path: Path) -> dict[str, Any]:
    board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return board


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


@pytest.fixture(params=BOARDS, ids=lambda path: path.stem)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    return loaded(request.param)


def test_the_boards_are_there_under_their_own_ids() -> None:
    own = ["cc-daemon", "cc-numbers", "cc-overview", "cc-people"]
    packs = [f"cc-pack-{name}" for name in NAMES]
    assert sorted(loaded(path)["uid"] for path in BOARDS) == sorted(own + packs)
    assert all(len(loaded(path)["uid"]) <= 40 for path in BOARDS)  # Grafana's own limit


@pytest.mark.parametrize("name", NAMES)
def test_the_board_of_a_pack_shows_every_indicator_and_every_fixed_threshold(name: str) -> None:
    board = loaded(DEPLOY / "grafana" / "dashboards" / f"pack-{name}.json")
    shown = " ".join(
        target["expr"] for panel in board["panels"] for target in panel.get("targets", [])
    )
    for indicator in site_of(name).indicators:
        assert f'indicator="{indicator.id}"' in shown, indicator.id
        assert all(f'scope="{by[0]}"' not in shown for by in indicator.by if by[0] == "customer")
    for rule in site_of(name).rules:
        assert rule.id in shown
        if len(rule.by) == 1 and rule.by != ("customer",) and rule.indicator is not None:
            for level, said in rule.levels.items():
                drawn = f'rule="{rule.id}", level="{level}"' in shown
                assert drawn == isinstance(said.bound, Threshold), rule.id
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    classes = {indicator.class_ for indicator in site_of(name).indicators}
    assert len(rows) == 1 + len(classes)


def test_the_data_source_is_a_choice(board: dict[str, Any]) -> None:
    first = board["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    shown = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert all(panel["datasource"] == wanted for panel in shown)
    assert all(target["datasource"] == wanted for panel in shown for target in panel["targets"])


def test_panels_have_ids_titles_descriptions_units(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        if panel["type"] == "row":
            assert is_chinese(panel["title"])
            continue
        assert panel["title"]
        assert is_chinese(panel["description"]), panel["title"]
        assert is_chinese(panel["title"]) or "$" in panel["title"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs)), panel["title"]


def test_panels_do_not_overlap_or_leave_the_page(board: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, two in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= two["x"]
            or two["x"] + two["w"] <= one["x"]
            or one["y"] + one["h"] <= two["y"]
            or two["y"] + two["h"] <= one["y"]
        )
        assert apart, (one, two)


def test_thresholds_rise(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        if panel["type"] != "row":
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            values = [step["value"] for step in steps[1:]]
            assert values == sorted(values)


def test_links_lead_to_boards_and_variables_that_exist() -> None:
    known = {
        loaded(path)["uid"]: {entry["name"] for entry in loaded(path)["templating"]["list"]}
        for path in BOARDS
    }
    text = " ".join(path.read_text(encoding="utf-8") for path in BOARDS)
    urls = [part.split('"')[0] for part in text.split('"url": "')[1:]]
    inner = [url for url in urls if url.startswith("/d/")]
    assert len(inner) >= 5
    assert all(url.startswith(("/d/", "${console}/console/")) for url in urls if url)
    for url in inner:
        page, _, rest = url.removeprefix("/d/").partition("?")
        assert page in known, url
        for part in rest.split("&"):
            name = part.partition("=")[0].removeprefix("var-")
            assert part.startswith("${__url_time_range}") or name in known[page], url


def test_tables_show_columns_that_their_queries_give() -> None:
    for path in BOARDS:
        for panel in loaded(path)["panels"]:
            if panel["type"] != "table":
                continue
            kinds = [entry["id"] for entry in panel["transformations"]]
            several = len(panel["targets"]) > 1
            assert kinds == (["merge"] if several else []) + ["filterFieldsByName", "organize"]
            names = panel["transformations"][-2]["options"]["include"]["names"]
            values = [name for name in names if name.startswith("Value")]
            refs = [target["refId"] for target in panel["targets"]]
            assert values == ([f"Value #{ref}" for ref in refs] if several else ["Value"])
            headings = set(panel["transformations"][-1]["options"]["renameByName"].values())
            for override in panel["fieldConfig"]["overrides"]:
                assert override["matcher"]["options"] in headings | set(names)


def test_provisioning_names_what_the_compose_file_mounts() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())
    assert [source["uid"] for source in sources["datasources"]] == ["prometheus", "alertmanager"]
    assert all(source["editable"] is False for source in sources["datasources"])
    providers = yaml.safe_load((PROVISIONING / "dashboards" / "callcentre.yml").read_text())
    (provider,) = providers["providers"]
    assert (provider["type"], provider["options"]["path"]) == (
        "file",
        "/var/lib/grafana/dashboards",
    )


def test_every_board_draws_alerts_and_suspensions_and_leads_to_the_console(
    board: dict[str, Any],
) -> None:
    drawn = board["annotations"]["list"]
    assert [each["enable"] for each in drawn] == [True, False, True]
    for each in drawn:
        assert is_chinese(each["name"])
        assert each["useValueForTime"]
        assert each["expr"].endswith(" * 1000"), "Grafana takes milliseconds"
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert board["links"][0]["url"] == "${console}/console/"
    (console,) = [each for each in board["templating"]["list"] if each["name"] == "console"]
    assert console["current"]["value"] == "http://localhost:9109"


def test_a_site_says_where_its_console_is(tmp_path: Path) -> None:
    source = DEPLOY / "grafana" / "source"
    packs = [f"rules/{path.parent.name}" for path in (DEPLOY.parent / "rules").glob("*/rules.yaml")]
    for folder in ("deploy/grafana/source", *packs):
        (tmp_path / folder).mkdir(parents=True)
        for path in (DEPLOY.parent / folder).glob("*.*"):
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    made = tmp_path / "deploy" / "grafana" / "dashboards"
    made.mkdir()
    build = tmp_path / source.relative_to(DEPLOY.parent) / "build.py"
    run(sys.executable, build, "--console", "https://monitor.example.com/")
    for path in made.glob("*.json"):
        assert '"https://monitor.example.com"' in path.read_text(encoding="utf-8")

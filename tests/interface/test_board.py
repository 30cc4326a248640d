"""Boards, figures, rules and health over HTTP, from one picture."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.snapshot import AgentPlace, AlertStanding, IndicatorFigures, IndicatorInfo, Snapshot
from monitor.web import rows
from monitor.web.rows import View
from monitor.web.tables import STATES, Desk, Tables, window_ms
from tests.exporter import sample
from tests.interface.reading import NOW, Site, alert, picture, site_at, standing_of


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(tmp_path_factory.mktemp("board")) as made:
        yield made


def many(count: int) -> Snapshot:
    """``count`` agents in groups of twelve and teams of ten groups, the later the worse."""
    names = tuple(f"a{i:05}" for i in range(count))
    places = tuple(
        AgentPlace(name, f"g{i // 12:03}", f"t{i // 120:02}") for i, name in enumerate(names)
    )
    info = IndicatorInfo(
        "hangup_rate", "ratio", "lower", {"en": "Hang-ups"}, "", 0.25, "experience"
    )
    of = np.full(count, 100.0)
    figures = IndicatorFigures(
        "hangup_rate", "ratio", ("agent",), "30m", names, np.linspace(0, 100, count), of
    )
    return Snapshot(
        wall_ms=NOW, stats=sample.stats(), tick_ms=NOW, indicators=(info,), figures=(figures,),
        agents=places,
    )  # fmt: skip


def test_windows_are_in_order_of_their_length() -> None:
    keys = ["day@Asia/Shanghai", "7d", "30m", "1h@first", "week@UTC", "now", "90s"]
    assert sorted(keys, key=window_ms) == [
        "now", "90s", "30m", "1h@first", "day@Asia/Shanghai", "7d", "week@UTC",
    ]  # fmt: skip


def test_teams_with_the_headlines_of_each_side(site: Site) -> None:
    found = site.ask("/api/v1/board").json()
    assert [row["name"] for row in found["rows"]] != []
    assert {row["name"] for row in found["rows"]} == set(sample.TEAMS)
    areas = [column["area"] for column in found["columns"]]
    assert areas == sorted(
        areas, key=["compliance", "efficiency", "conversion", "experience"].index
    )
    assert max(areas.count(area) for area in areas) == 2
    cell = found["rows"][0]["figures"]["hangup_rate"]
    assert cell["value"] == pytest.approx(cell["hits"] / cell["of"], abs=1e-5)


def test_agents_of_a_group_by_name_and_by_an_indicator(site: Site) -> None:
    path = "/api/v1/board?by=agent&group=group-1&sort=name"
    names = [row["name"] for row in site.ask(path).json()["rows"]]
    assert names == ["agent-03", "agent-04", "agent-05"]
    back = [row["name"] for row in site.ask(f"{path}&reverse=true").json()["rows"]]
    assert back == names[::-1]
    worst = site.ask("/api/v1/board?by=agent&team=team-1&sort=hangup_rate").json()["rows"]
    values = [row["figures"]["hangup_rate"]["value"] for row in worst]
    assert values == sorted(values, reverse=True)
    assert site.ask("/api/v1/board?by=agent&q=AGENT-07").json()["total"] == 1
    assert site.ask("/api/v1/board?by=agent&limit=5&offset=15").json()["rows"][-1]["name"]


def test_an_area_has_all_its_indicators(site: Site) -> None:
    columns = site.ask("/api/v1/board?area=compliance&by=team").json()["columns"]
    assert {column["area"] for column in columns} == {"compliance"}
    assert len(columns) > 2
    every = site.ask("/api/v1/board?every=true&by=team").json()["columns"]
    assert len(every) > len(columns)


def test_the_longest_window_is_there_on_demand(site: Site) -> None:
    short, long = (
        {c["indicator"]: c["window"] for c in site.ask(f"/api/v1/board?span={s}").json()["columns"]}
        for s in ("short", "long")
    )
    assert short["hangup_rate"] == "30m"
    assert long["hangup_rate"] == "24h"


def test_nobody_sees_what_has_no_figures(site: Site) -> None:
    assert site.ask("/api/v1/board?by=customer").status_code == 404
    assert site.ask("/api/v1/figures?by=customer&name=x").status_code == 404
    assert site.ask("/api/v1/board?sort=").status_code == 200


def test_what_fires_below_counts_above() -> None:
    crit = standing_of(alert(scope=(("agent", "agent-01"),)))
    tables = Tables(picture(alerts=(crit, replace(crit, episode="s", shadow=True))))
    agent, group, team = (tables.table(by) for by in ("agent", "group", "team"))
    assert agent.alerts[agent.index["agent-01"]] == 1
    assert group.alerts[group.index["group-0"]] == 1
    assert STATES[team.firing[team.index["team-1"]]] == "crit"
    assert tables.team((("group", "group-5"),)) == "team-3"
    assert not tables.team((("number", "+86"),))


def test_how_good_a_figure_is(site: Site) -> None:
    number = Tables(picture()).table("number").columns["hangup_rate"]
    states = {STATES[state] for state in number.state}
    # Missed from 25 %, a bound of a rule at 25 % and an alert at one number.
    assert states == {"good", "beyond", "crit"}
    assert number.bound == 0.25
    team = site.ask("/api/v1/board?sort=name").json()["rows"][-1]["figures"]["hangup_rate"]
    assert team["state"] == "off"


def test_what_the_log_does_not_cover_is_not_judged() -> None:
    figures = tuple(replace(each, covered=False) for each in sample.FIGURES)
    column = Tables(picture(figures=figures)).table("team").columns["hangup_rate"]
    assert {STATES[state] for state in column.state} == {"plain"}


def test_an_answer_is_made_once_for_those_who_have_it(site: Site) -> None:
    first = site.ask("/api/v1/board")
    tag = first.headers["etag"]
    again = site.ask("/api/v1/board", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert site.ask("/api/v1/board?by=agent").headers["etag"] != tag
    site.publish(replace(picture(), wall_ms=NOW))  # nothing that people see is another
    assert site.ask("/api/v1/board").headers["etag"] == tag


def test_large_answers_are_compressed(site: Site) -> None:
    raw = site.served.client.build_request(
        "GET", "/api/v1/board?by=agent",
        headers={"Authorization": "Bearer token-of-viewer-0123456789", "Accept-Encoding": "gzip"},
    )  # fmt: skip
    response = site.served.client.send(raw, stream=True)
    assert response.headers["content-encoding"] == "gzip"
    body = b"".join(response.iter_raw())
    assert b'"by":"agent"' in gzip.decompress(body)
    response.close()


def test_five_thousand_agents_take_no_longer_than_a_moment() -> None:
    tables = Tables(many(5_000))
    view = View("agent", team="t03", sort="hangup_rate")
    chosen = rows.choose(tables, view)
    assert len(chosen) == 120
    first = rows.row(tables, view, int(chosen[0]))
    assert (first["name"], first["group"], first["team"]) == ("a00479", "g039", "t03")
    everybody = rows.choose(tables, View("agent"))
    assert len(everybody) == 5_000
    assert tables.table("agent").names[int(everybody[-1])] < "a01250"


def test_one_scope_now(site: Site) -> None:
    found = site.ask("/api/v1/figures?by=agent&name=agent-04").json()
    assert (found["group"], found["team"]) == ("group-1", "team-1")
    windows = [f["window"] for f in found["figures"] if f["indicator"] == "hangup_rate"]
    assert windows == ["30m", "24h"]


def test_rules_with_their_states(site: Site) -> None:
    found = site.ask("/api/v1/rules").json()["rules"]
    assert [rule["rule"] for rule in found] == ["number-hangup", "number-flagged", "redial"]
    assert found[0]["firing"] == {"crit": 1, "warn": 0}
    assert found[2]["status"] == "shadow"
    assert found[0]["area"] == "experience"


def test_health_says_what_status_says(site: Site) -> None:
    found = site.ask("/api/v1/health").json()
    assert found["ready"] is True
    assert found["deliveries"][0] == {"receiver": "supervisors", "state": "parked", "count": 1}
    assert found["trends"]["samples"] == 1
    assert "alerts" not in found


def test_before_the_first_picture(tmp_path: Path) -> None:
    with site_at(tmp_path) as made:
        made.board.stand_by()
        assert made.ask("/api/v1/board").status_code == 503
        assert made.ask("/api/v1/health").json()["ready"] is False


def test_tables_are_made_anew_when_people_see_another_picture() -> None:
    desk, first = Desk(), picture()
    tables = desk.of(first)
    assert desk.of(replace(first, wall_ms=NOW + 1_000)) is tables
    other = replace(
        first, alerts=(AlertStanding("r", "warn", (), NOW, "e9", first.alerts[0].figures),)
    )
    assert desk.of(other).version == tables.version + 1

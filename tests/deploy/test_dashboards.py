"""Every query of every dashboard returns data on a real Prometheus that scrapes a real exporter."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import promql_parser
import pytest

from monitor.clock import SystemClock
from monitor.exporter.catalogue import CATALOGUE, Kind
from monitor.exporter.server import ExporterServer
from monitor.exporter.settings import ExporterSettings
from monitor.snapshot import Board
from tests import web
from tests.deploy.dashboards import (
    BOARDS,
    DEPLOY,
    Query,
    Values,
    annotation_queries,
    await_scrapes,
    fill,
    label_values,
    panel_queries,
    prometheus,
    run_query,
    scrape_error,
    variable_queries,
)
from tests.deploy.packs_picture import with_packs
from tests.deploy.tools import await_true, run
from tests.exporter import sample

TOKEN = "a-token-for-the-tests"
# Every board draws the same moments: those of one are enough.
QUERIES = [query for path in BOARDS for query in panel_queries(path)]
QUERIES += annotation_queries(BOARDS[0])
VARIABLES = [values for path in BOARDS for values in variable_queries(path)]
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))


def grow(board: Board, clock: SystemClock, stop: threading.Event) -> None:
    """An engine at work: a new picture each 100 ms, its totals growing."""
    stats = sample.stats()
    while not stop.wait(0.1):
        for totals in (stats.records, stats.refusals):
            for key in list(totals):
                totals[key] += 1
        for pairs in (stats.events, stats.commands, stats.deliveries):
            for pair in list(pairs):
                pairs[pair] += 1
        stats.late += 1
        stats.ticks += 1
        stats.tick_time.observe(0.002)
        stats.decision_delay.observe(4.0)
        picture = with_packs(sample.snapshot(clock.now_ms()))
        partitions = tuple(
            replace(at, position=at.position + stats.ticks, end=at.end + stats.ticks)
            for at in picture.partitions
        )
        board.publish(replace(picture, stats=stats, partitions=partitions))


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    board, stop = Board(), threading.Event()
    board.watch = sample.WATCH
    settings = ExporterSettings(port=0, token_env="T")
    server = ExporterServer(board, settings, SystemClock(), {"T": TOKEN})
    engine = threading.Thread(target=grow, args=(board, SystemClock(), stop))
    engine.start()
    server.start()
    try:
        folder = tmp_path_factory.mktemp("prometheus")
        with prometheus(folder, f"127.0.0.1:{server.port}", token=TOKEN, rules=tuple(RULES)) as url:
            await_scrapes(url, 3)
            yield url
    finally:
        stop.set()
        engine.join()
        server.stop()


@pytest.mark.prometheus
def test_prometheus_takes_every_sample(scraped: str) -> None:
    assert scrape_error(scraped) == ""
    stored = label_values(scraped, '{job="monitor"}', "__name__")
    expected = {
        f"{spec.name}_bucket" if spec.kind is Kind.HISTOGRAM else spec.name for spec in CATALOGUE
    }
    assert expected - set(stored) == {"monitor_unready"}  # there is nothing wrong


@pytest.fixture(scope="module")
def patience() -> list[float]:
    """Seconds that all panels together may be waited for: a scrape comes too late now and then."""
    return [60.0]


@pytest.mark.prometheus
@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_panel_shows_something(scraped: str, query: Query, patience: list[float]) -> None:
    found = run_query(scraped, query.filled())
    began = time.monotonic()
    while not found and time.monotonic() - began < patience[0]:
        time.sleep(0.1)
        found = run_query(scraped, query.filled())
    patience[0] -= time.monotonic() - began
    assert found, query.filled()
    assert all(row["value"][1] != "NaN" for row in found)


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "values", VARIABLES, ids=lambda values: f"{values.board}: {values.variable}"
)
def test_every_variable_has_values(scraped: str, values: Values) -> None:
    await_true(
        lambda: bool(label_values(scraped, fill(values.selector), values.label)), values.variable
    )


@pytest.mark.prometheus
def test_drilling_down_narrows(scraped: str) -> None:
    asked = next(
        query for query in QUERIES if query.board == "people" and query.panel.endswith("by agent")
    )
    usual = {"indicator": "hangup_rate", "window": "30m"}
    await_true(lambda: bool(run_query(scraped, asked.filled(usual))), "a scrape in time")
    agents = {
        team: len(run_query(scraped, asked.filled(usual | {"team": team})))
        for team in (".*", "team-1", "nobody")
    }
    assert agents == {".*": 18, "team-1": 6, "nobody": 0}
    one = run_query(scraped, asked.filled(usual | {"team": "team-1", "group": "group-1"}))
    assert {row["metric"]["agent"] for row in one} == {"agent-03", "agent-04", "agent-05"}


@pytest.mark.prometheus
def test_a_healthy_daemon_raises_no_alert(scraped: str) -> None:
    answer = web.get(f"{scraped}/api/v1/rules", timeout=10).json()
    loaded = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
    assert sum(rule["type"] == "alerting" for rule in loaded) == 27
    assert sum(rule["type"] == "recording" for rule in loaded) == 5
    assert {rule["health"] for rule in loaded} == {"ok"}
    # Not one is even pending, but for a moment: a scrape that a busy machine made late, and a
    # partition of which the first evaluation had seen one scrape only.
    await_true(lambda: run_query(scraped, "ALERTS") == [], "no alert")
    ever = 'max_over_time(ALERTS{alertstate="firing"}[1h])'
    assert run_query(scraped, ever) == []
    pending = 'max_over_time(ALERTS{alertname!~"MonitorDown|MonitorPartitionStuck"}[1h])'
    assert run_query(scraped, pending) == []


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_query_is_promql_on_known_metrics(query: Query) -> None:
    promql_parser.parse(query.filled())
    known = {spec.name for spec in CATALOGUE if spec.kind is not Kind.HISTOGRAM}
    known |= {f"{spec.name}_bucket" for spec in CATALOGUE if spec.kind is Kind.HISTOGRAM}
    used = set(re.findall(r"\b(?:callcentre|monitor)_\w+", query.expr))
    assert used <= known


def test_the_committed_boards_are_what_the_scripts_make() -> None:
    run(sys.executable, DEPLOY / "grafana" / "source" / "build.py", "--check")


def test_a_board_that_was_edited_by_hand_is_found(tmp_path: Path) -> None:
    source = DEPLOY / "grafana" / "source"
    packs = [f"rules/{path.parent.name}" for path in (DEPLOY.parent / "rules").glob("*/rules.yaml")]
    for folder in ("deploy/grafana/source", "deploy/grafana/dashboards", *packs):
        (tmp_path / folder).mkdir(parents=True)
        for path in (DEPLOY.parent / folder).glob("*.*"):
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    build = tmp_path / source.relative_to(DEPLOY.parent) / "build.py"
    run(sys.executable, build, "--check")
    board = tmp_path / "deploy" / "grafana" / "dashboards" / "numbers.json"
    board.write_text(board.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"numbers\.json"):
        run(sys.executable, build, "--check")

"""The running daemon under a real Prometheus and a real Alertmanager, on live simulated traffic."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from monitor.clock import SystemClock
from monitor.simulate.demo import live_demo
from tests import web
from tests.broker.broker import free_ports
from tests.daemon.running import eventually
from tests.delivery.conftest import Alertmanager
from tests.delivery.doubles import http_server
from tests.deploy.dashboards import (
    BOARDS,
    DEPLOY,
    await_scrapes,
    panel_queries,
    prometheus,
    run_query,
)
from tests.deploy.tools import program

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]

RULES = tuple(sorted((DEPLOY / "prometheus" / "rules").glob("*.yml")))
CONFIG = """\
version: 1
source: {{kind: files, paths: [{folder}/events.jsonl], follow: true, bookmarks: {folder}/bookmarks}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
events:
  dead_letters: {{path: {folder}/dead-letters.jsonl}}
telephony: {{kind: simulated}}
exporter: {{port: {port}}}
delivery:
  receivers:
    alertmanager: {{type: alertmanager, url: "{alertmanager}", repost: 2s}}
  default: [log, alertmanager]
"""
CLOCK = SystemClock()


class Watched:
    """The daemon's metrics address, a Prometheus on it, an Alertmanager behind it."""

    def __init__(self, port: int, prometheus_url: str, alertmanager: Alertmanager) -> None:
        self.metrics = f"http://127.0.0.1:{port}/metrics"
        self.prometheus = prometheus_url
        self.alertmanager = alertmanager


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    found = program("prometheus-alertmanager", "alertmanager")
    folder: Path = tmp_path_factory.mktemp("watched")
    port = free_ports(["exporter"])["exporter"]
    stop = threading.Event()
    traffic = threading.Thread(
        target=live_demo, args=(folder / "events.jsonl", SystemClock(), stop)
    )
    with http_server() as hook:
        alertmanager = Alertmanager(found, folder, hook)
        alertmanager.start()
        text = CONFIG.format(folder=folder, port=port, alertmanager=alertmanager.url)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        traffic.start()
        with (folder / "daemon.log").open("wb") as log:
            command = [sys.executable, "-m", "monitor", "run", "-c", str(folder / "config.yaml")]
            daemon = subprocess.Popen([*command, "--no-live"], stdout=log, stderr=log)
        try:
            with prometheus(folder, f"127.0.0.1:{port}", rules=RULES) as url:
                ready = f"http://127.0.0.1:{port}/readyz"
                eventually(lambda: answers(ready), "the daemon is ready", 120)
                await_scrapes(url, 5)
                yield Watched(port, url, alertmanager)
        finally:
            stop.set()
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)
            alertmanager.kill()
            traffic.join()


def answers(url: str) -> bool:
    try:
        return web.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_firing_and_a_resolved_alert_reach_alertmanager(watched: Watched) -> None:
    def told(status: str) -> bool:
        return (status, "number-flagged", "critical") in watched.alertmanager.told()

    eventually(lambda: told("firing"), "the flag is firing in Alertmanager", 120)
    # Telephony confirms the suspension, which ends the episode.
    eventually(lambda: told("resolved"), "the flag is resolved in Alertmanager", 60)


def test_promtool_finds_nothing_wrong_with_its_metrics(watched: Watched) -> None:
    text = web.get(watched.metrics, timeout=10).text
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=text, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


OWN_PACK = "pack-telemarketing"
"""The pack that is on; the boards of the others are looked at on a made-up picture."""
NOT_SIMULATED = (
    "Cost of a new customer",
    "Customers sent by others",
    "Old customers who buy again",
    "From SMS to deal: deal",
    "From SMS to deal: intent",
    "HTTP interface",
)
"""Nobody buys anything in the demonstration, nor asks by HTTP."""


def test_every_panel_returns_data(watched: Watched) -> None:
    on = [path for path in BOARDS if not path.stem.startswith("pack-") or path.stem == OWN_PACK]
    queries = [query for path in on for query in panel_queries(path)]
    queries = [query for query in queries if not query.panel.startswith(NOT_SIMULATED)]
    assert len(queries) > 50
    waiting = {(query.board, query.panel, query.ref): query for query in queries}

    def still_empty() -> list[tuple[str, str, str]]:
        for place, query in list(waiting.items()):
            if run_query(watched.prometheus, query.filled()):
                del waiting[place]
        return sorted(waiting)

    end_s = CLOCK.monotonic_s() + 60
    while still_empty() and CLOCK.monotonic_s() < end_s:
        CLOCK.wait(threading.Event(), 1.0)
    assert sorted(waiting) == []

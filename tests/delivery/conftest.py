"""An open store, a web server, and a real Alertmanager."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.clock import ManualClock
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.delivery.doubles import Server, http_server, wait_for

NOW_MS = 1_800_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), clock) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as running:
        yield running


@dataclass
class Alertmanager:
    """A running Alertmanager that tells ``hook`` of everything at once."""

    url: str
    hook: Server

    def alerts(self) -> list[dict[str, Any]]:
        """What it holds as active."""
        answer = httpx.get(f"{self.url}/api/v2/alerts", params={"active": "true"}, timeout=5)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return sorted(found, key=lambda alert: str(alert["labels"]))


CONFIG = """
route:
  receiver: hook
  group_by: ["..."]
  group_wait: 0s
  group_interval: 100ms
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs: [{url: "%s", send_resolved: true}]
"""


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """A real Alertmanager; skipped without one, and a failure where ``CI=true``."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        text = "Alertmanager is not installed (Debian: prometheus-alertmanager)"
        if os.environ.get("CI") == "true":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    with http_server() as hook, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config = tmp_path / "alertmanager.yml"
        config.write_text(CONFIG % hook.url)
        arguments = [
            program,
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with (tmp_path / "alertmanager.log").open("wb") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log)
            try:
                running = Alertmanager(f"http://127.0.0.1:{port}", hook)
                wait_for(lambda: _ready(running.url), "Alertmanager does not come up", 20)
                yield running
            finally:
                process.terminate()
                process.wait(10)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False

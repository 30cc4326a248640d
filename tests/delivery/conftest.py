"""An open store, a web server, and a real Alertmanager."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.clock import ManualClock
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests import web
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


class Alertmanager:
    """A real Alertmanager, started and killed as told; it tells ``hook`` of everything at once."""

    def __init__(self, program: str, directory: Path, hook: Server) -> None:
        self.hook = hook
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._log = directory / "alertmanager.log"
        config = directory / "alertmanager.yml"
        config.write_text(CONFIG % hook.url)
        self._command = [
            program,
            f"--config.file={config}",
            f"--storage.path={directory / 'alertmanager'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for(self.ready, f"Alertmanager does not come up: {self._log.read_text()}", 20)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def ready(self) -> bool:
        try:
            return web.get(f"{self.url}/-/ready", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def alerts(self) -> list[dict[str, Any]]:
        """What it holds as firing, by labels."""
        answer = web.get(f"{self.url}/api/v2/alerts", params={"active": "true"}, timeout=5)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return sorted(found, key=lambda alert: str(alert["labels"]))

    def told(self) -> list[tuple[str, str, str]]:
        """What it has told its receiver: (status, alertname, severity), in order."""
        return [
            (alert["status"], alert["labels"]["alertname"], alert["labels"]["severity"])
            for request in list(self.hook.requests)
            for alert in json.loads(request.body)["alerts"]
        ]


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
    with http_server() as hook:
        running = Alertmanager(program, tmp_path, hook)
        try:
            running.start()
            yield running
        finally:
            running.kill()

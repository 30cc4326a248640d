"""``monitor ingest`` as a process: it listens, keeps, stops, and says no secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.daemon.running import eventually

SECRET = "zq7Planted-app-secret"
VERIFY = "zq7Planted-verify"


def test_it_receives_until_it_is_told_to_stop(tmp_path: Path) -> None:
    receiver = {
        "kind": "whatsapp",
        "secret": {"env": "APP_SECRET"},
        "verify_token": {"env": "VERIFY"},
    }
    mine = {"receivers": {"whatsapp": receiver}, "port": 0, "exporter": {"port": 0}}
    config = {"version": 1, "ingest": mine,
              "logs": {"level": "debug"}}  # fmt: skip
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    err = tmp_path / "err.txt"
    with err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "ingest"],
            cwd=tmp_path,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "APP_SECRET": SECRET, "VERIFY": VERIFY},
        )
    said: list[str] = []
    try:
        eventually(lambda: process.poll() is not None or _logged(err, "ingest_ready"), "ready")
        (ready,) = _logged(err, "ingest_ready")
        url = f"http://127.0.0.1:{ready['port']}/ingest/whatsapp"
        body = b'{"object": "whatsapp_business_account", "entry": []}'
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        for head, status in (({"X-Hub-Signature-256": f"sha256={digest}"}, 200), ({}, 401)):
            answer = httpx.post(url, content=body, headers=head)
            assert answer.status_code == status
            said.append(repr(answer.headers) + answer.text)
        for token, status in ((VERIFY, 200), ("other", 403)):
            asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "42"}
            answer = httpx.get(url, params=asked)
            assert answer.status_code == status
            said.append(repr(answer.headers) + answer.text)
        figures = httpx.get(f"http://127.0.0.1:{ready['exporter_port']}/metrics").text
        assert 'monitor_ingest_records_total{receiver="whatsapp"} 1.0' in figures
        said.append(figures)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, err.read_text()
    finally:
        process.kill()
        process.wait()
    (line,) = (tmp_path / "var" / "ingest" / "whatsapp.jsonl").read_text().splitlines()
    assert json.loads(line)["entry"] == []
    (stopped,) = _logged(err, "ingest_stopped")
    assert stopped["answers"] == {"200": 2, "401": 1, "403": 1}
    assert "zq7Planted" not in err.read_text() + "".join(said)


def _logged(path: Path, event: str) -> list[dict[str, Any]]:
    lines = [line for line in path.read_text().splitlines() if line.startswith("{")]
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]

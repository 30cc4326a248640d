"""Webhooks over HTTP: who is let in, what is kept, and what the daemon makes of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import httpx
import pytest

from monitor.clock import SystemClock
from monitor.errors import UsageError
from monitor.ingest.open import Ingest
from monitor.ingest.settings import IngestSettings
from monitor.source.settings import FilesSettings
from tests.cli.program import monitor
from tests.docs.markdown import ROOT

SECRET = "12345-not-a-secret"
URL = "https://hooks.example.com/ingest/twilio-status"
RECEIVERS = {
    "whatsapp": {
        "kind": "whatsapp",
        "secret": {"value": SECRET},
        "verify_token": {"value": "agreed-on"},
    },
    "twilio-status": {"kind": "twilio", "secret": {"value": SECRET}, "url": URL},
    "pbx": {"kind": "hmac", "secret": {"value": SECRET}},
}
FIXTURES = ROOT / "tests" / "fixtures" / "mappings"


class Served:
    def __init__(self, folder: Path, **more: Any) -> None:
        settings = IngestSettings.model_validate(
            {
                "receivers": RECEIVERS,
                "folder": folder,
                "port": 0,
                "exporter": {"port": 0},
                **more,
            }
        )
        source = FilesSettings(kind="files", paths=("none",))
        self.ingest = Ingest(settings, source, SystemClock())
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.ingest.port}", timeout=10)
        self.folder = folder

    def post(self, name: str, body: bytes, **headers: str) -> httpx.Response:
        return self.client.post(f"/ingest/{name}", content=body, headers=headers)

    def kept(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


@contextmanager
def serving(folder: Path, **more: Any) -> Iterator[Served]:
    served = Served(folder, **more)
    served.ingest.start()
    try:
        yield served
    finally:
        served.client.close()
        served.ingest.stop()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "in") as made:
        yield made


def digest(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def meta(body: bytes) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={digest(body)}", "Content-Type": "application/json"}


def test_a_signed_webhook_is_kept_before_it_is_answered(served: Served) -> None:
    body = json.dumps({"object": "x", "text": "a\nb"}, indent=2).encode()
    assert served.post("whatsapp", body, **meta(body)).status_code == 200
    (record,) = served.kept("whatsapp")
    assert record.pop("received_ms") > 1_700_000_000_000
    assert record == {"object": "x", "text": "a\nb"}


def test_a_form_becomes_an_object(served: Served) -> None:
    form = {"CallSid": "CA1", "To": "+1 500", "Empty": ""}
    text = URL + "".join(f"{name}{form[name]}" for name in sorted(form))
    signature = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest())
    head = {
        "X-Twilio-Signature": signature.decode(),
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
    }
    assert served.post("twilio-status", urlencode(form).encode(), **head).status_code == 200
    (record,) = served.kept("twilio-status")
    assert {**form, "received_ms": record["received_ms"]} == record


@pytest.mark.parametrize(
    ("name", "body", "headers", "status"),
    [
        ("whatsapp", b"{}", {}, 401),
        ("whatsapp", b"{}", {"X-Hub-Signature-256": "sha256=00"}, 401),
        ("nobody", b"{}", {}, 404),
        ("pbx", b"no json", {"X-Signature": digest(b"no json")}, 400),
        ("pbx", b"[1]", {"X-Signature": digest(b"[1]")}, 400),
        ("pbx", b"", {"X-Signature": digest(b"")}, 400),
        ("pbx", b"[" * 5_000, {"X-Signature": digest(b"[" * 5_000)}, 400),
        ("pbx", b"=&=\xff", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ("pbx", b"x" * 900_001, {}, 413),
    ],
)
def test_what_is_not_kept_is_told_why(
    served: Served, name: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = served.post(name, body, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert served.kept(name) == []


def test_metas_question_is_answered_to_who_knows_the_token(served: Served) -> None:
    def ask(name: str = "whatsapp", **asked: str) -> httpx.Response:
        known = {"hub.mode": "subscribe", "hub.verify_token": "agreed-on", "hub.challenge": "1158"}
        given = {**known, **{f"hub.{key}": value for key, value in asked.items()}}
        return served.client.get(f"/ingest/{name}", params=given)

    answer = ask()
    assert (answer.status_code, answer.text) == (200, "1158")
    assert answer.headers["content-type"].startswith("text/plain")
    assert ask(verify_token="guess").status_code == 403
    assert ask(challenge="<script>").status_code == 400
    assert ask(mode="other").status_code == 405
    assert ask("pbx").status_code == 405


def test_too_many_are_told_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path / "in", rate="2/10m") as served:
        head = {"X-Signature": digest(b"{}")}
        assert [served.post("pbx", b"{}").status_code for _ in range(5)] == [401] * 5
        answers = [served.post("pbx", b"{}", **head) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) > 1
        assert len(served.kept("pbx")) == 2, "strangers use up nobody's allowance"


def test_a_disk_that_refuses_is_503_and_the_next_is_kept(served: Served) -> None:
    head = {"X-Signature": digest(b"{}")}
    with mock.patch("monitor.ingest.sinks.os.fsync", side_effect=OSError(28, "no space")):
        answer = served.post("pbx", b"{}", **head)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert served.post("pbx", b"{}", **head).status_code == 200
    assert len(served.kept("pbx")) == 1


def test_what_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are none"):
        Served(tmp_path, receivers={})
    with pytest.raises(UsageError, match="needs a source of kind kafka"):
        Served(tmp_path, to="kafka")
    with pytest.raises(ValueError, match="open to others"):
        Served(tmp_path, host="0.0.0.0")  # noqa: S104 - refused
    short = {"pbx": {"kind": "hmac", "secret": {"value": "short"}}}
    with pytest.raises(UsageError, match=r"ingest\.receivers\.pbx\.secret"):
        Served(tmp_path, receivers=short)
    Served(tmp_path).ingest.stop()


def test_the_daemon_counts_what_was_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = (FIXTURES / "whatsapp" / "made.jsonl").read_bytes().splitlines()
    with serving(tmp_path / "in") as served:
        for line in lines:
            assert served.post("whatsapp", line, **meta(line)).status_code == 200
    (tmp_path / "config.yaml").write_text(
        "version: 1\nmappings: {topics: {'in/*.jsonl': whatsapp}}\n"
    )
    done = monitor("replay", "--from", "in/whatsapp.jsonl")
    assert done.status == 0, done.err
    made = (FIXTURES / "whatsapp" / "made.events.jsonl").read_text().splitlines()
    assert f"{len(made)} events" in done.err
    assert "refused: 1 bad_time, 1 missing_field" in done.err

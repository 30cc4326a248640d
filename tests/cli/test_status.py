"""``monitor status`` and ``monitor numbers list``: what the daemon answers, and what else may."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from monitor.exporter.status import document
from monitor.snapshot import Unready
from tests.cli.program import monitor
from tests.daemon.folder import Folder
from tests.exporter.sample import snapshot

NOW_MS = 1_795_309_200_000
DOCUMENT = document(snapshot(NOW_MS), NOW_MS, [])
Asked = list[tuple[str, dict[str, str]]]


@pytest.fixture
def asked() -> Asked:
    """Addresses asked, each with what was sent along."""
    return []


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> Any:
    """Let the daemon answer with a document, another answer or a fault."""

    def set_answer(what: dict[str, Any] | httpx.Response | Exception) -> None:
        def get(url: str, *, headers: dict[str, str], **_: Any) -> httpx.Response:
            asked.append((url, headers))
            if isinstance(what, Exception):
                raise what
            return what if isinstance(what, httpx.Response) else httpx.Response(200, json=what)

        monkeypatch.setattr(httpx, "get", get)

    return set_answer


def test_a_ready_daemon(folder: Folder, answer: Any, asked: Asked) -> None:
    answer(DOCUMENT)
    done = monitor("status", TZ="Asia/Shanghai")
    assert (done.status, done.err) == (0, "")
    port = folder.config["exporter"]["port"]
    assert asked == [(f"http://127.0.0.1:{port}/status", {})]
    lines = [line.split() for line in done.out.splitlines()]
    assert ["state", "ready"] in lines
    assert ["behind", "the", "clock", "2.0", "s"] in lines
    assert any(line[:2] == ["number-hangup", "number"] for line in lines)
    assert f"{DOCUMENT['lag']:,} record" in done.out


def test_all_of_it_for_programs(folder: Folder, answer: Any) -> None:
    answer(DOCUMENT)
    assert folder.path.exists()
    done = monitor("status", "--json")
    assert done.status == 0
    assert done.json == json.loads(json.dumps(DOCUMENT))


@pytest.mark.usefixtures("folder")
def test_a_daemon_that_is_not_ready_is_a_finding(answer: Any) -> None:
    answer(document(None, NOW_MS, [Unready("store", "the disk is full"), Unready("warming")]))
    done = monitor("status")
    assert done.status == 1
    assert "not ready" in done.out
    assert "store: the disk is full" in done.out
    assert "warming" in done.out
    assert "None" not in done.out
    assert monitor("status", "--json").status == 1


@pytest.mark.usefixtures("folder")
def test_at_eighty_columns_nothing_is_cut(answer: Any) -> None:
    answer(DOCUMENT)
    shown = monitor("status", columns=80, TERM="dumb").out
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    for rule in DOCUMENT["rules"]:
        assert rule["rule"] in shown


def test_its_token_goes_along(folder: Folder, answer: Any, asked: Asked) -> None:
    folder.write(exporter={"port": 9, "host": "::1", "token_env": "STATUS_TOKEN"})
    answer(DOCUMENT)
    assert monitor("status", STATUS_TOKEN="of-this-one-alone").status == 0
    assert asked == [("http://[::1]:9/status", {"Authorization": "Bearer of-this-one-alone"})]


def test_nobody_there(folder: Folder) -> None:
    for command in ("status", "numbers list"):
        done = monitor(*command.split())
        assert (done.status, done.out) == (2, "")
        port = folder.config["exporter"]["port"]
        assert done.err == (
            f"monitor: no daemon answers at http://127.0.0.1:{port}/status: Connection refused;"
            " does it run, with this configuration?\n"
        )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (httpx.Response(401), "refuses us: it has another token than this configuration"),
        (httpx.Response(403), "refuses us"),
        (httpx.Response(404, text="nothing here"), "is no monitor (status 404)"),
        (httpx.Response(200, text="<html>"), "is no monitor (status 200)"),
        (httpx.Response(200, json=[1]), "is no monitor (status 200)"),
        (httpx.Response(200, json={"a": 1}), "is no monitor (status 200)"),
        (httpx.ReadTimeout("slow"), "within 5 s"),
    ],
)
def test_somebody_else_there(answer: Any, what: Any, said: str) -> None:
    answer(what)
    done = monitor("status")
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.usefixtures("folder")
def test_numbers_that_rest(answer: Any) -> None:
    answer(DOCUMENT)
    done = monitor("numbers", "list", TZ="Asia/Shanghai")
    assert done.status == 0
    for entry in DOCUMENT["standing"]:
        assert f"{entry['number']}  {entry['state']}" in done.out
    assert monitor("numbers", "list", "--json").lines == DOCUMENT["standing"]


@pytest.mark.usefixtures("folder")
def test_more_numbers_than_are_told(answer: Any) -> None:
    standing = DOCUMENT["standing"][:1]
    answer(DOCUMENT | {"numbers": {"active": 5, "suspended": 301}, "standing": standing})
    assert "… and 300 more" in monitor("numbers", "list").out
    answer(DOCUMENT | {"numbers": {"active": 5, "suspended": 1}, "standing": standing})
    assert "more" not in monitor("numbers", "list").out


@pytest.mark.usefixtures("folder")
def test_no_numbers_and_a_freeze(answer: Any) -> None:
    answer(DOCUMENT | {"numbers": {}, "standing": [], "frozen": True})
    done = monitor("numbers", "list")
    assert done.out.splitlines() == ["no numbers seen yet", "suspensions by rules are frozen"]
    assert "frozen" in monitor("status").out

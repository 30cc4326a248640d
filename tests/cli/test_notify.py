"""``monitor notify test``, and templates under ``monitor check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.program import monitor
from tests.delivery.doubles import Answer, Server, http_server
from tests.delivery.vendors import TOKEN


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def write(path: Path, server: Server, **delivery: Any) -> None:
    receivers = {
        "hook": {"type": "webhook", "url": server.url},
        "manager": {"type": "alertmanager", "url": server.url},
        "floor": {"type": "wecom", "key": {"value": TOKEN}, "url": server.url},
        "gone": {"type": "feishu", "token": {"env": "NO_SUCH_TOKEN"}},
        "crm": {"type": "kafka", "topic": "crm.commands"},
    }
    content = {"version": 1, "delivery": {"receivers": receivers, **delivery}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_each_receiver_says_what_it_answers(config: Path) -> None:
    with http_server() as server:
        server.respond = lambda _path, body: Answer(
            body=b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
            if b"msgtype" in body
            else b""
        )
        write(config, server)
        done = monitor("notify", "test", "-c", str(config), "--json")
        paths = [request.path for request in server.requests]
        again = monitor("notify", "test", "hook", "-c", str(config))
    assert done.status == 1
    answers = {line["receiver"]: (line["arrived"], line["answer"]) for line in done.lines}
    assert answers["hook"] == (True, "it was taken")
    assert answers["manager"][0]
    assert answers["crm"] == answers["log"] == (None, "not tried: nobody would answer")
    assert answers["floor"][0] is False
    assert "code 93000: there is no such key" in answers["floor"][1]
    assert answers["gone"][0] is False
    assert "delivery.receivers.gone.token" in answers["gone"][1]
    assert "/api/v2/alerts" in paths
    assert TOKEN not in done.out + done.err
    assert (again.status, "arrived" in again.out) == (0, True)
    missing = monitor("notify", "test", "nobody", "-c", str(config))
    assert missing.status == 2
    assert "there is no receiver nobody" in missing.err


def test_a_secret_file_that_is_missing(config: Path) -> None:
    hook = {"type": "webhook", "url": "http://127.0.0.1:1", "secret_env": "NO_SUCH_SECRET"}
    content = {"version": 1, "delivery": {"receivers": {"hook": hook}}}
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = monitor("notify", "test", "hook", "-c", str(config))
    assert done.status == 1
    assert "NO_SUCH_SECRET" in done.out


def test_templates_are_tried_out(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "alert.zh.md").write_text("{{ title }}\n{{ vaule }}\n", encoding="utf-8")
    (folder / "digest.zh.mkd").write_text("", encoding="utf-8")
    content = {"version": 1, "delivery": {"templates": str(folder)}}
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = monitor("check", "-c", str(config))
    assert done.status == 1
    lines = [line for line in done.out.replace("\n  ", " ").splitlines() if "texts/" in line]
    assert any("alert.zh.md:2:1: 'vaule' is undefined" in line for line in lines), done.out
    assert any("digest.zh.mkd:0:0: no message is made of this" in line for line in lines)

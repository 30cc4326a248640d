"""SIGTERM, whatever else goes on: it ends within five seconds, and nothing is lost by it."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.daemon.folder import BAD, GOOD, Folder, now_ms
from tests.daemon.running import PATIENCE_S, Process, eventually, process
from tests.delivery.doubles import Answer, Server, http_server
from tests.deploy.tools import free_port

LIMIT_S = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, exporter={"port": free_port()})


def ends_soon(running: Process) -> int:
    """Send SIGTERM; the exit status, once it has ended in time."""
    started = time.monotonic()
    status = running.end()
    assert time.monotonic() - started < LIMIT_S, running.log()[-4_000:]
    return status


def age_of_checkpoint_s(folder: Folder) -> float:
    return time.time() - max(p.stat().st_mtime for p in (folder.root / "checkpoints").iterdir())


def hooked(folder: Folder, server: Server) -> None:
    folder.write(
        delivery={
            "receivers": {"hook": {"type": "webhook", "url": server.url, "timeout": "60s"}},
            "routes": {"people": {"receivers": ["hook"]}},
        }
    )


def test_while_a_receiver_hangs(folder: Folder) -> None:
    with http_server() as server:
        hooked(folder, server)
        server.answers.extend([Answer(delay_s=120)] * 50)
        folder.call(BAD, bad=True, count=8)
        with process(folder) as running:
            eventually(lambda: server.requests, "a request that is not answered")
            assert ends_soon(running) == 0
            assert age_of_checkpoint_s(folder) < LIMIT_S
            (hanging,) = {request.headers["Idempotency-Key"] for request in server.requests}
            server.answers.clear()
            running.start()
            keys = [hanging, hanging]
            eventually(
                lambda: (
                    [r.headers["Idempotency-Key"] for r in server.requests].count(hanging)
                    == len(keys)
                ),
                "it is sent again, with its id",
            )


def test_while_another_process_holds_the_store(folder: Folder) -> None:
    folder.write(pools={"defaults": {"max_fraction": "100%"}})
    folder.call(GOOD, count=8)
    with process(folder) as running:
        running.ready()
        with closing(sqlite3.connect(folder.store, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            folder.call(BAD, bad=True, count=8)
            eventually(lambda: "store" in running.unready(), "it waits for the store")
            status = ends_soon(running)
            other.execute("ROLLBACK")
        assert status == 2
        assert "outcomes could not be stored" in running.log()
        assert not running.logged("number_suspend")
        running.start()
        eventually(
            lambda: BAD in {each["number"] for each in running.logged("number_suspend")},
            "what could not be stored is decided again",
        )


def test_while_it_catches_up(folder: Folder) -> None:
    """A call every few ticks, of long ago: each poll brings as many ticks as it has records."""
    count, begin_ms = 100_000, now_ms() - 200_000_000
    with folder.events.open("w", encoding="utf-8") as file:
        for index in range(count):
            event = {"id": f"old{index}", "type": "call.ended", "time": begin_ms + index * 1_700}
            event |= {"number": f"+86215{index % 997:07}", "team": f"team-{index % 7}"}
            file.write(json.dumps(event) + "\n")
    folder.write(checkpoint={"every": "1h"})
    with process(folder) as running:
        eventually(lambda: running.status().get("totals", {}).get("records"), "it has begun")
        assert ends_soon(running) == 0
        assert age_of_checkpoint_s(folder) < LIMIT_S
        (stopped,) = running.logged("stopped")
        assert stopped["judged_ms"] < begin_ms + count * 1_700, "it had not caught up"
        running.start()
        (started,) = eventually(lambda: running.logged("started")[1:], "it goes on")
        assert started["from_checkpoint"] is True
        assert ends_soon(running) == 0, "at its beginning, too"
        assert running.logged("stopped")[1]["judged_ms"] >= stopped["judged_ms"]


@contextmanager
def deaf() -> Iterator[socket.socket]:
    """A port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(PATIENCE_S)
        yield server


def kafka(folder: Folder, port: int) -> None:
    folder.write(
        source={"kind": "kafka", "bootstrap": f"127.0.0.1:{port}", "topics": ["calls"]},
        telephony={"kind": "kafka"},
    )


def test_while_kafka_was_never_there(folder: Folder) -> None:
    kafka(folder, free_port())
    with process(folder) as running:
        eventually(lambda: running.unready() or running.logged("source_unavailable"), "it tries")
        assert ends_soon(running) == 0


def test_while_kafka_says_nothing(folder: Folder) -> None:
    with deaf() as server:
        kafka(folder, server.getsockname()[1])
        with process(folder) as running:
            connection, _ = server.accept()
            with closing(connection):
                assert ends_soon(running) == 0
                assert not running.logged("delivery_stop_incomplete"), "nothing had begun"

"""The daemon around its engine: sources that are not there, disks that refuse, lost checkpoints."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.app.daemon import Daemon
from monitor.errors import StoreError, UsageError
from monitor.site import load_site
from monitor.source.base import Partition, Source
from monitor.source.memory import MemorySource
from monitor.store.checkpoint import Checkpoints
from monitor.store.history import History
from monitor.store.journal import Journal
from monitor.store.outbox import Outbox
from tests import web
from tests.daemon.folder import BAD, FLAGGED, GOOD, Folder, now_ms
from tests.daemon.running import Threaded, eventually, threaded
from tests.deploy.tools import free_port

CALLS = Partition("calls", 0)


def said(folder: Folder, event: str) -> list[dict[str, Any]]:
    """Lines of the log."""
    text = (folder.root / "log.txt").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["event"] == event]


def reading(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """The daemon reads ``source``, whatever its configuration says."""
    monkeypatch.setattr("monitor.app.engine.open_source", lambda _config, _clock: source)


def call(number: str, *, at_ms: int | None = None, bad: bool = False) -> bytes:
    at_ms = now_ms() if at_ms is None else at_ms
    event = {
        "id": f"{number}-{at_ms}-{bad}",
        "type": "call.ended",
        "time": at_ms,
        "number": number,
        "team": "team-1",
        "hangup_by": "customer" if bad else "agent",
    }
    return json.dumps(event).encode()


class Failing:
    """A method that raises for as long as it is told to."""

    def __init__(self, inner: Callable[..., Any], error: Exception) -> None:
        self.inner = inner
        self.error = error
        self.on = threading.Event()
        self.raised = 0

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self.on.is_set():
                self.raised += 1
                raise self.error
            return self.inner(instance, *arguments, **options)

        return call


def failing(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: Exception | None = None
) -> Failing:
    made = Failing(getattr(owner, name), error or StoreError(f"the disk refuses {name}"))
    monkeypatch.setattr(owner, name, made)
    return made


# --- sources --------------------------------------------------------------------------------------


def test_a_source_that_is_away_at_the_start_is_waited_for(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource([CALLS])
    source.unavailable = True
    reading(monkeypatch, source)
    monkeypatch.setattr("monitor.running.resume.RECONNECT_S", 0.05)
    with threaded(folder) as running:
        eventually(lambda: "source" in running.unready(), "not ready")
        assert said(folder, "started") == []
        source.append(CALLS, [call(GOOD)], timestamp_ms=now_ms())
        source.unavailable = False
        running.ready()
        eventually(lambda: running.picture.stats.records, "read")
    assert len(said(folder, "source_unavailable")) == 1, "said once"
    assert len(said(folder, "source_available_again")) == 1


def test_a_source_that_goes_away_and_comes_back(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource([CALLS])
    reading(monkeypatch, source)
    monkeypatch.setattr("monitor.running.resume.RECONNECT_S", 0.05)
    with threaded(folder) as running:
        running.ready()
        source.unavailable = True
        eventually(lambda: "source" in running.unready(), "not ready")
        source.unavailable = False
        running.ready()
        source.append(CALLS, [call(GOOD)])
        eventually(lambda: running.picture.stats.records, "read")


def test_stopped_while_the_source_is_away_it_forgets_no_position(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.call(GOOD, count=3)
    with threaded(folder) as running:
        eventually(lambda: running.picture.stats.records, "read")
        running.ready()
    checkpoints = Checkpoints(folder.root / "checkpoints")
    before = checkpoints.load()
    assert before is not None
    ((_, _, position),) = before["engine"]["positions"]
    assert position == folder.events.stat().st_size

    away = MemorySource([CALLS])
    away.unavailable = True
    with monkeypatch.context() as patched:
        reading(patched, away)
        with threaded(folder) as running:
            eventually(lambda: "source" in running.unready(), "not ready")
    after = checkpoints.load()
    assert after is not None
    assert after["engine"]["positions"] == before["engine"]["positions"]
    with threaded(folder) as running:
        running.ready()
        running.ticks_on()
        assert not running.picture.stats.records, "nothing is read twice"


def test_windows_of_a_log_that_is_cut_off_warm_up(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource([CALLS])
    source.append(CALLS, [call(BAD, bad=True)] * 9, timestamp_ms=now_ms())
    source.delete_before(CALLS, 3)
    reading(monkeypatch, source)
    folder.write(time={**folder.config["time"], "lateness": "0s", "max_ahead": "4s"})
    with threaded(folder) as running:
        running.ready()
        covered = {(f.window, f.covered) for f in running.picture.figures}
        assert ("1m", False) in covered
    # The same after a restart: what the log lacked does not come back by itself.
    reading(monkeypatch, source.reopened())
    with threaded(folder) as running:
        running.ready()
        assert ("1m", False) in {(f.window, f.covered) for f in running.picture.figures}


def test_far_behind_it_is_not_ready(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()

    class Slow(MemorySource):
        def poll(self, *arguments: Any, **options: Any) -> Any:
            return super().poll(*arguments, **options) if hold.wait(0.05) else []

    slow = Slow([CALLS])
    slow.append(CALLS, [call(GOOD, at_ms=now_ms() - 60_000)], timestamp_ms=now_ms())
    reading(monkeypatch, slow)
    with threaded(folder) as running:
        eventually(lambda: running.unready() == {"catching_up": "at the beginning"}, "not ready")
        hold.set()
        running.ready()


# --- disks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name", "what"),
    [
        (Checkpoints, "save", "checkpoint"),
        (Outbox, "counts", "outbox"),
        (History, "prune", "prune"),
    ],
    ids=["checkpoint", "outbox", "prune"],
)
def test_what_can_wait_stops_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, what: str
) -> None:
    refusing = failing(monkeypatch, owner, name)
    monkeypatch.setattr("monitor.running.keep.PRUNE_EVERY_S", 0.05)
    with threaded(folder) as running:
        running.ready()
        refusing.on.set()
        eventually(lambda: refusing.raised > 1, "it is tried again")
        folder.flag()
        eventually(lambda: running.commands(FLAGGED), "it decides")
        assert running.unready() == {}
        refusing.on.clear()
        eventually(
            lambda: [e for e in said(folder, "store_accepts_again") if e["what"] == what], "over"
        )
    (once,) = [entry for entry in said(folder, "store_refuses") if entry["what"] == what]
    assert once["detail"] == f"the disk refuses {name}"


def test_a_last_checkpoint_that_fails_is_no_failure(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = failing(monkeypatch, Checkpoints, "save")
    with threaded(folder) as running:
        running.ready()
        refusing.on.set()
    assert said(folder, "stopped")


def test_a_reload_that_cannot_be_journaled_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = failing(monkeypatch, Journal, "append")
    with threaded(folder) as running:
        running.ready()
        before = running.picture.config_hash
        folder.write(logs={"level": "debug"})
        refusing.on.set()
        assert running.reload() == "refused"
        refusing.on.clear()
        running.ticks_on()
        assert running.picture.config_hash == before
        assert running.reload() == "ok"


def test_damaged_checkpoints_cost_reading_again_and_nothing_else(folder: Folder) -> None:
    folder.call(BAD, bad=True, count=8)
    with threaded(folder) as running:
        eventually(lambda: running.commands(BAD), "a suspension")
        running.ready()
        ids = {decision.id for decision in running.decisions()}
    for path in (folder.root / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-7])
    with threaded(folder) as running:
        running.ready()
        eventually(lambda: running.picture.stats.records, "read again")
        running.ticks_on()
        again = {decision.id for decision in running.decisions()}
        assert not ids & again, "what was decided is not told again"
    assert said(folder, "checkpoints_unreadable")


# --- start and stop -------------------------------------------------------------------------------


def test_without_an_exporter(folder: Folder) -> None:
    folder.write(exporter={"enabled": False})
    with threaded(folder) as running:
        running.ready()
        assert running.daemon.port is None


def test_the_port_is_told(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        url = f"http://127.0.0.1:{running.daemon.port}/status"
        assert web.get(url, timeout=5).json()["ready"]


def test_a_port_in_use_leaves_nothing_behind(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        folder.write(exporter={"port": running.daemon.port}, store={"path": "x.db"})
        second = Threaded(folder)
        second.stop()
        assert isinstance(second.failure, UsageError)
        assert "cannot listen" in str(second.failure)
    assert not Path("x.db").exists()


def test_a_second_daemon_lets_go_of_its_port(folder: Folder) -> None:
    with threaded(folder) as running:
        running.ready()
        port = free_port()
        folder.write(exporter={"port": port})
        second = Threaded(folder)
        second.stop()
        assert isinstance(second.failure, StoreError)
        with pytest.raises(httpx.ConnectError):
            web.get(f"http://127.0.0.1:{port}/healthz", timeout=5)


def test_a_missing_token_is_said_before_anything_begins(folder: Folder) -> None:
    folder.write(exporter={"port": 0, "token_env": "TOKEN"})
    environ: Mapping[str, str] = {}
    daemon = Daemon(load_site(folder.path), path=folder.path, environ=environ)
    with pytest.raises(UsageError, match="TOKEN"):
        daemon.run()
    assert not folder.store.exists()


def test_an_organisation_table_tells_where_agents_belong(folder: Folder) -> None:
    events = {**folder.config["events"], "organisation": {"team-7": {"group-7": ["agent-7"]}}}
    folder.write(events=events)
    with threaded(folder) as running:
        running.ready()
        (place,) = running.picture.agents
        assert (place.agent, place.group, place.team) == ("agent-7", "group-7", "team-7")


def test_a_source_that_can_never_be_read_ends_it(folder: Folder) -> None:
    folder.write(source={"kind": "files", "paths": [str(folder.root / "no.jsonl")]})
    running = Threaded(folder)
    eventually(lambda: not running.alive, "the end")
    assert "no.jsonl cannot be read" in str(running.failure)

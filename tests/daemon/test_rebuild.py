"""Checkpoints that are gone: numbers and episodes come from the store, windows from the log."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.decisions import Alert, Command
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.cli.program import monitor
from tests.daemon.folder import BAD, FLAGGED, GOOD, Folder
from tests.daemon.running import Process, eventually, process
from tests.deploy.tools import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(
        tmp_path,
        telephony={"kind": "log"},
        exporter={"port": free_port()},
        pools={"defaults": {"max_fraction": "100%"}},
    )
    made.write()
    return made


def commands(folder: Folder) -> list[Command]:
    """Every command, oldest first."""
    with Store.open(StoreSettings(path=folder.store), SystemClock(), daemon=False) as store:
        return sorted(store.history.commands(limit=100), key=lambda each: each.at_ms)


def actions(folder: Folder, number: str) -> list[str]:
    return [each.action for each in commands(folder) if each.number == number]


def firing(folder: Folder) -> set[str]:
    """Episodes that the store has firing, of the team."""
    with Store.open(StoreSettings(path=folder.store), SystemClock(), daemon=False) as store:
        found: list[Alert] = [each.alert for each in store.episodes.current(resolved_since_ms=0)]
    return {alert.episode for alert in found if alert.state == "firing" and alert.rule == "team"}


def lose_checkpoints(folder: Folder, *, log_too: bool) -> None:
    shutil.rmtree(folder.root / "checkpoints")
    if log_too:
        folder.events.unlink()
        shutil.rmtree(folder.root / "bookmarks", ignore_errors=True)


def die(running: Process) -> None:
    assert running.process is not None
    os.kill(running.pid, signal.SIGKILL)
    running.process.wait(60)


@pytest.mark.parametrize("log_too", [False, True], ids=["with the log", "without"])
def test_a_suspension_outlives_the_checkpoints(folder: Folder, *, log_too: bool) -> None:
    with process(folder) as running:
        running.ready()
        folder.call(GOOD, count=3)
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended")
        folder.call(GOOD)
        saved = running.status()["checkpoint"]["saved"]
        eventually(lambda: running.status()["checkpoint"]["saved"] > saved, "a checkpoint")
        die(running)
        lose_checkpoints(folder, log_too=log_too)
        running.start().ready()
        (said,) = running.logged("rebuilding")
        assert said["out_of_service"] == 1
        assert running.standing() == {FLAGGED: "suspended"}
        folder.call(GOOD)
        folder.flag(kind="number.cleared")
        eventually(lambda: running.standing() == {}, "back in service")
        assert actions(folder, FLAGGED) == ["suspend", "resume"]
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended again")
        assert actions(folder, FLAGGED) == ["suspend", "resume", "suspend"]
        assert len({each.id for each in commands(folder)}) == 3


def test_a_person_can_end_it_too(folder: Folder) -> None:
    with process(folder) as running:
        running.ready()
        folder.flag()
        eventually(lambda: running.standing().get(FLAGGED) == "suspended", "suspended")
        saved = running.status()["checkpoint"]["saved"]
        eventually(lambda: running.status()["checkpoint"]["saved"] > saved, "a checkpoint")
        assert running.end() == 0
        lose_checkpoints(folder, log_too=True)
        running.start().ready()
        folder.call(GOOD)
        done = monitor("numbers", "resume", FLAGGED, "--why", "it is fine", "-c", folder.path)
        assert done.status == 0, done.err
        eventually(lambda: running.standing() == {}, "back in service")
        assert actions(folder, FLAGGED) == ["suspend", "resume"]


def test_an_episode_that_nobody_knows_any_more_ends(folder: Folder) -> None:
    with process(folder) as running:
        running.ready()
        folder.call(BAD, bad=True, count=8)
        eventually(lambda: firing(folder), "the team's alert")
        die(running)
        lose_checkpoints(folder, log_too=True)
        running.start().ready()
        folder.call(GOOD)
        eventually(lambda: not firing(folder), "it ends")
        assert running.logged("rebuilt")

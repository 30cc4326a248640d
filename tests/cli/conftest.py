"""A site in a folder, a store that a daemon has left, and recorded events."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.decisions import Decision, NumberChange
from monitor.store.outbox import PlannedDelivery, Settled
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.cli.program import monitor
from tests.daemon.folder import Folder
from tests.deploy.tools import free_port

START = "2026-11-22T09:00+08:00"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A site whose daemon does not run; commands are given in its folder."""
    made = Folder(tmp_path, exporter={"port": free_port()})
    made.write()
    monkeypatch.chdir(tmp_path)
    return made


@dataclass(frozen=True)
class Left:
    """The store of a daemon that has ended."""

    settings: StoreSettings

    def open(self) -> Store:
        """As the daemon."""
        return Store.open(self.settings, SystemClock())

    def record(self, *decisions: Decision, changes: tuple[NumberChange, ...] = ()) -> None:
        with self.open() as store:
            store.record(Recording(decisions, changes=changes))

    def park(self, *decisions: Decision, receiver: str = "log", key: str = "k") -> list[int]:
        """Decisions that ``receiver`` has refused; their deliveries' numbers."""
        return self._deliver("parked", decisions, receiver, key)

    def send(self, *decisions: Decision, receiver: str = "log", key: str = "k") -> list[int]:
        """Decisions that ``receiver`` has taken."""
        return self._deliver("sent", decisions, receiver, key)

    def _deliver(
        self, ending: str, decisions: tuple[Decision, ...], receiver: str, key: str
    ) -> list[int]:
        ended: list[int] = []
        with self.open() as store:
            for decision in decisions:
                plan = [PlannedDelivery(decision.id, receiver, key)]
                store.record(Recording([decision], plan))
                (claimed,) = store.outbox.claim(receiver, limit=1)
                outcome = (
                    Settled(claimed.seq, "parked", "status_4xx")
                    if ending == "parked"
                    else Settled(claimed.seq, "sent")
                )
                store.outbox.settle([outcome])
                ended.append(claimed.seq)
        return ended


@pytest.fixture
def left(folder: Folder) -> Left:
    """A daemon has run here, and does not any more."""
    made = Left(StoreSettings(path=folder.store, checkpoints=folder.root / "checkpoints"))
    made.record()
    return made


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty minutes of a number going bad, on the shipped pack."""
    path = tmp_path_factory.mktemp("recorded") / "events.jsonl"
    options = ("--for", "20m", "--rate", "20", "--start", START)
    done = monitor("simulate", "-s", "number-going-bad", "--to", f"file:{path}", *options)
    assert done.status == 0, done.err
    return path


@pytest.fixture(scope="session")
def decided(recorded: Path) -> list[dict[str, Any]]:
    """What the shipped pack decides on them."""
    with contextlib.chdir(recorded.parent):
        done = monitor("replay", "--from", recorded)
    assert done.status == 0, done.err
    return done.lines

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from monitor import logs
from tests.daemon.folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures come as often as tests look at them."""
    monkeypatch.setattr("monitor.running.standing.PUBLISH_EVERY_S", 0.02)


@pytest.fixture(autouse=True)
def _log(tmp_path: Path) -> Iterator[None]:
    """What a daemon in this process logs, in a file."""
    with (tmp_path / "log.txt").open("w", encoding="utf-8") as file:
        logs.configure(stream=file, json=True)
        yield
        structlog.reset_defaults()

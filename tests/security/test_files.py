"""What the daemon and its commands write is not for everybody on the machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import monitor
from tests.daemon.folder import FLAGGED, Folder
from tests.daemon.running import eventually, process
from tests.deploy.tools import free_port


@pytest.fixture
def careless() -> Iterator[None]:
    """A shell whose new files are open to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("careless")
def test_no_file_of_the_daemon_is_open_to_others(tmp_path: Path) -> None:
    folder = Folder(tmp_path, exporter={"port": free_port()})
    folder.write()
    ours = {*tmp_path.rglob("*"), folder.events}
    with process(folder) as running:
        running.ready()
        with folder.events.open("a") as file:
            file.write("no JSON\n")
        folder.flag(FLAGGED)
        eventually((tmp_path / "dead.jsonl").exists, "a dead letter")
        eventually(lambda: any((tmp_path / "checkpoints").iterdir()), "a checkpoint")
        archive = tmp_path / "monitor.tar.zst"
        assert monitor("backup", archive, "-c", folder.path).status == 0
        running.end()
    assert monitor("restore", archive, "-c", folder.path).status == 0
    made = [
        path
        for path in tmp_path.rglob("*")
        if path not in ours and path not in {running.out, running.err}
    ]
    names = {path.name for path in made}
    assert {"monitor.db", "checkpoints", "dead.jsonl", "bookmarks", archive.name} <= names
    for path in made:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & stat.S_IRWXO == 0, f"{path}: {mode:o}"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

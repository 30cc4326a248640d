"""``monitor backup`` and ``monitor restore``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Left
from tests.cli.program import monitor
from tests.store.made import alert


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "monitor.tar.zst"


def test_there_and_back(left: Left, archive: Path) -> None:
    archive.parent.mkdir()
    left.record(alert(60_000))
    done = monitor("backup", archive)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{archive}: 0.0 MB, schema version 4, 0 checkpoints\n"
    left.record(alert(90_000))
    done = monitor("restore", archive)
    assert (done.status, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first.startswith(f"{left.settings.path}: as of ")
    assert first.endswith(", schema version 4, 0 checkpoints")
    assert second == f"what was there before: {left.settings.path}.replaced"
    with left.open() as store:
        assert store.history.alerts() == [alert(60_000)]


def test_as_json(left: Left, archive: Path) -> None:
    archive.parent.mkdir()
    made = monitor("backup", archive, "--json").json
    assert monitor("restore", archive, "--json").json == made
    assert (made["format"], made["schema_version"]) == (2, 4)
    (database,) = made["files"]
    assert database["name"] == "store.db"
    assert len(database["sha256"]) == 64
    assert left.settings.path.stat().st_size == database["size"]


@pytest.mark.usefixtures("folder")
def test_what_is_wrong_is_said_in_a_line(archive: Path) -> None:
    done = monitor("backup", archive)
    assert done.status == 2
    assert done.err.startswith("monitor: store ")
    assert "there is none: has the daemon run with this configuration?" in done.err
    done = monitor("restore", archive)
    assert done.status == 2
    assert "does not exist" in done.err
    assert done.out == ""


def test_a_daemon_that_runs_is_left_alone(left: Left, archive: Path) -> None:
    archive.parent.mkdir()
    with left.open():
        assert monitor("backup", archive).status == 0
        done = monitor("restore", archive)
    assert done.status == 2
    assert "another daemon uses it" in done.err

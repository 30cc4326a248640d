"""Checkpoints made of several files, of which one is damaged, gone, left over or another's."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.errors import CheckpointError, StoreError
from monitor.sealed import Sealed
from monitor.store.checkpoint import Checkpoints, CheckpointStore
from monitor.store.checkpoint_format import Kind
from monitor.store.settings import StoreSettings
from monitor.store.shelf import Blob, Folder
from tests.store.parts import damage, load, noise, numbers, opened, part, path_of, plain
from tests.store.stores import KINDS, settings_of
from tests.store.test_checkpoint import same

FIXTURES = Path(__file__).parents[1] / "fixtures" / "upgrade"


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("database_url")
    return settings_of(tmp_path, url)


@pytest.fixture
def checkpoints(settings: StoreSettings) -> Iterator[CheckpointStore]:
    checkpoints = opened(settings)
    yield checkpoints
    checkpoints.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ck"


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.fixture
def in_files(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path)


def test_a_damaged_part_is_found_and_the_older_checkpoint_is_read(in_files: StoreSettings) -> None:
    checkpoints = opened(in_files)
    one = part(seed=1)
    checkpoints.save({"number": 1, "parts": [one]})
    checkpoints.save({"number": 2, "parts": [one, part(seed=2)]})
    damage(in_files, "parts", 2)
    with capture_logs() as logs:
        loaded = load(in_files)
    assert loaded["number"] == 1
    (line,) = logs
    assert line["event"] == "checkpoint_unreadable"
    assert line["checkpoint"].endswith("checkpoint-000000000002.ckpt")
    assert "parts-000000000002.ckpt: its checksum is wrong" in line["detail"]


@pytest.mark.parametrize("how", ["damaged", "gone", "another"])
def test_when_both_need_the_part_none_can_be_read(in_files: StoreSettings, how: str) -> None:
    checkpoints = opened(in_files)
    one = part()
    checkpoints.save({"number": 1, "parts": [one]})
    checkpoints.save({"number": 2, "parts": [one]})
    path = path_of(in_files, "parts", 1)
    if how == "damaged":
        damage(in_files, "parts", 1)
    elif how == "gone":
        path.unlink()
    else:
        elsewhere = Checkpoints(in_files.path.parent / "other")
        elsewhere.save({"parts": [part(seed=9)]})
        shutil.copy(in_files.path.parent / "other" / path.name, path)
    reader = opened(in_files)
    message = {
        "damaged": "its checksum is wrong",
        "gone": "it cannot be read: No such file",
        "another": "these are other parts than the checkpoint refers to",
    }[how]
    with pytest.raises(
        CheckpointError, match=f"none|no checkpoint can be read: .*1.ckpt: {message}"
    ):
        reader.load()
    reader.save({"number": 3, "parts": [one]})
    loaded = load(in_files)
    assert same(plain(loaded), {"number": 3, "parts": [plain(one)]})
    assert numbers(in_files, "root") == [3], "the two that nobody can read are gone"


@pytest.mark.parametrize("spoilt", ["root", "parts"])
def test_the_one_that_could_be_read_stays_until_there_are_two_after_it(
    settings: StoreSettings, checkpoints: CheckpointStore, spoilt: Kind
) -> None:
    """A damaged one is no reason to let a sound one go."""
    checkpoints.save({"number": 1, "parts": [part(seed=1)]})
    checkpoints.save({"number": 2, "parts": [part(seed=2)]})
    damage(settings, spoilt, 2)
    reader = opened(settings)
    loaded = reader.load()
    assert loaded is not None
    assert loaded["number"] == 1
    reader.save({"number": 3, "parts": [part(seed=3)]})
    assert numbers(settings, "root") == [1, 3]
    damage(settings, "root", 3)
    older = load(settings)
    assert older["number"] == 1
    reader.save({"number": 4, "parts": [part(seed=4)]})
    assert numbers(settings, "root")[-1] == 4
    reader.close()


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_disk_that_refuses_leaves_what_there_was_and_the_next_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """At the parts, at the root, and when both are there under their names."""
    checkpoints, array = Checkpoints(folder), noise(1_000)
    checkpoints.save({"number": 1, "m": array.copy()})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    real, calls = os.fsync, [0]

    def full(handle: int) -> None:
        calls[0] += 1
        if calls[0] == at + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    array[7] = 7
    state = {"number": 2, "m": array.copy(), "part": part()}
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="cannot be written: No space left on device"):
            checkpoints.save(state)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    checkpoints.save(state)
    loaded = Checkpoints(folder).load()
    assert loaded is not None
    assert same(plain(loaded), plain(state))


def test_what_a_dead_process_left_goes_with_the_next(folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    checkpoints.save({"number": 1, "part": part()})
    path = Folder(folder).path
    for number in (2, 5):  # its parts were there, its root was not yet; its old files were still
        shutil.copy(path(Blob("parts", 1)), path(Blob("parts", number)))
    reader = Checkpoints(folder)
    state = reader.load()
    assert state is not None
    for _ in range(2):
        reader.save(state)
    assert sorted(Folder(folder).sizes()) == [
        Blob("parts", 1),
        Blob("root", 6),
        Blob("root", 7),
    ]


def test_a_file_that_cannot_be_removed_is_told_and_tried_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(folder)
    for number in (1, 2):
        checkpoints.save({"number": number})
    real = Path.unlink

    def refused(self: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self), missing_ok)

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(Path, "unlink", refused)
        checkpoints.save({"number": 3})
    assert [line["event"] for line in logs] == ["checkpoint_not_removed"]
    assert Path.unlink is real
    checkpoints.save({"number": 4})
    assert sorted(Folder(folder).sizes()) == [Blob("root", 3), Blob("root", 4)]


def test_who_has_not_read_them_keeps_what_they_may_need(settings: StoreSettings) -> None:
    """One that was never asked to read knows nothing of the parts that the others refer to."""
    first = opened(settings)
    first.save({"part": part()})
    first.save({"part": part(seed=2)})
    other = opened(settings)
    other.save({"number": 3})
    damage(settings, "root", 3)
    loaded = load(settings)
    assert same(plain(loaded), {"part": plain(part(seed=2))})
    other.save({"number": 4})
    other.save({"number": 5})
    assert (len(numbers(settings, "root")), numbers(settings, "parts")) == (2, [])
    for each in (first, other):
        each.close()


# --- older formats, and what belongs together -----------------------------------------------------


def test_a_checkpoint_of_format_1_is_read_and_followed_by_others(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(FIXTURES / "layout-3.ckpt", folder / "checkpoint-000000000007.ckpt")
    checkpoints = Checkpoints(folder)
    state = checkpoints.load()
    assert state is not None
    assert state["layout"] == 3
    checkpoints.verify()
    checkpoints.save({"engine": state, "part": part()})
    checkpoints.save({"number": 2, "part": part()})
    assert sorted(Folder(folder).sizes()) == [
        Blob("parts", 8),
        Blob("parts", 9),
        Blob("root", 8),
        Blob("root", 9),
    ]


def test_a_root_that_refers_to_what_it_does_not_name_is_an_error(folder: Path) -> None:
    one, other = Checkpoints(folder / "one"), Checkpoints(folder / "other")
    shared = Sealed(["x"])
    one.save({"part": shared})
    other.save({"part": Sealed(["y"]), "more": Sealed(["z"])})
    other.save({"more": Sealed(["z"])})
    # The parts of one under the root of the other: the root names their checksum.
    name = "parts-000000000001.ckpt"
    shutil.copy(folder / "other" / name, folder / "one" / name)
    with pytest.raises(CheckpointError, match="other parts than the checkpoint refers to"):
        Checkpoints(folder / "one").load()
    with pytest.raises(CheckpointError, match="other parts than the checkpoint refers to"):
        Checkpoints(folder / "one").verify()

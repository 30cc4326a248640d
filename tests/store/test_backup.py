"""A backup is whole or not there, and the daemon goes on meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.sealed import Sealed
from monitor.store.backup import CHECKPOINTS, DATABASE, backup, unpack
from monitor.store.checkpoint import Checkpoints, Saved
from monitor.store.restore import restore
from monitor.store.schema import VERSION
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.archives import fill
from tests.store.made import alert, command, manual, timeless
from tests.store.stores import settings_of


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar.zst"


def test_a_store_comes_back_as_it_was(
    settings: StoreSettings, archive: Path, clock: ManualClock
) -> None:
    fill(settings, clock)
    manifest = backup(settings, archive, clock)
    assert (manifest.made_ms, manifest.schema_version) == (1_000_000, VERSION)
    assert [entry.name for entry in manifest.files] == [
        DATABASE,
        f"{CHECKPOINTS}checkpoint-000000000001.ckpt",
        f"{CHECKPOINTS}checkpoint-000000000002.ckpt",
    ]
    assert archive.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in archive.parent.glob(".*")] == []  # nothing is left over

    with Store.open(settings, clock) as store:  # what happens afterwards is not in it
        store.record(Recording([alert(90_000)]))
    Checkpoints(settings.checkpoints).save({"number": 3})
    assert restore(settings, archive) == manifest
    with Store.open(settings, clock) as store:
        assert store.history.alerts() == [alert()]
        assert store.outbox.counts() == {("telephony", "queued"): 1}
        assert [timeless(claim.action) for claim in store.requests.claim(65_000)] == [manual()]
    assert Checkpoints(settings.checkpoints).load() == {"number": 2}


def test_it_comes_back_on_another_machine(
    settings: StoreSettings, archive: Path, clock: ManualClock, tmp_path: Path
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    other = settings_of(tmp_path / "other")
    restore(other, archive)
    with Store.open(other, clock) as store:
        assert store.history.commands() == [command()]
    assert Checkpoints(other.checkpoints).load() == {"number": 2}
    assert not list(other.path.parent.glob("*.replaced*"))


def test_what_was_there_stays_beside_it(
    settings: StoreSettings, archive: Path, clock: ManualClock
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    for at in (90_000, 95_000):
        with Store.open(settings, clock) as store:
            store.record(Recording([alert(at)]))
        Checkpoints(settings.checkpoints).save({"number": at})
        restore(settings, archive)
        path = settings.path.with_name("monitor.db.replaced")
        replaced = StoreSettings(path=path, checkpoints=settings.checkpoints / "replaced")
        with Store.open(replaced, clock, daemon=False) as store:
            assert store.history.alerts() == [alert(at), alert()]
        assert Checkpoints(replaced.checkpoints).load() == {"number": at}


def test_the_daemon_writes_on_while_a_backup_is_made(
    settings: StoreSettings, archive: Path, clock: ManualClock, tmp_path: Path
) -> None:
    """And the database is never behind the checkpoints, which say up to where it has judged."""
    stop, made = threading.Event(), threading.Event()
    checkpoints = Checkpoints(settings.checkpoints)

    def work() -> None:
        with Store.open(settings, clock) as store:
            number = 0
            while not stop.is_set():
                number += 1
                store.record(Recording([alert(number * 5_000)], judged_to_ms=number * 5_000))
                checkpoints.save({"judged": number * 5_000})
                made.set()

    daemon = threading.Thread(target=work)
    daemon.start()
    try:
        assert made.wait(30)
        for turn in range(8):
            backup(settings, archive, clock)
            copy = settings_of(tmp_path / f"copy{turn}")
            restore(copy, archive)
            state = Checkpoints(copy.checkpoints).load()
            assert state is not None
            with Store.open(copy, clock) as store:
                judged = store.journal.judged_to_ms() or 0
                assert judged >= state["judged"] > 0
                assert len(store.history.alerts(limit=100_000)) * 5_000 == judged
    finally:
        stop.set()
        daemon.join()


def test_checkpoints_that_go_while_they_are_copied_are_looked_for_again(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    real: Callable[..., Any] = Path.open
    daemon = Checkpoints(settings.checkpoints)
    part, saved = Sealed(["x"]), list[Saved]()

    def slow(path: Path, *arguments: Any) -> Any:
        found = real(path, *arguments)
        if "ckpt" in path.suffix and len(saved) < 3:
            # The daemon saves meanwhile: it adds one, and removes the oldest.
            saved.append(Saved(0, 0))
            saved[-1] = daemon.save({"number": 2 + len(saved), "part": part})
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", slow)
        made = backup(settings, archive, clock)
    assert len(saved) == 3
    names = [f"parts-{3:012d}.ckpt", *(f"checkpoint-{number:012d}.ckpt" for number in (4, 5))]
    assert [entry.name for entry in made.files[1:]] == [CHECKPOINTS + name for name in names]
    restore(settings, archive)
    state = Checkpoints(settings.checkpoints).load()
    assert state is not None
    assert (state["number"], state["part"].content()) == (5, ["x"])


def test_checkpoints_that_never_stand_still_are_an_error(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    real: Callable[..., Any] = Path.open

    def vanished(path: Path, *arguments: Any) -> Any:
        if path.suffix == ".ckpt":
            raise FileNotFoundError(path)
        return real(path, *arguments)

    monkeypatch.setattr(Path, "open", vanished)
    with pytest.raises(StoreError, match="they come and go too fast"):
        backup(settings, archive, clock)
    assert not archive.exists()


def test_what_is_gone_when_it_is_copied_was_open(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    real: Callable[..., Any] = shutil.copyfileobj

    def slow(*arguments: Any) -> None:
        for path in Checkpoints(settings.checkpoints).paths():
            path.unlink()
        real(*arguments)

    monkeypatch.setattr(shutil, "copyfileobj", slow)
    backup(settings, archive, clock)
    restore(settings, archive)
    assert Checkpoints(settings.checkpoints).load() == {"number": 2}


def test_unpacking_gives_the_files_as_they_are(
    settings: StoreSettings, archive: Path, clock: ManualClock, tmp_path: Path
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    folder = tmp_path / "unpacked"
    folder.mkdir()
    manifest = unpack(archive, folder)
    for entry in manifest.files:
        assert (folder / entry.name).stat().st_size == entry.size
    name = "checkpoint-000000000002.ckpt"
    kept = folder / CHECKPOINTS / name
    assert kept.read_bytes() == (settings.checkpoints / name).read_bytes()


# --- refused --------------------------------------------------------------------------------------


def test_there_is_nothing_to_back_up(
    settings: StoreSettings, archive: Path, clock: ManualClock
) -> None:
    with pytest.raises(StoreError, match="there is none: has the daemon run"):
        backup(settings, archive, clock)
    assert not archive.exists()


def test_a_store_in_postgresql_has_tools_of_its_own(
    tmp_path: Path, archive: Path, clock: ManualClock
) -> None:
    shared = settings_of(tmp_path, "postgresql://u@h/d")
    with pytest.raises(StoreError, match="use pg_dump"):
        backup(shared, archive, clock)
    with pytest.raises(StoreError, match="use pg_restore"):
        restore(shared, archive)


def test_a_damaged_store_is_not_passed_off_as_a_backup(
    settings: StoreSettings, archive: Path, clock: ManualClock
) -> None:
    archive.write_bytes(b"the last good one")
    with Store.open(settings, clock) as store:
        store.record(Recording([alert(5_000 * n) for n in range(1, 500)]))
    content = bytearray(settings.path.read_bytes())
    for start in range(2 * 4096, len(content) - 4096, 4096):
        content[start : start + 200] = b"\xff" * 200
    settings.path.write_bytes(content)
    with pytest.raises(StoreError, match="it is damaged"):
        backup(settings, archive, clock)
    assert archive.read_bytes() == b"the last good one"


def test_a_full_disk_leaves_the_last_backup(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    archive.write_bytes(b"the last good one")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="cannot be written: No space left on device"):
        backup(settings, archive, clock)
    assert archive.read_bytes() == b"the last good one"
    assert [path.name for path in archive.parent.glob(".*")] == []
    with pytest.raises(StoreError, match=r"none/b: it cannot be written: No such file"):
        backup(settings, archive.parent / "none" / "b", clock)

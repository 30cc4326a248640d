"""Nothing is touched before a backup is known to be sound; interrupted, it is to be run again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.store import restore as restoring
from monitor.store.backup import CHECKPOINTS, DATABASE, MANIFEST, backup
from monitor.store.checkpoint import Checkpoints
from monitor.store.lock import mark_of_restore
from monitor.store.restore import restore
from monitor.store.schema import VERSION
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.archives import contents, fill, rewritten
from tests.store.made import alert
from tests.store.stores import settings_of


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar.zst"


def test_a_running_daemon_is_not_pulled_the_rug_from_under(
    settings: StoreSettings, archive: Path, clock: ManualClock
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    with Store.open(settings, clock) as store:
        store.record(Recording([alert(90_000)]))
        with pytest.raises(StoreError, match="another daemon uses it"):
            restore(settings, archive)
        assert len(store.history.alerts()) == 2
        assert store.record(Recording([alert(95_000)])) == [alert(95_000)]


def test_a_daemon_does_not_start_while_a_backup_is_put_back(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    real: Callable[..., None] = restoring._replace
    refused: list[str] = []

    def replace(*arguments: Any) -> None:
        with pytest.raises(StoreError) as error:
            Store.open(settings, clock)
        refused.append(str(error.value))
        real(*arguments)

    monkeypatch.setattr(restoring, "_replace", replace)
    restore(settings, archive)
    assert "another daemon uses it" in refused[0]


def manifest_with(members: dict[str, bytes], **changes: Any) -> None:
    members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | changes).encode()


def flip(members: dict[str, bytes], name: str) -> None:
    data = members[name]
    members[name] = data[:-1] + bytes([data[-1] ^ 1])


CHECKPOINT = f"{CHECKPOINTS}checkpoint-000000000002.ckpt"
DAMAGE: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a flipped bit in the database": (
        lambda m: flip(m, DATABASE),
        r"store\.db is not what the manifest says",
    ),
    "a flipped bit in a checkpoint": (
        lambda m: flip(m, CHECKPOINT),
        r"000002\.ckpt is not what the manifest says",
    ),
    "no database": (lambda m: m.pop(DATABASE), r"store\.db is missing"),
    "a checkpoint that is missing": (lambda m: m.pop(CHECKPOINT), r"000002\.ckpt is missing"),
    "no manifest": (lambda m: m.pop(MANIFEST), "does not begin with a manifest"),
    "a manifest of nothing": (lambda m: m.update({MANIFEST: b"[]"}), "manifest cannot be read"),
    "a manifest that is no JSON": (lambda m: m.update({MANIFEST: b"{"}), "manifest cannot be read"),
    "a manifest without files": (
        lambda m: manifest_with(m, files=[]),
        r"holds 'store\.db', which is not of ours",
    ),
    "a newer format": (
        lambda m: manifest_with(m, format=3),
        "it has format 3, and this program knows up to 2",
    ),
    "a stranger": (lambda m: m.update({"x": b"1"}), "holds 'x', which is not of ours"),
    "a way out": (
        lambda m: m.update({"../x": b"1"}),
        r"holds '\.\./x', which is not of ours",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_wrong_backup_touches_nothing(
    settings: StoreSettings, archive: Path, clock: ManualClock, what: str
) -> None:
    change, message = DAMAGE[what]
    fill(settings, clock)
    backup(settings, archive, clock)
    rewritten(archive, change)
    before = contents(settings)
    with pytest.raises(StoreError, match=f"backup .*: .*{message}"):
        restore(settings, archive)
    assert contents(settings) == before
    assert not (archive.parent / "x").exists()


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_an_archive_that_is_cut_short(
    settings: StoreSettings, archive: Path, clock: ManualClock, part: float
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * part)])
    before = contents(settings)
    with pytest.raises(StoreError, match=r"it is damaged, or no backup|no backup of a store"):
        restore(settings, archive)
    assert contents(settings) == before


def test_a_file_that_is_no_archive(settings: StoreSettings, archive: Path) -> None:
    archive.write_bytes(b"something else altogether" * 1_000)
    with pytest.raises(StoreError, match="it is damaged, or no backup"):
        restore(settings, archive)
    with pytest.raises(StoreError, match="cannot be unpacked: No such file"):
        restore(settings, archive.with_name("none"))
    assert not settings.path.exists()


def test_a_backup_of_a_newer_program_is_refused(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    monkeypatch.setattr(restoring, "VERSION", VERSION - 1)
    before = contents(settings)
    with pytest.raises(StoreError, match=f"schema version {VERSION}, and this program knows up"):
        restore(settings, archive)
    assert contents(settings) == before


def test_a_checkpoint_that_was_damaged_when_it_was_saved_is_found(
    settings: StoreSettings, archive: Path, clock: ManualClock
) -> None:
    fill(settings, clock)
    newest = settings.checkpoints / "checkpoint-000000000002.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1])
    backup(settings, archive, clock)
    with pytest.raises(StoreError, match=r"checkpoint-0+2\.ckpt: its checksum is wrong"):
        restore(settings, archive)


def test_what_root_restores_belongs_to_whom_the_folder_belongs(
    settings: StoreSettings, archive: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    given: dict[str, tuple[int, int]] = {}

    def chown(path: Path, user: int, group: int) -> None:
        given[path.name] = (user, group)

    folder = settings.path.parent.stat()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", chown)
    restore(settings, archive)
    assert given == dict.fromkeys(
        (
            "monitor.db",
            "monitor.db.lock",
            "checkpoint-000000000001.ckpt",
            "checkpoint-000000000002.ckpt",
        ),
        (folder.st_uid, folder.st_gid),
    )
    given.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    restore(settings, archive)
    assert given == {}


# --- interrupted --------------------------------------------------------------------------------


STEPS = 7
"""Two checkpoints and the database go aside, two and the database take their place; the mark."""


class Crash(BaseException):
    """As if the power had gone."""


@pytest.mark.parametrize("step", range(STEPS))
def test_a_restore_that_is_interrupted_anywhere_is_mended_by_another(
    settings: StoreSettings,
    archive: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    fill(settings, clock)
    backup(settings, archive, clock)
    with Store.open(settings, clock) as store:
        store.record(Recording([alert(90_000)]))
    for number in (3, 4):
        Checkpoints(settings.checkpoints).save({"number": number})
    renamed, unlinked, done = Path.replace, Path.unlink, [0]

    def replace(path: Path, target: Path) -> Path:
        if done[0] == step:
            raise Crash
        done[0] += 1
        return renamed(path, target)

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path == mark_of_restore(settings.path) and done[0] == step:
            raise Crash
        unlinked(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        patched.setattr(Path, "unlink", unlink)
        with pytest.raises(Crash):
            restore(settings, archive)
    with pytest.raises(StoreError, match="interrupted half way: run `monitor restore` again"):
        Store.open(settings, clock)
    restore(settings, archive)
    with Store.open(settings, clock) as store:
        assert store.history.alerts() == [alert()]
    assert numbers(settings.checkpoints) == [1, 2]
    # What there was before the first attempt is kept, and nothing of the backup is among it.
    path = settings.path.with_name("monitor.db.replaced")
    with Store.open(StoreSettings(path=path), clock, daemon=False) as store:
        assert store.history.alerts() == [alert(90_000), alert()]
    assert numbers(settings.checkpoints / "replaced") == [3, 4]


def numbers(folder: Path) -> list[int]:
    return [int(path.stem.removeprefix("checkpoint-")) for path in Checkpoints(folder).paths()]

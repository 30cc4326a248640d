"""A backup is whole or not there, and nothing is touched before it is known to be sound."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from monitor.clock import ManualClock
from monitor.errors import StoreError
from monitor.store import restore as restoring
from monitor.store.backup import CHECKPOINTS, DATABASE, MANIFEST, backup, unpack
from monitor.store.checkpoint import Checkpoints
from monitor.store.lock import mark_of_restore
from monitor.store.outbox import PlannedDelivery
from monitor.store.restore import restore
from monitor.store.schema import VERSION
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.store.made import alert, command, manual
from tests.store.stores import settings_of


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar.zst"


def fill(settings: StoreSettings, clock: ManualClock, *, number: int = 1) -> None:
    """A store with something of everything, and two checkpoints."""
    with Store.open(settings, clock) as store:
        plan = [PlannedDelivery(command().id, "telephony", command().number)]
        store.record(Recording([alert(), command()], plan, judged_to_ms=60_000))
        store.requests.put(manual())
    checkpoints = Checkpoints(settings.checkpoints)
    for each in (number, number + 1):
        checkpoints.save({"number": each})


def contents(settings: StoreSettings) -> dict[str, bytes]:
    """Every file of the store, but what only says that somebody has been there."""
    roots = (settings.path.parent, settings.checkpoints)
    return {
        str(path): path.read_bytes()
        for root in roots
        if root.exists()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


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
        assert [claim.action for claim in store.requests.claim(65_000)] == [manual()]
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
    real: Callable[..., Any] = shutil.copyfile
    saved: list[int] = []

    def slow(source: Path, target: Path) -> Any:
        if len(saved) < 2:  # the daemon saves meanwhile, and removes the oldest
            saved.append(Checkpoints(settings.checkpoints).save({"number": 3 + len(saved)}))
        return real(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow)
    names = [entry.name for entry in backup(settings, archive, clock).files[1:]]
    assert len(saved) == 2
    assert names == [f"{CHECKPOINTS}checkpoint-{number:012d}.ckpt" for number in (3, 4)]


# --- refused, with nothing touched --------------------------------------------------------------


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


def rewritten(archive: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """The archive with its members changed, packed as it was."""
    members: dict[str, bytes] = {}
    with archive.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        unpacked = io.BytesIO(stream.read())
    with tarfile.open(fileobj=unpacked) as plain:
        for member in plain:
            content = plain.extractfile(member)
            assert content is not None
            members[member.name] = content.read()
    change(members)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as made:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            made.addfile(header, io.BytesIO(data))
    archive.write_bytes(zstandard.compress(packed.getvalue()))


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
        lambda m: manifest_with(m, format=2),
        "it has format 2, and this program knows up to 1",
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


# --- interrupted --------------------------------------------------------------------------------


STEPS = 6
"""Two checkpoints and the database go aside; two checkpoints and the database take their place."""


class Crash(BaseException):
    """As if the power had gone."""


@pytest.mark.parametrize("step", range(STEPS + 1))
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
    Checkpoints(settings.checkpoints).save({"number": 3})
    real, done = Path.replace, [0]

    def replace(path: Path, target: Path) -> Path:
        if done[0] == step:
            raise Crash
        done[0] += 1
        return real(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        try:
            restore(settings, archive)
        except Crash:
            assert mark_of_restore(settings.path).exists()
            with pytest.raises(StoreError, match="interrupted half way: run `monitor restore`"):
                Store.open(settings, clock)
        else:
            assert step == STEPS
    restore(settings, archive)
    with Store.open(settings, clock) as store:
        assert store.history.alerts() == [alert()]
    assert Checkpoints(settings.checkpoints).load() == {"number": 2}
    # What there was before the first attempt is kept; a whole one is there to be replaced itself.
    before = ([alert(90_000), alert()], 3) if step < STEPS else ([alert()], 2)
    path = settings.path.with_name("monitor.db.replaced")
    with Store.open(StoreSettings(path=path), clock, daemon=False) as store:
        assert store.history.alerts() == before[0]
    assert Checkpoints(settings.checkpoints / "replaced").load() == {"number": before[1]}


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
    newest = settings.checkpoints / "checkpoint-000000000002.ckpt"
    assert (folder / CHECKPOINT).read_bytes() == newest.read_bytes()


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

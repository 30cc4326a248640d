"""Putting a backup in the place of the embedded store.

Owns the order in which that is safe: look whether a daemon runs, unpack beside the store, check all
of it, set a mark, move what there was aside, move the new in, take the mark away. A daemon does
not start over the mark of a restore that was interrupted; restoring again mends it. What there was
stays beside the new, once, with ``.replaced`` in its name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monitor.errors import CheckpointError, StoreError
from monitor.store.backup import (
    CHECKPOINTS,
    DATABASE,
    Manifest,
    check_database,
    refuse_shared,
    sync_directory,
    unpack,
)
from monitor.store.checkpoint import Checkpoints
from monitor.store.lock import DaemonLock, mark_of_restore
from monitor.store.schema import VERSION
from monitor.store.settings import StoreSettings

REPLACED: Final = ".replaced"
_CHECKPOINTS_REPLACED = "replaced"
_ENDS = ("-shm", "-wal", "")
"""What SQLite keeps beside a database by the ends of their names, and the database itself."""


def restore(settings: StoreSettings, source: Path) -> Manifest:
    """Put the backup ``source`` where the store is; the daemon must not run.

    Decisions made since the backup are made again from the log, and sent again with the same ids,
    as far as the log still holds their records.

    Raises:
        StoreError: a daemon runs; the store is in PostgreSQL; the backup is damaged or of a newer
            program (nothing was touched then); or the disk refused.
    """
    refuse_shared(settings, "pg_restore")
    try:
        settings.path.parent.mkdir(parents=True, exist_ok=True)
        settings.checkpoints.mkdir(parents=True, exist_ok=True)
        lock = DaemonLock(settings.path)
        try:
            with _staged(settings, source) as (folder, manifest):
                _replace(settings, folder)
        finally:
            lock.release()
    except OSError as error:
        msg = f"store {settings.path}: it cannot be restored: {error.strerror or error}"
        raise StoreError(msg) from error
    return manifest


@contextmanager
def _staged(settings: StoreSettings, source: Path) -> Iterator[tuple[Path, Manifest]]:
    """The files of the backup beside the store, checked."""
    parent = settings.path.parent
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{settings.path.name}-") as name:
        folder = Path(name)
        manifest = unpack(source, folder)
        version = check_database(folder / DATABASE)
        if version > VERSION:
            msg = (
                f"backup {source}: its store has schema version {version}, and this program knows "
                f"up to {VERSION}: run the newer program that wrote it"
            )
            raise StoreError(msg)
        try:
            Checkpoints(folder / CHECKPOINTS).verify()
        except CheckpointError as error:
            msg = f"backup {source}: {str(error).removeprefix(f'{folder}/')}"
            raise StoreError(msg) from error
        yield folder, manifest


def _replace(settings: StoreSettings, folder: Path) -> None:
    path, mark = settings.path, mark_of_restore(settings.path)
    interrupted = mark.exists()
    mark.touch()
    sync_directory(path.parent)
    _move_aside(settings, interrupted=interrupted)
    for new in Checkpoints(folder / CHECKPOINTS).paths():
        shutil.copyfile(new, unfinished := settings.checkpoints / f"{new.name}.tmp")
        unfinished.replace(settings.checkpoints / new.name)
    (folder / DATABASE).replace(path)
    _hand_over(settings)
    for directory in (settings.checkpoints, path.parent):
        sync_directory(directory)
    mark.unlink()
    sync_directory(path.parent)


def _move_aside(settings: StoreSettings, *, interrupted: bool) -> None:
    """Keep what there was. The database goes last: once it is aside, all that is left is new."""
    path, kept = settings.path, settings.checkpoints / _CHECKPOINTS_REPLACED
    if not interrupted:
        shutil.rmtree(kept, ignore_errors=True)
        for end in _ENDS:
            _beside(path, REPLACED + end).unlink(missing_ok=True)
    kept.mkdir(exist_ok=True)
    over = _beside(path, REPLACED).exists()
    for old in Checkpoints(settings.checkpoints).paths():
        old.unlink() if over else old.replace(kept / old.name)
    for end in _ENDS:
        if (part := _beside(path, end)).exists():
            part.unlink() if over else part.replace(_beside(path, REPLACED + end))


def _hand_over(settings: StoreSettings) -> None:
    """What root restores belongs to whom the directory belongs, who is to run the daemon."""
    if os.geteuid() != 0:
        return
    path = settings.path
    files = [path, DaemonLock.path_of(path), *Checkpoints(settings.checkpoints).paths()]
    for file in files:
        owner = file.parent.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)

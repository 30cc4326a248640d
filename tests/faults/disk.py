"""The disk that refuses, forgets, and dies with a half-written file on it.

Owns the faults of the store's transactions and of checkpoints. The store is the real one, on a
real file: what a crash leaves of it is for SQLite to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from monitor.errors import CheckpointError, StoreError
from monitor.store.checkpoint import Checkpoints, Saved
from monitor.store.loading import verify
from monitor.store.shelf import Folder
from monitor.store.store import Store
from tests.faults.chance import Chance

Transaction = Callable[[], AbstractContextManager[Connection]]


class Disk:
    """Whether it takes anything just now."""

    def __init__(self, chance: Chance, now_s: Callable[[], float]) -> None:
        self._chance = chance
        self._now_s = now_s
        self._full_until_s = 0.0

    def write(self, what: str) -> None:
        """Something is about to be written.

        Raises:
            StoreError: the disk is full, for a while.
        """
        if self._now_s() < self._full_until_s:
            raise StoreError("the disk is full")
        if self._chance.strikes(f"disk full at {what}", 0.006):
            self._full_until_s = self._now_s() + self._chance.pick("full for", [0.5, 3.0, 15.0])
            raise StoreError("the disk is full")

    def heal(self) -> None:
        """There is room again."""
        self._full_until_s = 0.0


def shaken(store: Store, chance: Chance, disk: Disk, between: Callable[[], None]) -> Store:
    """The store with transactions that fail; ``between`` runs after each that did not.

    A failing commit is of three kinds: nothing was kept, all of it was and nobody says so, or the
    process is gone before or after.
    """
    database = store._database
    real_write: Transaction = database.write
    real_read: Transaction = database.read

    @contextmanager
    def write() -> Iterator[Connection]:
        disk.write("store")
        chance.crash("before a transaction", 0.004)
        if chance.strikes("locked", 0.012):
            raise StoreError("another process has held it for too long")
        with real_write() as connection:
            yield connection
            chance.crash("before a commit", 0.006)
            if chance.strikes("commit undone", 0.012):
                raise StoreError("the disk does not write")
        chance.crash("after a commit", 0.012)
        if chance.strikes("commit unknown", 0.02):
            raise StoreError("the connection broke while it was being committed")
        between()

    @contextmanager
    def read() -> Iterator[Connection]:
        if chance.strikes("read fails", 0.004):
            raise StoreError("the disk does not read")
        with real_read() as connection:
            yield connection

    vars(database)["write"] = write
    vars(database)["read"] = read
    return store


class ShakyCheckpoints(Checkpoints):
    """Checkpoints whose writing can end in the middle."""

    def __init__(self, directory: Path, chance: Chance, disk: Disk, *, spare: bool) -> None:
        """``spare``: one that can be read is always left."""
        super().__init__(directory)
        self._directory = directory
        self._spare = spare
        self._chance = chance
        self._disk = disk

    def save(self, state: dict[str, Any]) -> Saved:
        """Write it; or not, or half, or without anybody hearing of it."""
        chance, before = self._chance, self._newest()
        self._disk.write("checkpoint")
        chance.crash("before a checkpoint", 0.02)
        if chance.mortal and chance.strikes("checkpoint unfinished", 0.03):
            self._directory.mkdir(parents=True, exist_ok=True)
            kind = chance.pick("unfinished", ["checkpoint", "parts"])
            (self._directory / f"{kind}-000000009999.tmp").write_bytes(b"MONCKPT\n\1")
            raise chance.die("a checkpoint was being written")
        saved = super().save(state)
        newest = self._newest()
        assert newest is not None
        assert newest != before
        chance.mortal = True
        files = [path for path in self.paths() if path.stem.endswith(newest.stem[-12:])]
        path = chance.pick("of a checkpoint", files)
        if self._may_go(path) and chance.strikes("checkpoint torn", 0.03):
            path.write_bytes(path.read_bytes()[: chance.pick("torn at", [0, 7, 20, 200])])
            raise chance.die("the directory was written before the file")
        if self._may_go(path) and chance.strikes("rename lost", 0.03):
            path.unlink()
            raise chance.die("the directory was not written")
        chance.crash("after a checkpoint", 0.02)
        return saved

    def decay(self) -> None:
        """While nobody looks: a file turns bad, or all are gone."""
        files = self.paths()
        if not files:
            return
        path = self._chance.pick("decays", [self._newest() or files[0], *files])
        if self._may_go(path) and self._chance.strikes("checkpoint decays", 0.1):
            data = bytearray(path.read_bytes())
            if data:
                data[len(data) // 2] ^= 0x10
            path.write_bytes(bytes(data))
        if not self._spare and self._chance.strikes("checkpoints gone", 0.15):
            for path in self._directory.iterdir():
                path.unlink()

    def _may_go(self, path: Path) -> bool:
        """Whether one that can be read would be left without this file."""
        return not self._spare or any(path not in needed for needed in self._sound())

    def _sound(self) -> Iterator[set[Path]]:
        """The files of each checkpoint that can be read."""
        folder = Folder(self._directory)
        for blob in folder.sizes():
            if blob.kind == "root":
                with suppress(CheckpointError):
                    needs = verify(folder, blob.number)
                    yield {folder.path(each) for each in needs}

    def _newest(self) -> Path | None:
        return max(self._directory.glob("checkpoint-*.ckpt"), default=None)

"""One daemon per store.

Owns the lock file beside the database, and the mark that a restore leaves when it is interrupted.
The operating system drops the lock when its holder dies, however it dies, so nothing is ever to be
cleaned up by hand.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from monitor.errors import StoreError


class DaemonLock:
    """Held from construction to :meth:`release`."""

    def __init__(self, store: Path) -> None:
        """Take the lock of the store at ``store``.

        Raises:
            StoreError: another process holds it, or the directory may not be written.
        """
        self._path = self.path_of(store)
        try:
            self._file: int | None = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        except OSError as error:
            msg = f"store {store}: the lock file cannot be opened: {error.strerror}"
            raise StoreError(msg) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            self.release()
            msg = f"store {store}: another daemon uses it (process {holder})"
            raise StoreError(msg) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    @staticmethod
    def path_of(store: Path) -> Path:
        """The lock file of a store."""
        return store.with_name(store.name + ".lock")

    def release(self) -> None:
        """Let go; twice is fine. The file stays: removing it would race with the next holder."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def mark_of_restore(store: Path) -> Path:
    """The file that stands beside the store while it is being replaced by a backup."""
    return store.with_name(store.name + ".restoring")


def refuse_half_restored(store: Path) -> None:
    """Say what to do where a restore was interrupted.

    Raises:
        StoreError: it was.
    """
    if mark_of_restore(store).exists():
        msg = f"store {store}: a restore was interrupted half way: run `monitor restore` again"
        raise StoreError(msg)

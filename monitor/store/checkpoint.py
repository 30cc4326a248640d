"""Checkpoints on disk: the newest two, each whole or not there.

Owns the files and the choice among them; what is in one is ``monitor.store.checkpoint_format``.
They stand apart from the decisions, so that writing a large one never makes a decision wait. A
checkpoint is written under another name, synced and renamed, so a crash leaves the last one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import structlog

from monitor.errors import CheckpointError, StoreError
from monitor.store.checkpoint_format import read, write

log = structlog.get_logger(__name__)

KEPT = 2
_SUFFIX = ".ckpt"
_UNFINISHED = ".tmp"


class CheckpointStore(Protocol):
    """Where checkpoints are kept. One thread uses it."""

    def save(self, state: dict[str, Any]) -> int:
        """Write ``state`` as the newest checkpoint; returns its size in bytes.

        Durable on return. The one before is kept, older ones are removed.

        Raises:
            CheckpointError: the state holds what a snapshot may not.
            StoreError: it cannot be written; the checkpoints there were are untouched.
        """
        ...

    def load(self) -> dict[str, Any] | None:
        """The newest state that can be read; None when none was ever saved.

        A damaged newest one is logged, and the one before it is read instead: the records since
        then are read again, and lead to the same decisions.

        Raises:
            CheckpointError: there are checkpoints, and none can be read.
            StoreError: they cannot be looked at just now.
        """
        ...

    def close(self) -> None:
        """Release what is held; twice is fine."""
        ...


class Checkpoints:
    """The checkpoints in one directory. One thread uses it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, state: dict[str, Any]) -> int:
        """See :meth:`CheckpointStore.save`."""
        known = self._numbers()
        number = known[-1] + 1 if known else 1
        target = self._path(number)
        unfinished = target.with_suffix(_UNFINISHED)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                size = write(file, state)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
            _sync_directory(self._directory)
            for old in [*known, number][:-KEPT]:
                self._path(old).unlink(missing_ok=True)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            msg = f"checkpoint {target}: cannot be written: {error.strerror or error}"
            raise StoreError(msg) from error
        except CheckpointError:
            unfinished.unlink(missing_ok=True)
            raise
        return size

    def load(self) -> dict[str, Any] | None:
        """See :meth:`CheckpointStore.load`."""
        faults: list[str] = []
        for number in reversed(self._numbers()):
            path = self._path(number)
            try:
                return _read(path)
            except CheckpointError as error:
                log.warning("checkpoint_unreadable", path=str(path), detail=str(error))
                faults.append(f"{path}: {error}")
        if faults:
            raise CheckpointError("no checkpoint can be read: " + "; ".join(faults))
        return None

    def paths(self) -> list[Path]:
        """The files there are, the newest last."""
        return [self._path(number) for number in self._numbers()]

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, number: int) -> Path:
        return self._directory / f"checkpoint-{number:012d}{_SUFFIX}"

    def _numbers(self) -> list[int]:
        names = [path.stem for path in self._directory.glob(f"checkpoint-*{_SUFFIX}")]
        texts = [name.removeprefix("checkpoint-") for name in names]
        return sorted(int(text) for text in texts if text.isascii() and text.isdecimal())


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return read(file)
    except OSError as error:
        msg = f"it cannot be read: {error.strerror or error}"
        raise CheckpointError(msg) from error


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

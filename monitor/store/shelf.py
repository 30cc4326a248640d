"""What holds the files of checkpoints: a directory, or tables of a database.

Owns the interface, and the directory. A file is never changed: it is added, read, and goes. What
is in one is ``monitor.store.checkpoint_format``, which are needed ``monitor.store.checkpoint``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

import structlog

from monitor.errors import CheckpointError, StoreError
from monitor.store.checkpoint_format import Kind, Written

log = structlog.get_logger(__name__)


class Blob(NamedTuple):
    """The name of a file; the parts written together with a root have its number."""

    kind: Kind
    number: int


class Addition(Protocol):
    """A root, and perhaps parts, that are being added: both or neither."""

    def write(self, kind: Kind, content: Callable[[BinaryIO], Written]) -> Written:
        """Have ``content`` write a file; nobody sees it yet. The parts come first."""
        ...

    def commit(self, gone: Iterable[Blob]) -> int:
        """Make what was written durable, and only then let ``gone`` go; returns the number."""
        ...


class Shelf(Protocol):
    """Where files are. One thread uses it."""

    def sizes(self) -> Mapping[Blob, int]:
        """Bytes of every file there is.

        Raises:
            StoreError: they cannot be looked at just now.
        """
        ...

    def opened(self, blob: Blob) -> AbstractContextManager[BinaryIO]:
        """A file, to be read.

        Raises:
            CheckpointError: it is not there, or cannot be read.
            StoreError: none can be read just now.
        """
        ...

    def adding(self) -> AbstractContextManager[Addition]:
        """Files to be added; what was not committed leaves nothing behind.

        Raises:
            StoreError: they cannot be written.
        """
        ...

    def titled(self, blob: Blob) -> str:
        """What a file is called before people."""
        ...

    def close(self) -> None:
        """Release what is held; twice is fine."""
        ...


_NAMES: Final[Mapping[Kind, str]] = {"root": "checkpoint", "parts": "parts"}
_SUFFIX = ".ckpt"
_UNFINISHED = ".tmp"


class Folder:
    """A directory. Files are written under another name, synced and renamed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, blob: Blob) -> Path:
        """Where a file is."""
        return self.directory / f"{_NAMES[blob.kind]}-{blob.number:012d}{_SUFFIX}"

    def sizes(self) -> dict[Blob, int]:
        """See :meth:`Shelf.sizes`. Files that are not ours are passed over."""
        found: dict[Blob, int] = {}
        for kind, name in _NAMES.items():
            for path in self.directory.glob(f"{name}-*{_SUFFIX}"):
                text = path.stem.removeprefix(f"{name}-")
                if text.isascii() and text.isdecimal():
                    with suppress(FileNotFoundError):
                        found[Blob(kind, int(text))] = path.stat().st_size
        return found

    @contextmanager
    def opened(self, blob: Blob) -> Iterator[BinaryIO]:
        """See :meth:`Shelf.opened`."""
        try:
            with self.path(blob).open("rb") as file:
                yield file
        except OSError as error:
            msg = f"it cannot be read: {error.strerror or error}"
            raise CheckpointError(msg) from error

    @contextmanager
    def adding(self) -> Iterator[Addition]:
        """See :meth:`Shelf.adding`."""
        number = max((blob.number for blob in self.sizes()), default=0) + 1
        addition = _FolderAddition(self, number)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            yield addition
        except OSError as error:
            addition.withdraw()
            path = self.path(Blob("root", number))
            msg = f"checkpoint {path}: cannot be written: {error.strerror or error}"
            raise StoreError(msg) from error
        except Exception:
            addition.withdraw()
            raise

    def titled(self, blob: Blob) -> str:
        """See :meth:`Shelf.titled`."""
        return str(self.path(blob))

    def close(self) -> None:
        """Nothing is held open."""


class _FolderAddition:
    """Files of one number."""

    def __init__(self, folder: Folder, number: int) -> None:
        self._folder = folder
        self._number = number
        self._paths: list[Path] = []

    def write(self, kind: Kind, content: Callable[[BinaryIO], Written]) -> Written:
        path = self._folder.path(Blob(kind, self._number))
        self._paths.append(path)
        with path.with_suffix(_UNFINISHED).open("wb") as file:
            written = content(file)
            file.flush()
            os.fsync(file.fileno())
        return written

    def commit(self, gone: Iterable[Blob]) -> int:
        for path in self._paths:  # the root last, which is what makes it a checkpoint
            path.with_suffix(_UNFINISHED).replace(path)
        _sync_directory(self._folder.directory)
        for blob in gone:
            try:
                self._folder.path(blob).unlink(missing_ok=True)
            except OSError as error:
                path = self._folder.path(blob)
                log.warning("checkpoint_not_removed", path=str(path), detail=str(error))
        return self._number

    def withdraw(self) -> None:
        for path in reversed(self._paths):
            for each in (path, path.with_suffix(_UNFINISHED)):
                with suppress(OSError):
                    each.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

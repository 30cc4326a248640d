"""What must be remembered of a file that is rotated: its generations, in one log of bytes.

A followed path is one endless log. Each file that stood at the path is a *generation* of it, known
again by its first line wherever rotation has put it, and ``start`` is the offset of its first byte
in the log. The bookmark is written before the first record of a generation is handed out, so every
position that a checkpoint can hold lies in a generation that is on disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

HEAD_BYTES = 1_024
_VERSION = 1
GENERATIONS_MAX = 1_000


class Generation(msgspec.Struct, frozen=True):
    """One file of the log."""

    start: int
    """Offset of its first byte in the log."""
    head: str
    """BLAKE2b of its first line, of that line's first kilobyte."""


class _Bookmark(msgspec.Struct):
    version: int
    path: str
    history: list[str]
    generations: list[Generation]


class Bookmark:
    """The generations of one path, oldest first, and the heads of what was there before them."""

    def __init__(self, folder: Path, path: str) -> None:
        name = hashlib.blake2b(path.encode(), digest_size=12).hexdigest()
        self._file = folder / f"{name}.json"
        self._path = path
        self.generations: list[Generation] = []
        self.history: list[str] = []

    def load(self) -> bool:
        """Read it back; false when there is none, or it is damaged."""
        try:
            known = msgspec.json.decode(self._file.read_bytes(), type=_Bookmark)
        except (OSError, msgspec.MsgspecError):
            return False
        if known.version != _VERSION or known.path != self._path:
            return False
        self.generations, self.history = known.generations, known.history
        return True

    def begin(self, history: list[str]) -> None:
        """Forget all but the heads of files that are not to be read.

        Raises:
            OSError: it cannot be written.
        """
        self._write([], history)

    def add(self, generation: Generation) -> None:
        """Remember one more, durably; the oldest go past ``GENERATIONS_MAX``.

        Raises:
            OSError: it cannot be written.
        """
        self._write([*self.generations, generation][-GENERATIONS_MAX:], self.history)

    def _write(self, generations: list[Generation], history: list[str]) -> None:
        body = msgspec.json.encode(_Bookmark(_VERSION, self._path, history, generations))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.generations, self.history = generations, history


def head_of(read_at: Callable[[int, int], bytes]) -> str | None:
    """The fingerprint of a file's beginning; None while its first line is not whole.

    It does not change as the file grows. Two files whose first lines are the same are taken for
    one: events have ids, so theirs are not.
    """
    head = read_at(0, HEAD_BYTES)
    line, newline, _ = head.partition(b"\n")
    if not newline and len(head) < HEAD_BYTES:
        return None
    return hashlib.blake2b(line, digest_size=16).hexdigest()

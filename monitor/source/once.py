"""A file that does not change, plain or compressed, read once to its end.

Owns its descriptor, which it holds no longer than there is something to read.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from monitor.errors import SourceError
from monitor.source.descriptors import OpenFile, opened
from monitor.source.lines import LineReader, Lines, begins_line, read_at_of

_COMPRESSION = 8
"""Assumed, where only the compressed size is known; for fair shares, nothing else."""


class OnceFile:
    """A file that does not change, plain or compressed."""

    def __init__(self, path: str, position: int | None, max_line: int) -> None:
        """Begin at ``position``; lines longer than ``max_line`` bytes are cut.

        Raises:
            SourceError: it is not there, or not the file that the position was kept of.
        """
        self.complete = not position
        self._path = path
        self._compressed = path.endswith(".gz")
        self._file: OpenFile | None = None
        try:
            self._size = Path(path).stat().st_size
        except OSError as fault:
            raise self._unreadable(fault) from fault
        self._reader = LineReader(self._read_at, position or 0, max_line)
        self._drained = False
        if position and not begins_line(self._read_at, position):
            self.rest()
            msg = f"{path} is not the file that was read before: no line begins at {position}"
            raise SourceError(msg)

    @property
    def position(self) -> int:
        """Offset of the next byte to be handed out."""
        return self._reader.at

    @property
    def end(self) -> int:
        """Where the file ends, as far as one can tell; the position once it is read."""
        if self._drained:
            return self._reader.at
        size = self._size * _COMPRESSION if self._compressed else self._size
        return max(size, self._reader.at + 1)

    def take(self, limit: int) -> Lines:
        """At most ``limit`` lines with their offsets; none at the end.

        Raises:
            SourceError: it cannot be read, or is damaged.
            SourceUnavailable: there is no descriptor left.
        """
        before = self._reader.progress
        lines = self._reader.take(limit, final=True)
        self._drained = self._reader.progress == before
        if self._drained:
            self.rest()
        return lines

    @property
    def resting(self) -> bool:
        """No descriptor is held."""
        return self._file is None

    @property
    def idle(self) -> bool:
        """It is read to its end, and nothing will come."""
        return self._drained

    def rest(self) -> None:
        """Let go of the descriptor; reading goes on where it stopped."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_at(self, offset: int, size: int) -> bytes:
        if self._file is None:
            try:
                self._file = opened(Path(self._path))
            except OSError as fault:
                raise self._unreadable(fault) from fault
        try:
            return read_at_of(self._file)(offset, size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
            msg = f"{self._path} is damaged: {fault}"
            raise SourceError(msg) from fault

    def _unreadable(self, fault: OSError) -> SourceError:
        return SourceError(f"{self._path} cannot be read: {fault.strerror or fault}")

    def close(self) -> None:
        """Close the file; calling it twice is fine."""
        self.rest()

r"""Bytes of a file to lines, in blocks and with bounded memory.

Owns where lines begin and end; which file the bytes come from is the caller's. Offsets are those
of the bytes given, from 0. A line ends with ``\n``; a ``\r`` before it and a byte order mark at
the beginning of the file are not part of it, and lines of white space are none.
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.compiled.lines import line_ends
from monitor.source.base import Int64
from monitor.source.records import Records

BLOCK_BYTES_MIN = 64 * 2**10
BLOCK_BYTES_MAX = 4 * 2**20
SCAN_BLOCKS_MAX = 32
"""How many blocks of an overlong line are looked at in one call."""
_BYTES_PER_LINE = 512
_BOM = b"\xef\xbb\xbf"

ReadAt = Callable[[int, int], bytes]
"""(offset, size) → at most size bytes; empty at the end of what is there now."""


def read_at_of(file: io.FileIO | gzip.GzipFile) -> ReadAt:
    """Reads at an offset in a plain file, or in what a compressed one holds.

    Raises, when reading:
        OSError, EOFError, zlib.error: the file is damaged, or still being compressed.
    """
    if not isinstance(file, gzip.GzipFile):
        return lambda offset, size: os.pread(file.fileno(), size, offset)

    def read_at(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return read_at


def begins_line(read_at: ReadAt, offset: int) -> bool:
    """Whether a line begins there, or the file ends there."""
    if offset == 0:
        return True
    before = read_at(offset - 1, 1)
    return before == b"\n" or (bool(before) and not read_at(offset, 1))


@dataclass(frozen=True, slots=True)
class Lines:
    """Some consecutive lines that are not blank."""

    starts: Int64
    """Offset of each line's first byte."""
    values: Records

    @classmethod
    def none(cls) -> Lines:
        """No lines."""
        nowhere = np.empty(0, np.int64)
        return cls(nowhere, Records(b"", nowhere, nowhere))


_NONE = Lines.none()
_RETURN, _SPACE = b"\r "


class LineReader:
    """Lines from an offset on, as they come."""

    def __init__(self, read_at: ReadAt, at: int, max_line: int) -> None:
        """``at`` is the first byte of a line; longer lines than ``max_line`` bytes are cut."""
        self.at = at
        """Offset of the first byte that was not handed out."""
        self._read_at = read_at
        self._max_line = max_line
        self._buffer = b""
        self._scanned = 0
        """Bytes beyond the buffer, in an overlong line, that were looked at and let go."""

    @property
    def read_to(self) -> int:
        """Offset of the first byte that was not read."""
        return self.at + len(self._buffer) + self._scanned

    @property
    def progress(self) -> tuple[int, int]:
        """Changes with every call of :meth:`take` that found anything, even blank lines."""
        return self.at, self.read_to

    def take(self, limit: int, *, final: bool) -> Lines:
        r"""At most ``limit`` lines; none when no complete line is there yet.

        ``final``: nothing will be appended, so that what stands behind the last ``\n`` is a line.
        """
        if not self._scanned and self._fill(limit):
            ends = np.empty(min(limit, len(self._buffer)), np.int64)
            ends = ends[: line_ends(np.frombuffer(self._buffer, np.uint8), ends)]
            return self._emit(self._buffer, ends, int(ends[-1]) + 1)
        if self._scanned or len(self._buffer) > self._max_line:
            return self._pass_over(final=final)
        return self._rest() if final else _NONE

    def _fill(self, limit: int) -> bool:
        """Read until a line ends in the buffer; false at the end, or when it gets too long."""
        block = min(max(limit * _BYTES_PER_LINE, BLOCK_BYTES_MIN), BLOCK_BYTES_MAX)
        searched = 0
        while self._buffer.find(b"\n", searched) < 0:
            searched = len(self._buffer)
            if searched > self._max_line:
                return False
            more = self._read_at(self.read_to, max(block, searched))
            if not more:
                return False
            self._buffer += more
        return True

    def _pass_over(self, *, final: bool) -> Lines:
        """Look for the end of a line that is too long, keeping only its head."""
        head = self._buffer[: self._max_line]
        self._scanned += len(self._buffer) - len(head)
        self._buffer = head
        for _ in range(SCAN_BLOCKS_MAX):
            more = self._read_at(self.read_to, BLOCK_BYTES_MAX)
            if not more:
                return self._rest() if final else _NONE
            end = more.find(b"\n")
            if end >= 0:
                return self._emit(head, np.array([len(head)]), self.read_to + end + 1 - self.at)
            self._scanned += len(more)
        return _NONE

    def _rest(self) -> Lines:
        """What stands behind the last newline, as a line."""
        length = self.read_to - self.at
        return self._emit(self._buffer, np.array([len(self._buffer)]), length) if length else _NONE

    def _emit(self, memory: bytes, ends: Int64, taken: int) -> Lines:
        """Hand out the lines that end there in ``memory``; ``taken`` bytes of the file are done."""
        starts = np.concatenate(([0], ends[:-1] + 1))
        places, at_beginning = self.at + starts, self.at == 0
        self.at += taken
        self._buffer, self._scanned = memory[taken:], 0
        if at_beginning and memory.startswith(_BOM):
            starts[0] = min(len(_BOM), ends[0])
        raw = np.frombuffer(memory, np.uint8)
        # An empty line would look at what stands before it, which is no line's.
        ends = ends - ((raw[np.maximum(ends, 1) - 1] == _RETURN) & (ends > starts))
        ends = np.minimum(ends, starts + self._max_line)
        values = Records(memory, starts, ends)
        suspicious = np.flatnonzero((ends == starts) | (raw[starts % len(raw)] <= _SPACE))
        blank = [row for row in suspicious.tolist() if not values[row] or values[row].isspace()]
        if not blank:
            return Lines(places, values)
        kept = np.delete(np.arange(len(starts)), blank)
        return Lines(places[kept], values.chosen(kept))

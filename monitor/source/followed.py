"""One path followed for ever: growth, rotation by rename and by copy and truncation, restarts.

Owns which file is read next. Positions are offsets in the log that the path's generations make up
(``monitor.source.bookmarks``). Sound for one writer that goes over to the new file for good: a file
is left only when another has begun and nothing more came from it. What a rotation has removed
before it was read is lost, and said so.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import zlib
from bisect import bisect_right
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from monitor.errors import SourceUnavailable
from monitor.source.bookmarks import Bookmark, Generation, head_of
from monitor.source.descriptors import OpenFile, opened, spent
from monitor.source.lines import LineReader, Lines, ReadAt, begins_line, read_at_of

log = structlog.get_logger(__name__)

SWITCHES_MAX = 100
"""Files that one call may go through."""
SIBLINGS_MAX = 1_000
"""Rotated files of one path that are looked at; those written last."""
_NUMBER = re.compile(r"\.([0-9]{1,9})(?:\.gz)?$")


class _ReplacedError(Exception):
    """Raised when the open file no longer holds what was read of it: it was truncated."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that can be read next."""

    path: Path
    head: str
    modified_ns: int
    size: int
    generation: Generation | None = None
    """None: a new one."""
    offset: int = 0
    """Where in the file to begin."""


@dataclass(slots=True)
class _Current:
    """The file being read."""

    generation: Generation
    file: OpenFile
    reader: LineReader

    @property
    def position(self) -> int:
        return self.generation.start + self.reader.at

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size


class FollowedFile:
    """The log of one path."""

    def __init__(self, path: str, *, bookmarks: Path, max_line: int) -> None:
        self.complete = False
        """Read from the first byte of the first file there ever was, as far as one can see."""
        self.lost = 0
        """Generations, or ends of them, that were gone before they were read."""
        self._path = Path(path)
        self._max_line = max_line
        self._bookmark = Bookmark(bookmarks, path)
        self._current: _Current | None = None
        self._last: Generation | None = None
        """What was being read when there was a current file last."""
        self._position = 0
        self._idle_size = -1
        """Size of the current file when it was last found to hold no further whole line."""
        self._waiting = False
        """There was no file to read when last looked."""
        self._resting: tuple[int, ...] | None = None
        """Device, inode, size and time of what stood at the path when our file was put to rest."""
        self._rested_idle = False

    @property
    def position(self) -> int:
        """Offset in the log of the next byte to be handed out."""
        return self._position if self._current is None else self._current.position

    @property
    def end(self) -> int:
        """The position, when all whole lines were handed out; else where the file ends."""
        current = self._current
        if current is None:
            done = self._rested_idle if self._resting else self._waiting
            return self._position if done else self._position + 1
        if current.size == self._idle_size:
            return current.position
        return max(current.generation.start + current.size, current.position + 1)

    def start(self, position: int | None) -> None:
        """Begin at ``position``, or at the file that stands at the path now.

        Raises:
            SourceUnavailable: the bookmark cannot be written.
        """
        known = position is not None and self._bookmark.load()
        self._position = position or 0
        if not known:
            self._begin()
            self.complete = not self._bookmark.history
            if self._position:
                self._lose()
            return
        at = bisect_right(self._bookmark.generations, self._position, key=lambda each: each.start)
        self._last = self._bookmark.generations[at - 1] if at else None
        found = None if self._last is None else self._find(self._last)
        if self._position and (found is None or not self._open(found)):
            self._lose()
        self.complete = self._position == 0 and not self._bookmark.history

    def take(self, limit: int) -> Lines:
        """At most ``limit`` lines with their offsets in the log; none when there are none yet.

        Raises:
            SourceUnavailable: the bookmark of a new file cannot be written.
        """
        if self._resting and not self._wake():
            return Lines.none()
        for _ in range(SWITCHES_MAX):
            current = self._current
            if current is None:
                found = self._next()
                if found is None or not self._open(found):
                    break
                continue
            before = current.reader.progress
            try:
                lines = current.reader.take(limit, final=False)
                idle = current.reader.progress == before
                if idle and (found := self._left_for(current)) is not None:
                    # The writer has gone on, so that what stands there now is all.
                    lines = current.reader.take(limit, final=found.generation != self._last)
                    if current.reader.progress == before:
                        self._close()
                        self._open(found)
                        continue
            except _ReplacedError:
                self._truncated(current)
                continue
            self._idle_size = current.size if idle and not lines.values else -1
            return Lines(lines.starts + current.generation.start, lines.values)
        self._waiting = self._current is None
        return Lines.none()

    def close(self) -> None:
        """Close the file; calling it twice is fine."""
        self._close()

    @property
    def resting(self) -> bool:
        """No descriptor is held."""
        return self._current is None

    @property
    def idle(self) -> bool:
        """All whole lines that are there were handed out."""
        return self.position >= self.end

    def rest(self) -> None:
        """Let go of the descriptor until something changes at the path."""
        if self._current is not None:
            self._resting = self._there()  # before looking: what comes in between wakes it
            self._rested_idle = self.idle
            self._close()

    def _wake(self) -> bool:
        """Go on with the file that was put to rest; False while nothing has changed."""
        if self._rested_idle and self._resting == self._there():
            return False
        found = None if self._last is None else self._find(self._last)
        self._resting = None
        opened_again = found is not None and self._open(found)
        if not opened_again and not self._rested_idle:
            self._lose()
        return True

    def _there(self) -> tuple[int, ...]:
        """What tells one state of what stands at the path from another; zeros for nothing."""
        with contextlib.suppress(OSError):
            stat = os.stat(self._path)  # noqa: PTH116 - asked often, of many files
            return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
        return (0,)

    # Going from file to file

    def _left_for(self, current: _Current) -> _Found | None:
        """The file that the writer went over to; None while ours stands at the path."""
        here = os.fstat(current.file.fileno())
        with contextlib.suppress(OSError):
            there = self._path.stat()
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
                return None
        return self._next()

    def _next(self) -> _Found | None:
        """The file that comes after the last one; None while there is none with a whole line."""
        known = self._bookmark.generations
        begun = known.index(self._last) + 1 if self._last in known else 0
        for generation in known[begun:]:
            found = self._find(generation)
            if found is not None:
                return found
        heads = {*self._bookmark.history, *(generation.head for generation in known)}
        for found in self._siblings():
            if found.head not in heads:
                return found
        live = _look(self._path)
        if live is not None and self._last is not None and live.head == self._last.head:
            # A copy of ours put in its place, and grown; or a new file that happens to begin alike.
            again = self._as(self._last, live)
            return live if again.offset > live.size else again
        return live

    def _find(self, generation: Generation) -> _Found | None:
        """Where a known file is now, to go on with it; the compressed copy only if need be."""
        places = [found for found in [_look(self._path), *self._siblings()] if found is not None]
        same = [found for found in places if found.head == generation.head]
        return self._as(generation, min(same, key=_is_compressed)) if same else None

    def _as(self, generation: Generation, found: _Found) -> _Found:
        offset = max(0, self.position - generation.start)
        return replace(found, generation=generation, offset=offset)

    def _siblings(self) -> list[_Found]:
        """What rotation has made of former files of this path, the longest unwritten first."""
        marks = (f"{self._path.name}.", f"{self._path.name}-")
        try:
            names = [path for path in self._path.parent.iterdir() if path.name.startswith(marks)]
            if len(names) > SIBLINGS_MAX:
                names = sorted(names, key=_written_ns)[-SIBLINGS_MAX:]
            found = [look for path in names if (look := _look(path)) is not None]
            return sorted(found, key=_age)
        except OSError as fault:
            if (tired := spent(fault, self._path)) is not fault:
                raise tired from fault
            return []

    def _open(self, found: _Found) -> bool:
        """Make it the current file; false when it has changed again, or is too short."""
        try:
            file = opened(found.path)
        except OSError:
            return False
        generation = found.generation
        if generation is None:
            # Behind all that was ever handed out, even if the file it was in was lost.
            starts = [each.start for each in self._bookmark.generations[-1:]]
            start = max([self._position, *starts])
            generation = Generation(start, found.head)
        read_at = _reading(file, generation.head)
        try:
            fits = begins_line(read_at, found.offset)
        except _ReplacedError:
            fits = False
        if not fits:
            file.close()
            return False
        if found.generation is None:
            try:
                self._bookmark.add(generation)
            except OSError as fault:
                file.close()
                raise self._unwritable(fault) from fault
        elif generation.start > self._position and self._last != generation:
            self._lose()
        self._position = generation.start + found.offset
        self._last = generation
        self._current = _Current(
            generation, file, LineReader(read_at, found.offset, self._max_line)
        )
        log.info("file_opened", path=str(found.path), position=self._position)
        return True

    def _begin(self) -> None:
        """Nothing is known: what stands beside the path now is history, and not read."""
        try:
            self._bookmark.begin([found.head for found in self._siblings()])
        except OSError as fault:
            raise self._unwritable(fault) from fault

    def _unwritable(self, fault: OSError) -> SourceUnavailable:
        return SourceUnavailable(f"the bookmark of {self._path} cannot be written: {fault}")

    def _close(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            self._position = current.position
            current.file.close()

    def _truncated(self, current: _Current) -> None:
        """Copied and truncated: what we had not read stands in the copy, if there is one."""
        self._close()
        copies = [each for each in self._siblings() if each.head == current.generation.head]
        if copies:
            copy = self._as(current.generation, min(copies, key=_is_compressed))
            if self._open(copy):
                return
        self._lose()

    def _lose(self) -> None:
        self.lost += 1
        self.complete = False
        log.error("file_lost_before_it_was_read", path=str(self._path), position=self._position)


def _reading(file: OpenFile, head: str) -> ReadAt:
    """Reads at an offset, and makes sure that it is still the file with this head."""
    plain = read_at_of(file)
    if isinstance(file, gzip.GzipFile):

        def read_compressed(offset: int, size: int) -> bytes:
            try:
                return plain(offset, size)
            except (EOFError, OSError, zlib.error):  # still being compressed, or damaged
                return b""

        return read_compressed

    def read_at(offset: int, size: int) -> bytes:
        data = plain(offset, size)
        # After reading: had it been truncated before, another head would stand there now.
        if head_of(plain) != head:
            raise _ReplacedError
        return data

    return read_at


def _look(path: Path) -> _Found | None:
    """The file with its first line; None when it is not there or has no whole line yet."""
    try:
        with opened(path) as file:
            head = head_of(read_at_of(file))
            stat = os.fstat(file.fileno())
    except (EOFError, OSError, zlib.error):
        return None
    return None if head is None else _Found(path, head, stat.st_mtime_ns, stat.st_size)


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _age(found: _Found) -> tuple[int, int]:
    """Sorts the oldest first: by last write, and of ``.2`` and ``.1`` the higher number."""
    number = _NUMBER.search(found.path.name)
    return found.modified_ns, -int(number[1]) if number else 0


def _is_compressed(found: _Found) -> bool:
    return found.path.suffix == ".gz"

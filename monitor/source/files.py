"""Events from JSONL files: read once to their end, or followed for ever.

Owns the set of files, how much each may give, and waiting. A file is a partition of its own (topic:
its path as configured or matched, number 0), read in step with the others by what is left of each,
so that their event times stay close. Lines have no timestamps: ``since_ms`` has no effect.
Positions are bytes: of the file, or of a followed path's log (``monitor.source.followed``).
"""

from __future__ import annotations

import glob
import gzip
import io
import threading
import zlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog

from monitor.clock import Clock, SystemClock
from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.followed import FollowedFile
from monitor.source.lines import LineReader, Lines, begins_line, read_at_of
from monitor.source.settings import FilesSettings

log = structlog.get_logger(__name__)

FILES_MAX = 10_000
LOOK_EVERY_S = 0.05
"""Pause between looks at files that gave nothing."""
DISCOVER_EVERY_S = 1.0
_COMPRESSION = 8
"""Assumed, where only the compressed size is known; for fair shares, nothing else."""


class _LogFile(Protocol):
    """One partition."""

    complete: bool

    @property
    def position(self) -> int: ...

    @property
    def end(self) -> int: ...

    def take(self, limit: int) -> Lines: ...

    def close(self) -> None: ...


class FileSource:
    """A :class:`monitor.source.base.Source` over files."""

    def __init__(self, settings: FilesSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._files: dict[Partition, _LogFile] = {}
        self._wanted: dict[Partition, int] = {}
        self._never = threading.Event()
        self._discover_after_s = 0.0
        self._started = False
        self._closed = False

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:  # noqa: ARG002
        """Begin reading; see :class:`monitor.source.base.Source`.

        Raises:
            SourceError: read once, and a file is not there, not readable, or not the one that a
                position was kept of.
        """
        self._wanted = dict(positions)
        self._started = True
        self._discover()

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next lines; see :class:`monitor.source.base.Source`."""
        if self._closed or not self._started:
            raise SourceError("poll belongs between start and close")
        deadline_s = self._clock.monotonic_s() + timeout_s
        while True:
            fetched = self._take(max_records, skip)
            left_s = deadline_s - self._clock.monotonic_s()
            if fetched or left_s <= 0 or self.exhausted():
                return fetched
            self._clock.wait(self._never, min(LOOK_EVERY_S, left_s))

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the source stands, for every file."""
        return {
            partition: Standing(file.position, file.end, file.complete)
            for partition, file in sorted(self._files.items())
        }

    def exhausted(self) -> bool:
        """Every file is read to its end, and none is followed."""
        return not self._settings.follow and all(
            file.position >= file.end for file in self._files.values()
        )

    def close(self) -> None:
        """Close the files; calling it twice is fine."""
        self._closed = True
        for file in self._files.values():
            file.close()

    def _take(self, max_records: int, skip: AbstractSet[Partition]) -> list[Fetched]:
        if self._settings.follow and self._clock.monotonic_s() >= self._discover_after_s:
            self._discover()
        turn = [
            (partition, file) for partition, file in self._files.items() if partition not in skip
        ]
        left = [max(1, file.end - file.position) for _, file in turn]
        total = max(1, sum(left))
        fetched = []
        for (partition, file), share in zip(turn, left, strict=True):
            try:
                lines = file.take(max(1, max_records * share // total))
            except OSError as fault:
                msg = f"{partition.topic} cannot be read now: {fault.strerror or fault}"
                raise SourceUnavailable(msg) from fault
            if lines.values:
                fetched.append(
                    Fetched(
                        partition=partition,
                        offsets=lines.starts,
                        timestamps=np.full(len(lines.values), -1, np.int64),
                        append_time=False,
                        values=lines.values,
                        next_position=file.position,
                    )
                )
        return fetched

    def _discover(self) -> None:
        """Take up files that are named or matched and not known yet."""
        self._discover_after_s = self._clock.monotonic_s() + DISCOVER_EVERY_S
        for path in self._paths():
            partition = Partition(path, 0)
            if partition in self._files:
                continue
            if len(self._files) >= FILES_MAX:
                msg = f"more than {FILES_MAX} files; the pattern matches too much"
                raise SourceError(msg)
            self._files[partition] = self._open(path, self._wanted.get(partition))
        self._files = dict(sorted(self._files.items()))

    def _paths(self) -> list[str]:
        """Files as configured and as matched; not those that rotation has put beside another."""
        found: set[str] = set()
        for path in self._settings.paths:
            if not glob.has_magic(path):
                found.add(path)
                continue
            names = glob.glob(path, recursive=True)  # noqa: PTH207 - a pattern may be absolute
            matched = [name for name in names if Path(name).is_file()]
            if not matched and not self._settings.follow:
                msg = f"no file matches {path}"
                raise SourceError(msg)
            found.update(matched)
        if self._settings.follow:
            marks = tuple(f"{path}{mark}" for path in found for mark in (".", "-"))
            found = {path for path in found if not path.startswith(marks)}
        return sorted(found)

    def _open(self, path: str, position: int | None) -> _LogFile:
        if not self._settings.follow:
            return _OnceFile(path, position, self._settings.max_line)
        followed = FollowedFile(
            path, bookmarks=self._settings.bookmarks, max_line=self._settings.max_line
        )
        followed.start(position)
        return followed


class _OnceFile:
    """A file that does not change, plain or compressed."""

    def __init__(self, path: str, position: int | None, max_line: int) -> None:
        self.complete = not position
        self._path = path
        self._compressed = path.endswith(".gz")
        try:
            self._size = Path(path).stat().st_size
            if self._compressed:
                self._file: io.FileIO | gzip.GzipFile = gzip.open(path, "rb")  # noqa: SIM115 - kept
            else:
                self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - kept
        except OSError as fault:
            msg = f"{path} cannot be read: {fault.strerror or fault}"
            raise SourceError(msg) from fault
        self._reader = LineReader(self._read_at, position or 0, max_line)
        self._drained = False
        if position and not begins_line(self._read_at, position):
            self.close()
            msg = f"{path} is not the file that was read before: no line begins at {position}"
            raise SourceError(msg)

    @property
    def position(self) -> int:
        return self._reader.at

    @property
    def end(self) -> int:
        if self._drained:
            return self._reader.at
        size = self._size * _COMPRESSION if self._compressed else self._size
        return max(size, self._reader.at + 1)

    def take(self, limit: int) -> Lines:
        before = self._reader.progress
        lines = self._reader.take(limit, final=True)
        self._drained = self._reader.progress == before
        return lines

    def _read_at(self, offset: int, size: int) -> bytes:
        try:
            return read_at_of(self._file)(offset, size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
            msg = f"{self._path} is damaged: {fault}"
            raise SourceError(msg) from fault

    def close(self) -> None:
        self._file.close()

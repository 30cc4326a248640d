"""Events from JSONL files: read once to their end, or followed for ever.

Owns the set of files, how much each may give, and waiting. A file is a partition of its own (topic:
its path as configured or matched, number 0), read in step with the others by what is left of each,
so that their event times stay close. Lines have no timestamps: ``since_ms`` has no effect.
Positions are bytes: of the file, or of a followed path's log (``monitor.source.followed``).
"""

from __future__ import annotations

import glob
import threading
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog

from monitor.clock import Clock, SystemClock
from monitor.errors import SourceError, SourceUnavailable
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.descriptors import open_max, spent
from monitor.source.followed import FollowedFile
from monitor.source.lines import Lines
from monitor.source.once import OnceFile
from monitor.source.settings import FilesSettings

log = structlog.get_logger(__name__)

FILES_MAX = 10_000
LOOK_EVERY_S = 0.05
"""Pause between looks at files that gave nothing."""
DISCOVER_EVERY_S = 1.0
REST_AFTER_S = 60.0
"""A file that gave nothing for so long is not kept open."""


class _LogFile(Protocol):
    """One partition."""

    complete: bool

    @property
    def position(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def resting(self) -> bool: ...

    @property
    def idle(self) -> bool: ...

    def take(self, limit: int) -> Lines: ...

    def rest(self) -> None: ...

    def close(self) -> None: ...


class FileSource:
    """A :class:`monitor.source.base.Source` over files."""

    def __init__(self, settings: FilesSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._files: dict[Partition, _LogFile] = {}
        self._wanted: dict[Partition, int] = {}
        self._gave_s: dict[Partition, float] = {}
        """When each file was last read with success."""
        self._open = 0
        self._open_max = open_max()
        self._left_out = 0
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
        self._open = sum(not file.resting for file in self._files.values())
        fetched = []
        for (partition, file), share in zip(turn, left, strict=True):
            lines = self._take_of(partition, file, max(1, max_records * share // total))
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

    def _take_of(self, partition: Partition, file: _LogFile, limit: int) -> Lines:
        """Lines of one file, which is closed again when it has been idle, or too many are open."""
        rested = file.resting
        try:
            lines = file.take(limit)
        except OSError as fault:
            if isinstance(tired := spent(fault, Path(partition.topic)), SourceUnavailable):
                raise tired from fault
            msg = f"{partition.topic} cannot be read now: {fault.strerror or fault}"
            raise SourceUnavailable(msg) from fault
        self._open += rested - file.resting
        now_s = self._clock.monotonic_s()
        if lines.values or partition not in self._gave_s:
            self._gave_s[partition] = now_s
        quiet = file.idle and now_s - self._gave_s[partition] >= REST_AFTER_S
        if not file.resting and (quiet or self._open > self._open_max):
            file.rest()
            self._open -= 1
        return lines

    def _discover(self) -> None:
        """Take up files that are named or matched and not known yet."""
        self._discover_after_s = self._clock.monotonic_s() + DISCOVER_EVERY_S
        paths = self._paths()
        new = [path for path in paths if Partition(path, 0) not in self._files]
        if len(self._files) + len(new) > FILES_MAX:
            self._forget_but(frozenset(paths))
        # Those that were read before come first: their positions must not be lost.
        new.sort(key=lambda path: (Partition(path, 0) not in self._wanted, path))
        room = max(0, FILES_MAX - len(self._files))
        if len(new) > room:
            self._too_many(len(new) - room)
        for path in new[:room]:
            partition = Partition(path, 0)
            self._files[partition] = file = self._opened(path, self._wanted.get(partition))
            self._open += not file.resting
            if self._open > self._open_max:
                file.rest()
                self._open -= 1
        self._files = dict(sorted(self._files.items()))

    def _forget_but(self, paths: AbstractSet[str]) -> None:
        """Let go of files that are gone and were read to their end."""
        gone = [p for p, file in self._files.items() if p.topic not in paths and file.idle]
        for partition in gone:
            self._files.pop(partition).close()
            self._gave_s.pop(partition, None)

    def _too_many(self, count: int) -> None:
        """Some files find no room: read once, that is an error; followed, the others go on."""
        msg = f"more than {FILES_MAX} files; the pattern matches too much"
        if not self._settings.follow:
            raise SourceError(msg)
        if count != self._left_out:
            self._left_out = count
            log.error("files_left_out", count=count, detail=msg)

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

    def _opened(self, path: str, position: int | None) -> _LogFile:
        if not self._settings.follow:
            return OnceFile(path, position, self._settings.max_line)
        followed = FollowedFile(
            path, bookmarks=self._settings.bookmarks, max_line=self._settings.max_line
        )
        followed.start(position)
        return followed

"""Keeps the archive: reads the log a second time, in a thread of its own, and writes pieces.

Owns when a piece is written, merged and deleted. It has a reading of its own whose positions are
those of the newest files, so after any end it goes on exactly there: nothing is missing, nothing
stands twice, and the engine never waits for it. A disk that is full, or a broker that is away, is a
warning and is tried again; meanwhile what was read is kept, up to ``HELD_BYTES_MAX``, and no more
is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from monitor.archive.files import (
    Note,
    Piece,
    merge,
    newest_of,
    note_of,
    pieces,
    positions,
    tidy,
    write_piece,
)
from monitor.archive.hashing import Hasher
from monitor.archive.settings import ArchiveSettings
from monitor.clock import Clock
from monitor.errors import MonitorError, SourceError
from monitor.source.base import Fetched, Partition, Source
from monitor.stats import Stats

log = structlog.get_logger(__name__)

HOUR_MS = 3_600_000
HELD_BYTES_MAX = 64 * 2**20
"""Of what was read and is not written yet; a piece is written at this size whatever the time."""
_POLL_RECORDS = 20_000
_POLL_S = 0.5
_RETRY_S = 10.0
_CLEAN_S = 60.0


class Archiver:
    """One archive; :meth:`start` and :meth:`stop` from one thread."""

    def __init__(
        self,
        settings: ArchiveSettings,
        open_source: Callable[[], Source],
        clock: Clock,
        stats: Stats,
        hasher: Hasher | None = None,
    ) -> None:
        """``open_source``: a reading of the log of its own, not started.

        ``hasher`` takes customers out of records, where they are not to be kept.

        Raises:
            SourceError: the folder holds an archive of another kind.
        """
        assert settings.path is not None  # noqa: S101 - whoever has none makes no archiver
        self._settings = settings
        self._folder: Path = settings.path
        self._open_source = open_source
        self._clock = clock
        self._stats = stats
        self._hasher = hasher
        self._mark = "" if hasher is None else hasher.mark
        self._check(pieces(self._folder))
        self._stop = threading.Event()
        self.poll_records = _POLL_RECORDS
        """At most so many at once."""
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self._source: Source | None = None
        self._held: list[Fetched] = []
        self._held_bytes = 0
        self._held_since_s = 0.0
        self._reached: dict[Partition, int] = {}
        """Up to where each partition stands in files."""
        self._next = 0
        """Number of the next piece."""
        self._clean_after_s = 0.0
        self._failing = ""

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was read, and end; within a moment."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def write_all(self) -> None:
        """All of a finite source at once, in the caller's thread; raises what goes wrong.

        Raises:
            SourceError, SourceUnavailable: it cannot be read.
            OSError: a piece cannot be written.
        """
        while self._source is None or not self._source.exhausted():
            self._work()
        if self._held:
            self._write()
        self._close()

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work()
                self._healed()
            except (MonitorError, OSError) as error:
                self._failed(error)
                self._clock.wait(self._stop, _RETRY_S)
        try:
            if self._held:
                self._write()
        except (MonitorError, OSError) as error:
            self._failed(error)  # it is read again by the next start
        self._close()

    def _work(self) -> None:
        """One turn: read some, write when it is time, tidy now and then."""
        if self._source is None:
            self._open()
        assert self._source is not None  # noqa: S101 - _open raises otherwise
        if self._held_bytes < HELD_BYTES_MAX:
            fetched = self._source.poll(self.poll_records, _POLL_S)
            self._hold([batch for batch in fetched if len(batch.values)])
        now_s = self._clock.monotonic_s()
        due = self._held and now_s - self._held_since_s >= self._settings.every / 1000
        if due or self._held_bytes >= HELD_BYTES_MAX:
            self._write()
        if now_s >= self._clean_after_s:
            self._clean_after_s = now_s + _CLEAN_S
            self._clean()

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        tidy(self._folder)
        there = pieces(self._folder)
        self._check(there)
        self._next = there[-1].last + 1 if there else 0
        self._reached = positions(piece.note() for piece in there)
        self._held, self._held_bytes = [], 0
        source = self._open_source()
        source.start(self._reached, None)
        self._source = source
        log.info("archive_opened", path=str(self._folder), files=len(there))

    def _check(self, there: list[Piece]) -> None:
        """Whether the folder's archive is one that may go on.

        One that is part plain and part hashed would protect nobody, and with two keys one customer
        would be two.
        """
        found = there[-1].note().hashed if there else self._mark
        if found == self._mark:
            return
        kind = "customers in clear" if not found else f"customers by the key {found}"
        asked = "in clear" if not self._mark else f"by the key {self._mark}"
        msg = f"the archive in {self._folder} holds {kind}, not {asked}: begin a new folder"
        raise SourceError(msg)

    def _hold(self, fetched: list[Fetched]) -> None:
        if not fetched:
            return
        if self._hasher is not None:
            fetched = [self._hasher.hashed(batch) for batch in fetched]
        if not self._held:
            self._held_since_s = self._clock.monotonic_s()
        self._held += fetched
        self._held_bytes += sum(_size(batch) for batch in fetched)
        self._stats.archive_waiting = sum(len(batch.values) for batch in self._held)

    def _write(self) -> None:
        assert self._source is not None  # noqa: S101 - something was read from it
        whole = {part: each.complete for part, each in self._source.standings().items()}
        note = note_of(self._held, self._reached, whole, self._mark)
        newest = newest_of(self._held)
        hour_ms = newest if newest >= 0 else self._clock.now_ms()
        size = write_piece(self._folder, self._next, hour_ms, self._held, note)
        self._next += 1
        self._reached |= {each.partition: each.following for each in note.stretches}
        self._held, self._held_bytes = [], 0
        self._stats.archive_waiting = 0
        self._stats.archive_records += note.rows
        self._stats.archive_bytes += size

    def _clean(self) -> None:
        """Merge hours that are over, then delete what is too old or too much."""
        there = pieces(self._folder)
        for group in _hours(there)[:-1]:
            if len(group) > 1:
                merge(group)
                return  # one at a time: the rest in a minute, or at once when nothing is due
        self._delete(there)

    def _delete(self, there: list[Piece]) -> None:
        keep, most = self._settings.keep, self._settings.keep_bytes
        sizes = [piece.path.stat().st_size for piece in there]
        total = sum(sizes)
        self._stats.archive_size_bytes = total
        oldest_ms = None if keep is None else self._clock.now_ms() - keep
        # The newest one stays: it says where reading goes on.
        for piece, size in zip(there[:-1], sizes, strict=False):
            old = oldest_ms is not None and _newest(piece.note()) < oldest_ms
            if not old and (most is None or total <= most):
                return
            piece.path.unlink(missing_ok=True)
            total -= size
            log.info("archive_deleted", file=piece.path.name, why="keep" if old else "keep_bytes")
        self._stats.archive_size_bytes = total

    def _failed(self, error: Exception) -> None:
        self._stats.archive_failures += 1
        said = str(error)
        if said != self._failing:
            self._failing = said
            log.warning("archive_not_written", detail=said)
        if isinstance(error, SourceError):
            self._close()  # opened anew from what stands in files

    def _healed(self) -> None:
        if self._failing:
            self._failing = ""
            log.info("archive_written_again")

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None


def _hours(there: list[Piece]) -> list[list[Piece]]:
    """Pieces that stand beside each other and are of one hour."""
    groups: list[list[Piece]] = []
    for piece in there:
        if groups and groups[-1][-1].hour == piece.hour:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _newest(note: Note) -> int:
    return max((each.newest_ms for each in note.stretches), default=-1)


def _size(batch: Fetched) -> int:
    memory = getattr(batch.values, "memory", None)
    if memory is not None:
        return len(memory)
    return sum(len(value) for value in batch.values if value is not None)

"""An archive as a source: the log again, record by record, as it was read.

Owns the order of files and how much of each partition is handed out. Partitions are read in step,
by what is left of each in the file, so that their event times stay close. Which decisions follow
does not depend on that (docs/semantics.md), only on each partition's own order, which is the log's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from monitor.archive.files import Note, Piece, Stretch, pieces
from monitor.errors import SourceError, UsageError
from monitor.source.base import Fetched, Partition, Standing
from monitor.source.records import Records

_TRIES = 5
AHEAD_MAX = 8
"""Files that are open at once: partitions that are not to be read yet hold up no others."""


@dataclass(slots=True)
class _Rest:
    """Rows of one partition in one file that were not handed out."""

    frame: pl.DataFrame
    following: int
    """The position after the last of them."""
    as_kept: bool
    """See :class:`monitor.source.base.Fetched`."""


class ArchiveSource:
    """A :class:`monitor.source.base.Source` over a folder; read once to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: deque[tuple[Piece, Note]] = deque()
        self._open: deque[dict[Partition, _Rest]] = deque()
        self._positions: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._whole: dict[Partition, bool] = {}
        self._since_ms: dict[Partition, int] = {}
        """Partitions of which nothing was handed out, and the broker time they begin at."""
        self._closed = False

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Begin reading; see :class:`monitor.source.base.Source`.

        Raises:
            SourceError: there is no archive, or a file is damaged.
        """
        found = _listed(self._path)
        if not found:
            msg = f"{self._path}: there is no archive in this folder"
            raise SourceError(msg)
        self._files, self._open = deque(found), deque()
        self._positions, self._ends, self._whole, self._since_ms = {}, {}, {}, {}
        for _, note in found:
            for each in note.stretches:
                part = each.partition
                if part not in self._ends:
                    wanted = positions.get(part)
                    self._positions[part] = each.first if wanted is None else wanted
                    self._whole[part] = each.complete and each.first == 0 and not wanted
                    if wanted is None and since_ms is not None:
                        self._since_ms[part] = since_ms
                self._ends[part] = each.following

    def poll(
        self,
        max_records: int,
        timeout_s: float,  # noqa: ARG002 - the protocol's: nothing is waited for
        skip: AbstractSet[Partition] = frozenset(),
    ) -> list[Fetched]:
        """The next records; see :class:`monitor.source.base.Source`."""
        if self._closed:
            raise SourceError("the source is closed")
        while True:
            for rests in self._open:
                fetched = self._take(rests, max_records, skip)
                if fetched:
                    return fetched
            while self._open and not self._open[0]:
                self._open.popleft()
            if not self._files:
                return []
            if len(self._open) >= AHEAD_MAX:  # whoever is waited for has nothing near
                return self._take(self._open[0], max_records, frozenset())
            self._open.append(self._load(*self._files.popleft()))

    def standings(self) -> Mapping[Partition, Standing]:
        """Where the source stands, for every partition."""
        return {
            part: Standing(position, self._ends[part], self._whole[part])
            for part, position in sorted(self._positions.items())
        }

    def exhausted(self) -> bool:
        """Every file is read to its end."""
        return not self._files and not any(self._open)

    def close(self) -> None:
        """Let go of what is held; calling it twice is fine."""
        self._closed = True
        self._open.clear()

    def _load(self, piece: Piece, note: Note) -> dict[Partition, _Rest]:
        """What is still to be handed out of a file."""
        wanted = {each for each in note.stretches if self._is_wanted(each)}
        rests: dict[Partition, _Rest] = {}
        if wanted:
            frame, note = self._read(piece, note)
            parted = frame.partition_by("topic", "partition", as_dict=True, include_key=False)
            for each in note.stretches:
                rows = parted.get((each.topic, each.number))
                if rows is not None and self._is_wanted(each):
                    rows = self._begun(each.partition, rows)
                    if rows.height:
                        rests[each.partition] = _Rest(rows, each.following, bool(note.hashed))
        for each in note.stretches:
            if each.partition not in rests and not self._waits(each.partition):
                at = self._positions[each.partition]
                self._positions[each.partition] = max(at, each.following)
        return rests

    def _waits(self, part: Partition) -> bool:
        """Whether rows of it are open already."""
        return any(part in rests for rests in self._open)

    def _read(self, piece: Piece, note: Note) -> tuple[pl.DataFrame, Note]:
        """A file's rows; of the one that it was merged into meanwhile, where it was."""
        for _ in range(_TRIES):
            try:
                return pl.read_parquet(piece.path, memory_map=False), note
            except FileNotFoundError:
                over = [p for p in pieces(self._path) if p.first <= piece.first <= p.last]
                if not over:
                    break
                (piece,) = over
                while self._files and self._files[0][0].last <= piece.last:
                    self._files.popleft()
                note = piece.note()
            except (OSError, pl.exceptions.PolarsError) as error:
                msg = f"{piece.path} is damaged: {error}"
                raise SourceError(msg) from error
        msg = f"{piece.path} was deleted while the archive was read"
        raise SourceError(msg)

    def _is_wanted(self, each: Stretch) -> bool:
        since_ms = self._since_ms.get(each.partition)
        late = since_ms is None or each.newest_ms < 0 or each.newest_ms >= since_ms
        return late and each.following > self._positions[each.partition]

    def _begun(self, part: Partition, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that were not handed out: from the position on, and once from a broker time on."""
        rows = rows.filter(pl.col("offset") >= self._positions[part])
        since_ms = self._since_ms.pop(part, None)
        if since_ms is None or not rows.height or rows["timestamp"].max() == -1:
            return rows
        young = np.flatnonzero((rows["timestamp"] >= since_ms).to_numpy())
        if len(young) and young[0]:
            self._whole[part] = False
        return rows[int(young[0]) :] if len(young) else rows.clear()

    def _take(
        self, rests: dict[Partition, _Rest], max_records: int, skip: AbstractSet[Partition]
    ) -> list[Fetched]:
        earlier = set[Partition]()
        for before in self._open:
            if before is rests:
                break
            earlier |= before.keys()
        turn = [part for part in sorted(rests) if part not in skip and part not in earlier]
        total = max(1, sum(rests[part].frame.height for part in turn))
        fetched: list[Fetched] = []
        for part in turn:
            rest = rests[part]
            share = max(1, max_records * rest.frame.height // total)
            rows, rest.frame = rest.frame[:share], rest.frame[share:]
            if rest.frame.height:
                following = int(rest.frame["offset"][0])
            else:
                following = rest.following
                del rests[part]
            self._positions[part] = following
            fetched += _batches(part, rows, following, as_kept=rest.as_kept)
        return fetched


def _batches(
    part: Partition, rows: pl.DataFrame, following: int, *, as_kept: bool
) -> Iterable[Fetched]:
    """Rows as they were fetched; a new batch where the kind of timestamp changes."""
    kinds = rows["append_time"].to_numpy()
    cuts = [0, *(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist(), rows.height]
    for begin, end in pairwise(cuts):
        some = rows[begin:end]
        yield Fetched(
            partition=part,
            offsets=some["offset"].to_numpy(),
            timestamps=some["timestamp"].to_numpy(),
            append_time=bool(kinds[begin]),
            values=_values(some["value"]),
            next_position=following if end == rows.height else int(rows["offset"][end]),
            as_kept=as_kept,
        )


def _values(column: pl.Series) -> Records | list[bytes | None]:
    values: list[bytes | None] = column.to_list()
    if column.null_count():
        return values
    ends = column.bin.size().cast(pl.Int64).to_numpy().cumsum()
    starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
    return Records(b"".join(column.to_list()), starts, ends.astype(np.int64))


def _listed(folder: Path) -> list[tuple[Piece, Note]]:
    """All files with their notes; they may be merged while we look."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return [(piece, piece.note()) for piece in pieces(folder)]
        except SourceError:
            if not tries_left:
                raise
    return []


def archive_of(files: Sequence[str] | None) -> Path | None:
    """The archive that ``--from`` names; None where it names files.

    Raises:
        UsageError: something beside an archive.
    """
    folders = [name for name in files or () if Path(name).is_dir()]
    if not folders:
        return None
    if len(files or ()) > 1:
        msg = f"--from {folders[0]}: an archive stands alone"
        raise UsageError(msg)
    return Path(folders[0])


def mark_of(folder: Path) -> str:
    """The mark of the key that customers of an archive are hashed by; empty: they are in clear.

    Raises:
        SourceError: a file is damaged.
    """
    found = _listed(folder)
    return found[-1][1].hashed if found else ""

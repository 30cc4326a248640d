"""The files of an archive: what one holds, how it is written, which there are.

A file is a stretch of each partition's log: rows sorted by topic, partition and offset, and a note
in the file of where each stretch begins and where the next goes on. Names are
``2026-11-30/09-000120-000179.parquet``: UTC day and hour, and the numbers of the first and last
piece in it. A file appears whole or not at all, and files whose pieces another has too are void.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from monitor.errors import SourceError
from monitor.source.base import Fetched, Partition

_NAME = re.compile(r"(\d{2})-(\d{6,18})-(\d{6,18})\.parquet")
_NOTE = "callcentre_monitor_archive"
SCHEMA = {
    "topic": pl.String,
    "partition": pl.Int32,
    "offset": pl.Int64,
    "timestamp": pl.Int64,
    "append_time": pl.Boolean,
    "value": pl.Binary,
}
"""``timestamp``: the broker's, ms since 1970 UTC, -1 where there is none; ``value``: the record's
bytes as they were read, null for a tombstone."""
_LEVEL = 3


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """Of one partition, what a file holds: offsets from ``first`` to before ``following``."""

    topic: str
    number: int
    first: int
    following: int
    newest_ms: int
    """The largest broker timestamp; -1 where there is none."""
    complete: bool
    """Reading of the partition began at the start of its log."""

    @property
    def partition(self) -> Partition:
        """Whose."""
        return Partition(self.topic, self.number)


class Note(msgspec.Struct, frozen=True):
    """What stands in a file beside its rows."""

    rows: int
    stretches: tuple[Stretch, ...]
    hashed: str = ""
    """The mark of the key that customers are hashed by; empty: records are as they were read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One file, by its name."""

    path: Path
    first: int
    last: int

    @property
    def hour(self) -> str:
        """``2026-11-30/09``."""
        return f"{self.path.parent.name}/{self.path.name[:2]}"

    def note(self) -> Note:
        """What it holds.

        Raises:
            SourceError: it cannot be read, or is no file of an archive.
        """
        try:
            text = pl.read_parquet_metadata(self.path)[_NOTE]
            return msgspec.json.decode(text, type=Note)
        except (OSError, LookupError, pl.exceptions.PolarsError, msgspec.DecodeError) as error:
            msg = f"{self.path} is no file of an archive: {error}"
            raise SourceError(msg) from error


def pieces(folder: Path) -> list[Piece]:
    """The files that count, in order; those whose rows another has too are left out."""
    found = _all(folder)
    kept: list[Piece] = []
    for piece in sorted(found, key=lambda each: (each.first, -each.last)):
        if not kept or piece.first > kept[-1].last:
            kept.append(piece)
    return kept


def tidy(folder: Path) -> None:
    """Delete what a crash has left: files begun, and pieces that were merged already."""
    for path in folder.glob("*/*.tmp"):
        path.unlink(missing_ok=True)
    valid = {piece.path for piece in pieces(folder)}
    for piece in _all(folder):
        if piece.path not in valid:
            piece.path.unlink(missing_ok=True)


def write_piece(folder: Path, number: int, hour_ms: int, batches: Sequence[Fetched], note: Note) -> int:  # fmt: skip  # noqa: E501
    """Write a new piece; on return it is durable. Returns its bytes.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    frame = pl.concat([_frame(batch) for batch in batches])
    path = place(folder, hour_ms, number, number)
    return _write(path, frame.sort("topic", "partition", "offset"), note)


def merge(parts: Sequence[Piece]) -> Piece:
    """Make one file of consecutive pieces of one hour, then delete them.

    Raises:
        OSError: it cannot be written; the pieces are still there.
        SourceError: one of them is damaged.
    """
    notes = [part.note() for part in parts]
    frame = pl.concat([pl.read_parquet(part.path, memory_map=False) for part in parts])
    path = parts[0].path.with_name(_named(parts[0].path.name[:2], parts[0].first, parts[-1].last))
    _write(path, frame.sort("topic", "partition", "offset"), joined(notes))
    for part in parts:
        part.path.unlink(missing_ok=True)
    return Piece(path, parts[0].first, parts[-1].last)


def joined(notes: Iterable[Note]) -> Note:
    """The note of consecutive files put together."""
    rows, found, hashed = 0, dict[Partition, Stretch](), ""
    for note in notes:
        rows += note.rows
        hashed = note.hashed
        for each in note.stretches:
            before = found.get(each.partition)
            found[each.partition] = each if before is None else msgspec.structs.replace(
                before,
                following=each.following,
                newest_ms=max(before.newest_ms, each.newest_ms),
            )  # fmt: skip
    return Note(rows, tuple(found[part] for part in sorted(found)), hashed)


def place(folder: Path, hour_ms: int, first: int, last: int) -> Path:
    """Where a file of that hour stands."""
    moment = datetime.fromtimestamp(hour_ms / 1000, tz=UTC)
    return folder / f"{moment:%Y-%m-%d}" / _named(f"{moment:%H}", first, last)


def positions(notes: Iterable[Note]) -> dict[Partition, int]:
    """Where reading goes on, by partition."""
    return {each.partition: each.following for each in joined(notes).stretches}


def note_of(
    batches: Iterable[Fetched],
    from_there: Mapping[Partition, int],
    whole: Mapping[Partition, bool],
    hashed: str = "",
) -> Note:
    """What a piece of ``batches`` holds; ``from_there``: where each partition was before."""
    rows, found = 0, dict[Partition, Stretch]()
    for batch in batches:
        part, before = batch.partition, found.get(batch.partition)
        rows += len(batch.values)
        newest = int(batch.timestamps.max()) if len(batch.timestamps) else -1
        found[part] = Stretch(
            part.topic,
            part.number,
            from_there.get(part, int(batch.offsets[0])) if before is None else before.first,
            batch.next_position,
            newest if before is None else max(newest, before.newest_ms),
            whole.get(part, False),
        )
    return Note(rows, tuple(found[part] for part in sorted(found)), hashed)


def _all(folder: Path) -> list[Piece]:
    found = []
    for path in folder.glob("*/*.parquet"):
        match = _NAME.fullmatch(path.name)
        if match is not None:
            found.append(Piece(path, int(match[2]), int(match[3])))
    return found


def _named(hour: str, first: int, last: int) -> str:
    return f"{hour}-{first:06}-{last:06}.parquet"


def _frame(batch: Fetched) -> pl.DataFrame:
    rows = len(batch.values)
    return pl.DataFrame(
        {
            "topic": pl.repeat(batch.partition.topic, rows, dtype=pl.String, eager=True),
            "partition": pl.repeat(batch.partition.number, rows, dtype=pl.Int32, eager=True),
            "offset": batch.offsets,
            "timestamp": batch.timestamps,
            "append_time": pl.repeat(batch.append_time, rows, dtype=pl.Boolean, eager=True),
            "value": pl.Series(list(batch.values), dtype=pl.Binary),
        },
        schema=SCHEMA,
    )


def _write(path: Path, frame: pl.DataFrame, note: Note) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            text = msgspec.json.encode(note).decode()
            frame.write_parquet(file, compression_level=_LEVEL, metadata={_NOTE: text})
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        temporary.replace(path)
    except pl.exceptions.PolarsError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(str(error)) from error
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    for directory in (path.parent, path.parent.parent):
        _sync(directory)
    return size


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def newest_of(fetched: Iterable[Fetched]) -> int:
    """The newest broker timestamp; -1 where there is none."""
    return max(
        (int(np.max(batch.timestamps)) for batch in fetched if len(batch.timestamps)), default=-1
    )

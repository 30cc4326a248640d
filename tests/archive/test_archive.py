"""What an archive holds is the log, record by record, whatever happened while it was written."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from monitor.archive import files, writer
from monitor.archive.files import SCHEMA, pieces
from monitor.archive.source import ArchiveSource
from monitor.decisions import Decision
from monitor.errors import SourceError, SourceUnavailable
from monitor.events.rejects import MemoryDeadLetters
from monitor.replay import replay_engine
from monitor.source.base import Source
from monitor.source.bounded import BoundedSource
from monitor.source.memory import MemorySource
from tests.archive.made import Keeper, all_rows, archived, clock_at, log_of, started
from tests.e2e.live import nervous_site
from tests.e2e.stream import PARTITIONS, START_MS, stream

HOUR_MS = 3_600_000
SITE = nervous_site()


def decided(source: Source) -> tuple[list[str], list[str]]:
    """Decisions, and dead letters, of a replay."""
    told: list[Decision] = []
    dead = MemoryDeadLetters()
    engine = replay_engine(SITE, source, told.append, dead_letters=dead)
    engine.run_to_end()
    refused = sorted(
        f"{each.partition} {each.offset} {each.reason} {each.value!r}" for each in dead.kept
    )
    return [str(each.to_json()) for each in told], refused


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_from_it_is_the_replay_of_the_log(tmp_path: Path, seed: int) -> None:
    log = log_of(stream(seed))
    keeper = Keeper(tmp_path, log, clock_at(), every=2_000)
    keeper.finish()
    assert len(pieces(tmp_path)) > 1
    assert all_rows(archived(tmp_path)) == all_rows(started(log.reopened()))
    decisions, refused = decided(archived(tmp_path))
    assert (decisions, refused) == decided(started(log.reopened()))
    assert decisions
    assert refused
    assert keeper.stats.archive_records == sum(map(len, all_rows(archived(tmp_path)).values()))


class KilledError(BaseException):
    """The process is gone at this very place."""


class Deadly:
    """Every step of writing may be the last one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> None:
        self.left = 0
        self._rng = rng
        monkeypatch.setattr(os, "fsync", self._or_die(os.fsync))
        for name in ("replace", "unlink", "mkdir"):
            monkeypatch.setattr(Path, name, self._or_die(getattr(Path, name)))
        monkeypatch.setattr(pl.DataFrame, "write_parquet", self._or_die(pl.DataFrame.write_parquet))

    def _or_die(self, does: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                if self._rng.random() < 0.5:  # done, and then gone
                    does(*arguments, **named)
                raise KilledError
            return does(*arguments, **named)

        return call


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere_it_holds_each_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    log = log_of(stream(seed, count=600, spread_ms=4 * HOUR_MS))
    monkeypatch.setattr(writer, "_CLEAN_S", 1.0)
    deadly, clock, kills = Deadly(monkeypatch, rng), clock_at(), 0
    while True:
        keeper = Keeper(tmp_path, log, clock, every=1_000)
        deadly.left = rng.randrange(1, 30)
        try:
            keeper.finish()
            keeper.turn(8)
            break
        except KilledError:
            kills += 1
    deadly.left = -1
    assert kills
    assert all_rows(archived(tmp_path)) == all_rows(started(log.reopened()))
    keeper = Keeper(tmp_path, log, clock, every=1_000)
    keeper.turn(3)  # tidies what the last kill left
    told = pl.read_parquet(tmp_path / "*" / "*.parquet")
    assert told.select("topic", "partition", "offset").is_duplicated().sum() == 0
    assert not list(tmp_path.glob("*/*.tmp"))


def test_hours_that_are_over_become_one_file(tmp_path: Path) -> None:
    log = log_of(stream(1, count=800, spread_ms=3 * HOUR_MS))
    keeper = Keeper(tmp_path, log, clock_at(), every=1_000)
    keeper.archiver._clean_after_s = 1e12
    keeper.finish()
    before = all_rows(archived(tmp_path))
    many = len(pieces(tmp_path))
    keeper = Keeper(tmp_path, log, clock_at(), every=1_000)
    keeper.archiver._open()
    for _ in range(20):
        keeper.archiver._clean()
    there = pieces(tmp_path)
    assert len(there) < many
    assert any(piece.last > piece.first for piece in there)
    assert all_rows(archived(tmp_path)) == before


def test_a_reader_does_not_mind_that_files_are_merged_meanwhile(tmp_path: Path) -> None:
    log = log_of(stream(2, count=400, spread_ms=HOUR_MS))
    keeper = Keeper(tmp_path, log, clock_at(), every=1_000)
    keeper.archiver._clean_after_s = 1e12
    keeper.finish()
    wanted = all_rows(archived(tmp_path))
    source = archived(tmp_path)
    first = source.poll(10, 0.0)
    there = pieces(tmp_path)
    files.merge(there[: len(there) // 2])
    files.merge(pieces(tmp_path)[1:])
    rows = all_rows(source)
    for batch in first:
        told = [row[0] for row in rows[batch.partition]]
        assert batch.offsets.tolist() + told == [row[0] for row in wanted[batch.partition]]
    for piece in pieces(tmp_path):
        assert piece.note().rows > 0
    source = archived(tmp_path)
    for piece in pieces(tmp_path):
        piece.path.unlink()
    with pytest.raises(SourceError, match="was deleted while"):
        all_rows(source)


def test_a_full_disk_is_a_warning_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(stream(4))
    keeper = Keeper(tmp_path, log, clock_at(), every=1_000)
    full = [True]

    def fsync(_descriptor: int) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(writer, "HELD_BYTES_MAX", 50_000)
    for _ in range(10):
        try:
            keeper.turn()
        except OSError as error:
            keeper.archiver._failed(error)
    assert keeper.stats.archive_failures > 1
    assert keeper.archiver._held_bytes < 2 * 50_000 + 600_000, "no more is read"
    assert not list(tmp_path.glob("*/*.parquet"))
    full[0] = False
    keeper.finish()
    assert all_rows(archived(tmp_path)) == all_rows(started(log.reopened()))
    keeper.archiver._healed()
    assert keeper.archiver._failing == ""


def test_the_thread_tries_again_and_ends(tmp_path: Path) -> None:
    """With a source that is away at first; the real thread."""
    from monitor.archive.settings import ArchiveSettings  # noqa: PLC0415
    from monitor.clock import SystemClock  # noqa: PLC0415
    from monitor.stats import Stats  # noqa: PLC0415

    log, stats, clock = log_of(stream(5, count=50)), Stats(), SystemClock()
    away = [2]

    def opened() -> MemorySource:
        if away[0]:
            away[0] -= 1
            raise SourceUnavailable("away")
        return log.reopened()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_RETRY_S", 0.01)
        patch.setattr(writer, "_POLL_S", 0.01)
        settings = ArchiveSettings(path=tmp_path)
        archiver = writer.Archiver(settings, opened, clock, stats)
        archiver.start()
        until = clock.monotonic_s() + 30
        while not stats.archive_waiting and clock.monotonic_s() < until:
            archiver._thread.join(0.05)
        archiver.stop()
    assert stats.archive_failures == 2
    assert not archiver._thread.is_alive()
    assert all_rows(archived(tmp_path)) == all_rows(started(log.reopened()))


@pytest.mark.parametrize("limit", [{"keep": 2 * 86_400_000}, {"keep_bytes": 2**20}])
def test_the_oldest_go_and_reading_goes_on_where_it_was(
    tmp_path: Path, limit: dict[str, int]
) -> None:
    partition, clock = PARTITIONS[0], clock_at(START_MS)
    log = MemorySource([partition])
    rng = random.Random(1)
    keeper = Keeper(tmp_path, log, clock, every=1_000, **limit)
    for day in range(6):
        stamp = START_MS + day * 86_400_000
        log.append(partition, [rng.randbytes(300_000)] * 2, timestamp_ms=stamp)
        keeper.turn(3)
        clock.advance(86_400_000)
        keeper.archiver._clean_after_s = 0.0
    keeper.turn(2)
    rows = all_rows(archived(tmp_path))[partition]
    assert 0 < len(rows) < 12
    assert rows[-1][0] == 11
    assert rows[0][0] == 12 - len(rows)
    assert not archived(tmp_path).standings()[partition].complete
    again = Keeper(tmp_path, log, clock, every=1_000, **limit)
    again.turn(3)
    assert again.stats.archive_records == 0, "nothing is read again"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_a_range_by_broker_time_is_that_of_the_log(tmp_path: Path, share: float) -> None:
    sent = stream(7, spread_ms=3 * HOUR_MS)
    log = log_of(sent)
    Keeper(tmp_path, log, clock_at(), every=1_000).finish()
    since_ms = sent[0].at_ms + int(share * 3 * HOUR_MS)
    until_ms = since_ms + HOUR_MS
    mine = BoundedSource(ArchiveSource(tmp_path), until_ms)
    theirs = BoundedSource(log.reopened(), until_ms)
    mine.start({}, since_ms)
    theirs.start({}, since_ms)
    found = [
        (each.partition, offset)
        for source in (mine, theirs)
        for each in _to_end(source)
        for offset in each.offsets.tolist()
    ]
    half = len(found) // 2
    assert half
    assert sorted(found[:half]) == sorted(found[half:])


def _to_end(source: Source) -> list[Any]:
    batches = []
    while not source.exhausted():
        batches += source.poll(50, 0.0)
    return batches


def test_positions_and_partitions_that_are_left_out_for_a_while(tmp_path: Path) -> None:
    log = log_of(stream(8))
    Keeper(tmp_path, log, clock_at(), every=1_000).finish()
    wanted = all_rows(archived(tmp_path))
    source = ArchiveSource(tmp_path)
    middle = {part: rows[len(rows) // 2][0] for part, rows in wanted.items()}
    source.start(middle, None)
    rows: dict[Any, list[int]] = {}
    rng = random.Random(8)
    while not source.exhausted():
        skip = frozenset(part for part in PARTITIONS if rng.random() < 0.5)
        for batch in source.poll(20, 0.0, skip):
            rows.setdefault(batch.partition, []).extend(batch.offsets.tolist())
    assert rows == {
        part: [row[0] for row in each if row[0] >= middle[part]] for part, each in wanted.items()
    }
    source.close()
    with pytest.raises(SourceError):
        source.poll(1, 0.0)


def test_others_can_read_it(tmp_path: Path) -> None:
    log = log_of(stream(9, count=100))
    Keeper(tmp_path, log, clock_at(), every=1_000).finish()
    frame = pl.read_parquet(tmp_path / "*" / "*.parquet")
    assert dict(frame.schema) == SCHEMA
    table = duckdb.read_parquet(f"{tmp_path}/*/*.parquet")
    told = table.aggregate("topic, count(*)").order("topic").fetchall()
    assert told == frame.group_by("topic").len().sort("topic").rows()


def test_what_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no archive"):
        archived(tmp_path)
    path = files.place(tmp_path, START_MS, 0, 0)
    path.parent.mkdir()
    path.write_bytes(b"PAR1 no")
    with pytest.raises(SourceError, match="is no file of an archive"):
        archived(tmp_path)
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(SourceError, match="is no file of an archive"):
        archived(tmp_path)

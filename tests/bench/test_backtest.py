"""What bench.backtest is made of: days in files, an archive of them, and the same decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.backtest import InOrder, archived, files, made, read, runs, table
from monitor.archive.source import ArchiveSource
from monitor.source.base import Source


def lines(source: Source) -> list[bytes | None]:
    source.start({}, None)
    found: list[bytes | None] = []
    while not source.exhausted():
        found += [value for batch in source.poll(700, 0.0) for value in batch.values]
    source.close()
    return found


def test_days_follow_each_other_and_are_one_stream(tmp_path: Path) -> None:
    paths = made(tmp_path / "three", 20_000, 3)
    assert [path.name for path in paths] == ["day-000.jsonl", "day-001.jsonl", "day-002.jsonl"]
    days = [path.read_bytes() for path in paths]
    assert all(days)
    (whole,) = made(tmp_path / "one", 60_000, 1)
    assert b"".join(days) == whole.read_bytes()
    written = [line for day in days for line in day.splitlines()]
    assert lines(InOrder(paths)) == written
    archived(paths, tmp_path / "archive")
    kept = lines(ArchiveSource(tmp_path / "archive"))  # whose partitions are read in step
    assert sorted(map(str, kept)) == sorted(map(str, written))
    assert read(files(paths))[0] == len(written)


@pytest.mark.parametrize("job", [False, True])
def test_both_sources_decide_the_same(tmp_path: Path, job: bool) -> None:
    jsonl, archive = runs(tmp_path, 4_000, 2, job=job)
    assert (jsonl.source, archive.source) == ("JSONL", "archive")
    assert (jsonl.rows, jsonl.events, jsonl.decisions) == (
        archive.rows,
        archive.events,
        archive.decisions,
    )
    assert jsonl.rows >= (8_000 if job else 5_000)
    assert [len(row) for row in table([jsonl, archive])] == [3] * 8

"""Archives made in a moment: an archiver without its thread, over a log in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from monitor.archive.hashing import Hasher
from monitor.archive.settings import ArchiveSettings
from monitor.archive.source import ArchiveSource
from monitor.archive.writer import Archiver
from monitor.clock import ManualClock
from monitor.source.base import Fetched, Partition, Source
from monitor.source.memory import MemorySource
from monitor.stats import Stats
from tests.e2e.stream import PARTITIONS, START_MS, Sent

Rows = dict[Partition, list[tuple[int, int, bool, bytes | None]]]


def log_of(sent: Iterable[Sent], partitions: Iterable[Partition] = PARTITIONS) -> MemorySource:
    """Records with the broker's stamps; every seventh offset is a marker's, and some stamps are the
    producer's."""
    source = MemorySource(partitions)
    for index, each in enumerate(sent):
        if index % 7 == 3:
            source.skip(each.partition, 1)
        source.append(
            each.partition, [each.value], timestamp_ms=each.at_ms, append_time=index % 50 < 40
        )
    source.finish()
    return source


class Keeper:
    """An archiver that is turned by hand."""

    def __init__(
        self,
        folder: Path,
        log: MemorySource,
        clock: ManualClock,
        **settings: Any,
    ) -> None:
        hasher: Hasher | None = settings.pop("hasher", None)
        self.stats = Stats()
        self.clock = clock
        made = ArchiveSettings().model_copy(update={"path": folder, **settings})
        self.archiver = Archiver(made, log.reopened, clock, self.stats, hasher)
        self.archiver.poll_records = 40

    def turn(self, times: int = 1, step_ms: int = 700) -> None:
        for _ in range(times):
            self.archiver._work()
            self.clock.advance(step_ms)

    def finish(self) -> None:
        """To the end of the log, then as a daemon that stops."""
        while self.archiver._source is None or not self.archiver._source.exhausted():
            self.turn()
        self.archiver._stop.set()
        self.archiver._run()


def clock_at(now_ms: int = START_MS) -> ManualClock:
    return ManualClock(now_ms)


def all_rows(source: Source, max_records: int = 37) -> Rows:
    """Everything, by partition, in the order it is handed out; the shape is looked at."""
    rows: Rows = {}
    while not source.exhausted():
        for batch in source.poll(max_records, 0.0):
            check(batch, source)
            rows.setdefault(batch.partition, []).extend(
                zip(
                    batch.offsets.tolist(),
                    batch.timestamps.tolist(),
                    [batch.append_time] * len(batch.values),
                    batch.values,
                    strict=True,
                )
            )
    return rows


def check(batch: Fetched, source: Source) -> None:
    assert len(batch.values) == len(batch.offsets) == len(batch.timestamps) > 0
    assert batch.next_position > batch.offsets[-1]
    assert source.standings()[batch.partition].position >= batch.next_position


def started(source: Source, since_ms: int | None = None) -> Source:
    source.start({}, since_ms)
    return source


def archived(folder: Path) -> Source:
    return started(ArchiveSource(folder))

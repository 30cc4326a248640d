"""How fast a back-test reads: days of events from JSONL and from an archive, decided alike.

``python -m bench.backtest --days 30`` is a month at a million a day, round the clock, of the
scenario ``demo``, with the shipped pack; a file a day, so that no more than a piece of it is ever
in memory (about 320 MB of disk a day, and an archive of a tenth of that). ``--job`` takes the
events and the ten rules of ``python -m bench`` instead. Seconds are of the clock, and of CPU over
all threads. ``--events`` makes days shorter, at the same rate.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.job import Job, write_events, write_pack
from bench.report import Report, arguments, tell
from monitor import logs
from monitor.archive.settings import ArchiveSettings
from monitor.archive.source import ArchiveSource
from monitor.archive.writer import Archiver
from monitor.backtest.run import Bench
from monitor.clock import SystemClock
from monitor.running.heap import settle
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import simulate
from monitor.simulate.sinks import FileSink
from monitor.site import Site, load_site
from monitor.source.base import Fetched, Partition, Source, Standing
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from monitor.stats import Stats

A_DAY = 1_000_000
RATE = A_DAY / 86_400
"""Events a second of event time, whatever is asked for."""
DENSITY = 12
"""The same of the job, whose days are a little less than whole."""
START_MS = 1_795_276_800_000
QUICK = 25
"""A day of so many parts of what is asked for."""
SAID_EVERY_S = 5.0
_CLOCK = SystemClock()


@dataclass(slots=True)
class Run:
    """One back-test, from one source."""

    source: str
    mib: float
    """On disk."""
    written_s: float
    rows: int
    read_s: float
    """To read it without judging."""
    events: int
    decisions: int
    seconds: float
    cpu_s: float


def made(folder: Path, events: int, days: int) -> list[Path]:
    """``days`` files of about ``events`` records each, in order of arrival."""
    paths, day_ms = _files_of(folder, days), _day_ms(events)
    simulation = simulate(
        SCENARIOS["demo"], start_ms=START_MS, seed=1, rate=RATE, duration_ms=days * day_ms
    )
    day, sink = 0, FileSink(paths[0])
    for records in simulation.chunks():
        if records.is_empty():
            continue
        of = (int(records["arrival"][0]) - START_MS) // day_ms
        while day < min(of, days - 1):
            sink.close()
            day += 1
            sink = FileSink(paths[day])
        tell(f"making day {day + 1} of {days}")
        sink.write(records)
    sink.close()
    for path in paths[day + 1 :]:  # a quiet end
        path.touch()
    return paths


def made_of_job(folder: Path, events: int, days: int) -> list[Path]:
    """The same of the job's events."""
    paths = _files_of(folder, days)
    for day, path in enumerate(paths):
        tell(f"making day {day + 1} of {days}")
        begins_ms = START_MS + day * _day_ms(events)
        write_events(Job("day", events, DENSITY, seed=1 + day, start_ms=begins_ms), path)
    return paths


def _files_of(folder: Path, days: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [folder / f"day-{day:03}.jsonl" for day in range(days)]


def _day_ms(events: int) -> int:
    return int(events / RATE * 1000)


def files(paths: Sequence[Path]) -> FileSource:
    """The files as a source."""
    return FileSource(FilesSettings(kind="files", paths=tuple(map(str, paths))), _CLOCK)


class InOrder:
    """Files one after the other, as they came to be: what an archive was written from."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._left = list(reversed(paths))
        self._standings: dict[Partition, Standing] = {}
        self._open: FileSource | None = None

    def start(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        """Always from the beginning."""
        assert not positions, "a folder of its own"
        assert since_ms is None
        self._next()

    def _next(self) -> None:
        self.close()
        if self._left:
            self._open = files([self._left.pop()])
            self._open.start({}, None)

    def poll(
        self, max_records: int, timeout_s: float, skip: AbstractSet[Partition] = frozenset()
    ) -> list[Fetched]:
        """The next records of the file that is open."""
        if self._open is None:
            return []
        fetched = self._open.poll(max_records, timeout_s, skip)
        self._standings.update(self._open.standings())
        if self._open.exhausted():
            self._next()
        return fetched

    def standings(self) -> Mapping[Partition, Standing]:
        """Of the files so far."""
        return self._standings

    def exhausted(self) -> bool:
        """All are read."""
        return self._open is None

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._open is not None:
            self._open.close()
        self._open = None


def archived(paths: Sequence[Path], folder: Path) -> float:
    """The same as an archive in ``folder``; the seconds that took."""
    archiver = Archiver(ArchiveSettings(path=folder), lambda: InOrder(paths), _CLOCK, Stats())
    began = time.perf_counter()
    archiver.write_all()
    return time.perf_counter() - began


def read(source: Source) -> tuple[int, float]:
    """Records of a source without judging them, and the seconds."""
    began, rows = time.perf_counter(), 0
    source.start({}, None)
    while not source.exhausted():
        rows += sum(len(batch.values) for batch in source.poll(20_000, 0.0))
    source.close()
    return rows, time.perf_counter() - began


def backtested(site: Site, source: Source, name: str, rows: int) -> tuple[int, int, float, float]:
    """Events, decisions, seconds and CPU seconds of a back-test."""
    settle()
    bench = Bench(site, source, _CLOCK)
    began, worked = time.perf_counter(), time.process_time()
    said_s = began
    bench.start(None)
    while bench.step():
        if time.perf_counter() - said_s > SAID_EVERY_S:
            said_s = time.perf_counter()
            share = bench.records / max(rows, 1)
            tell(f"{name}: {share:.0%} of {rows:,} records in {said_s - began:.0f} s")
    bench.close()
    took_s = time.perf_counter() - began
    return bench.events, bench.tally.decisions, took_s, time.process_time() - worked


def runs(
    folder: Path, events: int, days: int, *, job: bool = False, jsonl_only: bool = False
) -> Iterator[Run]:
    """Both sources, one after the other; or the files alone, which are there sooner."""
    began = time.perf_counter()
    paths = (made_of_job if job else made)(folder / "days", events, days)
    packs = [write_pack(folder / "packs" / "bench")] if job else None
    made_s = time.perf_counter() - began
    found: list[tuple[str, list[Path], float]] = [("JSONL", paths, made_s)]
    if not jsonl_only:
        tell("writing the archive")
        wrote_s = archived(paths, folder / "archive")
        found.append(("archive", list((folder / "archive").glob("*/*.parquet")), wrote_s))
    for name, on_disk, written_s in found:
        sources = [
            files(paths) if name == "JSONL" else ArchiveSource(folder / "archive") for _ in "ab"
        ]
        rows, read_s = read(sources[0])
        mib = sum(path.stat().st_size for path in on_disk) / 2**20
        yield Run(
            name,
            mib,
            written_s,
            rows,
            read_s,
            *backtested(load_site(None, packs=packs), sources[1], name, rows),
        )


def table(found: Sequence[Run]) -> list[list[str]]:
    """A column for each source."""
    lines = {
        "MiB on disk": [f"{each.mib:,.0f}" for each in found],
        "made in, s": [f"{each.written_s:,.1f}" for each in found],
        "records read, not judged, per s": [f"{each.rows / each.read_s:,.0f}" for each in found],
        "events": [f"{each.events:,}" for each in found],
        "decisions": [f"{each.decisions:,}" for each in found],
        "back-test, s": [f"{each.seconds:,.1f}" for each in found],
        "back-test, CPU s": [f"{each.cpu_s:,.1f}" for each in found],
        "events per CPU s": [f"{each.events / each.cpu_s:,.0f}" for each in found],
    }
    return [[name, *cells] for name, cells in lines.items()]


def main() -> None:
    """Measure and report; in quick a day is an hour."""
    parser = arguments("bench.backtest", __doc__)
    parser.add_argument("--events", type=_whole, default=A_DAY, help="of a day, about")
    parser.add_argument("--days", type=_whole, default=1)
    parser.add_argument("--jsonl", action="store_true", help="no archive")
    parser.add_argument("--job", action="store_true", help="events and rules of python -m bench")
    given = parser.parse_args()
    logs.configure(level="warning")
    report = Report("backtest-job" if given.job else "backtest", given)
    events = given.events // (QUICK if given.quick else 1)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        found = list(runs(Path(name), events, given.days, job=given.job, jsonl_only=given.jsonl))
    assert len({each.decisions for each in found}) == 1, "both decide the same"
    head = (f"{given.days} days of {events:,}" if given.days > 1 else f"a day of {events:,}",)
    report.table((*head, *(each.source for each in found)), table(found))
    report.keep({"days": given.days, "events_a_day": events, "runs": [asdict(e) for e in found]})


def _whole(text: str) -> int:
    value = int(text.replace("_", ""))
    if value < 1:
        msg = "1 or more"
        raise argparse.ArgumentTypeError(msg)
    return value


if __name__ == "__main__":
    main()

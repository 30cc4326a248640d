"""How fast a back-test reads: a day of events from JSONL and from an archive, decided alike.

`python -m bench.backtest [EVENTS]`: by default 1 000 000, one day round the clock of the scenario
`demo`, with the shipped pack. Seconds are of the clock, and of CPU over all threads. What a month
takes is that rate × 30, and marked as such.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from monitor.archive.settings import ArchiveSettings
from monitor.archive.source import ArchiveSource
from monitor.archive.writer import Archiver
from monitor.backtest.run import Bench
from monitor.clock import SystemClock
from monitor.simulate.pacing import to_file
from monitor.simulate.scenarios import SCENARIOS
from monitor.simulate.simulation import simulate
from monitor.site import load_site
from monitor.source.base import Source
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from monitor.stats import Stats

DAY_MS = 86_400_000
START_MS = 1_795_276_800_000
_CLOCK = SystemClock()


def made(folder: Path, events: int) -> Path:
    """One day of events in a file; a day less for few, at the rate of a million."""
    path = folder / "day.jsonl"
    rate = 1_000_000 / 86_400
    span_ms = min(DAY_MS, int(events / rate * 1000))
    simulation = simulate(
        SCENARIOS["demo"], start_ms=START_MS, seed=1, rate=rate, duration_ms=span_ms
    )
    to_file(simulation, path)
    return path


def files(path: Path) -> FileSource:
    """The file as a source."""
    return FileSource(FilesSettings(kind="files", paths=(str(path),)), _CLOCK)


def archived(path: Path, folder: Path) -> tuple[Path, float]:
    """The same as an archive, and the seconds that took."""
    archive = folder / "archive"
    settings = ArchiveSettings(path=archive)
    archiver = Archiver(settings, lambda: files(path), _CLOCK, Stats())
    began = time.perf_counter()
    archiver.write_all()
    return archive, time.perf_counter() - began


def read(source: Source) -> tuple[int, float]:
    """Records of a source without judging them, and the seconds."""
    began, rows = time.perf_counter(), 0
    source.start({}, None)
    while not source.exhausted():
        rows += sum(len(batch.values) for batch in source.poll(20_000, 0.0))
    source.close()
    return rows, time.perf_counter() - began


def backtested(source: Source) -> tuple[int, int, float, float]:
    """Events, decisions, seconds and CPU seconds of a back-test with the shipped pack."""
    bench = Bench(load_site(None), source, _CLOCK)
    began, worked = time.perf_counter(), time.process_time()
    bench.start(None)
    while bench.step():
        pass
    bench.close()
    took_s = time.perf_counter() - began
    return bench.events, bench.tally.decisions, took_s, time.process_time() - worked


def main(arguments: list[str]) -> None:
    """Measure and print."""
    events = int(arguments[0].replace("_", "")) if arguments else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = made(folder, events)
        archive, wrote_s = archived(path, folder)
        size = sum(file.stat().st_size for file in archive.glob("*/*.parquet"))
        print(f"JSONL {path.stat().st_size / 2**20:.0f} MiB, archive {size / 2**20:.0f} MiB,")
        print(f"written in {wrote_s:.1f} s")
        results = []
        for kind, opened in (
            ("JSONL", lambda: files(path)),
            ("archive", lambda: ArchiveSource(archive)),
        ):
            rows, read_s = read(opened())
            told, decisions, took_s, cpu_s = backtested(opened())
            results.append(decisions)
            print(f"{kind}: read {rows:,} at {rows / read_s:,.0f}/s;", end=" ")
            print(f"back-test {told:,} events in {took_s:.1f} s, {cpu_s:.1f} s of CPU,", end=" ")
            print(f"{told / cpu_s:,.0f} a CPU second;", end=" ")
            print(f"30 days of 1 M: {cpu_s / told * 500_000:.0f} min of CPU (rate x days)")
        assert results[0] == results[1]


if __name__ == "__main__":
    main(sys.argv[1:])

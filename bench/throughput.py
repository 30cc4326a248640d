"""How fast recorded events become decisions, and where the time goes.

Owns the runs: the engine of ``monitor replay`` over a file, first untouched for the figures that
count, then with a stop-watch at every stage. A stage is a call that the engine makes; what lies
between them is the engine's own.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.duck import Figures, run_duckdb
from bench.job import START_MS, Job, write_events, write_pack
from monitor.clock import SystemClock
from monitor.engine import AT_ONCE, Engine
from monitor.events.ahead import ReadAhead
from monitor.replay import replay_engine
from monitor.running.heap import settle
from monitor.simulate.pacing import to_file
from monitor.simulate.simulation import simulate
from monitor.site import Site, load_site
from monitor.source.base import Source
from monitor.source.files import FileSource
from monitor.source.settings import FilesSettings
from monitor.store.checkpoint import Checkpoints

PER_TICK = ("windows", "rules", "numbers", "next tick")
"""Stages that are called for each tick; the others are for each batch of events."""
ENGINE = "engine"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run over all events."""

    seconds: float
    cpu_s: float
    events: int
    ticks: int
    decisions: int


@dataclass(slots=True)
class Result:
    """What was measured of one job."""

    name: str
    events: int
    density: float
    bytes_per_event: float
    ticks: int
    decisions: int
    seconds: list[float]
    cpu_s: list[float]
    stages_cpu_s: dict[str, float]
    checkpoint_ms: float
    checkpoint_bytes: int
    duckdb_cpu_s: list[float] = field(default_factory=list)
    both_seconds: list[float] = field(default_factory=list)
    """Read and decoded ahead in a thread of its own, as the daemon does it: on two cores."""

    @property
    def rate(self) -> float:
        """Events a second, the median of the runs."""
        return self.events / statistics.median(self.seconds)

    @property
    def cpu_rate(self) -> float:
        """Events a CPU second, the best of the runs: the figure least touched by other load."""
        return self.events / min(self.cpu_s)

    @property
    def duckdb_rate(self) -> float | None:
        """DuckDB's events a CPU second, the best of its runs."""
        return self.events / min(self.duckdb_cpu_s) if self.duckdb_cpu_s else None

    @property
    def ratio(self) -> float | None:
        """Ours to DuckDB's."""
        return None if self.duckdb_rate is None else self.cpu_rate / self.duckdb_rate

    @property
    def both_rate(self) -> float:
        """Events a second on two cores, the best of the runs."""
        return self.events / min(self.both_seconds)

    @property
    def both_ratio(self) -> float | None:
        """Ours on two cores to DuckDB's on one."""
        return None if self.duckdb_rate is None else self.both_rate / self.duckdb_rate

    @property
    def tick_ms(self) -> float:
        """CPU milliseconds that a tick costs, whatever is in it."""
        spent = sum(self.stages_cpu_s[stage] for stage in PER_TICK)
        return spent / self.ticks * 1_000

    def plain(self) -> dict[str, Any]:
        """For the results file."""
        names = ("rate", "cpu_rate", "duckdb_rate", "ratio", "both_rate", "both_ratio")
        rates = {name: getattr(self, name) for name in names}
        return asdict(self) | {
            name: None if value is None else round(value, 3) for name, value in rates.items()
        }


def measure(job: Job, rounds: int, tell: Tell) -> Result:
    """A generated job, beside DuckDB on the same file."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "events.jsonl"
        tell(f"{job.name}: writing {job.events:,} events")
        size = write_events(job, file)
        site = load_site(None, packs=[write_pack(Path(folder) / "pack")])
        result, engine = _measure(job.name, site, file, job.density, size, rounds, tell)
        for number in range(rounds):
            tell(f"{job.name}: DuckDB, {number + 1} of {rounds}")
            cpu_s, theirs = run_duckdb(file)
            result.duckdb_cpu_s.append(cpu_s)
        if _last_figures(engine) != theirs:
            msg = f"{job.name}: DuckDB has other figures than the engine"
            raise AssertionError(msg)
        return result


def measure_shipped(rate: float, minutes: int, rounds: int, tell: Tell) -> Result:
    """The shipped pack on a simulated centre: sparse traffic, many rules, all kinds of events."""
    name = f"shipped pack, {rate:g}/s"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "events.jsonl"
        tell(f"{name}: simulating {minutes} minutes")
        made = simulate(
            "number-going-bad", start_ms=START_MS, duration_ms=minutes * 60_000, rate=rate, seed=1
        )
        to_file(made, file)
        with file.open("rb") as lines:
            count = sum(1 for _ in lines)
        size = file.stat().st_size / count
        return _measure(name, load_site(None), file, rate, size, rounds, tell)[0]


def _last_figures(engine: Engine) -> Figures:
    view = engine.judges.indicators.view("effective_talk", ("team",), "30m")
    ids = view.keys.living()
    hits, of = view.figures(ids)
    return dict(
        zip(view.keys.names(ids), zip(hits.tolist(), of.tolist(), strict=True), strict=True)
    )


def _measure(
    name: str, site: Site, file: Path, density: float, size: float, rounds: int, tell: Tell
) -> tuple[Result, Engine]:
    runs = []
    for number in range(rounds):
        tell(f"{name}: replay, {number + 1} of {rounds}")
        runs.append(replay(site, file)[0])
    both = []
    for number in range(rounds):
        tell(f"{name}: replay on two cores, {number + 1} of {rounds}")
        both.append(replay(site, file, ahead=True)[0].seconds)
    tell(f"{name}: replay with a stop-watch")
    watch = StopWatch()
    timed, engine = replay(site, file, watch)
    watch.cpu_s[ENGINE] = timed.cpu_s - sum(watch.cpu_s.values())
    started = time.perf_counter()
    written = Checkpoints(file.parent).save(engine.snapshot())
    result = Result(
        name=name,
        events=runs[0].events,
        density=density,
        bytes_per_event=size,
        ticks=runs[0].ticks,
        decisions=runs[0].decisions,
        seconds=[run.seconds for run in runs],
        cpu_s=[run.cpu_s for run in runs],
        stages_cpu_s=watch.cpu_s,
        both_seconds=both,
        checkpoint_ms=(time.perf_counter() - started) * 1_000,
        checkpoint_bytes=written.size,
    )
    return result, engine


def replay(
    site: Site, file: Path, watch: StopWatch | None = None, *, ahead: bool = False
) -> tuple[Run, Engine]:
    """One replay of ``file`` on a fresh engine, which is given back as it stands at the end.

    ``ahead``: as ``monitor replay`` and the daemon do it, decoding in a thread of its own.
    """
    gc.collect()  # the last round's engine, which would stay
    settle()
    clock = SystemClock()
    source: Source = FileSource(FilesSettings(kind="files", paths=(str(file),)), clock)
    if ahead:
        source = reading = ReadAhead(source, clock)
        reading.decoder = lambda: engine.judges.decoder
    decisions: list[object] = []
    engine = replay_engine(site, source, decisions.append, at_once=AT_ONCE)
    if watch is not None:
        watch.put_on(engine)
    source.start({}, None)
    started, cpu = time.perf_counter(), time.process_time()
    engine.run_to_end()
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    source.close()
    events = sum(engine.stats.records.values())
    return Run(seconds, cpu_s, events, engine.stats.ticks, len(decisions)), engine


class StopWatch:
    """CPU seconds of this process by stage, from outside: the engine does not know of it."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}

    def put_on(self, engine: Engine) -> None:
        """Time every stage of the path."""
        judges = engine.judges
        stages: tuple[tuple[str, object, str], ...] = (
            ("fetch", engine.source, "poll"),
            ("decode", judges.decoder, "decode"),
            ("place", engine.watermarks, "place"),
            ("release", engine.pending, "release"),
            ("dedup", engine.dedup, "apply"),
            ("enrich", engine.owners, "apply"),
            ("group", judges.indicators, "load"),
            ("group", judges.rules, "load"),
            ("windows", judges.indicators, "step"),
            ("rules", judges.rules, "step"),
            ("numbers", judges.desk, "step"),
            ("next tick", engine, "_next_tick"),
        )
        for stage, owner, name in stages:
            self.cpu_s.setdefault(stage, 0.0)
            setattr(owner, name, self._timed(stage, getattr(owner, name)))

    def _timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            started = time.process_time()
            try:
                return call(*args, **named)
            finally:
                self.cpu_s[stage] += time.process_time() - started

        return timed

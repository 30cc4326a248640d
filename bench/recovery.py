"""What a state of many numbers costs: how long a checkpoint holds the engine, and how long a start.

Run: ``python -m bench.recovery``. Owns no job of its own: the one of ``bench.job``, with
more numbers.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bench import job
from bench.report import Report, arguments, tell
from monitor import logs
from monitor.engine import AT_ONCE, Engine
from monitor.replay import replay_engine
from monitor.site import Site, load_site
from monitor.source.base import Partition
from monitor.source.memory import MemorySource
from monitor.store.checkpoint import Checkpoints

EVENTS_PER_NUMBER = 6
DENSITY = 500
"""Events a second of event time."""
ROUNDS = 3
INTERVAL = 5 * DENSITY
"""Events between two checkpoints of a daemon."""
_PARTITION = Partition("calls", 0)


def main() -> None:
    """Measure and report; in quick a tenth of the numbers."""
    parser = arguments("bench.recovery", __doc__)
    parser.add_argument("--numbers", type=int, default=100_000)
    given = parser.parse_args()
    logs.configure(level="warning")
    report = Report("recovery", given)
    numbers = given.numbers // (10 if given.quick else 1)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        size = job.Job(
            "recovery", events=numbers * EVENTS_PER_NUMBER, density=DENSITY, numbers=numbers
        )
        tell(f"{size.events:,} events of {numbers:,} numbers")
        job.write_events(size, folder / "events.jsonl")
        site = load_site(None, packs=[job.write_pack(folder / "pack")])
        source = MemorySource([_PARTITION])
        lines = (folder / "events.jsonl").read_bytes().splitlines()
        source.append(_PARTITION, lines[: -ROUNDS * INTERVAL])
        source.start({}, None)
        engine = replay_engine(site, source, lambda _decision: None, at_once=AT_ONCE)
        while engine.step():
            pass
        engine.pace = replace(engine.pace, at_once=1)
        rounds = (lines[first:][:INTERVAL] for first in _firsts(len(lines)))
        found = _measure(site, engine, source, rounds, Checkpoints(folder))
    report.table(
        (f"{numbers:,} numbers", "with everything", "one after it"),
        [
            ["the engine is held, ms", *_both(found.holds_s, 1_000)],
            ["written beside it, ms", *_both(found.writes_s, 1_000)],
            ["written, MB", *_both(found.written, 1e-6, 2)],
            ["a start reads it, ms", f"{min(found.loads_s) * 1_000:,.0f}", ""],
            ["– and has its state, ms", f"{min(found.restores_s) * 1_000:,.0f}", ""],
        ],
    )
    report.keep({"numbers": numbers, **asdict(found)})


@dataclass(slots=True)
class Found:
    """What each round took; the first has everything, those after it what five seconds changed."""

    holds_s: list[float] = field(default_factory=list)
    writes_s: list[float] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    """Bytes."""
    loads_s: list[float] = field(default_factory=list)
    restores_s: list[float] = field(default_factory=list)


def _both(rounds: Sequence[float], times: float, digits: int = 0) -> tuple[str, str]:
    """The first round, and the best of those after it."""
    return f"{rounds[0] * times:,.{digits}f}", f"{min(rounds[1:]) * times:,.{digits}f}"


def _firsts(lines: int) -> range:
    """Where the events of each round begin: they are the last there are."""
    return range(lines - ROUNDS * INTERVAL, lines, INTERVAL)


def _measure(
    site: Site,
    engine: Engine,
    source: MemorySource,
    rounds: Iterable[list[bytes]],
    checkpoints: Checkpoints,
) -> Found:
    found = Found()
    for more in rounds:
        source.append(_PARTITION, more)
        while engine.step():
            pass
        started = time.perf_counter()
        picture = engine.snapshot()
        found.holds_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        saved = checkpoints.save(picture)
        found.writes_s.append(time.perf_counter() - started)
        found.written.append(saved.written)
        started = time.perf_counter()
        state = checkpoints.load()
        found.loads_s.append(time.perf_counter() - started)
        assert state is not None
        fresh = replay_engine(site, MemorySource([]), lambda _decision: None)
        started = time.perf_counter()
        fresh.restore(state)
        found.restores_s.append(time.perf_counter() - started)
    return found


if __name__ == "__main__":
    main()

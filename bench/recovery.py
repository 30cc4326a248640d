"""What a state of many numbers costs: how long a checkpoint holds the engine, and how long a start.

Run: ``python -m bench.recovery [NUMBERS]``. Owns no job of its own: the one of ``bench.job``, with
more numbers.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import sys
import tempfile
import time
from pathlib import Path

from bench import job
from bench.throughput import replay
from monitor import logs
from monitor.engine import Engine
from monitor.replay import replay_engine
from monitor.site import Site, load_site
from monitor.source.memory import MemorySource
from monitor.store.checkpoint import Checkpoints

EVENTS_PER_NUMBER = 6
DENSITY = 500
"""Events a second of event time."""
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    numbers = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    logs.configure(level="warning")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        size = job.Job(
            "recovery", events=numbers * EVENTS_PER_NUMBER, density=DENSITY, numbers=numbers
        )
        job.write_events(size, folder / "events.jsonl")
        site = load_site(None, packs=[job.write_pack(folder / "pack")])
        run, engine = replay(site, folder / "events.jsonl")
        print(f"{numbers:,} numbers, {run.events:,} events, {run.ticks} ticks")
        _measure(site, engine, Checkpoints(folder))


def _measure(site: Site, engine: Engine, checkpoints: Checkpoints) -> None:
    holds, writes, loads, restores, saved = [], [], [], [], None
    for _ in range(ROUNDS):
        started = time.perf_counter()
        picture = engine.snapshot()
        holds.append(time.perf_counter() - started)
        started = time.perf_counter()
        saved = checkpoints.save(picture)
        writes.append(time.perf_counter() - started)
        started = time.perf_counter()
        state = checkpoints.load()
        loads.append(time.perf_counter() - started)
        assert state is not None
        fresh = replay_engine(site, MemorySource([]), lambda _decision: None)
        started = time.perf_counter()
        fresh.restore(state)
        restores.append(time.perf_counter() - started)
    assert saved is not None
    print(f"checkpoint holds the engine: first {holds[0]:.3f} s, then {min(holds[1:]):.3f} s")
    print(f"written beside it: first in {writes[0]:.2f} s, then in {min(writes[1:]):.3f} s")
    print(
        f"bytes: {saved.written / 1e6:.2f} MB written by the last, {saved.size / 1e6:.1f} MB in all"
    )
    print(f"start: read {min(loads):.2f} s, restore {min(restores):.2f} s")


if __name__ == "__main__":
    main()

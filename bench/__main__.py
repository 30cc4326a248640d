"""``python -m bench``: throughput with its bottleneck, beside DuckDB in the same run.

A few minutes. Prints a table and writes ``bench/results/<machine>.json``. Everything runs on one
thread, so that figures are per core, but for the rows that say two.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.job import Job
from bench.throughput import ENGINE, PER_TICK, Result, measure, measure_shipped
from monitor import logs

JOBS = (
    Job("200/s", events=300_000, density=200),
    Job("20 000/s", events=800_000, density=20_000),
    Job("20 000/s, Zipf 1.1", events=800_000, density=20_000, zipf=1.1),
)
SHIPPED = (20.0, 60)
"""Events a second, minutes."""
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run all jobs and report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, nothing kept")
    given = parser.parse_args()
    logs.configure(level="warning")
    part = 10 if given.quick else 1
    before = machine.load()
    results = [measure_shipped(SHIPPED[0], SHIPPED[1] // part, given.rounds, _progress)]
    for job in JOBS:
        smaller = Job(job.name, job.events // part, job.density, job.zipf, job.seed)
        results.append(measure(smaller, given.rounds, _progress))
    _progress("")
    where = machine.describe()
    load = (before, machine.load())
    _report(results, where, load)
    if not given.quick:
        path = RESULTS / f"{machine.slug(where)}.json"
        path.parent.mkdir(exist_ok=True)
        _write(path, {"machine": where, "load": load, "jobs": [each.plain() for each in results]})
        print(f"written to {path}")


def _progress(text: str) -> None:
    """One line that changes on a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="" if text else "\r", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def _report(results: list[Result], where: dict[str, Any], load: tuple[float, float]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    console.print(
        f"{where['cpu']}, {where['cores']} cores, one thread used; Python {where['python']},"
        f" polars {where['polars']}, DuckDB {where['duckdb']}; commit {where['commit']};"
        f" load before and after {load[0]}, {load[1]}"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for result in results:
        table.add_column(result.name, justify="right")
    rows: list[tuple[str, list[str]]] = [
        ("events", [f"{each.events:,}" for each in results]),
        ("ticks", [f"{each.ticks:,}" for each in results]),
        ("decisions", [f"{each.decisions:,}" for each in results]),
        ("events/s, median", [f"{each.rate:,.0f}" for each in results]),
        ("events/CPU s, best", [f"{each.cpu_rate:,.0f}" for each in results]),
        ("DuckDB events/CPU s", [_count(each.duckdb_rate) for each in results]),
        ("ratio", [_share(each.ratio) for each in results]),
        ("events/s, two cores, best", [f"{each.both_rate:,.0f}" for each in results]),
        ("ratio, two cores to one", [_share(each.both_ratio) for each in results]),
        ("CPU ms a tick", [f"{each.tick_ms:.2f}" for each in results]),
        ("checkpoint, ms", [f"{each.checkpoint_ms:.0f}" for each in results]),
        ("checkpoint, kB", [f"{each.checkpoint_bytes / 1_000:,.0f}" for each in results]),
    ]
    for label, cells in rows:
        table.add_row(label, *cells)
    table.add_section()
    table.add_row("µs of CPU an event in")
    for stage in (*results[0].stages_cpu_s,):
        mark = "  each tick" if stage in PER_TICK else ""
        label = "between them" if stage == ENGINE else stage
        micros = [each.stages_cpu_s[stage] / each.events * 1e6 for each in results]
        table.add_row(f"  {label}{mark}", *(f"{value:.2f}" for value in micros))
    console.print(table)


def _share(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def _count(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:,.0f}"


def _write(path: Path, what: dict[str, Any]) -> None:
    path.write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""``python -m bench``: throughput with its bottleneck, beside DuckDB in the same run.

A few minutes. Prints a table and writes ``bench/results/<machine>-replay.json``. Everything runs on
one thread, so that figures are per core, but for the rows that say two.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

from bench.job import Job
from bench.report import Report, arguments, tell
from bench.throughput import ENGINE, PER_TICK, Result, measure, measure_shipped
from monitor import logs

JOBS = (
    Job("200/s", events=300_000, density=200),
    Job("20 000/s", events=800_000, density=20_000),
    Job("20 000/s, Zipf 1.1", events=800_000, density=20_000, zipf=1.1),
)
SHIPPED = (20.0, 60)
"""Events a second, minutes."""


def main() -> None:
    """Run all jobs and report."""
    parser = arguments("bench", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    given = parser.parse_args()
    logs.configure(level="warning")
    report = Report("replay", given)
    part = 10 if given.quick else 1
    results = [measure_shipped(SHIPPED[0], SHIPPED[1] // part, given.rounds, tell)]
    for job in JOBS:
        smaller = Job(job.name, job.events // part, job.density, job.zipf, job.seed)
        results.append(measure(smaller, given.rounds, tell))
    report.table(("", *(each.name for each in results)), _rows(results))
    report.keep({"jobs": [each.plain() for each in results]})


def _rows(results: list[Result]) -> list[list[str]]:
    rows = [
        ["events", *(f"{each.events:,}" for each in results)],
        ["ticks", *(f"{each.ticks:,}" for each in results)],
        ["decisions", *(f"{each.decisions:,}" for each in results)],
        ["events/s, median", *(f"{each.rate:,.0f}" for each in results)],
        ["events/CPU s, best", *(f"{each.cpu_rate:,.0f}" for each in results)],
        ["DuckDB, events/CPU s", *(_count(each.duckdb_rate) for each in results)],
        ["ratio to DuckDB", *(_share(each.ratio) for each in results)],
        ["events/s on two cores, best", *(f"{each.both_rate:,.0f}" for each in results)],
        ["ratio, two cores to DuckDB on one", *(_share(each.both_ratio) for each in results)],
        ["CPU ms a tick, whatever is in it", *(f"{each.tick_ms:.2f}" for each in results)],
        ["first checkpoint, ms", *(f"{each.checkpoint_ms:.0f}" for each in results)],
        ["first checkpoint, kB", *(f"{each.checkpoint_bytes / 1_000:,.0f}" for each in results)],
        ["µs of CPU an event in", *("" for _ in results)],
    ]
    for stage in results[0].stages_cpu_s:
        label = "between them" if stage == ENGINE else stage
        label += ", each tick" if stage in PER_TICK else ""
        micros = (each.stages_cpu_s[stage] / each.events * 1e6 for each in results)
        rows.append([f"– {label}", *(f"{value:.2f}" for value in micros)])
    return rows


def _share(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def _count(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:,.0f}"


if __name__ == "__main__":
    main()

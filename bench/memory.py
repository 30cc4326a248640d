"""What a day of a million numbers takes of memory.

``python -m bench.memory``. Twenty-four hours at 50 events a second, each of the numbers seen four
times or more, in a process of its own, with the windows of ``bench.job``: 30 minutes and 24 hours.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import point
from bench.job import Job, write_events, write_pack
from bench.report import Report, arguments, tell

DAY_S, DENSITY = 86_400, 50
REQUIRED_MB = 2_000


def main() -> None:
    """Measure and report; in quick a tenth of the numbers and of the day."""
    parser = arguments("bench.memory", __doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    given = parser.parse_args()
    report = Report("memory", given)
    part = 10 if given.quick else 1
    numbers, events = given.numbers // part, DAY_S * DENSITY // part
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        tell(f"writing {events:,} events")
        write_events(Job("day", events, DENSITY, numbers=numbers), folder / "events.jsonl")
        tell("replaying them")
        found = point.run(folder / "events.jsonl", write_pack(folder / "pack"))
    row = [
        f"{numbers:,}",
        f"{events:,}",
        f"{found.ticks:,}",
        f"{found.rate:,.0f}",
        f"{found.rss_start_mb:,.0f}",
        f"{found.rss_mb:,.0f}",
        f"{REQUIRED_MB:,}",
    ]
    head = ["numbers", "events", "ticks", "events/CPU s", "MB at the start", "MB", "may be"]
    report.table(head, [row])
    report.keep(asdict(found) | {"numbers": numbers})


if __name__ == "__main__":
    main()

"""What a day of a million numbers takes of memory, and of throughput.

``python -m bench.memory``. Twenty-four hours at 50 events a second, of a thousand numbers and of a
million, each of which is seen four times or more; each in a process of its own, with the windows of
``bench.job``: 30 minutes and 24 hours.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import tempfile
from dataclasses import asdict
from pathlib import Path

from bench import point
from bench.job import Job, write_events, write_pack
from bench.point import Point
from bench.report import Report, arguments, tell

DAY_S, DENSITY = 86_400, 50
FEW, MANY = 1_000, 1_000_000
MOST_MB = 2_000
LEAST = 0.5
"""Of the rate with few numbers."""


def main() -> None:
    """Measure and report; in quick a tenth of the numbers and of the day."""
    parser = arguments("bench.memory", __doc__)
    given = parser.parse_args()
    report = Report("memory", given)
    part = 10 if given.quick else 1
    found = {numbers // part: _day(numbers // part, part) for numbers in (FEW, MANY)}
    few = found[FEW // part]
    rows = [
        [
            f"{numbers:,}",
            f"{each.records:,}",
            f"{each.ticks:,}",
            f"{each.rate:,.0f}",
            f"{each.rate / few.rate:.2f}",
            f"{each.rss_start_mb:,.0f}",
            f"{each.rss_mb:,.0f}",
        ]
        for numbers, each in found.items()
    ]
    rows.append(["may be", "", "", "", f"{LEAST}", "", f"{MOST_MB:,}"])
    head = ["numbers", "events", "ticks", "events/CPU s", "ratio", "MB at the start", "MB"]
    report.table(head, rows)
    report.keep({"days": {str(numbers): asdict(each) for numbers, each in found.items()}})


def _day(numbers: int, part: int) -> Point:
    events = DAY_S * DENSITY // part
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        tell(f"{numbers:,} numbers: writing {events:,} events")
        write_events(Job("day", events, DENSITY, numbers=numbers), folder / "events.jsonl")
        tell(f"{numbers:,} numbers: replaying them")
        return point.run(folder / "events.jsonl", write_pack(folder / "pack"))


if __name__ == "__main__":
    main()

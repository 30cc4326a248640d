"""What the shipped packs cost: each alone, and all of them together.

``python -m bench.packs [PACK …]``. A normal day of the simulator, replayed on one thread in a
process of its own for each; the packs' rules are judged as they ship, those in shadow too. Costs
are told in times of ``telemarketing`` alone, in the same run.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench import point
from bench.point import Point
from bench.report import Report, arguments, tell
from monitor.site import load_site

PACKS = Path(__file__).parents[1] / "rules"
FIRST, ALL = "telemarketing", "all of them"
RATE, MINUTES = 200, 50


def main() -> None:
    """Measure and report."""
    shipped = sorted(path.parent.name for path in PACKS.glob("*/rules.yaml"))
    parser = arguments("bench.packs", __doc__)
    parser.add_argument("packs", nargs="*", metavar="PACK", help=", ".join(shipped))
    parser.add_argument("--rounds", type=int, default=2, help="runs of each; the best counts")
    given = parser.parse_args()
    unknown = set(given.packs) - set(shipped)
    if unknown:
        parser.error(f"no such pack: {', '.join(sorted(unknown))}")
    chosen = [name for name in given.packs or shipped if name != FIRST]
    report = Report("packs", given)
    jobs = {FIRST: [FIRST], **{name: [name] for name in chosen}, ALL: shipped}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = simulated_day(Path(folder), MINUTES // 10 if given.quick else MINUTES)
        found = {name: _measure(name, file, packs, given.rounds) for name, packs in jobs.items()}
    rows = [_row(name, jobs[name], each, found[FIRST]) for name, each in found.items()]
    head = ["packs on", "indicators", "rules", "decisions", "events/CPU s", "cost", "MB"]
    report.table(head, rows)
    report.keep({"packs": {name: asdict(each) for name, each in found.items()}})


def simulated_day(folder: Path, minutes: int) -> Path:
    """A file of simulated traffic."""
    file = folder / "events.jsonl"
    tell(f"writing {minutes} minutes at {RATE} events a second")
    command = [sys.executable, "-m", "monitor", "simulate", "--scenario", "normal-day"]
    command += ["--rate", str(RATE), "--for", f"{minutes}m", "--numbers", "2000"]
    command += ["--start", "2026-11-22T09:00+08:00", "--to", f"file:{file}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return file


def _measure(name: str, file: Path, packs: Sequence[str], rounds: int) -> Point:
    tell(f"{name}: replaying")
    runs = [point.run(file, *(PACKS / pack for pack in packs)) for _ in range(rounds)]
    return max(runs, key=lambda each: each.rate)


def _row(name: str, packs: Sequence[str], each: Point, first: Point) -> list[str]:
    site = load_site(None, packs=[PACKS / pack for pack in packs])
    return [
        name,
        f"{len(site.indicators)}",
        f"{len(site.rules)}",
        f"{each.decisions:,}",
        f"{each.rate:,.0f}",
        f"{first.rate / each.rate:.2f}",
        f"{each.rss_mb:,.0f}",
    ]


if __name__ == "__main__":
    main()

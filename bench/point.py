"""One replay in a process of its own: its time, its memory, its stages, as JSON on stdout.

Owns nothing but the measuring; who calls it has made the file and the pack. ``run`` is that call.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.throughput import ENGINE, StopWatch, replay
from monitor import logs
from monitor.site import load_site
from monitor.warm import warm

CONFIG = """\
version: 1
limits: {keys_per_scope: 2000000, ids: 20000000}
numbers: {numbers_max: 2000000}
events: {owners: {numbers: 2000000}}
"""
"""Nothing overflows: what a bound leaves out would look like speed."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one replay cost."""

    records: int
    """Read, dead letters and duplicates included."""
    accepted: int
    ticks: int
    decisions: int
    seconds: float
    cpu_s: float
    stages_cpu_s: dict[str, float]
    """Empty without a stop-watch."""
    rss_start_mb: float
    rss_mb: float
    """The most resident memory of the process; before the first record, and over all."""

    @property
    def rate(self) -> float:
        """Records a CPU second."""
        return self.records / self.cpu_s


def run(file: Path, *packs: Path, watch: bool = False, ahead: bool = False) -> Point:
    """Replay ``file`` under ``packs`` in a new process, on one thread or reading ``ahead`` on two.

    Raises:
        subprocess.CalledProcessError: it failed; why is on stderr.
    """
    command = [sys.executable, "-m", "bench.point", str(file), *map(str, packs)]
    command += ["--watch"] * watch + ["--ahead"] * ahead
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Point(**json.loads(done.stdout))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.point", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("packs", type=Path, nargs="+")
    parser.add_argument("--watch", action="store_true", help="with a stop-watch at every stage")
    parser.add_argument("--ahead", action="store_true", help="read and decode in a second thread")
    given = parser.parse_args()
    logs.configure(level="error")
    site = load_site(None, packs=given.packs, text=CONFIG)
    warm()  # as the daemon does at its start
    before = _rss_mb()
    watch = StopWatch() if given.watch else None
    done, engine = replay(site, given.file, watch, ahead=given.ahead)
    if watch is not None:
        watch.cpu_s[ENGINE] = done.cpu_s - sum(watch.cpu_s.values())
    accepted = sum(n for (_, what), n in engine.stats.events.items() if what == "accepted")
    stages = {} if watch is None else watch.cpu_s
    point = Point(
        records=done.events,
        accepted=accepted,
        ticks=done.ticks,
        decisions=done.decisions,
        seconds=done.seconds,
        cpu_s=done.cpu_s,
        stages_cpu_s=stages,
        rss_start_mb=before,
        rss_mb=_rss_mb(),
    )
    print(json.dumps(asdict(point)))


def _rss_mb() -> float:
    """By the kernel's high-water mark; ``ru_maxrss`` would count the process that started us."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_000


if __name__ == "__main__":
    main()

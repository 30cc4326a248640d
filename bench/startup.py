"""How long the daemon takes to start: with nothing, and with the state of 100 000 numbers.

``python -m bench.startup``. ``monitor run`` in a process of its own on a file, from its beginning
until ``/readyz`` says that it judges. The state comes of a run over six events of each number,
which is told to end by SIGTERM and leaves its checkpoint; then ticks go on from there.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from bench.job import Job, write_events, write_pack
from bench.report import Report, arguments, tell
from monitor.clock import SystemClock
from tests.broker.broker import free_ports
from tests.e2e.daemons import Daemon

EVENTS_PER_NUMBER = 6
DENSITY = 500
"""Events a second of event time."""
PATIENCE_S = 300.0
_CONFIG = """\
version: 1
source: {{kind: files, paths: ["{folder}/calls.jsonl"], follow: true, bookmarks: {folder}/files}}
rules_dir: {folder}
packs: [pack]
limits: {{keys_per_scope: 200000}}
numbers: {{numbers_max: 200000}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
exporter: {{port: {port}}}
"""


@dataclass(slots=True)
class Starts:
    """Some starts in one condition."""

    name: str
    seconds: list[float] = field(default_factory=list)
    """From the process's beginning until it is ready, each time."""


def main() -> None:
    """Measure and report; in quick a tenth of the numbers."""
    parser = arguments("bench.startup", __doc__)
    parser.add_argument("--numbers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    report = Report("startup", given)
    numbers = given.numbers // (10 if given.quick else 1)
    events = numbers * EVENTS_PER_NUMBER
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        port = free_ports(("http",))["http"]
        write_pack(folder / "pack")
        (folder / "calls.jsonl").touch()
        daemon = Daemon(folder, _CONFIG.format(folder=folder, port=port))
        nothing, full = Starts("nothing known"), Starts(f"{numbers:,} numbers")
        for _ in range(given.rounds):
            tell(f"{nothing.name}: start")
            with _ready(daemon, port, nothing):
                pass
        start_ms = SystemClock().now_ms() - events * 1_000 // DENSITY - 60_000
        tell(f"{events:,} events of {numbers:,} numbers")
        write_events(
            Job("state", events, DENSITY, numbers=numbers, start_ms=start_ms),
            folder / "calls.jsonl",
        )
        with _ready(daemon, port, Starts("")):
            _await_judged(daemon, start_ms + events * 1_000 // DENSITY - 10_000)
        for _ in range(given.rounds):
            tell(f"{full.name}: start")
            with _ready(daemon, port, full):
                pass
    rows = [
        [each.name, f"{statistics.median(each.seconds):.2f}", f"{max(each.seconds):.2f}"]
        for each in (nothing, full)
    ]
    report.table(("start with", "median, s", "longest, s"), rows)
    report.keep({"numbers": numbers, "starts": [asdict(nothing), asdict(full)]})


@contextmanager
def _ready(daemon: Daemon, port: int, starts: Starts) -> Iterator[None]:
    """A daemon that runs and is ready; told to end afterwards."""
    began = time.perf_counter()
    daemon.start()
    try:
        while not _is_ready(port):
            assert daemon.poll() is None, daemon.last_log()[-3_000:]
            assert time.perf_counter() - began < PATIENCE_S
            time.sleep(0.005)
        starts.seconds.append(time.perf_counter() - began)
        yield
        assert daemon.stop() == 0, daemon.last_log()[-3_000:]
    except BaseException:
        daemon.kill()
        raise


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=1.0).status_code == 200
    except httpx.HTTPError:
        return False


def _await_judged(daemon: Daemon, until_ms: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while daemon.judged_ms() < until_ms:
        assert time.monotonic() < deadline
        time.sleep(0.2)


if __name__ == "__main__":
    main()

"""The same job by others, beside ours: DuckDB, Flink SQL, Bytewax, Quix Streams.

``python -m bench.peers [NAME …]``. Each runs over the first so many events of one file (Quix over a
topic of Apache Kafka with the same events), twice: few and many. The rate, theirs and ours, is what
lies between, events to time, so that no start counts. Who uses both cores is compared with ours on
both. Their figures of the teams must be DuckDB's. All compute six measures in five scopes over 30
minutes by 30 s and over 24 hours by 15 minutes; ours also order, duplicates and ten rules.
Interpreter of the peers: ``BENCH_PEERS_PYTHON``, else the one of ``make peers``.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from bench import point
from bench.duck import run_duckdb, team_windows
from bench.job import Job, write_events, write_pack
from bench.peers.task import SPANS
from bench.report import Report, arguments, tell
from tests.broker.broker import Broker, Cluster

JOBS = (Job("20 000/s", 1_200_000, 20_000), Job("200/s", 1_200_000, 200))
SHORT = 3
"""Runs of a second, ours and DuckDB's, are made so many times as often as the others' rounds: a
tenth of a second is as much of one as seconds are of a long one."""
FEW, MANY = 200_000, 1_200_000
"""Events of the two runs of ours, of DuckDB's and of whoever is as fast."""
PYTHON = Path(__file__).parents[2] / ".venv" / "peers" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Peer:
    """One of the others."""

    name: str
    few: int
    many: int
    """Events of its two runs."""
    environ: tuple[tuple[str, str], ...] = ()
    wanted: float = 0.0
    """So many times its rate ours has to be."""
    kafka: bool = False
    both: bool = False
    """It uses both cores."""

    @property
    def title(self) -> str:
        """With what sets it apart from the same peer otherwise."""
        return " ".join([self.name, *(value for _, value in self.environ)])


PEERS = (
    # A virtual machine takes a different time to start each time, so there have to be many more.
    Peer("flink", FEW, MANY, wanted=10.0, both=True),
    Peer("bytewax", 10_000, 60_000, wanted=20.0),
    Peer("bytewax", 1_000, 6_000, (("BENCH_BYTEWAX", "sliding"),), wanted=20.0),
    Peer("quix", 5_000, 25_000, wanted=20.0, kafka=True),
    Peer("quix", 2_000, 8_000, (("BENCH_QUIX", "hopping"),), wanted=20.0, kafka=True),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A rate, and how many figures were compared with DuckDB's."""

    name: str
    events: int
    rate: float
    cpu_rate: float
    version: str = ""
    compared: int = 0
    wanted: float = 0.0
    both: bool = False


def main() -> None:
    """Measure all that are named, or all, at both densities."""
    parser = arguments("bench.peers", __doc__)
    titles = [peer.title for peer in PEERS]
    parser.add_argument("peers", nargs="*", metavar="NAME", help=", ".join(map(repr, titles)))
    parser.add_argument("--rounds", type=int, default=2, help="of each; the quickest counts")
    given = parser.parse_args()
    if unknown := set(given.peers) - set(titles):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    report = Report("peers", given)
    chosen = [peer for peer in PEERS if not given.peers or peer.title in given.peers]
    found: dict[str, list[Measured]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _cluster(chosen, name) as kafka:
        for job in JOBS:
            folder = Path(name) / str(job.density)
            folder.mkdir()
            part = 10 if given.quick else 1
            found[job.name] = [
                *_ours(replace(job, events=job.events // part), folder, given.rounds, part),
                *(_peer(peer, folder, part, given.rounds, kafka) for peer in chosen),
            ]
    head = ["", *(f"{job.name}: {text}" for job in JOBS for text in _HEAD)]
    rows = [
        [
            here[0].name,
            *(
                cell
                for each, job in zip(here, JOBS, strict=True)
                for cell in _cells(each, found[job.name][1 if each.both else 0])
            ),
        ]
        for here in zip(*found.values(), strict=True)
    ]
    report.table(head, rows)
    report.keep({"jobs": {name: [asdict(each) for each in all_] for name, all_ in found.items()}})
    if not given.quick:  # a quick run may end before a topic's first window closes
        for here in zip(*found.values(), strict=True):
            unchecked = here[0].wanted and not any(each.compared for each in here)
            assert not unchecked, f"{here[0].name}: no figure was compared with DuckDB's"


_HEAD = ("events/s", "a CPU s", "ours ×", "checked")


def _cells(each: Measured, ours: Measured) -> list[str]:
    times = ours.rate / each.rate
    mark = "" if not each.wanted else " ≥" if times >= each.wanted else " <"
    limit = f"{mark} {each.wanted:g}" if mark else ""
    return [
        f"{each.rate:,.0f}",
        f"{each.cpu_rate:,.0f}",
        f"{times:,.2f}{limit}" if times < 10 else f"{times:,.0f}{limit}",
        str(each.compared) if each.compared else "–",
    ]


def _ours(job: Job, folder: Path, rounds: int, part: int) -> Iterator[Measured]:
    """Our replay on one thread and on two, and DuckDB's batch on one."""
    tell(f"{job.name}: writing {job.events:,} events")
    write_events(job, folder / "events.jsonl")
    pack = write_pack(folder / "pack")
    files = {count: _first(count, folder) for count in (FEW // part, MANY // part)}

    def ours(file: Path, *, ahead: bool) -> tuple[float, float]:
        run = point.run(file, pack, ahead=ahead)
        return run.seconds, run.cpu_s

    def duckdb(file: Path) -> tuple[float, float]:
        started = time.perf_counter()
        cpu_s, _ = run_duckdb(file)
        return time.perf_counter() - started, cpu_s

    rounds *= SHORT
    tell(f"{job.name}: ours, and DuckDB")
    yield _between("ours", partial(ours, ahead=False), files, rounds)
    yield replace(_between("ours, two cores", partial(ours, ahead=True), files, rounds), both=True)
    yield _between("DuckDB, batch", duckdb, files, rounds)


def _between(
    name: str, run: Callable[[Path], tuple[float, float]], files: dict[int, Path], rounds: int
) -> Measured:
    """The rate between few events and many, of the quickest of the rounds with each."""
    runs = [[run(file) for _ in range(rounds)] for file in files.values()]
    few, many = ([min(each) for each in zip(*of_file, strict=True)] for of_file in runs)
    events = max(files) - min(files)
    return Measured(name, events, events / (many[0] - few[0]), events / (many[1] - few[1]))


def _first(count: int, folder: Path) -> Path:
    """A file with the first so many of the events."""
    file = folder / f"first-{count}.jsonl"
    if not file.exists():
        with (folder / "events.jsonl").open("rb") as lines, file.open("wb") as out:
            first = list(itertools.islice(lines, count))
            assert len(first) == count, f"there are only {len(first)} events"
            out.writelines(first)
    return file


def _peer(peer: Peer, folder: Path, part: int, rounds: int, kafka: Cluster | None) -> Measured:
    seconds, cpu_s, compared, version = [], [], 0, ""
    for count in (peer.few // part, peer.many // part):
        tell(f"{folder.name}/s: {peer.title}, {count:,} events")
        file = _first(count, folder)
        where = _topic(kafka, file) if peer.kafka and kafka is not None else str(file)
        runs = [_run(peer, where) for _ in range(rounds)]
        seconds.append(min(took for took, _, _ in runs))
        cpu_s.append(min(cpu for _, cpu, _ in runs))
        told = runs[-1][2]
        version = told["version"]
        compared += _compare(peer, told["windows"], file)
    between = (peer.many - peer.few) // part
    return Measured(
        f"{peer.title} {version}",
        between,
        between / (seconds[1] - seconds[0]),
        between / (cpu_s[1] - cpu_s[0]),
        version,
        compared,
        peer.wanted,
        peer.both,
    )


def _run(peer: Peer, where: str) -> tuple[float, float, dict[str, Any]]:
    """Seconds, CPU seconds with those of its children, and what it found."""
    python = os.environ.get("BENCH_PEERS_PYTHON", str(PYTHON))
    environ = os.environ | dict(peer.environ)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [python, "-m", f"bench.peers.{peer.name}", where],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{peer.title} failed:\n{done.stderr[-3_000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    seconds = told.get("seconds", seconds)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu_s + told["machine_cpu_s"], told


def _compare(peer: Peer, windows: dict[str, dict[str, list[int]]], file: Path) -> int:
    """How many figures are DuckDB's; all must be, where both have some."""
    theirs = team_windows(file)
    last = {length: max(_ends(theirs, length)) for length, _ in SPANS}
    compared = 0
    for window, teams in theirs.items():
        if window not in windows:
            # What follows the last event of a topic is unknown, so its last windows stay open.
            length, end = map(int, window.split("/"))
            still_open = peer.kafka and last[length] - end <= 2 * dict(SPANS)[length]
            assert still_open, f"{peer.title}: {window} is missing"
            continue
        for team, sums in teams.items():
            assert windows[window][team] == sums, f"{peer.title}: {team} in {window}"
            compared += len(sums)
    return compared


def _ends(windows: Iterable[str], length_ms: int) -> list[int]:
    """Of the windows ``L/E`` of a length, the ends in ms."""
    pairs = (map(int, window.split("/")) for window in windows)
    return [end for length, end in pairs if length == length_ms]


@contextmanager
def _cluster(peers: list[Peer], folder: str) -> Iterator[Cluster | None]:
    if not any(peer.kafka for peer in peers):
        yield None
        return
    tell("starting Apache Kafka")
    broker = Broker(Path(folder) / "broker")
    broker.format()
    broker.start()
    try:
        yield Cluster(broker.plain, broker)
    finally:
        broker.kill()


def _topic(kafka: Cluster, file: Path) -> str:
    """A topic with the events of the file, keyed by number: ``BOOTSTRAP/TOPIC/COUNT``."""
    name = kafka.create_topic(f"bench-{time.time_ns()}")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20, batch_size=2**17)
    count = 0
    with file.open("rb") as lines:
        for line in lines:
            producer.send(name, line.rstrip(), key=json.loads(line)["number"].encode())
            count += 1
    producer.flush()
    producer.close()
    return f"{kafka.bootstrap}/{name}/{count}"


if __name__ == "__main__":
    main()

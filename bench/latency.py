"""From the event that decides to the command on the topic: real broker, real daemon, default tick.

``python -m bench.latency``. Numbers go bad at known events: each has twenty calls that fail in one
way, and a rule that fires at the twentieth. Between them runs the job of ``bench.job``, with its
ten rules, at 1 000, at 20 000 events a second, and at 80 % of what the daemon reads from a full
topic on this machine beside the broker. An event is produced when its batch is handed to the
socket; a command is there when the broker has appended it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import httpx

from bench import stages
from bench.failing import add_failing
from bench.job import Job, event_lines, write_pack
from bench.latency_tables import (
    OUT_OF_ORDER_MS,
    STAGES,
    TICK_MS,
    Measured,
    latencies_of,
    stages_of,
)
from bench.paced import LEAD_S, PARTITIONS, PREFIX, TAIL_S, produce, slots_of
from bench.report import Report, arguments, tell
from bench.wire import WireProducer, record_batch
from tests.broker.broker import Broker, Cluster, free_ports
from tests.e2e.daemons import Daemon, records, running

PER_TICK = 2
"""Numbers that go bad. The guard allows 20 in ten minutes by default, so this is busy."""
MOST = 6_000_000
"""Events of one run, which are in memory before it begins."""
FULL = 2_000_000
"""Events of the full topic that tells the top rate."""
_CONFIG = """\
version: 1
source: {{kind: kafka, bootstrap: "{bootstrap}", topics: [{topic}]}}
rules_dir: {folder}
packs: [pack]
telephony:
  {{kind: kafka, commands: {topic}-commands, acks: {topic}-acks, transactional_id: {topic}}}
dead_letters: {{topic: {topic}-dead}}
pools: {{defaults: {{max_fraction: 100%}}}}
numbers: {{rate: 100000/10m, assume_applied: true}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
limits: {{ids: 20000000}}
exporter: {{port: {port}}}
"""


def main() -> None:
    """Measure all rates and report."""
    parser = arguments("bench.latency", __doc__)
    parser.add_argument("--seconds", type=float, default=150.0, help="of each rate, at most")
    parser.add_argument("--rates", type=int, nargs="*", default=[1_000, 20_000])
    parser.add_argument(
        "--no-top", action="store_true", help="not near the top rate; --quick never is"
    )
    given = parser.parse_args()
    report = Report("latency", given)
    seconds = 40.0 if given.quick else given.seconds
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        tell("starting Apache Kafka")
        broker = Broker(Path(name) / "broker")
        broker.format()
        broker.launch(heap="2G")
        broker.await_answer()
        try:
            kafka = Cluster(broker.plain, broker)
            top, rates = 0.0, list(given.rates)
            # The daemon tells once a second how far it is: of few records it tells nothing between.
            if not (given.no_top or given.quick):
                top = _top_rate(kafka, Path(name), FULL)
                rates.append(round(0.8 * top))
            found = [_measure(kafka, Path(name), rate, seconds) for rate in rates]
        finally:
            broker.kill()
    head, rows = latencies_of(found)
    after = [f"Top rate, from a full topic: {top:,.0f} events/s.", ""] if top else []
    report.table(head, rows, "\n".join([*after, *stages_of(found)]))
    print("\n".join([*after, *stages_of(found)]))
    report.keep({"top_rate": top, "rates": [asdict(each) for each in found]})


def _measure(kafka: Cluster, folder: Path, rate: int, seconds: float) -> Measured:
    """One run at ``rate`` events a second, on a topic and with a daemon of its own."""
    seconds = max(min(seconds, MOST / rate), 2 * (LEAD_S + TAIL_S))
    numbers = round((seconds - LEAD_S - TAIL_S) * 1_000 / TICK_MS * PER_TICK)
    topic = f"calls-{rate}"
    with _daemon(kafka, folder / topic, topic):
        tell(f"{rate:,}/s: making {rate * seconds:,.0f} events")
        # Made for a time to come: until then all batches are there.
        start_ms = round(time.time() * 1_000 + rate * seconds / 60 + 5_000)
        slots, decides = slots_of(rate, seconds, numbers, start_ms)
        tell(f"{rate:,}/s: {seconds:.0f} s")
        sent = produce(kafka.bootstrap, topic, slots, start_ms)
        commands = _commands(kafka, topic, numbers)
        ticks, done, held = stages.read(folder / topic / stages.FILE)
    latencies, committed, beyond = [], [], []
    parts: dict[str, list[float]] = {name: [] for name in STAGES}
    for name, slot in decides.items():
        command = commands[name]
        judged_ms = command.tick_ms + OUT_OF_ORDER_MS
        committed_ms = done["sent", command.id]
        latencies.append(command.at_ms - sent.at_ms[slot])
        committed.append(committed_ms - sent.at_ms[slot])
        beyond.append(command.at_ms - judged_ms)
        # Ticks may be judged together, under the name of the last.
        moments: list[float] = [judged_ms]
        for stage in stages.TICK_STAGES:
            since = (tick for kind, tick in ticks if kind == stage and tick >= command.tick_ms)
            moments.append(ticks[stage, min(since)])
        moments += [done["claimed", command.id], command.at_ms, committed_ms]
        for stage, (began, ended) in zip(STAGES, pairwise(moments), strict=True):
            parts[stage].append(ended - began)
    return Measured(
        rate, sorted(latencies), sorted(committed), sorted(beyond), parts, held, sent.behind_ms
    )


@dataclass(frozen=True, slots=True)
class _Suspension:
    id: str
    tick_ms: int
    at_ms: float
    """When it was appended."""


def _commands(kafka: Cluster, topic: str, numbers: int) -> dict[str, _Suspension]:
    """The suspension of each number; each must be there once."""
    until = time.monotonic() + 60
    while True:
        found = {}
        sent = 0
        for record in records(kafka.bootstrap, f"{topic}-commands"):
            wire = json.loads(record.value)
            if wire["number"].startswith(PREFIX):
                sent += 1
                tick_ms = round(datetime.fromisoformat(wire["issued_at"]).timestamp() * 1_000)
                made = _Suspension(wire["command_id"], tick_ms, record.timestamp)
                found[wire["number"]] = made
        if sent >= numbers:
            assert len(found) == sent == numbers, "a number was suspended twice"
            return found
        assert time.monotonic() < until, f"{sent} of {numbers} suspended"
        time.sleep(0.5)


def _top_rate(kafka: Cluster, folder: Path, events: int) -> float:
    """Events a second that the daemon reads, from a tenth of a full topic on."""
    tell(f"filling a topic with {events:,} events")
    start_ms = round(time.time() * 1_000 - events / 20 - 10_000)
    texts = event_lines(Job("full", events, 20_000, start_ms=start_ms, disorder_ms=0))
    _topics(kafka, "full")
    producer = WireProducer(kafka.bootstrap, "full")
    for first in range(0, events, 4_000):
        values = [text.encode() for text in texts[first : first + 4_000]]
        producer.send(
            {part: record_batch(values[part::PARTITIONS], start_ms) for part in range(PARTITIONS)}
        )
    producer.close()
    tell("the daemon reads it")
    with _daemon(kafka, folder / "full", "full") as url:
        began, from_ = 0.0, 0
        while True:
            read = _read(url)
            if not began and read >= events // 10:
                began, from_ = time.perf_counter(), read
            if read >= events:
                return (read - from_) / (time.perf_counter() - began)
            time.sleep(0.02)


def _read(url: str) -> int:
    try:
        status = httpx.get(f"{url}/status", timeout=30).json()
    except httpx.TransportError:
        return 0
    return sum(partition["position"] for partition in status.get("partitions", ()))


def _topics(kafka: Cluster, topic: str) -> None:
    kafka.create_topic(topic, PARTITIONS, append_time=True)
    for name in ("commands", "acks", "dead"):
        kafka.create_topic(f"{topic}-{name}", append_time=True)


class _Noting(Daemon):
    """One that notes when it did what."""

    program: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "bench.noting")


@contextmanager
def _daemon(kafka: Cluster, folder: Path, topic: str) -> Iterator[str]:
    """``monitor run`` in a process of its own; where it answers, once it reads."""
    folder.mkdir()
    if topic != "full":
        _topics(kafka, topic)
    pack = write_pack(folder / "pack")
    add_failing(pack)
    port = free_ports(["exporter"])["exporter"]
    text = _CONFIG.format(bootstrap=kafka.bootstrap, folder=folder, topic=topic, port=port)
    url = f"http://127.0.0.1:{port}"
    daemon = _Noting(folder, text)
    with running(daemon):
        until = time.monotonic() + 60
        while '"event": "started"' not in daemon.log():
            assert daemon.poll() is None, daemon.log()
            assert time.monotonic() < until, daemon.log()
            time.sleep(0.05)
        yield url


if __name__ == "__main__":
    main()

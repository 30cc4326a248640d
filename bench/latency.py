"""From the event that decides to the command on the topic: real broker, real daemon, default tick.

``python -m bench.latency``. Numbers go bad at known events: each has twenty calls that fail in one
way, and a rule that fires at the twentieth. Between them runs the job of ``bench.job``, with its
ten rules, at 1 000, at 20 000 events a second, and at 80 % of what the daemon reads from a full
topic on this machine beside the broker. An event is produced when its batch is handed to the
socket; a command is there when the broker has appended it.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np
import polars as pl

from bench.job import Job, event_lines, write_pack
from bench.report import Report, arguments, tell
from bench.wire import WireProducer, record_batch
from tests.broker.broker import Broker, Cluster, free_ports
from tests.e2e.daemons import Daemon, records, running

PARTITIONS = 4
CALLS = 20
"""Of each number that goes bad; the last decides."""
TICK_MS, OUT_OF_ORDER_MS, ALLOWED_MS = 5_000, 1_000, 250
SLOT_MS = 10
"""Events are produced so often."""
PER_TICK = 2
"""Numbers that go bad. The guard allows 20 in ten minutes by default, so this is busy."""
MOST = 6_000_000
"""Events of one run, which are in memory before it begins."""
LEAD_S, TAIL_S = 10.0, 8.0
"""Of each run without a deciding event."""
FULL = 2_000_000
"""Events of the full topic that tells the top rate."""
_INDICATOR = """\
  - id: failing
    kind: ratio
    hits: {count: call.ended, where: sip_code == 603}
    of: {count: call.ended}
    by: [number]
    windows: [30m]
"""
_RULE = """\
  - id: number-failing
    indicator: failing
    by: number
    levels: {crit: {above: 90%, clear: 50%}}
    window: 30m
    evidence: {method: raw, min_of: 20}
    no_data: hold
    notify: {route: supervisors}
    action: {suspend: {ttl: 30m}}
"""
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
exporter: {{port: {port}}}
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies at one rate."""

    events_per_s: int
    latencies_ms: list[float]
    beyond_ms: list[float]
    """The same from the first moment at which the tick could be judged: its end plus
    ``out_of_order``."""
    behind_ms: float
    """How late the producer itself was, at worst."""


def main() -> None:
    """Measure all rates and report."""
    parser = arguments("bench.latency", __doc__)
    parser.add_argument("--seconds", type=float, default=150.0, help="of each rate, at most")
    parser.add_argument("--rates", type=int, nargs="*", default=[1_000, 20_000])
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
            top = _top_rate(kafka, Path(name), FULL // (10 if given.quick else 1))
            rates = [*given.rates, round(0.8 * top)]
            found = [_measure(kafka, Path(name), rate, seconds) for rate in rates]
        finally:
            broker.kill()
    rows = [
        [
            f"{each.events_per_s:,}/s",
            str(len(each.latencies_ms)),
            *(f"{_at(each.latencies_ms, share):,.0f}" for share in (0.5, 0.99, 1.0)),
            f"{OUT_OF_ORDER_MS + TICK_MS + ALLOWED_MS:,}",
            *(f"{_at(each.beyond_ms, share):,.0f}" for share in (0.5, 0.99)),
            f"{each.behind_ms:.0f}",
        ]
        for each in found
    ]
    head = [
        "ms",
        "commands",
        "p50",
        "p99",
        "max",
        "p99 may be",
        "beyond p50",
        "p99",
        "producer late",
    ]
    report.table(head, rows, f"Top rate, from a full topic: {top:,.0f} events/s.")
    print(f"top rate: {top:,.0f} events/s from a full topic")
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
        slots, decides = _slots(rate, seconds, numbers, start_ms)
        tell(f"{rate:,}/s: {seconds:.0f} s")
        sent_ms, behind_ms = _produce(kafka, topic, slots, start_ms)
        commands = _commands(kafka, topic, numbers)
    latencies, beyond = [], []
    for name, slot in decides.items():
        at_ms = start_ms + slot * SLOT_MS
        judged_ms = at_ms // TICK_MS * TICK_MS + TICK_MS + OUT_OF_ORDER_MS
        latencies.append(commands[name] - sent_ms[slot])
        beyond.append(commands[name] - judged_ms)
    return Measured(rate, sorted(latencies), sorted(beyond), behind_ms)


def _at(values: list[float], share: float) -> float:
    """A quantile: the value of which so large a share is not above."""
    return float(np.quantile(values, share, method="higher"))


def _slots(
    rate: int, seconds: float, numbers: int, start_ms: int
) -> tuple[list[dict[int, bytes]], dict[str, int]]:
    """Batches by partition for each slot; and by number the slot of its deciding event."""
    failing, decides = _failures(rate, seconds, numbers, start_ms)
    job = Job("latency", round(rate * seconds), rate, start_ms=start_ms, disorder_ms=0)
    texts = event_lines(job)
    stamps = texts.str.slice(texts[0].index('"time":"') + 8, 24).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.3fZ", time_unit="ms"
    )
    places = ((stamps.cast(pl.Int64) - start_ms) // SLOT_MS).to_numpy()
    count = round(seconds * 1_000 / SLOT_MS) + 1
    ends = np.searchsorted(places, np.arange(count), side="right").tolist()
    slots, first = [], 0
    for place, end in enumerate(ends):
        values = [text.encode() for text in texts[first:end].to_list()] + failing.get(place, [])
        parts = (values[part::PARTITIONS] for part in range(PARTITIONS))
        slots.append(
            {part: record_batch(each, start_ms) for part, each in enumerate(parts) if each}
        )
        first = end
    return slots, decides


def _failures(
    rate: int, seconds: float, numbers: int, start_ms: int
) -> tuple[dict[int, list[bytes]], dict[str, int]]:
    """The calls of the numbers that go bad, by slot; and by number the slot of the last."""
    random = np.random.default_rng(rate)
    failing: dict[int, list[bytes]] = {}
    decides: dict[str, int] = {}
    for number in range(numbers):
        name = f"+86216{number:07}"
        at_ms = random.uniform(LEAD_S, seconds - TAIL_S) * 1_000
        times = np.sort(random.uniform(at_ms - 4_000, at_ms, CALLS)).astype(int)
        for call, offset_ms in enumerate(times.tolist()):
            decides[name] = offset_ms // SLOT_MS
            event = _failing(name, call, start_ms + offset_ms)
            failing.setdefault(decides[name], []).append(event)
    return failing, decides


def _failing(number: str, call: int, time_ms: int) -> bytes:
    event = {
        "id": f"f-{number}-{call}",
        "type": "call.ended",
        "time": time_ms,
        "number": number,
        "agent": "agent-0001",
        "team": "team-0",
        "campaign": "campaign-0",
        "outcome": "no_answer",
        "sip_code": 603,
    }
    return json.dumps(event).encode()


def _produce(
    kafka: Cluster, topic: str, slots: list[dict[int, bytes]], start_ms: int
) -> tuple[list[float], float]:
    """Wall time at which each slot was sent, in ms, and by how much the latest was late."""
    producer = WireProducer(kafka.bootstrap, topic)
    pause = threading.Event()
    sent: list[float] = []
    behind = 0.0
    assert time.time() * 1_000 < start_ms, "making the batches took longer than thought"
    for number, slot in enumerate(slots):
        due_ms = start_ms + (number + 1) * SLOT_MS
        pause.wait(max(0.0, due_ms / 1_000 - time.time()))
        sent.append(time.time() * 1_000)
        behind = max(behind, sent[-1] - due_ms)
        if slot:
            producer.send(slot)
    producer.close()
    return sent, behind


def _commands(kafka: Cluster, topic: str, numbers: int) -> dict[str, float]:
    """When the suspension of each number was appended, ms; each must be there once."""
    until = time.monotonic() + 60
    while True:
        found = records(kafka.bootstrap, f"{topic}-commands")
        sent = [(json.loads(record.value), record.timestamp) for record in found]
        mine = [(c["number"], at) for c, at in sent if c["number"].startswith("+86216")]
        if len(mine) >= numbers:
            assert len(dict(mine)) == len(mine) == numbers, "a number was suspended twice"
            return dict(mine)
        assert time.monotonic() < until, f"{len(mine)} of {numbers} suspended"
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


@contextmanager
def _daemon(kafka: Cluster, folder: Path, topic: str) -> Iterator[str]:
    """``monitor run`` in a process of its own; where it answers, once it reads."""
    folder.mkdir()
    if topic != "full":
        _topics(kafka, topic)
    pack = write_pack(folder / "pack")
    for name, text in (("indicators.yaml", _INDICATOR), ("rules.yaml", _RULE)):
        with (pack / name).open("a", encoding="utf-8") as file:
            file.write(text)
    port = free_ports(["exporter"])["exporter"]
    text = _CONFIG.format(bootstrap=kafka.bootstrap, folder=folder, topic=topic, port=port)
    url = f"http://127.0.0.1:{port}"
    daemon = Daemon(folder, text)
    with running(daemon):
        until = time.monotonic() + 60
        while '"event": "started"' not in daemon.log():
            assert daemon.poll() is None, daemon.log()
            assert time.monotonic() < until, daemon.log()
            time.sleep(0.05)
        yield url


if __name__ == "__main__":
    main()

"""What reading from a real Apache Kafka costs, up to the whole daemon.

Run: ``python -m bench.broker`` (Java and Maven, or ``MONITOR_TEST_KAFKA=host:port``). A topic of
the job's events is read by the plain client, by our source, by our source with decoding, and by
``monitor run`` to decisions in a store. Figures are events per CPU second of all threads of the
process that reads, and per second by the clock, the best of the rounds; ratios are the median of
those of each round. A daemon's count from when it takes up the partitions until the last tick that
the events fill is stored as judged.
"""

from __future__ import annotations

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported, by the daemon too

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from zlib import crc32

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.cpu import cpu_s
from bench.job import Job, write_events, write_pack
from bench.report import Report, arguments, tell
from monitor import logs
from monitor.assembly import build_judges
from monitor.clock import SystemClock
from monitor.indicators.compile import BEGINNING
from monitor.running.heap import settle
from monitor.site import Site, load_site
from monitor.source.kafka import POLL_RECORDS_MAX, KafkaSource
from monitor.source.settings import KafkaSettings
from monitor.warm import warm
from tests.broker.broker import Broker, Cluster
from tests.e2e.daemons import Daemon

AGO_MS = 10_800_000
"""How long ago the events began to happen: the daemon refuses the future."""
CLOCK = SystemClock()
PATIENCE_S = 600.0
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Topic:
    """Events on a topic, in batches of a size."""

    job: Job
    partitions: int
    batch_bytes: int
    decides: bool = True
    """The daemon is measured on it too."""


@dataclass(slots=True)
class Cost:
    """CPU and wall seconds of each round."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """A round in this process."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu_s.append(time.process_time() - cpu)
        self.wall_s.append(time.perf_counter() - wall)


STAGES = ("plain client", "source", "source, decode", "monitor run")
RATIOS = (("source", "plain client"), ("monitor run", "source, decode"))


def main() -> None:
    """Measure and report."""
    parser = arguments("bench.broker", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the best counts")
    parser.add_argument("--partitions", type=int, default=4)
    given = parser.parse_args()
    logs.configure(level="error")
    report = Report("broker", given)
    part = 10 if given.quick else 1
    start_ms = CLOCK.now_ms() - AGO_MS
    # Long enough for a start, and a first checkpoint of everything, to be a small part of it.
    dense = Job("20 000/s", 2_400_000 // part, 20_000, start_ms=start_ms)
    sparse = Job("200/s", 1_200_000 // part, 200, start_ms=start_ms)
    tiny = replace(dense, name="20 000/s, 5 a batch", events=200_000 // part)
    topics = (
        Topic(dense, given.partitions, batch_bytes=16_384),  # what producers send by default
        Topic(sparse, given.partitions, batch_bytes=16_384),
        Topic(tiny, given.partitions, batch_bytes=1_900, decides=False),
    )
    warm()
    settle()  # as the daemon does
    with _cluster() as kafka, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        costs = [_measure(kafka, topic, Path(folder), given.rounds) for topic in topics]
    report.table(("", *(topic.job.name for topic in topics)), _rows(topics, costs))
    report.keep(
        {
            topic.job.name: {stage: asdict(cost) for stage, cost in of_topic.items()}
            for topic, of_topic in zip(topics, costs, strict=True)
        }
    )


@contextmanager
def _cluster() -> Iterator[Cluster]:
    given = os.environ.get("MONITOR_TEST_KAFKA")
    if given:
        yield Cluster(given)
        return
    with tempfile.TemporaryDirectory(prefix="bench-broker-") as folder:
        broker = Broker(Path(folder))
        broker.format()
        broker.start()
        try:
            yield Cluster(broker.plain, broker)
        finally:
            broker.stop()


def _measure(kafka: Cluster, topic: Topic, folder: Path, rounds: int) -> dict[str, Cost]:
    name = f"bench.{os.getpid()}.{next(_names)}"
    kafka.create_topic(name, topic.partitions, append_time=True)
    tell(f"{topic.job.name}: {topic.job.events:,} events on the way to the broker")
    _fill(kafka, name, topic, folder / "events.jsonl")
    pack = write_pack(folder / "packs" / "bench")
    site = load_site(None, packs=[pack])
    costs = {stage: Cost() for stage in STAGES}
    for _ in range(rounds):
        _plain(costs["plain client"], kafka, name, topic)
        _source(costs["source"], kafka, name, topic)
        _source(costs["source, decode"], kafka, name, topic, site)
        if topic.decides:
            _daemon(costs["monitor run"], kafka, name, topic, folder)
    return costs


def _fill(kafka: Cluster, name: str, topic: Topic, path: Path) -> None:
    """Each number's events are on one partition, in the order they arrive."""
    write_events(topic.job, path)
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap, linger_ms=50, batch_size=topic.batch_bytes
    )
    with path.open("rb") as lines:
        for line in lines:
            number = line.partition(b'"number":"')[2][:14]
            producer.send(name, line[:-1], partition=crc32(number) % topic.partitions)
    producer.flush()
    producer.close()


def _settings(kafka: Cluster, name: str) -> KafkaSettings:
    return KafkaSettings(kind="kafka", bootstrap=kafka.bootstrap, topics=(name,))


def _plain(cost: Cost, kafka: Cluster, name: str, topic: Topic) -> None:
    """The client with what our source asks of it, and nothing done."""
    settings = _settings(kafka, name)
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        enable_auto_commit=False,
        enable_incremental_fetch_sessions=False,
        fetch_max_bytes=settings.fetch_bytes,
        isolation_level="read_committed",
        max_partition_fetch_bytes=settings.fetch_bytes_per_partition,
        metrics_enabled=False,
    )
    parts = [TopicPartition(name, number) for number in range(topic.partitions)]
    consumer.assign(parts)
    for part in parts:
        consumer.seek(part, 0)
    left = topic.job.events
    with cost.counted():
        while left > 0:
            for records in consumer.poll(200, max_records=POLL_RECORDS_MAX).values():
                left -= len(records)
    consumer.close()


def _source(cost: Cost, kafka: Cluster, name: str, topic: Topic, site: Site | None = None) -> None:
    """Our source; with a site its decoder too."""
    source = KafkaSource(_settings(kafka, name))
    decoder = None if site is None else build_judges(site, covered_from=BEGINNING).decoder
    source.start({}, None)
    left = topic.job.events
    with cost.counted():
        while left > 0:
            for fetched in source.poll(POLL_RECORDS_MAX, 0.2):
                left -= len(fetched.values)
                if decoder is not None:
                    decoder.decode(fetched)
    source.close()


def _daemon(cost: Cost, kafka: Cluster, name: str, topic: Topic, folder: Path) -> None:
    own = folder / f"daemon-{next(_names)}"
    own.mkdir()
    for kind in ("commands", "acks", "dead"):
        kafka.create_topic(f"{name}.{own.name}.{kind}")
    daemon = Daemon(own, _config(kafka, name, own, folder / "packs"))
    job = topic.job
    tick_ms, out_of_order_ms = 5_000, 1_000
    last_ms = job.start_ms + round(job.seconds * 1_000) - out_of_order_ms
    daemon.start()
    try:
        _await(lambda: f'"topics": ["{name}"]' in daemon.log(), 0.01)
        wall, cpu = time.perf_counter(), cpu_s(daemon.pid)
        _await(lambda: daemon.judged_ms() > 0, 0.1)
        with daemon.store() as store:
            last_tick = last_ms - last_ms % tick_ms
            _await(lambda: (store.journal.judged_to_ms() or 0) >= last_tick, 0.02)
        cost.cpu_s.append(cpu_s(daemon.pid) - cpu)
        cost.wall_s.append(time.perf_counter() - wall)
        daemon.stop()
    finally:
        daemon.kill()


def _config(kafka: Cluster, name: str, own: Path, packs: Path) -> str:
    return f"""\
version: 1
source: {{kind: kafka, bootstrap: '{kafka.bootstrap}', topics: [{name}]}}
rules_dir: {packs}
packs: [bench]
store: {{path: {own}/monitor.db, checkpoints: {own}/checkpoints}}
dead_letters: {{topic: {name}.{own.name}.dead}}
exporter: {{port: 0}}
telephony:
  kind: kafka
  commands: {name}.{own.name}.commands
  acks: {name}.{own.name}.acks
  transactional_id: {name}.{own.name}
"""


def _await(met: Callable[[], bool], every_s: float) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline
        time.sleep(every_s)


def _rows(topics: tuple[Topic, ...], costs: list[dict[str, Cost]]) -> list[list[str]]:
    events = [topic.job.events for topic in topics]
    units: dict[str, Callable[[Cost], list[float]]] = {
        "events a CPU second": lambda cost: cost.cpu_s,
        "events a second": lambda cost: cost.wall_s,
    }
    rows = []
    for unit, seconds in units.items():
        for stage in STAGES:
            took = [seconds(cost[stage]) for cost in costs]
            rates = [f"{n / min(s):,.0f}" if s else "–" for n, s in zip(events, took, strict=True)]
            rows.append([f"{stage}, {unit}", *rates])
        for above, below in RATIOS:
            ratios = [_ratio(seconds(cost[above]), seconds(cost[below])) for cost in costs]
            rows.append([f"– {above} to {below}, {unit}", *ratios])
    return rows


def _ratio(above_s: list[float], below_s: list[float]) -> str:
    """Of the rates, pair by pair: the best of each may be of moments that are nothing alike."""
    pairs = zip(below_s, above_s, strict=True)
    return f"{median(low / high for low, high in pairs):.2f}" if above_s else "–"


if __name__ == "__main__":
    main()

"""From the event that decides to the call that is refused: real broker, daemon, Kamailio, calls.

``python -m bench.telephony``. Numbers go bad one after the other, at any moment of a tick: each
has twenty calls that fail, and a rule that fires at the twentieth. Forty calls a second of other
numbers go on beside it: event time goes by them. From the moment the last is handed to the broker,
calls from the number are placed at Kamailio every few milliseconds until one is refused. Beside it,
what Kamailio alone takes: from a command to a refused call.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer

from bench.failing import CALLS, add_failing
from bench.report import Report, arguments, tell
from monitor.telephony.kamailio import KamailioTelephony
from tests.broker.broker import Broker, Cluster
from tests.e2e.daemons import Daemon, running
from tests.telephony import sip
from tests.telephony.contract import command
from tests.telephony.kamailio import TOKEN, Kamailio

EVERY_S = 0.47
"""Between two numbers that go bad; no part of a tick, so that all its moments are met."""
PROBE_S = 0.02
"""Between two calls of a number that is waited for."""
WAIT_S = 60.0
COMMANDS = 2_000
_CONFIG = """\
version: 1
source: {{kind: kafka, bootstrap: "{bootstrap}", topics: [{topic}]}}
rules_dir: {folder}
packs: [pack]
telephony: {{kind: kamailio, url: "{url}", token: {{value: {token}}}}}
dead_letters: {{topic: {topic}-dead}}
pools: {{defaults: {{max_fraction: 100%}}}}
numbers: {{rate: 100000/10m}}
store: {{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}
exporter: {{enabled: false}}
time: {{tick: {tick}}}
"""


def main() -> None:
    """Measure and report; in quick a fifth of the numbers, at one tick."""
    parser = arguments("bench.telephony", __doc__)
    parser.add_argument("--numbers", type=int, default=200, help="that go bad, at each tick")
    given = parser.parse_args()
    report = Report("telephony", given)
    numbers = given.numbers // (5 if given.quick else 1)
    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        _surroundings(Path(name)) as (
            kafka,
            kamailio,
        ),
    ):
        tell(f"{COMMANDS} commands to Kamailio alone")
        found |= _alone(kamailio, COMMANDS // (5 if given.quick else 1))
        for tick in ("5s",) if given.quick else ("5s", "1s"):
            tell(f"{numbers} numbers, tick {tick}")
            title = f"event on the topic → call refused, tick {tick}"
            found[title] = _through(kafka, kamailio, Path(name) / tick, tick, numbers)
    head = ("milliseconds", "n", "median", "p99", "longest")
    report.table(head, [[title, *_figures(times)] for title, times in found.items()])
    report.keep({title: sorted(times) for title, times in found.items()})


@contextmanager
def _surroundings(folder: Path) -> Iterator[tuple[Cluster, Kamailio]]:
    tell("starting Apache Kafka and Kamailio")
    far = sip.Busy()
    kamailio = Kamailio(folder, far.port)
    broker = Broker(folder / "broker")
    broker.format()
    broker.launch(heap="1G")
    try:
        broker.await_answer()
        kamailio.start()
        yield Cluster(broker.plain, broker), kamailio
    finally:
        kamailio.stop()
        broker.kill()
        far.close()


def _alone(kamailio: Kamailio, count: int) -> dict[str, list[float]]:
    """What a command takes, and from its beginning to the first call that is refused."""
    system: KamailioTelephony = kamailio.telephony()
    answered, refused = [], []
    for index in range(count):
        number = f"+8621700{index:05}"
        until_ms = round(time.time() * 1_000) + 3_600_000
        outgoing = command(f"c{index}", number=number, until_ms=until_ms)
        began = time.perf_counter()
        system.send(*outgoing)
        answered.append((time.perf_counter() - began) * 1_000)
        assert not kamailio.may_call(number)
        refused.append((time.perf_counter() - began) * 1_000)
    system.close()
    return {"command → answer of Kamailio": answered, "command → call refused": refused}


def _through(
    kafka: Cluster, kamailio: Kamailio, folder: Path, tick: str, numbers: int
) -> list[float]:
    """Of each number, from its last event to its first refused call, ms."""
    add_failing(folder / "pack")
    topic = f"calls-{tick}"
    kafka.create_topic(topic, 2, append_time=True)
    kafka.create_topic(f"{topic}-dead")
    text = _CONFIG.format(
        bootstrap=kafka.bootstrap,
        topic=topic,
        folder=folder,
        url=kamailio.url,
        token=TOKEN,
        tick=tick,
    )
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=0, acks=1)
    daemon = Daemon(folder, text)
    times: dict[str, float] = {}
    with running(daemon), _centre(kafka, topic):
        until = time.monotonic() + WAIT_S
        while '"event": "started"' not in daemon.log():
            assert time.monotonic() < until, daemon.log()
            time.sleep(0.05)
        watching = []
        for index in range(numbers):
            began = time.monotonic()
            number = f"+862{tick[0]}{index:08}"
            _fail(producer, topic, number)
            sent = time.perf_counter()
            thread = threading.Thread(target=_watch, args=(kamailio, number, sent, times))
            thread.start()
            watching.append(thread)
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))
        for thread in watching:
            thread.join()
    producer.close()
    assert len(times) == numbers, f"{numbers - len(times)} were never refused"
    return list(times.values())


@contextmanager
def _centre(kafka: Cluster, topic: str) -> Iterator[None]:
    """The other numbers of a small centre: forty calls a second on both partitions."""
    over = threading.Event()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=0, acks=1)

    def call() -> None:
        for index in itertools.count():
            number = f"+8621600{index % 40:05}"
            event = {
                "id": f"other-{index}",
                "type": "call.ended",
                "time": round(time.time() * 1_000),
                "number": number,
                "campaign": "autumn",
                "customer": f"c{index}",
                "outcome": "answered",
            }
            producer.send(topic, json.dumps(event).encode(), partition=index % 2)
            if over.wait(0.025):
                return

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        producer.close()


def _fail(producer: KafkaProducer, topic: str, number: str) -> None:
    """Twenty calls of ``number``; on return the broker has them."""
    for call in range(CALLS):
        event = {
            "id": f"{number}-{call}",
            "type": "call.ended",
            "time": round(time.time() * 1_000),
            "number": number,
            "campaign": "spring",
            "customer": f"c{call}",
            "outcome": "failed",
            "sip_code": 603,
        }
        producer.send(topic, json.dumps(event).encode(), key=number.encode())
    producer.flush()


def _watch(kamailio: Kamailio, number: str, sent: float, times: dict[str, float]) -> None:
    """Call until it is refused."""
    until = time.perf_counter() + WAIT_S
    while time.perf_counter() < until:
        if not kamailio.may_call(number):
            times[number] = (time.perf_counter() - sent) * 1_000
            return
        time.sleep(PROBE_S)


def _figures(times: Sequence[float]) -> list[str]:
    ordered = sorted(times)
    worst = ordered[math.ceil(0.99 * len(ordered)) - 1]
    middle = statistics.median(ordered)
    return [f"{len(ordered)}", *(f"{value:,.2f}" for value in (middle, worst, ordered[-1]))]


if __name__ == "__main__":
    main()

"""Daemons in processes of their own on Apache Kafka, and what stands on its topics."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from kafka import KafkaConsumer, TopicPartition

from monitor.clock import SystemClock
from monitor.decisions import Alert, Command
from monitor.errors import StoreError
from monitor.site import load_site
from monitor.source.settings import KafkaConnection
from monitor.store.lease import Lease
from monitor.store.store import Store
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import KafkaSimulator, TelephonySimulator
from tests.broker.broker import Cluster
from tests.store.stores import settings_of

CLOCK = SystemClock()


def wait(what: str, met: Callable[[], Any], seconds: float = 120.0, every_s: float = 0.1) -> Any:
    """The first true value of ``met``."""
    end = CLOCK.monotonic_s() + seconds
    pause = threading.Event()
    while CLOCK.monotonic_s() < end:
        found = met()
        if found:
            return found
        pause.wait(every_s)
    pytest.fail(f"not within {seconds:.0f} s: {what}")


class Daemon:
    """``monitor run`` in a folder of its own."""

    program: ClassVar[Sequence[str]] = (sys.executable, "-m", "monitor")
    """What is started as ``monitor``."""

    def __init__(self, folder: Path, config: str) -> None:
        self.folder = folder
        self.path = folder / "config.yaml"
        self.path.write_text(config, encoding="utf-8")
        self._settings = load_site(self.path).config.store
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    def start(self) -> None:
        self._log_from = len(self.log())
        with (self.folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.program, "run", "-c", str(self.path), "--no-live"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def pause(self) -> None:
        """Stop it where it stands."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After :meth:`pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def last_log(self) -> str:
        """The log since its last start."""
        return self.log()[self._log_from :]

    def log(self) -> str:
        path = self.folder / "daemon.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @contextmanager
    def store(self) -> Iterator[Store]:
        with Store.open(self._settings, CLOCK, daemon=False) as store:
            yield store

    def judged_ms(self) -> int:
        """The last tick whose outcome is stored; 0 before the first."""
        try:
            with self.store() as store:
                return store.journal.judged_to_ms() or 0
        except StoreError:  # not made yet
            return 0


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    daemon.start()
    try:
        yield daemon
    except BaseException:
        print(daemon.log()[-6_000:])  # noqa: T201 - what it said, for the failed test's report
        raise
    finally:
        daemon.kill()


class Group:
    """Daemons that stand by for each other."""

    def __init__(self, daemons: list[Daemon], url: str, folder: Path) -> None:
        self.daemons = daemons
        self._lease = Lease(settings_of(folder, url), CLOCK)

    def active(self) -> Daemon | None:
        """The one that holds the lease; None when nobody does, or the store is away."""
        try:
            standing = self._lease.standing()
        except StoreError:
            return None
        if standing is None or standing.holder is None or standing.left_ms <= 0:
            return None
        pid = standing.holder.split(":")[1]
        return next((each for each in self.daemons if str(each.pid) == pid), None)

    def somebody_active(self) -> Daemon:
        found: Daemon = wait("one is active", self.active)
        return found

    def taken_over_from(self, before: Daemon) -> Daemon:
        found: Daemon = wait(
            "another takes over", lambda: (now := self.active()) is not before and now
        )
        return found

    def close(self) -> None:
        self._lease.close()


def config(folder: Path, prefix: str, bootstrap: str, more: str, *, url: str = "") -> str:
    """A configuration whose files lie in ``folder`` and whose topics begin with ``prefix``.

    With ``url`` the store is a PostgreSQL.
    """
    store = f"{{path: {folder}/monitor.db, checkpoints: {folder}/checkpoints}}"
    if url:
        store = f"{{url: {{value: '{url}'}}, lease: {{duration: 2s, renew: 400ms, poll: 200ms}}}}"
    return f"""\
version: 1
source:
  kind: kafka
  bootstrap: {bootstrap}
  topics: [{prefix}calls, {prefix}crm, {prefix}sms]
store: {store}
dead_letters: {{topic: {prefix}dead}}
exporter: {{enabled: false}}
telephony:
  kind: kafka
  commands: {prefix}commands
  acks: {prefix}acks
  transactional_id: {prefix}one
{more}"""


def topics(kafka: Cluster, partitions: int) -> str:
    prefix = f"d{uuid.uuid4().hex[:6]}-"
    for topic in ("calls", "crm", "sms"):
        kafka.create_topic(
            prefix + topic, partitions, append_time=True, configs={"max.message.bytes": "20000000"}
        )
    for topic in ("commands", "acks", "dead"):
        kafka.create_topic(prefix + topic)
    return prefix


@contextmanager
def telephony(prefix: str, bootstrap: str) -> Iterator[TelephonySimulator]:
    """A telephony system on the topics, in a thread."""
    stop = threading.Event()
    system = TelephonySimulator(CLOCK, answers_after_ms=50)
    settings = TelephonySettings(kind="kafka", commands=prefix + "commands", acks=prefix + "acks")
    simulator = KafkaSimulator(system, settings, KafkaConnection(bootstrap=bootstrap))
    thread = threading.Thread(target=simulator.run, args=(stop, CLOCK))
    thread.start()
    try:
        yield system
    finally:
        stop.set()
        thread.join()


def records(bootstrap: str, topic: str) -> list[Any]:
    """All committed records of a topic with one partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    part = TopicPartition(topic, 0)
    try:
        consumer.assign([part])
        consumer.seek_to_beginning(part)
        end = consumer.end_offsets([part])[part]
        found: list[Any] = []
        while consumer.position(part) < end:
            for batch in consumer.poll(timeout_ms=500).values():
                found += batch
        return found
    finally:
        consumer.close()


def end_of(bootstrap: str, topic: str) -> int:
    """Where a topic with one partition ends: records, markers and what was aborted, all of it."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        end: int = consumer.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)]
        return end
    finally:
        consumer.close()


def commands(bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in records(bootstrap, prefix + "commands")]


def judged(daemon: Daemon, until_ms: int) -> None:
    wait(f"tick {until_ms} is judged", lambda: daemon.judged_ms() >= until_ms)


def ordered(bootstrap: str, prefix: str, numbers: set[str]) -> None:
    wait(
        "the commands are on the topic",
        lambda: {command["number"] for command in commands(bootstrap, prefix)} >= numbers,
    )


def decided(daemon: Daemon, until_ms: int) -> set[str]:
    """Ids of what was decided on the events; an end by telephony's answer has the answer's tick."""
    with daemon.store() as store:
        alerts: list[Alert] = store.history.alerts(since_ms=0, limit=10_000)
        sent: list[Command] = store.history.commands(since_ms=0, limit=10_000)
    kept = [a.id for a in alerts if a.at_ms <= until_ms and a.reason != "suspended"]
    return {*kept, *(c.id for c in sent if c.at_ms <= until_ms)}

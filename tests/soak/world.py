"""Everything that a soak runs on: brokers, database, proxies, daemons, telephony, a receiver."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from monitor.clock import SystemClock
from monitor.errors import StoreError
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.delivery.doubles import Answer, Server, http_server
from tests.e2e.daemons import Daemon, Group, running, telephony
from tests.postgres import Databases
from tests.postgres import Server as Postgres
from tests.soak.cluster import Trio, trio
from tests.soak.traffic import Traffic
from tests.store.proxy import Proxy, proxied
from tests.store.stores import settings_of

IN_FLIGHT = 32
"""Deliveries of one receiver that are under way at most: a lane's batch."""
PREFIX = "soak-"
PARTITIONS = 6
PACK = Path(__file__).parent / "pack"

CONFIG = """\
version: 1
source: {{kind: kafka, bootstrap: "{bootstrap}", topics: [{prefix}calls]}}
store:
  url: {{value: "{url}"}}
  lease: {{duration: 2s, renew: 400ms, poll: 200ms}}
  connect_timeout: 2s
  statement_timeout: 5s
dead_letters: {{topic: {prefix}dead}}
exporter: {{enabled: false}}
telephony:
  kind: kafka
  commands: {prefix}commands
  acks: {prefix}acks
  transactional_id: {prefix}one
time: {{tick: 1s, out_of_order: 500ms, idle_after: 1s}}
checkpoint: {{every: 2s}}
delivery:
  receivers:
    hook: {{type: webhook, url: "{hook}", timeout: 3s}}
  routes:
    people: {{receivers: [hook]}}
  backoff: {{base: 200ms, max: 2s}}
  stale_after: 1h
rules_dir: {rules}
packs: [{pack}]
pools: {{defaults: {{max_fraction: 50%}}}}
numbers: {{ack_timeout: 10s, rate: 10000/10m}}
"""


@dataclass
class World:
    """The running parts, and what faults need to know."""

    clock: SystemClock
    trio: Trio
    server: Postgres | None
    store_proxy: Proxy
    url: str
    """Of the store, past the proxy: for whoever looks at the end."""
    group: Group
    hook: Server
    traffic: Traffic
    bounced: int = 0
    repeats_allowed: int = 0
    """Deliveries that were under way when something broke off."""
    fell: list[str] = field(default_factory=list)
    """Daemons that ended and were not killed: folder and exit status."""
    _never: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pause_s(self, seconds: float) -> None:
        self.clock.wait(self._never, seconds)

    def kill(self, daemon: Daemon) -> None:
        """kill -9, and what that leaves under way."""
        self._look_at(daemon)
        daemon.kill()
        self.may_repeat(self.in_flight())

    def check(self) -> None:
        """There is traffic still.

        Raises:
            RuntimeError: there is none.
        """
        if self.traffic.fault is not None:
            raise RuntimeError("traffic has ended") from self.traffic.fault

    def stop_daemons(self) -> None:
        """In peace."""
        for daemon in self.group.daemons:
            self._look_at(daemon)
            daemon.stop()

    def may_repeat(self, deliveries: int) -> None:
        """So many deliveries may come in twice."""
        with self._lock:
            self.repeats_allowed += deliveries

    def in_flight(self) -> int:
        """Deliveries to the webhook that are under way, as the store has it."""
        try:
            with Store.open(self.store_settings(), self.clock, daemon=False) as store:
                return store.outbox.counts().get(("hook", "sending"), 0)
        except StoreError:
            return IN_FLIGHT

    def store_settings(self) -> StoreSettings:
        """Of the store, past the proxy."""
        return settings_of(self.group.daemons[0].folder, self.url)

    def refuse(self, *, seconds: float) -> None:
        """The receiver says no for a while."""
        end_s = self.clock.monotonic_s() + seconds
        while self.clock.monotonic_s() < end_s:
            if not self.hook.answers:
                self.hook.answers.append(Answer(status=503))
            self.pause_s(0.02)
        self.hook.answers.clear()

    def starts(self) -> int:
        """How often a daemon began to work, in all."""
        return sum(each.log().count('"event": "started"') for each in self.group.daemons)

    def _look_at(self, daemon: Daemon) -> None:
        status = daemon.poll()
        if status is not None:
            with self._lock:
                self.fell.append(f"{daemon.folder.name}: {status}")


@contextmanager
def world(folder: Path, databases: Databases, url: str, *, rate: int, seed: int) -> Iterator[World]:
    """All of it, running, with traffic."""
    with ExitStack() as stack:
        cluster = stack.enter_context(trio(folder / "kafka"))
        cluster.create_topic(PREFIX + "calls", PARTITIONS)
        for name in ("commands", "acks", "dead"):
            cluster.create_topic(PREFIX + name, 1)
        address = make_url(url)
        assert address.port is not None
        proxy = stack.enter_context(proxied("127.0.0.1", address.port))
        through = address.set(port=proxy.port).render_as_string(hide_password=False)
        hook = stack.enter_context(http_server())
        text = CONFIG.format(
            bootstrap=cluster.bootstrap,
            prefix=PREFIX,
            url=through,
            hook=hook.url,
            rules=PACK.parent,
            pack=PACK.name,
        )
        group = Group([_daemon(folder / f"daemon{n}", text) for n in range(2)], url, folder)
        stack.callback(group.close)
        traffic = Traffic(cluster.bootstrap, PREFIX + "calls", rate=rate, seed=seed)
        stack.enter_context(telephony(PREFIX, cluster.bootstrap))
        for daemon in group.daemons:
            stack.enter_context(running(daemon))
        group.somebody_active()
        traffic.start()
        stack.callback(traffic.stop)
        yield World(SystemClock(), cluster, databases.server, proxy, url, group, hook, traffic)


def _daemon(folder: Path, text: str) -> Daemon:
    folder.mkdir(parents=True)
    return Daemon(folder, text)

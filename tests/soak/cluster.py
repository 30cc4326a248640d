"""Three brokers of Apache Kafka, each behind a proxy that can be told to swallow everything.

Owns their configuration as one KRaft cluster; a single broker is ``tests.broker.broker``'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kafka.errors import KafkaError
from kafka.protocol.admin.topics import ElectionType

from tests.broker.broker import CLUSTER_ID, Broker, admin_of, free_ports
from tests.store.proxy import Proxy, proxied

SIZE = 3

_NODE = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{outer},INNER://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{proxy},INNER://127.0.0.1:{inner}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT
inter.broker.listener.name=INNER
controller.listener.names=CONTROLLER
log.dirs={folder}/data
log.retention.ms=-1
auto.create.topics.enable=false
min.insync.replicas=2
default.replication.factor=3
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
replica.lag.time.max.ms=6000
"""


class Node(Broker):
    """One of the three."""

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__(folder)
        self.number = number
        self.outer = 0

    def form(self, ports: dict[str, int], proxy: int) -> None:
        """Write its configuration and format its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.outer = ports[f"outer{self.number}"]
        self._ports = {"plain": self.outer}
        voters = ",".join(f"{n}@127.0.0.1:{ports[f'controller{n}']}" for n in range(1, SIZE + 1))
        text = _NODE.format(
            node=self.number,
            voters=voters,
            outer=self.outer,
            inner=ports[f"inner{self.number}"],
            controller=ports[f"controller{self.number}"],
            proxy=proxy,
            folder=self.folder,
        )
        (self.folder / "server.properties").write_text(text)
        (self.folder / "log4j2.properties").write_text(
            "rootLogger.level=WARN\nrootLogger.appenderRef.out.ref=OUT\n"
            "appender.out.type=Console\nappender.out.name=OUT\n"
            "appender.out.layout.type=PatternLayout\n"
            "appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n\n"
        )
        storage = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]
        self._tool([*self._java("128M"), *storage, "-c", "server.properties"])

    def begin(self) -> None:
        """Start without waiting: alone it has no quorum, and answers nobody."""
        self.launch(heap="512M")


class Trio:
    """The cluster as daemons and producers see it: through the proxies."""

    def __init__(self, nodes: list[Node], proxies: list[Proxy]) -> None:
        self.nodes = nodes
        self.proxies = proxies
        self.bootstrap = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)

    def create_topic(self, name: str, partitions: int) -> None:
        """Replicated to all three, time by the broker."""
        settings = {"message.timestamp.type": "LogAppendTime", "min.insync.replicas": "2"}
        topic = {"num_partitions": partitions, "replication_factor": SIZE, "configs": settings}
        with admin_of(self.bootstrap) as admin:
            admin.create_topics({name: topic}, wait_for_metadata=True)

    def elect(self) -> None:
        """Give every partition back to the leader that it was made with."""
        with contextlib.suppress(KafkaError, OSError), admin_of(self.bootstrap) as admin:
            admin.elect_leaders(ElectionType.PREFERRED)


@contextmanager
def trio(folder: Path) -> Iterator[Trio]:
    """Three brokers, running."""
    names = [f"{kind}{n}" for kind in ("outer", "inner", "controller") for n in range(1, SIZE + 1)]
    ports = free_ports(names)
    nodes = [Node(folder / f"node{n}", n) for n in range(1, SIZE + 1)]
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(proxied("127.0.0.1", ports[f"outer{node.number}"]))
            for node in nodes
        ]
        for node, proxy in zip(nodes, proxies, strict=True):
            node.form(ports, proxy.port)
            stack.callback(node.kill)
        for node in nodes:
            node.begin()
        for node in nodes:
            node.await_answer()
        yield Trio(nodes, proxies)

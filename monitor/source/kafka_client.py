"""Opening kafka-python's clients, and what its errors and logs mean to us.

Owns the one place where the client is built, so that a failed start leaves no thread behind, no
topic is created by looking at it, and the client's chatter ends in our log. Reading is
``monitor.source.kafka``, writing ``monitor.telephony``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.cluster import ClusterMetadata
from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    IncompatibleBrokerVersion,
    KafkaConfigurationError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector
from kafka.protocol.metadata import MetadataRequest

from monitor.errors import MonitorError, SourceError, SourceUnavailable
from monitor.source.base import Partition
from monitor.source.kafka_rights import Operation, denied
from monitor.source.kafka_tls import check_files
from monitor.source.kafka_trouble import WatchedManager, explained, telling
from monitor.source.settings import KafkaConnection

log = structlog.get_logger(__name__)

Client = TypeVar("Client")

REPEAT_S = 60.0
"""How long the client's chatter about one thing is kept back."""

# A refused login or right is not among them: passwords, users, certificates and ACLs are changed at
# the broker or in files of ours, which are read again at each attempt.
_HOPELESS = (
    IllegalSaslStateError,
    IncompatibleBrokerVersion,
    KafkaConfigurationError,
    UnsupportedCodecError,
    UnsupportedSaslMechanismError,
)


class Link:
    """Builds the client's network part, and keeps hold of it should the client fail to start."""

    def __init__(self) -> None:
        self._client: KafkaNetClient | None = None
        self._manager: WatchedManager | None = None

    def __call__(self, **configs: Any) -> KafkaNetClient:
        """kafka-python's ``kafka_client`` hook."""
        net = NetworkSelector(**configs)
        manager = self._manager = WatchedManager(net, **configs)
        # kafka-python 3.0.12 does not hand allow_auto_create_topics on to its metadata requests,
        # so that asking for a topic would create it.
        manager.cluster.config["allow_auto_create_topics"] = False
        self._client = KafkaNetClient(net=net, manager=manager, **configs)
        return self._client

    @property
    def cluster(self) -> ClusterMetadata:
        """Topics and partitions as last heard; refreshed by the client's own thread."""
        if self._client is None:
            raise SourceUnavailable("the client was not built")
        return self._client.cluster

    @property
    def faults(self) -> list[BaseException]:
        """Why connections ended lately, oldest first."""
        return [] if self._manager is None else self._manager.faults

    def refused(self, topics: Iterable[str], timeout_ms: int) -> set[str]:
        """Those of ``topics`` that we may not know of.

        To be asked by name: from a list of all topics a broker leaves them out as if they were not
        there, and by name it says so of all that we have no right to, there or not.

        Raises:
            KafkaError: no answer within ``timeout_ms``.
        """
        manager = self._manager
        if manager is None:
            raise SourceUnavailable("the client was not built")
        request = MetadataRequest(
            topics=[MetadataRequest.MetadataRequestTopic(name=topic) for topic in sorted(topics)],
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=False,
        )

        async def ask() -> Any:
            return await manager.send(request, request_timeout_ms=timeout_ms)

        answer = manager.run(ask)
        refusal = TopicAuthorizationFailedError.errno
        return {topic.name for topic in answer.topics if topic.error_code == refusal}

    def close(self) -> None:
        """End the network thread of a client that did not come to life."""
        if self._client is not None:
            self._client.close()


class Producer(KafkaProducer):  # type: ignore[misc]
    """Closed by whoever opened it, and by nothing else.

    The client's own would also close when it is forgotten and when the interpreter ends, which
    holds a process that is told to end for up to 2 s each while a broker is silent.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._unregister_cleanup()

    def __del__(self) -> None:
        """Nothing: see above."""


def open_consumer(connection: KafkaConnection, **options: Any) -> tuple[KafkaConsumer, Link]:
    """A consumer that is connected, with ``options`` on top of the connection's.

    Raises:
        SourceUnavailable: no broker let us in within ``connect_timeout``, and why.
        SourceError: none ever will: certificate file, secret that is not there, version.
    """
    return _open(KafkaConsumer, connection, options)


def open_producer(connection: KafkaConnection, **options: Any) -> tuple[KafkaProducer, Link]:
    """A producer that is connected; errors as in :func:`open_consumer`."""
    return _open(Producer, connection, options)


def translate(
    fault: Exception,
    doing: str,
    connection: KafkaConnection | None = None,
    operation: Operation = "Read",
) -> MonitorError:
    """The client's exception as one of ours: hopeless → SourceError, else SourceUnavailable.

    With the ``connection`` a right that is missing is named, ``operation`` on the topics at hand.
    """
    if connection is not None and isinstance(fault, AuthorizationError):
        return SourceUnavailable(f"{doing}: {denied(fault, connection, operation)}")
    text = f"{doing}: {type(fault).__name__}: {fault}"
    return SourceError(text) if isinstance(fault, _HOPELESS) else SourceUnavailable(text)


def topic_partition(partition: Partition) -> TopicPartition:
    """Our name of a partition as the client's."""
    return TopicPartition(partition.topic, partition.number)


def _open(
    build: Callable[..., Client], connection: KafkaConnection, options: dict[str, Any]
) -> tuple[Client, Link]:
    bridge_client_log()
    given = connection.options()
    if connection.security.tls is not None:
        check_files(connection.security.tls)
    link = Link()
    try:
        return build(**{**given, **options}, kafka_client=link), link
    except KafkaError as fault:
        link.close()
        doing = f"connecting to {connection.bootstrap}"
        told = telling([fault, *link.faults], connection)
        if told is None:
            # A broker that refuses a login may close the connection before its answer is read, and
            # one that is spoken to without TLS closes it at once: both look like no broker at all.
            hint = " (if it runs: does that port want a login, or TLS?)"
            raise translate(fault, doing + hint) from fault
        kind = SourceError if isinstance(told, _HOPELESS) else SourceUnavailable
        msg = f"{doing}: {explained(told, connection)}"
        raise kind(msg) from fault


class _ClientLog(logging.Handler):
    """The client's warnings as lines of our log, each kind of them once a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind = f"{record.name}:{record.lineno}"
        if record.created - self._said.get(kind, 0.0) < REPEAT_S:
            return
        self._said[kind] = record.created
        log.warning("kafka_client_says", logger=record.name, detail=record.getMessage()[:500])


def bridge_client_log() -> None:
    """Send kafka-python's warnings through structlog; calling it again changes nothing."""
    logger = logging.getLogger("kafka")
    if not any(isinstance(handler, _ClientLog) for handler in logger.handlers):
        logger.addHandler(_ClientLog())
        logger.propagate = False

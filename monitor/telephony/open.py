"""The telephony system that the settings ask for.

Owns the one place where ``kind`` becomes a class, and the two systems that are hardly any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from monitor.clock import Clock
from monitor.decisions import Ack
from monitor.errors import SourceError
from monitor.secret import Secret
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.acks import AckReader
from monitor.telephony.base import AckSource, CommandChannel, Outgoing, Reconciler
from monitor.telephony.http import HttpTelephony
from monitor.telephony.joined import Joined
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.kamailio import KamailioTelephony
from monitor.telephony.settings import SystemSettings, TelephonySettings
from monitor.telephony.simulated import SimulatedTelephony, TelephonySimulator
from monitor.telephony.vicidial import VicidialTelephony

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telephony:
    """Where commands go and answers come from."""

    channel: CommandChannel | None
    """None: commands go nowhere."""
    acks: AckSource
    answers: bool
    """False: nobody answers, and a command counts as applied once it is sent."""
    reconciler: Reconciler | None = None
    """Who says what is blocked; None: it cannot be asked."""


def open_telephony(
    settings: TelephonySettings, source: KafkaConnection | None, clock: Clock
) -> Telephony:
    """Build the system; nothing is connected yet.

    Args:
        settings: ``telephony:`` of the configuration.
        source: the connection events come over, used when telephony names none of its own.
        clock: for waiting and for the simulated system.

    Raises:
        SourceError: ``kind: kafka`` and no connection anywhere.
        SecretError: a secret is not where the settings say.
    """
    if settings.kind == "none":
        return Telephony(None, NoAcks(), answers=False)
    if settings.kind == "log":
        return Telephony(LogChannel(), NoAcks(), answers=False)
    if settings.kind == "simulated":
        simulator = TelephonySimulator(clock, answers_after_ms=settings.answers_after)
        simulated = SimulatedTelephony(simulator)
        return Telephony(simulated, simulated, answers=True, reconciler=simulated)
    if settings.kind == "kafka":
        channel = KafkaCommandChannel(settings, _connection(settings, source), clock)
        return Telephony(channel, _reader(settings, source, clock), answers=True)
    return _direct(settings, source, clock)


def _direct(settings: SystemSettings, source: KafkaConnection | None, clock: Clock) -> Telephony:
    """A system that answers in its reply."""
    url = "" if settings.url is None else settings.url.get_secret_value()
    timeout_ms = settings.send_timeout
    if settings.kind == "kamailio":
        kamailio = KamailioTelephony(
            url,
            _revealed(settings.token),
            table=settings.table,
            mark=settings.mark,
            timeout_ms=timeout_ms,
            clock=clock,
        )
        return Telephony(kamailio, kamailio.acks, answers=True, reconciler=kamailio)
    if settings.kind == "vicidial":
        vicidial = VicidialTelephony(
            url,
            settings.user or "",
            _revealed(settings.password),
            group=settings.cid_group or "",
            areacode=settings.areacode,
            timeout_ms=timeout_ms,
            clock=clock,
        )
        return Telephony(vicidial, vicidial.acks, answers=True, reconciler=vicidial)
    secret = None if settings.secret is None else settings.secret.reveal()
    http = HttpTelephony(url, secret, timeout_ms=timeout_ms, clock=clock)
    if "acks" not in settings.model_fields_set:
        return Telephony(http, http.acks, answers=True)
    sources: dict[str, AckSource] = {"": _reader(settings, source, clock), "reply": http.acks}
    return Telephony(http, Joined(sources), answers=True)


def _connection(settings: SystemSettings, source: KafkaConnection | None) -> KafkaConnection:
    connection = settings.connection or source
    if connection is None:
        kind = settings.kind
        msg = f"telephony: kind {kind} needs a connection when the source is not Kafka"
        raise SourceError(msg)
    return connection


def _reader(settings: SystemSettings, source: KafkaConnection | None, clock: Clock) -> AckReader:
    connection = _connection(settings, source)
    return AckReader(KafkaSource(KafkaSettings.of(connection, settings.acks), clock), clock)


def _revealed(secret: Secret | None) -> str:
    return "" if secret is None else secret.reveal()


class LogChannel:
    """Writes each command as a line of the log: for a first look, or for people who act."""

    def prepare(self) -> str:
        """Nothing to remember."""
        return ""

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        """Log the command."""
        log.info(
            "telephony_command", number=key, command_id=command_id, command=command_json.decode()
        )

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        """Log each."""
        for command in commands:
            self.send(*command)

    def already_sent(self, command_id: str, mark: str) -> bool:  # noqa: ARG002
        """Unknown, so false: a repeated line does no harm."""
        return False

    def close(self) -> None:
        """Nothing to release."""


class NoAcks:
    """A system that never answers."""

    ignored: Mapping[str, int] = MappingProxyType({})

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Nothing to begin."""

    def poll(self) -> list[Ack]:
        """No answers."""
        return []

    def positions(self) -> Mapping[Partition, int]:
        """Nothing to remember."""
        return {}

    def close(self) -> None:
        """Nothing to release."""

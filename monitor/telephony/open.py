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
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.acks import AckReader
from monitor.telephony.base import AckSource, CommandChannel, Outgoing
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import SimulatedTelephony, TelephonySimulator

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telephony:
    """Where commands go and answers come from."""

    channel: CommandChannel | None
    """None: commands go nowhere."""
    acks: AckSource
    answers: bool
    """False: nobody answers, and a command counts as applied once it is sent."""


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
    """
    if settings.kind == "none":
        return Telephony(None, NoAcks(), answers=False)
    if settings.kind == "log":
        return Telephony(LogChannel(), NoAcks(), answers=False)
    if settings.kind == "simulated":
        simulator = TelephonySimulator(clock, answers_after_ms=settings.answers_after)
        simulated = SimulatedTelephony(simulator)
        return Telephony(simulated, simulated, answers=True)
    connection = settings.connection or source
    if connection is None:
        raise SourceError("telephony: kind kafka needs a connection when the source is not Kafka")
    reader = AckReader(KafkaSource(KafkaSettings.of(connection, settings.acks), clock), clock)
    return Telephony(KafkaCommandChannel(settings, connection, clock), reader, answers=True)


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

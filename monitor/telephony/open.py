"""The telephony system that the settings ask for.

Owns the one place where ``kind`` becomes a class, and the two systems that are hardly any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog

from monitor.clock import Clock
from monitor.decisions import Ack, Command
from monitor.errors import SourceError
from monitor.secret import Secret
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.acks import AckReader
from monitor.telephony.base import AckSource, CommandChannel, Outgoing, Reconciler
from monitor.telephony.http import HttpTelephony
from monitor.telephony.joined import Asked, Joined
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.kamailio import KamailioTelephony
from monitor.telephony.settings import RECEIVER, SystemSettings, TelephonySettings, is_system
from monitor.telephony.simulated import SimulatedTelephony, TelephonySimulator
from monitor.telephony.vicidial import VicidialTelephony

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telephony:
    """Where commands go and answers come from."""

    channels: Mapping[str, CommandChannel]
    """By receiver; empty: commands go nowhere."""
    acks: AckSource
    answers: bool
    """False: nobody answers, and a command counts as applied once it is sent."""
    reconcilers: Mapping[str, Reconciler] = field(default_factory=dict)
    """By receiver, those that say what they block."""
    systems_of: Callable[[Iterable[str]], tuple[str, ...]] = lambda _pools: (RECEIVER,)
    """The receivers of a number's commands, by its pools."""
    asked: Asked = field(default_factory=Asked)
    """Which of them a command went to."""

    @property
    def channel(self) -> CommandChannel | None:
        """Of the only system; None: there are several, or commands go nowhere."""
        return self.channels.get(RECEIVER)

    def receivers(self, command: Command, pools: Iterable[str]) -> tuple[str, ...]:
        """Where ``command`` goes; with several, its answer is that of all of them."""
        if command.system:
            names = tuple(name for name in (command.system,) if name in self.channels)
        else:
            names = self.systems_of(pools)
        self.asked.note(command.id, names)
        return names

    def went_to(self, receivers: Iterable[str]) -> tuple[str, ...]:
        """Of the receivers of a command, those that are systems of telephony; some may be gone."""
        return tuple(name for name in receivers if is_system(name))


@dataclass(frozen=True, slots=True)
class _System:
    """One of them."""

    channel: CommandChannel
    acks: AckSource
    reconciler: Reconciler | None = None


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
    systems = {name: _open(system, source, clock) for name, system in settings.named().items()}
    sources = {name: system.acks for name, system in systems.items()}
    alone = settings.kind != "several"
    return Telephony(
        channels={name: system.channel for name, system in systems.items()},
        acks=next(iter(sources.values()), NoAcks())
        if alone
        else Joined(sources, named=True, formerly=_positions(settings.formerly())),
        answers=settings.kind not in ("log", "none"),
        reconcilers={
            name: system.reconciler for name, system in systems.items() if system.reconciler
        },
        systems_of=settings.systems_of,
    )


def _positions(formerly: Mapping[str, str]) -> dict[str, str]:
    """As ``formerly``, by the names that positions have: those of one system alone have none."""
    return {name: now for was, now in formerly.items() for name in ("", was)}


def _open(settings: SystemSettings, source: KafkaConnection | None, clock: Clock) -> _System:
    match settings.kind:
        case "kafka":
            channel = KafkaCommandChannel(settings, _connection(settings, source), clock)
            return _System(channel, _reader(settings, source, clock))
        case "kamailio":
            return _kamailio(settings, clock)
        case "vicidial":
            return _vicidial(settings, clock)
        case "http":
            return _http(settings, source, clock)
        case "simulated":
            simulator = TelephonySimulator(clock, answers_after_ms=settings.answers_after)
            simulated = SimulatedTelephony(simulator)
            return _System(simulated, simulated, simulated)
        case _:
            return _System(LogChannel(), NoAcks())


def _kamailio(settings: SystemSettings, clock: Clock) -> _System:
    system = KamailioTelephony(
        _url(settings),
        _revealed(settings.token),
        table=settings.table,
        mark=settings.mark,
        timeout_ms=settings.send_timeout,
        clock=clock,
    )
    return _System(system, system.acks, system)


def _vicidial(settings: SystemSettings, clock: Clock) -> _System:
    system = VicidialTelephony(
        _url(settings),
        settings.user or "",
        _revealed(settings.password),
        group=settings.cid_group or "",
        areacode=settings.areacode,
        timeout_ms=settings.send_timeout,
        clock=clock,
    )
    return _System(system, system.acks, system)


def _http(settings: SystemSettings, source: KafkaConnection | None, clock: Clock) -> _System:
    secret = None if settings.secret is None else settings.secret.reveal()
    system = HttpTelephony(_url(settings), secret, timeout_ms=settings.send_timeout, clock=clock)
    if "acks" not in settings.model_fields_set:
        return _System(system, system.acks)
    topic = _reader(settings, source, clock)
    return _System(system, Joined({"": topic, "reply": system.acks}))


def _url(settings: SystemSettings) -> str:
    return "" if settings.url is None else settings.url.get_secret_value()


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

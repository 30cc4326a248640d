"""A small telephony system: takes commands, blocks numbers, answers after a while.

Owns the behaviour that the daemon may expect of a real one (docs/numbers.md): idempotent by command
id, in order for one number, letting go by itself at ``until``. It ships for demonstrations and
tests; :class:`SimulatedTelephony` runs it in this process, :class:`KafkaSimulator` behind topics.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from monitor.clock import Clock
from monitor.decisions import Ack, iso
from monitor.errors import MonitorError
from monitor.source.base import Partition
from monitor.source.kafka import KafkaSource
from monitor.source.kafka_client import open_producer, translate
from monitor.source.settings import KafkaConnection, KafkaSettings
from monitor.telephony.base import Blocked, Outgoing
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.wire import Read, read_command

log = structlog.get_logger(__name__)

KNOWN_COMMANDS_MAX = 100_000
_ANSWER_MS = 10_000
"""How long the broker may take to confirm an answer, before a new connection is tried."""
_PARTITION = Partition("simulated", 0)


@dataclass(frozen=True, slots=True)
class _Due:
    at_ms: int
    command: Read


class TelephonySimulator:
    """The system itself. Not for several threads at once."""

    def __init__(
        self, clock: Clock, *, answers_after_ms: int = 500, refuses: Collection[str] = ()
    ) -> None:
        """``refuses``: numbers it does not have, so that commands for them are rejected."""
        self._clock = clock
        self._answers_after_ms = answers_after_ms
        self._refuses = frozenset(refuses)
        self._due: deque[_Due] = deque()
        self._blocked: dict[str, int | None] = {}
        self._answers: dict[str, Ack] = {}

    def take(self, command_json: bytes) -> bool:
        """Accept a command, to be carried out after the delay; false where it is none."""
        command = read_command(command_json)
        if command is None:
            return False
        self._due.append(_Due(self._clock.now_ms() + self._answers_after_ms, command))
        return True

    def answers(self) -> list[Ack]:
        """Carry out what is due, and answer it; a repeated command gets its first answer again."""
        now_ms = self._clock.now_ms()
        given = []
        while self._due and self._due[0].at_ms <= now_ms:
            given.append(self._carry_out(self._due.popleft()))
        return given

    def blocked(self) -> dict[str, int | None]:
        """Numbers that cannot call now, with the time (ms) at which each is let go by itself."""
        now_ms = self._clock.now_ms()
        self._blocked = {
            number: until
            for number, until in self._blocked.items()
            if until is None or until > now_ms
        }
        return dict(sorted(self._blocked.items()))

    def may_call(self, number: str) -> bool:
        """Whether a call from ``number`` would pass."""
        return number not in self.blocked()

    def forget(self) -> None:
        """Restart: nothing is blocked any more."""
        self._blocked.clear()

    def _carry_out(self, due: _Due) -> Ack:
        command = due.command
        known = self._answers.get(command.command_id)
        if known is not None:
            return known
        if command.number in self._refuses:
            ack = Ack(command.command_id, "rejected", "no such number", due.at_ms)
        else:
            ack = Ack(command.command_id, "applied", "", due.at_ms)
            if command.action == "resume":
                self._blocked.pop(command.number, None)
            else:
                self._blocked[command.number] = command.until_ms
        if len(self._answers) >= KNOWN_COMMANDS_MAX:
            del self._answers[next(iter(self._answers))]
        self._answers[command.command_id] = ack
        return ack


class SimulatedTelephony:
    """Command channel, source of answers and reconciler in one, in this process."""

    def __init__(self, simulator: TelephonySimulator) -> None:
        self.simulator = simulator
        self.ignored: Mapping[str, int] = {}
        """None: it answers commands only."""
        self._lock = threading.Lock()
        self._given = 0

    def prepare(self) -> str:
        """Nothing to remember: the system drops repeats by their id."""
        return ""

    def send(self, command_json: bytes, key: str, command_id: str) -> None:  # noqa: ARG002
        """Hand a command to the simulator."""
        with self._lock:
            self.simulator.take(command_json)

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        """Hand several to the simulator."""
        for command in commands:
            self.send(*command)

    def already_sent(self, command_id: str, mark: str) -> bool:  # noqa: ARG002
        """Unknown, so false: a repeat does no harm."""
        return False

    def blocked(self, numbers: Iterable[str]) -> Blocked:  # noqa: ARG002 - it lists them all
        """What it blocks; all of it is ours."""
        with self._lock:
            return Blocked(self.simulator.blocked(), frozenset())

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Answers are not kept over a restart; only their count goes on."""
        self._given = positions.get(_PARTITION, 0)

    def poll(self) -> list[Ack]:
        """The answers that are due."""
        with self._lock:
            acks = self.simulator.answers()
            self._given += len(acks)
            return acks

    def positions(self) -> Mapping[Partition, int]:
        """How many answers were given."""
        return {_PARTITION: self._given}

    def close(self) -> None:
        """Nothing to release."""


class KafkaSimulator:
    """The simulator between the topics of commands and answers.

    It begins at the oldest command each time and so knows again what is blocked; answers it has
    given before are given again.
    """

    def __init__(
        self,
        simulator: TelephonySimulator,
        settings: TelephonySettings,
        connection: KafkaConnection,
    ) -> None:
        self.simulator = simulator
        self._settings = settings
        self._source = KafkaSource(KafkaSettings.of(connection, settings.commands))
        self._connection = connection
        self._started = False
        self._producer: KafkaProducer | None = None
        self._owed: list[Ack] = []
        """Answers that the broker has not confirmed yet, in their order."""

    def step(self, timeout_s: float) -> int:
        """Read commands, answer what is due; the number of answers sent.

        Raises:
            MonitorError: the broker does not answer; what is owed is sent by a later step.
        """
        if not self._started:
            self._source.start({}, None)
            self._started = True
        for chunk in self._source.poll(1_000, timeout_s):
            for value in chunk.values:
                self.simulator.take(value or b"")
        self._owed += self.simulator.answers()
        sent = len(self._owed)
        if sent:
            self._send_owed()
        return sent

    def run(self, stop: threading.Event, clock: Clock) -> None:
        """Step until ``stop``; an absent broker is waited for."""
        while not stop.is_set():
            try:
                self.step(0.1)
            except MonitorError as fault:
                log.warning("simulated_telephony_cut_off", detail=str(fault))
                clock.wait(stop, 1.0)
        self.close()

    def close(self) -> None:
        """Leave the broker; calling it twice is fine."""
        self._source.close()
        self._drop_producer()

    def _send_owed(self) -> None:
        try:
            if self._producer is None:
                self._producer, _ = open_producer(
                    self._connection,
                    delivery_timeout_ms=_ANSWER_MS,
                    max_block_ms=_ANSWER_MS,
                    metrics_enabled=False,
                    request_timeout_ms=_ANSWER_MS // 2,
                )
            sent = [self._send(self._producer, ack) for ack in self._owed]
            for each in sent:
                each.get(timeout=_ANSWER_MS / 1000)
        except KafkaError as fault:
            self._drop_producer()
            raise translate(fault, "answering", self._connection, "Write") from fault
        self._owed = []

    def _send(self, producer: KafkaProducer, ack: Ack) -> Any:
        record = {"command_id": ack.command_id, "status": ack.status, "detail": ack.detail}
        body = msgspec.json.encode(record | {"at": iso(ack.at_ms)})
        return producer.send(self._settings.acks, body, key=ack.command_id.encode())

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):  # what is on its way has to expire, or it would not close
                producer.close(timeout=_ANSWER_MS / 1000 + 1)

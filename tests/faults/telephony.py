"""Telephony behind two topics: commands in transactions, answers that go astray.

Owns the topic double and the system that reads it. A transaction whose outcome nobody heard of is
settled, one way or the other, when a producer of the same name next begins, as Kafka does; the real
topic is tried in tests/telephony and tests/e2e.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitor.clock import Clock
from monitor.decisions import Ack
from monitor.errors import DeliveryError
from monitor.source.base import Partition
from monitor.telephony.base import Outgoing
from tests.faults.chance import Chance
from tests.faults.receivers import Auditor

ACKS = Partition("acks", 0)


@dataclass(frozen=True, slots=True)
class Sent:
    """A command as it stands on the topic."""

    number: str
    id: str
    body: bytes


@dataclass
class Exchange:
    """The two topics and the system between them; it survives the daemon."""

    commands: list[Sent] = field(default_factory=list)
    """Committed, in order."""
    doubtful: list[list[Sent]] = field(default_factory=list)
    """Transactions that were sent, and nobody knows whether committed."""
    answers: list[Ack] = field(default_factory=list)
    """The topic of answers."""
    _due: list[tuple[int, Ack]] = field(default_factory=list)
    _lost: list[Ack] = field(default_factory=list)
    _read: int = 0

    def settle(self, chance: Chance) -> None:
        """A producer begins: open transactions end."""
        for sent in self.doubtful:
            if chance.stream("doubt").random() < 0.5:
                self.commands += sent
        self.doubtful.clear()

    def work(self, chance: Chance, clock: Clock) -> None:
        """Telephony carries out what is new, and answers what is due."""
        now_ms = clock.now_ms()
        for sent in self.commands[self._read :]:
            status: Literal["applied", "rejected"] = "applied"
            if chance.strikes("telephony rejects", 0.06):
                status = "rejected"
            ack = Ack(sent.id, status, "", now_ms)
            if chance.strikes("answer lost", 0.12):
                self._lost.append(ack)
                continue
            late = chance.strikes("answer late", 0.2)
            delay = chance.pick("answer after", [9_000, 25_000] if late else [0, 300, 1_500])
            self._due.append((now_ms + delay, ack))
            if chance.strikes("answer twice", 0.15):
                again = chance.pick("again after", [0, 2_000, 20_000])
                self._due.append((now_ms + delay + again, ack))
        self._read = len(self.commands)
        due = [ack for at_ms, ack in self._due if at_ms <= now_ms]
        self._due = [item for item in self._due if item[0] > now_ms]
        if len(due) > 1 and chance.strikes("answers reordered", 0.5):
            due.reverse()
        self.answers += due

    def tell_all(self) -> None:
        """The bad times are over: what was lost or is late is told now."""
        self.answers += [*self._lost, *(ack for _, ack in self._due)]
        self._lost, self._due = [], []


class TopicChannel:
    """The producer of one life; a ``monitor.telephony.base.CommandChannel``."""

    def __init__(self, exchange: Exchange, *, chance: Chance, auditor: Auditor) -> None:
        self._exchange = exchange
        self._chance = chance
        self._auditor = auditor
        self._end: int | None = None

    def prepare(self) -> str:
        """Where the topic ended when it was asked last, or after our last command."""
        self._reach()
        if self._end is None:
            self._end = len(self._exchange.commands)
        return json.dumps(self._end)

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        """One command in a transaction of its own."""
        self.send_all([(command_json, key, command_id)])

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        """Commands in one transaction: all of them get to the topic, or none."""
        chance, exchange = self._chance, self._exchange
        self._reach()
        self._end = None
        chance.crash("before the topic has it", 0.02)
        for _, _, command_id in commands:
            self._auditor.arrived(command_id, "telephony")
        sent = [Sent(key, command_id, command_json) for command_json, key, command_id in commands]
        if chance.strikes("transaction aborted", 0.05):
            raise DeliveryError("aborted", retry=True, reason="connection")
        if chance.strikes("transaction in doubt", 0.08):
            exchange.doubtful.append(sent)
            raise DeliveryError("no answer", retry=True, reason="timeout")
        if chance.strikes("death in a transaction", 0.02):
            exchange.doubtful.append(sent)
            raise chance.die("a transaction was open")
        exchange.commands += sent
        chance.crash("after the topic has it", 0.03)
        self._end = len(exchange.commands)

    def already_sent(self, command_id: str, mark: str) -> bool:
        """Look at the topic behind the mark."""
        self._reach()
        return any(sent.id == command_id for sent in self._exchange.commands[json.loads(mark) :])

    def close(self) -> None:
        """Nothing is held."""

    def _reach(self) -> None:
        if self._chance.strikes("topic out of reach", 0.05):
            raise DeliveryError("no connection", retry=True, reason="connection")
        self._exchange.settle(self._chance)


class TopicAnswers:
    """The reader of one life; a ``monitor.telephony.base.AckSource``."""

    def __init__(self, exchange: Exchange, chance: Chance) -> None:
        self.ignored: Mapping[str, int] = {}
        self._exchange = exchange
        self._chance = chance
        self._position = 0

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Begin where the last life had come to, or at the oldest."""
        self._position = positions.get(ACKS, 0)

    def poll(self) -> list[Ack]:
        """Some of what has come."""
        if self._chance.strikes("answers unread", 0.2):
            return []
        end = len(self._exchange.answers)
        if self._chance.strikes("answers read in part", 0.1):
            end = min(end, self._position + 1)
        found = self._exchange.answers[self._position : end]
        self._position = max(self._position, end)
        return found

    def positions(self) -> Mapping[Partition, int]:
        """Where it has come to."""
        return {ACKS: self._position}

    def close(self) -> None:
        """Nothing is held."""

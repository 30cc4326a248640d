"""Telephony that answers while it is asked: what its adapters have in common.

Owns the order of things around one request: a repeat is answered as before and not carried out
again, what is over is not begun, and the reply becomes the answer. What is asked, and what a reply
means, is each adapter's.
"""

from __future__ import annotations

import math
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Literal, NamedTuple

import httpx

from monitor.clock import Clock
from monitor.decisions import Ack
from monitor.errors import DeliveryError
from monitor.posting import ANSWER_BYTES_MAX, Answer, classify, client, exchange
from monitor.source.base import Partition
from monitor.telephony.base import Outgoing
from monitor.telephony.wire import Read, read_command

KNOWN_COMMANDS_MAX = 10_000
"""Commands whose answer is remembered, so that a repeat changes nothing."""
DETAIL_CHARS = 500


class Reply(NamedTuple):
    """What a system says of a command."""

    status: Literal["applied", "rejected"]
    detail: str = ""


DONE = Reply("applied")


class Given:
    """An :class:`monitor.telephony.base.AckSource` of what is given to it, by any thread.

    Nothing is kept over a restart: what was answered and not taken is found out by reconciling.
    """

    ignored: Mapping[str, int] = MappingProxyType({})
    """None: there are answers only."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Ack] = queue.SimpleQueue()

    def give(self, ack: Ack) -> None:
        """An answer has come."""
        self._waiting.put(ack)

    def restore(self, positions: Mapping[Partition, int]) -> None:
        """Nothing to begin at."""

    def poll(self) -> list[Ack]:
        """The answers since the last call."""
        acks: list[Ack] = []
        while not self._waiting.empty():
            acks.append(self._waiting.get_nowait())
        return acks

    def positions(self) -> Mapping[Partition, int]:
        """Nothing to remember."""
        return {}

    def close(self) -> None:
        """Nothing to release."""


class DirectTelephony(ABC):
    """A :class:`monitor.telephony.base.CommandChannel`; for any thread."""

    reply_bytes_max: ClassVar[int] = ANSWER_BYTES_MAX

    def __init__(self, url: str, *, timeout_ms: int, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._http: httpx.Client = client(timeout_ms)
        self._turn = threading.Lock()
        self._known: dict[str, Ack] = {}
        self.acks = Given()
        """The answers that came in replies."""

    @abstractmethod
    def carry_out(self, command: Read, command_json: bytes) -> Reply | None:
        """Ask the system; its answer, or None where that comes another way.

        Raises:
            DeliveryError: it may or may not have been carried out; it is tried again.
        """

    def prepare(self) -> str:
        """Nothing to remember: a repeat does no harm."""
        return ""

    def send(self, command_json: bytes, key: str, command_id: str) -> None:  # noqa: ARG002
        """Carry a command out; its answer is among :attr:`acks` on return.

        Raises:
            DeliveryError: see :meth:`carry_out`; or it is no command of ours.
        """
        command = read_command(command_json)
        if command is None:
            raise DeliveryError("only commands are carried out", retry=False, reason="internal")
        with self._turn:
            known = self._known.get(command_id)
            if known is not None:
                self.acks.give(known)
                return
            reply = self._reply(command, command_json)
            if reply is None:
                return
            detail = reply.detail[:DETAIL_CHARS]
            ack = Ack(command_id, reply.status, detail, self._clock.now_ms())
            if len(self._known) >= KNOWN_COMMANDS_MAX:
                del self._known[next(iter(self._known))]
            self._known[command_id] = ack
            self.acks.give(ack)

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        """One after the other; what was carried out before a failure is not repeated by a repeat.

        Raises:
            DeliveryError: as :meth:`send`.
        """
        for command in commands:
            self.send(*command)

    def already_sent(self, command_id: str, mark: str) -> bool:  # noqa: ARG002
        """Unknown, so false: a repeat does no harm."""
        return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST to the system; its answer, of any status.

        Raises:
            DeliveryError: there was none, or it was too long.
        """
        if self._http.is_closed:  # whoever asks in a thread of its own may come too late
            raise DeliveryError("the connection is closed", retry=True, reason="connection")
        answer = exchange(
            self._http, self._url, body, headers, clock=self._clock, bytes_max=self.reply_bytes_max
        )
        if not answer.whole:
            msg = f"the answer is longer than {self.reply_bytes_max} bytes"
            raise DeliveryError(msg, retry=True, reason="too_long")
        return answer

    def seconds_left(self, command: Read) -> int | None:
        """Whole seconds until it lets go by itself, rounded up; None: it does not."""
        if command.until_ms is None:
            return None
        return math.ceil((command.until_ms - self._clock.now_ms()) / 1000)

    def _reply(self, command: Read, command_json: bytes) -> Reply | None:
        if command.action == "suspend":
            left_s = self.seconds_left(command)
            if left_s is not None and left_s <= 0:
                return Reply("applied", "over before it was begun")
        return self.carry_out(command, command_json)


def not_taken(answer: Answer) -> DeliveryError:
    """That ``answer`` is no answer to a command, which is sent again.

    Unlike a notification that is refused: to give up would leave a number that calls on.
    """
    failure = classify(answer.status, retry_after_s=answer.retry_after_s)
    if failure is None:
        text = f"the receiver answered {answer.status}, and not in its own protocol"
        return DeliveryError(text, retry=True, reason="malformed")
    return DeliveryError(
        str(failure), retry=True, reason=failure.reason, retry_after_s=failure.retry_after_s
    )

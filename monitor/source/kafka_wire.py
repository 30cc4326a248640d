"""What a broker sends, taken from the socket by large pieces and looked at where it stands.

kafka-python takes 4 kB, some twelve events, in a call; each lets go of the interpreter's lock, and
beside threads that compute it waits up to five milliseconds to have it back. Beside one that never
rests, 300 000 events came in three times as fast by pieces of 64 kB; those of a whole fetch are
larger still. And it copies each answer twice before it decodes it.
"""

from __future__ import annotations

from typing import Any

from kafka.net.manager import KafkaConnectionManager
from kafka.protocol import parser
from kafka.protocol.frame import KafkaBytes

RECEIVE_BYTES = 2**20
"""Memory for so much is taken, and what the socket had less of it is given back."""
LARGE_BYTES = 2**16
"""Answers from this size on are not copied: those with records."""


class WideSocket:
    """A socket that is asked for more; in all else the one that it stands for."""

    __slots__ = ("_socket",)

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def recv(self, size: int) -> bytes:
        """What is there, at most ``RECEIVE_BYTES`` or ``size`` if that is more."""
        received: bytes = self._socket.recv(max(size, RECEIVE_BYTES))
        return received

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class StillBytes(KafkaBytes):  # type: ignore[misc] # kafka-python is untyped
    """An answer of a broker, which is decoded in the memory that it came into."""

    def read(self, nbytes: int | None = None) -> bytes | memoryview:
        """The next ``nbytes``; all that is left, without a copy where that is large."""
        begin = self.tell()
        if nbytes is not None or len(self) - begin < LARGE_BYTES:
            few: bytes = super().read(nbytes)
            return few
        self.seek(len(self))
        return memoryview(self)[begin:]


def decode_in_place() -> None:
    """Have this process's clients use :class:`StillBytes`, if they still are as we know them."""
    if vars(parser).get("KafkaBytes") is KafkaBytes:
        parser.KafkaBytes = StillBytes


class WideManager(KafkaConnectionManager):  # type: ignore[misc] # kafka-python is untyped
    """The client's connections, over wide sockets where it has them as we know them."""

    async def _build_transport(self, *arguments: Any, **options: Any) -> Any:
        transport = await super()._build_transport(*arguments, **options)
        socket = getattr(transport, "_sock", None)
        if socket is not None:
            transport._sock = WideSocket(socket)  # noqa: SLF001 - it has no other word for it
        return transport

"""A producer that costs next to nothing: record batches made beforehand, sent as they are.

Owns the bytes of Kafka's record batch (version 2) and of a Produce request (version 3). A client's
producer would take as much of the machine as the daemon that is measured.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping, Sequence

import crc32c

_AFTER_CRC = struct.Struct(">hiqqqhii")
_NO_PRODUCER = (-1, -1, -1)


def _varint(value: int) -> bytes:
    """Zigzag, as records write their lengths."""
    left, out = (value << 1) ^ (value >> 63), bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


_VARINTS = [_varint(value) for value in range(1 << 14)]


def record_batch(values: Sequence[bytes], at_ms: int) -> bytes:
    """Records without keys, uncompressed, all of one timestamp."""
    parts: list[bytes] = []
    for offset, value in enumerate(values):
        size, delta = _VARINTS[len(value)], _VARINTS[offset]
        # attributes, timestamp delta, offset delta, no key, the value, no headers
        length = 1 + 1 + len(delta) + 1 + len(size) + len(value) + 1
        parts += (_VARINTS[length], b"\0\0", delta, b"\1", size, value, b"\0")
    records = b"".join(parts)
    last = len(values) - 1
    rest = _AFTER_CRC.pack(0, last, at_ms, at_ms, *_NO_PRODUCER, len(values)) + records
    length = 4 + 1 + 4 + len(rest)
    return struct.pack(">qiibI", 0, length, -1, 2, crc32c.crc32c(rest)) + rest


class WireProducer:
    """Sends batches to the leader of all partitions of one topic."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        host, _, port = bootstrap.partition(":")
        self._link = socket.create_connection((host, int(port)), 30)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._topic = topic.encode()
        self._sent = 0
        self.answered = 0
        self.refused: set[int] = set()
        """Kafka's error codes, other than none."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, batches: Mapping[int, bytes]) -> None:
        """One request with a batch for each partition, acknowledged by its leader alone."""
        self._sent += 1
        head = struct.pack(">hhi", 0, 3, self._sent) + _text(b"bench")
        body = struct.pack(">hhi", -1, 1, 30_000) + struct.pack(">i", 1) + _text(self._topic)
        parts = [head, body, struct.pack(">i", len(batches))]
        for partition, batch in batches.items():
            parts += (struct.pack(">ii", partition, len(batch)), batch)
        size = sum(map(len, parts))
        self._link.sendall(b"".join([struct.pack(">i", size), *parts]))

    def close(self) -> None:
        """Wait for all answers.

        Raises:
            OSError: the broker refused some, or did not answer.
        """
        self._link.shutdown(socket.SHUT_WR)
        self._reader.join(60)
        self._link.close()
        if self.refused or self.answered != self._sent:
            msg = f"{self.answered} of {self._sent} requests answered, refusals {self.refused}"
            raise OSError(msg)

    def _read(self) -> None:
        with self._link.makefile("rb") as answers:
            while len(size := answers.read(4)) == 4:
                self._take(answers.read(struct.unpack(">i", size)[0]))

    def _take(self, answer: bytes) -> None:
        at = 4 + 4 + 2 + len(self._topic)
        (partitions,) = struct.unpack_from(">i", answer, at)
        for number in range(partitions):
            # partition, error, base offset, append time
            (error,) = struct.unpack_from(">h", answer, at + 4 + number * 22 + 4)
            if error:
                self.refused.add(error)
        self.answered += 1


def _text(value: bytes) -> bytes:
    return struct.pack(">h", len(value)) + value

"""Just enough SIP over UDP to place one call and to be called.

For tests that ask often whether a number may call; what stands at the ends in earnest is sipp.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time

AGAIN_S = 0.5
"""A request without a reply is sent again after so long: UDP loses some."""
_calls = itertools.count(1)


def call(number: str, port: int, timeout_s: float = 20.0) -> tuple[int, str]:
    """Place a call from ``number``: the final status, and the whole reply.

    Raises:
        TimeoutError: no final reply.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(AGAIN_S)
        mine = ours.getsockname()[1]
        one = f"{mine}-{next(_calls)}"
        asked = _request("INVITE", number, port, mine, one).encode()
        ours.sendto(asked, ("127.0.0.1", port))
        until = time.monotonic() + timeout_s
        while True:
            try:
                reply = ours.recv(65_536).decode()
            except TimeoutError:
                if time.monotonic() >= until:
                    raise
                ours.sendto(asked, ("127.0.0.1", port))
                continue
            status = int(reply.split(" ", 2)[1])
            if status >= 200:
                to = next(line for line in reply.split("\r\n") if line.startswith("To:"))
                acknowledged = _request("ACK", number, port, mine, one, to)
                ours.sendto(acknowledged.encode(), ("127.0.0.1", port))
                return status, reply


def _request(method: str, number: str, port: int, mine: int, one: str, to: str = "") -> str:
    to = to or f"To: <sip:1000@127.0.0.1:{port}>"
    lines = [
        f"{method} sip:1000@127.0.0.1:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{mine};branch=z9hG4bK{one};rport",
        f"From: <sip:{number}@127.0.0.1:{mine}>;tag={one}",
        to,
        f"Call-ID: {one}@127.0.0.1",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{number}@127.0.0.1:{mine}>",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""])


class Busy:
    """A far end where everybody is busy: what reaches it has passed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                asked, whence = self._socket.recvfrom(65_536)
            except TimeoutError:
                continue
            text = asked.decode()
            if not text.startswith("INVITE"):
                continue
            kept = ("Via:", "From:", "Call-ID:", "CSeq:", "Record-Route:")
            lines = ["SIP/2.0 486 Busy Here"]
            for line in text.split("\r\n"):
                if line.startswith(kept):
                    lines.append(line)
                elif line.startswith("To:"):
                    lines.append(f"{line};tag=busy")
            reply = "\r\n".join([*lines, "Content-Length: 0", "", ""])
            self._socket.sendto(reply.encode(), whence)

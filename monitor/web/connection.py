"""One connection: how many there may be, and how long a request may take.

Owns what the framework leaves open. It answers what is no HTTP, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.web import problems
from monitor.web.headers import HEADERS
from monitor.web.settings import WebSettings

OVERDUE: Final = "overdue"
"""Stands for the status of a request that was cut off."""
ENDLESS: Final = "/api/v1/live"
"""The one answer that has no end by itself."""
_LAST_S: Final = 0.8
"""For requests under way when the server stops; less than it waits for them."""


def _canned(status: str, body: bytes) -> bytes:
    """An answer outside the application, always the same; the connection is closed after it."""
    lines = [f"HTTP/1.1 {status}", "server: monitor", "connection: close"]
    lines += [f"content-type: {problems.MEDIA_TYPE}", f"content-length: {len(body)}"]
    lines += [f"{name}: {text}" for name, text in HEADERS.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


_BUSY = _canned("503 Service Unavailable\r\nretry-after: 1", problems.BUSY)
_MALFORMED = _canned("400 Bad Request", problems.MALFORMED)


class _Bounded(H11Protocol):
    """Has answered by the deadline, from the connection or the last answer on; or is cut off.

    A timeout on reads would not do: it starts anew with each byte that trickles in.
    """

    connections_max: ClassVar[int]
    timeout_s: ClassVar[float]
    counts: ClassVar[Counter[str]]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller has come."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            self.counts["503"] += 1
            transport.write(_BUSY)
            transport.close()
            return
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; those of a caller who was sent away are nothing."""
        if not self.transport.is_closing():
            super().data_received(data)

    def on_response_complete(self) -> None:
        """The next request may come on this connection."""
        self._begin()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the framework's words
        """Answer what is no HTTP."""
        self.counts["400"] += 1
        self.transport.write(_MALFORMED)
        self.transport.close()

    def shutdown(self) -> None:
        """The server stops: what is under way may end, within a moment."""
        super().shutdown()
        # With TLS a close waits for the other side to agree, which it may never do.
        self.loop.call_later(_LAST_S, self.transport.abort)

    def _begin(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.timeout_s, self._overdue)

    def _overdue(self) -> None:
        if self._streams():
            self._begin()  # it is looked after by what writes to it
            return
        self.counts[OVERDUE] += 1
        self.transport.abort()

    def _streams(self) -> bool:
        """Whether an answer without an end is under way, to a caller who is there."""
        cycle = self.cycle
        return (
            cycle is not None
            and cycle.response_started
            and not cycle.response_complete
            and not self.transport.is_closing()
            and cycle.scope["path"] == ENDLESS
        )


def bounded(settings: WebSettings, counts: Counter[str]) -> type[asyncio.Protocol]:
    """The protocol of a connection, with the bounds of ``settings``."""

    class Protocol(_Bounded):
        connections_max = settings.connections
        timeout_s = settings.timeout / 1000

    Protocol.counts = counts
    return Protocol

"""What every request passes before anything answers it.

Owns order and bounds: who asks, how often, how large, for how long; and what every answer bears.
Pure ASGI around the application. A part that checks its callers itself, by a signature of the body,
is let through to it: the other bounds hold there too.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

import structlog

from monitor.clock import Clock
from monitor.web import problems
from monitor.web.access import Allowances, Tokens
from monitor.web.settings import WebSettings

log = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
_HSTS: Final = {"strict-transport-security": "max-age=31536000"}


class Gate:
    """The application with its guard before it."""

    def __init__(
        self,
        inner: Asgi,
        settings: WebSettings,
        clock: Clock,
        counts: Counter[str],
        *,
        checked_inside: Iterable[str] = (),
    ) -> None:
        """Guard ``inner``.

        Args:
            inner: the application.
            settings: bounds and tokens, which are read now.
            clock: of the rates.
            counts: answers, by status; this thread counts them.
            checked_inside: path prefixes, such as ``/ingest``, whose callers show no token.

        Raises:
            SecretError: a token is not where the configuration says.
            UsageError: a token cannot serve as one.
        """
        self._inner = inner
        self._settings = settings
        self._clock = clock
        self._counts = counts
        self._inside = tuple(f"{prefix.rstrip('/')}/" for prefix in checked_inside)
        self._tokens = Tokens(settings)
        self._allowances = Allowances(settings.tokens, settings.rate)
        more = {} if settings.tls is None else _HSTS
        self._headers = [(name.encode(), text.encode()) for name, text in (HEADERS | more).items()]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(send, self._headers)
        try:
            await self._answer(scope, receive, answer)
        except Exception:
            log.exception("web_request_failed", method=scope["method"])
            if not answer.status:
                await answer.problem(500, problems.BROKEN)
        self._counts[str(answer.status)] += 1

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive, answer: _Answer
    ) -> None:
        if not str(scope["path"]).startswith(self._inside):
            caller = self._tokens.caller(_header(scope, b"authorization"))
            wait_s = self._allowances.take(caller, self._clock.monotonic_s())
            if wait_s:
                retry = {"retry-after": str(math.ceil(wait_s))}
                await answer.problem(429, problems.TOO_MANY, retry)
                return
            if caller is None:
                known = {"www-authenticate": 'Bearer realm="monitor"'}
                await answer.problem(401, problems.UNAUTHORIZED, known)
                return
            scope["monitor.caller"] = caller
        limit = self._settings.body_max
        try:
            async with asyncio.timeout(self._settings.timeout / 2000):
                body = await _whole(scope, receive, limit)
        except TimeoutError:
            await answer.problem(408, problems.TOO_SLOW, {"connection": "close"})
            return
        if body is None:
            await answer.problem(413, problems.TOO_LARGE, {"connection": "close"})
            return
        await self._inner(scope, _Replayed(body, receive).receive, answer.send)


class _Answer:
    """The way back: adds what every answer bears, and knows its status."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0
        """0 until it has begun."""

    async def send(self, message: Message) -> None:
        """One message of ASGI."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        await self._send(message)

    async def problem(
        self, status: int, body: bytes, headers: MutableMapping[str, str] | None = None
    ) -> None:
        """The whole of an answer that is a problem."""
        shared = {"content-type": problems.MEDIA_TYPE, "content-length": str(len(body))}
        given = [(k.encode(), v.encode()) for k, v in (shared | dict(headers or {})).items()]
        await self.send({"type": "http.response.start", "status": status, "headers": given})
        await self._send({"type": "http.response.body", "body": body})


class _Replayed:
    """A body that was read, for an application that wants to read it."""

    def __init__(self, body: bytes, after: Receive) -> None:
        self._body: bytes | None = body
        self._after = after

    async def receive(self) -> Message:
        """The body, then what follows it."""
        if self._body is None:
            return await self._after()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _header(scope: MutableMapping[str, Any], name: bytes) -> str:
    """The one header of that name; none, or several, are none."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


async def _whole(scope: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes | None:
    """The body; None when it is longer than ``limit``, of which then no more is read."""
    said = _header(scope, b"content-length")
    if said.isdigit() and int(said) > limit:
        return None
    parts: list[bytes] = []
    left, more = limit, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break  # it went away; nobody hears the answer
        part = message.get("body", b"")
        left -= len(part)
        if left < 0:
            return None
        parts.append(part)
        more = bool(message.get("more_body", False))
    return b"".join(parts)

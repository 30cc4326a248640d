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
from urllib.parse import urlencode

import structlog

from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.web import problems
from monitor.web.access import Allowances, Caller, Tokens
from monitor.web.deeds import Deeds
from monitor.web.headers import Headers
from monitor.web.origin import (
    SAFE_METHODS,
    address_of,
    brings,
    from_elsewhere,
    header,
    local_path,
    site_of,
)
from monitor.web.sessions import Sessions
from monitor.web.settings import WebSettings

log = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

SIGN_IN: Final = "/signin"
LIVE: Final = "/api/v1/live"
BY_ITSELF: Final = "refresh"
"""What a page's ``X-Fragment`` says where nobody asked for it."""


class Gate:
    """The application with its guard before it."""

    def __init__(
        self,
        inner: Asgi,
        settings: WebSettings,
        clock: Clock,
        counts: Counter[str],
        *,
        sessions: Sessions,
        deeds: Deeds,
        checked_inside: Iterable[str] = (),
        open_to_all: Iterable[str] = (),
    ) -> None:
        """Guard ``inner``.

        Args:
            inner: the application.
            settings: bounds and tokens, which are read now.
            clock: of the rates.
            counts: answers, by status; this thread counts them.
            sessions: of browsers.
            deeds: where actions are written down.
            checked_inside: path prefixes, such as ``/ingest``, whose callers show no token.
            open_to_all: path prefixes, such as ``/signin``, that strangers may ask too.

        Raises:
            SecretError: a token is not where the configuration says.
            UsageError: a token cannot serve as one.
        """
        self._inner = inner
        self._settings = settings
        self._clock = clock
        self._counts = counts
        self._sessions = sessions
        self._deeds = deeds
        self._inside = tuple(f"{prefix.rstrip('/')}/" for prefix in checked_inside)
        self._open = tuple(open_to_all)
        self._tokens = Tokens(settings)
        self._allowances = Allowances(settings.rate)
        self._headers = Headers(encrypted=settings.secure)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(scope, send, self._headers, self._deeds)
        scope["monitor.address"] = address_of(scope, self._settings.proxies)
        try:
            await self._answer(scope, receive, answer)
        except StoreError as error:  # nobody knows whose session it is
            log.warning("web_store_refuses", detail=str(error))
            if not answer.status:
                await answer.problem(503, problems.AWAY, {"retry-after": "5"})
        except Exception:
            log.exception("web_request_failed", method=scope["method"])
            if not answer.status:
                await answer.problem(500, problems.BROKEN)
        self._counts[str(answer.status)] += 1

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive, answer: _Answer
    ) -> None:
        path = str(scope["path"])
        inside, is_open = path.startswith(self._inside), path.startswith(self._open)
        caller = None if inside else await self._caller(scope)
        if not inside and not await self._admitted(scope, caller, answer):
            return
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
        if caller is not None and not is_open and self._forged(scope, caller, body):
            await answer.problem(403, problems.FORGED)
            return
        await self._inner(scope, _Replayed(body, receive).receive, answer.send)

    async def _caller(self, scope: MutableMapping[str, Any]) -> Caller | None:
        """Whose token or session it shows; a token counts before a session."""
        shown = header(scope, b"authorization")
        caller = self._tokens.caller(shown)
        if caller is None and not shown:
            cookies = header(scope, b"cookie")
            caller = await self._sessions.caller(cookies, by_itself=_by_itself(scope))
        scope["monitor.caller"] = caller
        return caller

    async def _admitted(
        self, scope: MutableMapping[str, Any], caller: Caller | None, answer: _Answer
    ) -> bool:
        """Whether it may go on; otherwise it is answered."""
        site = site_of(scope["monitor.address"])
        wait_s = self._allowances.take(caller, site, self._clock.monotonic_s())
        if wait_s:
            retry = {"retry-after": str(math.ceil(wait_s))}
            await answer.problem(429, problems.TOO_MANY, retry)
            return False
        if caller is not None or str(scope["path"]).startswith(self._open):
            return True
        if _a_page_is_wanted(scope):
            asked = scope["path"] + (
                f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
            )
            there = f"{SIGN_IN}?{urlencode({'next': local_path(asked, '/')})}"
            await answer.problem(303, b"", {"location": there})
            return False
        known = {"www-authenticate": 'Bearer realm="monitor"'}
        await answer.problem(401, problems.UNAUTHORIZED, known)
        return False

    def _forged(self, scope: MutableMapping[str, Any], caller: Caller, body: bytes) -> bool:
        """Whether another site's page may have sent it with a session's cookie."""
        if not caller.session or scope["method"] in SAFE_METHODS:
            return False
        return from_elsewhere(scope, self._settings.public_url) or not brings(
            scope, body, caller.csrf
        )


class _Answer:
    """The way back: adds what every answer bears, and knows its status."""

    def __init__(
        self, scope: MutableMapping[str, Any], send: Send, headers: Headers, deeds: Deeds
    ) -> None:
        self._scope = scope
        self._send = send
        self._headers = headers
        self._deeds = deeds
        self.status = 0
        """0 until it has begun."""

    async def send(self, message: Message) -> None:
        """One message of ASGI."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            await self._deeds.note(self._scope, self.status)  # before anybody hears of it
            headers = self._headers.added(self._scope, message.get("headers", ()))
            message = {**message, "headers": headers}
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


def _by_itself(scope: MutableMapping[str, Any]) -> bool:
    """Whether an open page asks without anybody's doing: its stream, and what it refreshes."""
    live = str(scope["path"]).rstrip("/") == LIVE
    return live or header(scope, b"x-fragment") == BY_ITSELF


def _a_page_is_wanted(scope: MutableMapping[str, Any]) -> bool:
    """Whether a person's browser asks, and not a program."""
    apart = str(scope["path"]).startswith("/api/") or header(scope, b"authorization")
    return scope["method"] == "GET" and not apart and "text/html" in header(scope, b"accept")


async def _whole(scope: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes | None:
    """The body; None when it is longer than ``limit``, of which then no more is read."""
    said = header(scope, b"content-length")
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

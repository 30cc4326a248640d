"""``GET /api/v1/live``: what changes, as it does (server-sent events).

Owns the stream: its beginning (from the event that was seen last, or now), its heartbeat, its end
when the caller's session is over, and how many there may be. A reader that does not take what it is
sent is cut off; nothing is kept for it, since it can come back and be told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.types import Receive, Scope, Send

from monitor.web.access import Caller
from monitor.web.application import Viewer
from monitor.web.live import Hub
from monitor.web.problems import ProblemError
from monitor.web.room import room_of
from monitor.web.sessions import Sessions

STREAMS_MAX: Final = 100
STREAMS_OF_ONE_MAX: Final = 10
"""Of one caller, who may have so many tabs open."""
HEARTBEAT_S: Final = 15.0
TAKEN_WITHIN_S: Final = 10.0
"""One that has not taken what it was sent by then is cut off."""
RETRY_MS: Final = 2_000

_LIVE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": (
            "Events `alert`, `alerts`, `number`, `numbers`, `acted`, `board`, each with JSON and an"
            " id; `reset`: too much was missed, look at everything anew"
        ),
    }
}

router = APIRouter(tags=["live"])


@router.get("/live", summary="What changes, as it does", response_class=Response, responses=_LIVE)
async def live(
    caller: Viewer,
    request: Request,
    last_event_id: Annotated[str, Header(max_length=60, description="Go on after it")] = "",
    after: Annotated[str, Query(max_length=60, description="The same, for a page")] = "",
) -> Response:
    """Server-sent events; browsers come back by themselves, and miss nothing of the last ones."""
    room = room_of(request)
    streams = room.streams
    if sum(streams.values()) >= STREAMS_MAX or streams[caller.name] >= STREAMS_OF_ONE_MAX:
        raise ProblemError(503, "too many streams are open", headers={"retry-after": "30"})
    return _Stream(
        room.hub, last_event_id or after, streams, caller.name, _holding(request, caller)
    )


def _holding(request: Request, caller: Caller) -> Callable[[], Awaitable[bool]]:
    """Whether the caller may still hear: a token always, a session until it is over."""

    async def holds() -> bool:
        if not caller.session:
            return True
        sessions: Sessions = request.app.state.signin.sessions
        found = await sessions.caller(request.headers.get("cookie", ""), by_itself=True)
        return found is not None

    return holds


class _Stream(Response):
    """Sends events until the reader goes, is too slow, or may hear no more."""

    media_type = "text/event-stream"

    def __init__(
        self,
        hub: Hub,
        seen: str,
        streams: Counter[str],
        who: str,
        holds: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(media_type=self.media_type)
        self._holds = holds
        self._hub, self._seen, self._streams, self._who = hub, seen or hub.last, streams, who

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send, and listen whether the reader is still there."""
        self._streams[self._who] += 1
        ticket, woken = self._hub.join()
        sending = asyncio.ensure_future(self._send(send, woken))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()  # too slow, perhaps: the connection is cut
        finally:
            self._hub.leave(ticket)
            self._streams[self._who] -= 1
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send, woken: asyncio.Event) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        headers += [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _put(send, f"retry: {RETRY_MS}\nid: {self._hub.last}\nevent: hello\ndata: {{}}\n\n")
        asked_s = 0.0
        while True:
            now_s = asyncio.get_running_loop().time()
            if now_s - asked_s >= HEARTBEAT_S:
                asked_s = now_s
                if not await self._holds():
                    break
            woken.clear()
            text = self._news()
            if text:
                await _put(send, text)
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await woken.wait()
            except TimeoutError:
                await _put(send, ": still here\n\n")
        await send({"type": "http.response.body", "body": b""})

    def _news(self) -> str:
        events = self._hub.since(self._seen)
        if events is None:
            self._seen = self._hub.last
            return f"id: {self._seen}\nevent: reset\ndata: {{}}\n\n"
        if not events:
            return ""
        self._seen = f"{self._hub.boot}-{events[-1].number}"
        return "".join(
            f"id: {self._hub.boot}-{each.number}\nevent: {each.kind}\ndata: {each.data}\n\n"
            for each in events
        )


async def _put(send: Send, text: str) -> None:
    async with asyncio.timeout(TAKEN_WITHIN_S):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""``/ingest/<name>``: what is asked of a webhook before it is kept, and what it is answered.

Owns the order: the sender first, then the form, then durability, then the answer. Bounds on bodies,
connections and time are ``monitor.web``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from monitor.clock import Clock
from monitor.errors import BackPressure, MonitorError
from monitor.ingest.figures import UNKNOWN
from monitor.ingest.queue import KeepingQueue
from monitor.ingest.settings import IngestSettings
from monitor.ingest.signature import FORM, Post, Verifier, WhatsApp, verifier
from monitor.web.access import Allowance
from monitor.web.application import Part
from monitor.web.problems import ProblemError

PREFIX = "/ingest"
RECEIVED = "received_ms"
"""Field of a record: when it came, in ms since 1970 UTC; unless it has one already."""
FIELDS_MAX = 1_000
"""Fields of a form."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LATER = {"retry-after": "5"}


@dataclass(frozen=True, slots=True)
class _Known:
    verifier: Verifier
    allowance: Allowance


class Receivers:
    """The receivers of a site, and where their records go."""

    def __init__(self, settings: IngestSettings, keeping: KeepingQueue, clock: Clock) -> None:
        """Read the secrets.

        Raises:
            SecretError: one is not where the configuration says.
            UsageError: one is too short.
        """
        self._keeping, self._clock = keeping, clock
        self._refused = keeping.counts.refused
        self._known: Mapping[str, _Known] = {
            name: _Known(verifier(receiver, f"ingest.receivers.{name}"), Allowance(settings.rate))
            for name, receiver in settings.receivers.items()
        }

    def part(self) -> Part:
        """What a server serves."""
        router = APIRouter(tags=["ingest"])
        router.add_api_route(
            "/{name}", self.receive, methods=["POST"], summary="A webhook of another system"
        )
        router.add_api_route(
            "/{name}", self.verify, methods=["GET"], summary="Meta asks whether we are we"
        )
        return Part(router, PREFIX, checks_itself=True)

    async def receive(self, name: str, request: Request) -> Response:
        """Keep a webhook, then answer: 200 once it is durable."""
        known = self._of(name)
        with self._counting(name, "malformed"):
            post = await _post(request)
        with self._counting(name, "signature"):
            if not known.verifier.is_signed(post):
                raise ProblemError(401, "the signature is not the sender's")
        wait_s = known.allowance.take(self._clock.monotonic_s())
        with self._counting(name, "rate"):
            if wait_s:
                retry = {"retry-after": str(math.ceil(wait_s))}
                raise ProblemError(429, "more than ingest.rate; come back later", headers=retry)
        with self._counting(name, "malformed"):
            record = _record(post, self._clock.now_ms())
        try:
            await asyncio.wrap_future(self._keeping.put(name, record))
        except BackPressure:
            self._refused[name, "full"] += 1
            raise
        except (OSError, MonitorError):
            self._refused[name, "not_kept"] += 1
            detail = "it could not be kept; the receiver's log says why"
            raise ProblemError(503, detail, headers=_LATER) from None
        return Response(status_code=200)

    async def verify(self, name: str, request: Request) -> Response:
        """Give back Meta's challenge to whoever knows the token."""
        known = self._of(name).verifier
        asked = request.query_params
        if not isinstance(known, WhatsApp) or asked.get("hub.mode") != "subscribe":
            raise ProblemError(405, "webhooks are posted", headers={"allow": "POST"})
        challenge = asked.get("hub.challenge", "")
        if not known.is_verified(asked.get("hub.verify_token", "")):
            raise ProblemError(403, "not the token that was agreed")
        if not _CHALLENGE.fullmatch(challenge):
            raise ProblemError(400, "no challenge")
        return PlainTextResponse(challenge)

    @contextlib.contextmanager
    def _counting(self, name: str, reason: str) -> Iterator[None]:
        """What is refused within is refused for ``reason``."""
        try:
            yield
        except ProblemError:
            self._refused[name, reason] += 1
            raise

    def _of(self, name: str) -> _Known:
        known = self._known.get(name)
        if known is None:
            self._refused[UNKNOWN] += 1
            raise ProblemError(404, "no receiver of that name")
        return known


async def _post(request: Request) -> Post:
    body = await request.body()
    # Of a header that stands twice the first counts, for the signature and for us alike.
    headers = dict(reversed(request.headers.items()))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    form: list[tuple[str, str]] = []
    if kind == FORM:
        try:
            form = parse_qsl(
                body.decode(),
                keep_blank_values=True,
                strict_parsing=True,
                max_num_fields=FIELDS_MAX,
            )
        except ValueError:
            raise ProblemError(400, "the body is no form") from None
    return Post(body, headers, request.url.query, form)


def _record(post: Post, now_ms: int) -> bytes:
    """The record as one line: the form's fields, or the JSON object; with when it came."""
    whole: Any = dict(post.form)
    if not post.form:
        try:
            whole = msgspec.json.decode(post.body)
        except (msgspec.DecodeError, RecursionError):
            raise ProblemError(400, "the body is not JSON") from None
        if not isinstance(whole, dict):
            raise ProblemError(400, "the body is not a JSON object")
    whole.setdefault(RECEIVED, now_ms)
    return msgspec.json.encode(whole)

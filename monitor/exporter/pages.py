"""What each path of the exporter answers, without a socket.

Owns paths, content negotiation, and who is answered: with a token whoever shows it, without one
whoever asks for this machine by name. A request never changes anything.
"""

from __future__ import annotations

import gzip
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import exposition

from monitor.clock import Clock
from monitor.exporter import status
from monitor.exporter.collector import SnapshotCollector, stalled, unready
from monitor.exporter.exposition import Exposition
from monitor.exporter.settings import ExporterSettings, is_loopback
from monitor.snapshot import Board, Unready

TEXT = "text/plain; charset=utf-8"
METRICS_TEXT = exposition.CONTENT_TYPE_PLAIN_0_0_4
METRICS_OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OPEN_TO_ALL = frozenset({"/healthz"})
"""Answered without a token: a container's health check has none."""
GZIP_BYTES_MIN = 1_024
_GZIP_LEVEL = 1  # a tenth of the time of the default, for a body 15 % larger

_INDEX = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>callcentre-monitor</title></head><body>
<h1>callcentre-monitor</h1>
<ul>
<li><a href="/metrics">/metrics</a>: figures for Prometheus</li>
<li><a href="/status">/status</a>: the daemon, as JSON</li>
<li><a href="/readyz">/readyz</a>: is it doing its job, and if not, why</li>
<li><a href="/healthz">/healthz</a>: is it alive</li>
</ul>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Page = Callable[[Message], Answer]


class Pages:
    """Answers requests, whatever is shown; who may see it is asked here."""

    def __init__(self, token: str | None, pages: Mapping[str, Page]) -> None:
        """``pages`` by path; ``token``: what has to be shown, if any."""
        self._token = token
        self._pages = dict(pages)

    def get(self, target: str, headers: Message) -> Answer:
        """The answer to ``GET target``."""
        path = _path(target)
        if self._token is None and not _is_local(headers):
            return _answer(421, b"only this machine is answered here; set a token\n", TEXT)
        if path not in OPEN_TO_ALL and not self._allowed(headers):
            return _answer(401, b"unauthorized\n", TEXT, **{"WWW-Authenticate": "Bearer"})
        page = self._pages.get(path)
        if page is None:
            return _answer(404, b"not found\n", TEXT)
        return page(headers)

    def method_not_allowed(self) -> Answer:
        """The answer to everything but GET and HEAD."""
        return _answer(405, b"method not allowed\n", TEXT, Allow="GET, HEAD")

    def malformed(self, code: int) -> Answer:
        """The answer to what is no request that we understand."""
        return _answer(code, b"bad request\n", TEXT)

    def failed(self) -> Answer:
        """The answer when a page could not be made; why is in the log."""
        return _answer(500, b"internal error\n", TEXT)

    def _allowed(self, headers: Message) -> bool:
        if self._token is None:
            return True
        scheme, _, shown = str(headers.get("Authorization", "")).partition(" ")
        same = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self._token.encode())
        return scheme.lower() == "bearer" and same


class DaemonPages(Pages):
    """Answers requests from the newest snapshot of a board."""

    def __init__(
        self,
        board: Board,
        collector: SnapshotCollector,
        settings: ExporterSettings,
        clock: Clock,
        token: str | None,
    ) -> None:
        self._board = board
        self._exposition = Exposition(board, collector, settings)
        self._stalled_after_ms = settings.stalled_after
        self._clock = clock
        pages: dict[str, Page] = {
            "/": lambda _: _answer(200, _INDEX, "text/html; charset=utf-8"),
            "/metrics": lambda headers: metrics(headers, self._text),
            "/healthz": lambda _: self._healthz(),
            "/readyz": lambda _: self._readyz(),
            "/status": lambda _: self._status(),
        }
        super().__init__(token, pages)

    def _text(self, openmetrics_format: bool) -> bytes:  # noqa: FBT001 - one of two formats
        return self._exposition.text(openmetrics_format=openmetrics_format)

    def _healthz(self) -> Answer:
        return healthz(
            stalled=stalled(self._board.latest, self._clock.now_ms(), self._stalled_after_ms)
        )

    def _readyz(self) -> Answer:
        return readyz(unready(self._board, self._clock.now_ms(), self._stalled_after_ms))

    def _status(self) -> Answer:
        snapshot, now_ms = self._board.latest, self._clock.now_ms()
        reasons = unready(self._board, now_ms, self._stalled_after_ms)
        return _json(200, status.document(snapshot, now_ms, reasons))


def metrics(headers: Message, text: Callable[[bool], bytes]) -> Answer:
    """``/metrics`` in the format that is asked for: ``text`` is told whether it is OpenMetrics."""
    wants_open = prefers_openmetrics(_all(headers, "Accept"))
    body = text(wants_open)
    answer_type = METRICS_OPEN if wants_open else METRICS_TEXT
    vary = {"Vary": "Accept, Accept-Encoding"}
    if len(body) >= GZIP_BYTES_MIN and accepts_gzip(_all(headers, "Accept-Encoding")):
        packed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        return _answer(200, packed, answer_type, **vary, **{"Content-Encoding": "gzip"})
    return _answer(200, body, answer_type, **vary)


def healthz(*, stalled: bool) -> Answer:
    """``/healthz``: is it alive."""
    return _answer(503, b"stalled\n", TEXT) if stalled else _answer(200, b"ok\n", TEXT)


def readyz(reasons: Sequence[Unready]) -> Answer:
    """``/readyz``: is it doing its job, and if not, why."""
    shown = [{"reason": entry.reason, "detail": entry.detail} for entry in reasons]
    return _json(503 if reasons else 200, {"ready": not reasons, "unready": shown})


def _is_local(headers: Message) -> bool:
    """The ``Host`` that was asked for is this machine, or none is named.

    A browser here can be made to ask for a stranger's page name that leads to 127.0.0.1 (DNS
    rebinding); that page must not read the answer.
    """
    named = [str(value) for value in headers.get_all("Host", [])]
    try:
        return all(is_loopback(urlsplit(f"//{host}").hostname or "") for host in named)
    except ValueError:
        return False


def prefers_openmetrics(accept: str) -> bool:
    """OpenMetrics 1.0.0 is accepted, and not ranked below the text format."""
    weights = _weights(accept)
    named = [
        weight
        for media, parameters, weight in weights
        if media == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0"
    ]
    plain = [weight for media, _, weight in weights if media == "text/plain"]
    best = max(named, default=0.0)
    return best > 0 and best >= max(plain, default=0.0)


def accepts_gzip(accept_encoding: str) -> bool:
    """``gzip`` (or ``*``) is named and not with ``q=0``."""
    weights = {name: weight for name, _, weight in _weights(accept_encoding)}
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weights(header: str) -> list[tuple[str, dict[str, str], float]]:
    """Entries of an ``Accept…`` header (RFC 9110, 12.4.2): name, parameters, weight."""
    entries = []
    for entry in header.split(","):
        name, *rest = (part.strip().lower() for part in entry.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 0.0
        entries.append((name, parameters, weight))
    return entries


def _all(headers: Message, name: str) -> str:
    return ",".join(str(value) for value in headers.get_all(name, []))


def _path(target: str) -> str:
    try:
        return urlsplit(target).path
    except ValueError:
        return ""


def _json(code: int, value: dict[str, Any]) -> Answer:
    body = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
    return _answer(code, body, "application/json")


def _answer(code: int, body: bytes, content_type: str, **headers: str) -> Answer:
    shared = {
        "Content-Type": content_type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        # For the index page; on the others it costs nothing.
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }
    return Answer(code, body, shared | headers)

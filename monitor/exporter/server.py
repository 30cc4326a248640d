"""The HTTP server of ``/metrics``, ``/healthz``, ``/readyz``, ``/status``.

Owns listening and its bounds: so many requests at once, each within a deadline, one request a
connection. What is answered is ``pages.py``. Runs in threads of its own and touches the engine only
through the board, so a slow reader costs the engine nothing.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import structlog

from monitor.clock import Clock
from monitor.errors import UsageError
from monitor.exporter.collector import SnapshotCollector
from monitor.exporter.pages import Answer, DaemonPages, Pages
from monitor.exporter.settings import ExporterSettings, read_token
from monitor.snapshot import Board

log = structlog.get_logger(__name__)

_BUSY = (
    b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nbusy\n"
)


class PageServer:
    """Serves pages.

    Raises:
        UsageError: the address cannot be listened on.
    """

    def __init__(
        self, pages: Pages, refused: Counter[str], settings: ExporterSettings, clock: Clock
    ) -> None:
        """``refused``: requests that were not answered are counted there, by reason."""
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            self._http = _Server(family, pages, refused, settings, clock)
        except OSError as error:
            msg = f"exporter: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            raise UsageError(msg) from error
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port in use, also when the settings asked for any."""
        return int(self._http.server_address[1])

    @property
    def in_flight(self) -> int:
        """Requests being answered now."""
        return len(self._http.deadlines)

    def start(self) -> None:
        """Answer requests from now on, in threads of our own."""
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.1,), name="exporter", daemon=True
        )
        self._thread.start()
        log.info("exporter_listening", host=self._http.server_address[0], port=self.port)

    def stop(self) -> None:
        """Stop listening; requests under way are cut off. Calling it twice is fine."""
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._thread = None
        self._http.server_close()


class ExporterServer(PageServer):
    """Serves the newest snapshot of a board.

    Raises:
        UsageError: the address cannot be listened on, or the token is not there.
    """

    def __init__(
        self, board: Board, settings: ExporterSettings, clock: Clock, environ: Mapping[str, str]
    ) -> None:
        token = read_token(settings, environ)
        self.collector = SnapshotCollector(board, settings, clock)
        pages = DaemonPages(board, self.collector, settings, clock, token)
        super().__init__(pages, self.collector.refused, settings, clock)


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    """One thread a request, at most ``threads`` of them, none beyond its deadline."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        family: socket.AddressFamily,
        pages: Pages,
        refused: Counter[str],
        settings: ExporterSettings,
        clock: Clock,
    ) -> None:
        self.address_family = family
        self.pages = pages
        self._clock = clock
        self.timeout_s = settings.timeout / 1000
        self._refused = refused
        self._slots = threading.BoundedSemaphore(settings.threads)
        self._lock = threading.Lock()
        self.deadlines: dict[socket.socket, float] = {}
        """When each request under way is cut off, on the clock's monotonic scale."""
        super().__init__((settings.host, settings.port), _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of a host name that ``HTTPServer`` does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand the request to a thread, or refuse it when all are busy."""
        if not self._slots.acquire(blocking=False):
            self.count_refused("busy")
            request.settimeout(0.1)
            with contextlib.suppress(OSError):
                request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        with self._lock:
            self.deadlines[request] = self._clock.monotonic_s() + self.timeout_s
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread to be had
            self._release(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the slot back whatever happens."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._release(request)

    def service_actions(self) -> None:
        """Called between requests: cut off those that are past their deadline.

        A timeout on the socket would not do: it starts anew with each byte that trickles in.
        """
        now = self._clock.monotonic_s()
        with self._lock:
            overdue = [request for request, until in self.deadlines.items() if until < now]
            for request in overdue:
                del self.deadlines[request]
        for request in overdue:
            self.count_refused("overdue")
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def server_close(self) -> None:
        """Stop listening and cut off what is under way."""
        super().server_close()
        with self._lock:
            waiting = list(self.deadlines)
            self.deadlines.clear()
        for request in waiting:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def count_refused(self, reason: str) -> None:
        """Count a refusal for the metrics."""
        with self._lock:
            self._refused[reason] += 1

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Log what a request died of; a reader that went away is nobody's fault."""
        log.debug("exporter_request_failed", error=repr(sys.exception()))

    def _release(self, request: socket.socket) -> None:
        with self._lock:
            self.deadlines.pop(request, None)
        self._slots.release()


class _Handler(BaseHTTPRequestHandler):
    """One request on one connection (HTTP/1.0 semantics: no thread waits for a next one)."""

    server: _Server
    server_version = "monitor"
    sys_version = ""

    def setup(self) -> None:
        """Bound every single read and write, too."""
        self.request.settimeout(self.server.timeout_s)
        super().setup()

    def do_GET(self) -> None:
        """Answer with a page."""
        self._answer(self._page())

    def do_HEAD(self) -> None:
        """Answer with the headers of a page."""
        self._answer(self._page(), body=False)

    def __getattr__(self, name: str) -> Any:
        # The base looks for ``do_<METHOD>``, and takes one it does not find for unsupported (501).
        if name.startswith("do_"):
            return self._refuse_method
        raise AttributeError(name)

    def _refuse_method(self) -> None:
        self._answer(self.server.pages.method_not_allowed())

    def _page(self) -> Answer:
        try:
            return self.server.pages.get(self.path, self.headers)
        except Exception:
            log.exception("exporter_page_failed", path=self.path)
            return self.server.pages.failed()

    def _answer(self, answer: Answer, *, body: bool = True) -> None:
        if answer.status == 401:
            self.server.count_refused("unauthorized")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if body:
            self.wfile.write(answer.body)

    def send_error(
        self,
        code: int,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
        explain: str | None = None,  # noqa: ARG002
    ) -> None:
        """Answer what is no HTTP with its status alone, and the headers of every other answer."""
        self._answer(self.server.pages.malformed(code))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Keep scrapes out of the log."""

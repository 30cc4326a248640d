"""What deliveries are sent to in tests: a real HTTP server, and channels that obey a script."""

from __future__ import annotations

import http.server
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from monitor.delivery.channels.base import Channel
from monitor.delivery.people import Digest
from monitor.errors import DeliveryError
from monitor.store.outbox import Delivery


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """Wait until ``condition`` holds, looking every few milliseconds.

    Raises:
        AssertionError: it did not within ``timeout_s``.
    """
    pause = threading.Event()
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError(what)


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    """What it is answered with, should the answer arrive."""


@dataclass
class Answer:
    """What the server does with one request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay_s: float = 0.0
    cut: bool = False
    """Close the connection without a word."""


@dataclass
class Server:
    """A running server; answers are used up in order, then ``respond`` says what."""

    url: str
    requests: list[Request] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    closing: threading.Event = field(default_factory=threading.Event)
    respond: Callable[[str, bytes], Answer] = lambda _path, _body: Answer()
    """Path and body; one request at a time."""
    turn: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def http_server() -> Iterator[Server]:
    """A real server on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with server.turn:
                scripted = server.answers.popleft() if server.answers else None
                answer = scripted or server.respond(self.path, body)
            request = Request(self.path, dict(self.headers), body, answer.status)
            server.requests.append(request)
            server.closing.wait(answer.delay_s)
            if answer.cut:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_arguments: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            del request, client_address  # clients that give up are part of the tests

    running = Quiet(("127.0.0.1", 0), Handler)
    server = Server(url=f"http://127.0.0.1:{running.server_address[1]}")
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        running.shutdown()
        running.server_close()
        thread.join()


class Scripted(Channel):
    """Keeps what it is given; fails as told, in order."""

    takes_digests: ClassVar[bool] = False

    def __init__(self, failures: Sequence[Exception | None] = ()) -> None:
        self.failures = deque(failures)
        self.attempts: list[str] = []
        self.sent: list[str] = []
        self.digests: list[Digest] = []
        self.reposts = 0
        self.closed = False

    def send(self, delivery: Delivery) -> None:
        self.attempts.append(delivery.decision.id)
        self.fail()
        self.sent.append(delivery.decision.id)

    def send_digest(self, digest: Digest) -> None:
        self.attempts.append(digest.id)
        self.fail()
        self.digests.append(digest)

    def repost(self) -> None:
        self.fail()
        self.reposts += 1

    def close(self) -> None:
        self.closed = True

    def fail(self) -> None:
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure


class Digesting(Scripted):
    takes_digests: ClassVar[bool] = True


class Topic:
    """A command topic: marks are positions, and what was sent can be looked up."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str, bytes]] = []
        self.failures: deque[Exception | None] = deque()
        self.lost_answers = 0
        """So many records arrive, and the sender is told they did not."""
        self.looked = 0
        self.transactions: list[list[str]] = []
        """Ids of what was tried together."""
        self.too_large: set[str] = set()

    def prepare(self) -> str:
        self.fail()
        return str(len(self.records))

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        self.send_all([(command_json, key, command_id)])

    def send_all(self, commands: Sequence[tuple[bytes, str, str]]) -> None:
        self.fail()
        self.transactions.append([command_id for _, _, command_id in commands])
        if self.too_large.intersection(self.transactions[-1]):
            raise broken("too_large", retry=False)
        self.records += [
            (key, command_id, command_json) for command_json, key, command_id in commands
        ]
        if self.lost_answers:
            self.lost_answers -= 1
            raise DeliveryError("no answer", retry=True, reason="timeout")

    def already_sent(self, command_id: str, mark: str) -> bool:
        self.fail()
        self.looked += 1
        return any(known == command_id for _, known, _ in self.records[int(mark) :])

    def close(self) -> None:
        pass

    def fail(self) -> None:
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure


def broken(
    reason: str = "timeout", *, retry: bool = True, after_s: float | None = None
) -> DeliveryError:
    """A failure of the receiver."""
    return DeliveryError(reason, retry=retry, reason=reason, retry_after_s=after_s)

"""The HTTP server of interfaces: a thread of the daemon with an event loop of its own.

Owns listening, and the bounds of connections: so many at once, each answered within a deadline.
What is asked before an answer is ``gate.py``; it touches the engine only through the board and the
store, so a slow caller costs the engine nothing.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
import uvicorn

from monitor.clock import Clock
from monitor.errors import UsageError
from monitor.web import signin
from monitor.web.accounts import Accounts
from monitor.web.application import VERSION, Part, application, routes_of
from monitor.web.connection import bounded
from monitor.web.deeds import Deeds
from monitor.web.gate import SIGN_IN, Gate
from monitor.web.office import Office
from monitor.web.oidc import Oidc
from monitor.web.pages import Pages
from monitor.web.sessions import Sessions
from monitor.web.settings import WebSettings, WebTls

log = structlog.get_logger(__name__)

_HEAD_BYTES_MAX = 32_768
_BACKLOG = 256
_NEVER_LOGS = logging.CRITICAL + 1  # the gate logs what fails, with what may be said of it


class WebServer:
    """Serves the parts of an interface.

    Raises:
        UsageError: the address cannot be listened on, or a token or the certificate cannot serve.
        SecretError: a secret is not where the configuration says.
    """

    def __init__(
        self,
        settings: WebSettings,
        parts: Sequence[Part],
        clock: Clock,
        counts: Counter[str],
        *,
        office: Office | None = None,
        templates: Sequence[Path] = (),
        at_the_start: Callable[[], None] = lambda: None,
        at_the_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare, and listen.

        Args:
            settings: where, and who is let in.
            parts: what is served.
            clock: of rates, sessions and the audit.
            counts: of answers, by status; kept by this server's thread.
            office: the store, for sessions and the audit; None: there are none.
            templates: directories of pages that come before ours.
            at_the_start: called before it answers.
            at_the_end: called when it has stopped.
        """
        self._at_the_start, self._at_the_end = at_the_start, at_the_end
        sessions = Sessions(settings, Accounts(settings), office, clock)
        if office is not None:
            parts = [*parts, *_signing_in(settings, sessions, office, clock, templates)]
        self.routes = routes_of(parts)
        """What is served, and to whom."""
        gate = Gate(
            application(parts, version=VERSION),
            settings,
            clock,
            counts,
            sessions=sessions,
            deeds=Deeds(office, clock, (route.path for route in self.routes)),
            checked_inside=[part.prefix for part in parts if part.checks_itself],
            open_to_all=[part.prefix for part in parts if part.open_to_all],
        )
        config = uvicorn.Config(
            gate,
            http=bounded(settings, counts),
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=_NEVER_LOGS,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("server", "monitor")],
            backlog=_BACKLOG,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_HEAD_BYTES_MAX,
            reset_contextvars=True,
        )
        config.load()
        if settings.tls is not None:
            config.ssl = _tls(settings.tls)
        self._socket = _listen(settings)
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self.port = int(self._socket.getsockname()[1])
        """In use, also when the settings asked for any."""

    def start(self) -> None:
        """Answer requests from now on, in a thread of our own."""
        self._at_the_start()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        log.info("web_listening", host=self._socket.getsockname()[0], port=self.port)

    def stop(self, within_s: float = 3.0) -> None:
        """Stop listening; requests under way have a second. Calling it twice is fine."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(within_s)
            self._thread = None
        self._socket.close()
        self._at_the_end()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve([self._socket]))
        except Exception:
            log.exception("web_server_failed")


def _signing_in(
    settings: WebSettings,
    sessions: Sessions,
    office: Office,
    clock: Clock,
    templates: Sequence[Path],
) -> list[Part]:
    oidc = None
    if settings.oidc is not None and settings.public_url is not None:
        oidc = Oidc(settings.oidc, settings.public_url, clock)
    pages = Pages(settings.language, templates)
    desk = signin.Desk(settings, sessions, pages, oidc)
    return [
        Part(signin.router, SIGN_IN, {"signin": desk, "office": office}, open_to_all=True),
        Part(signin.leaving, "/signout"),
    ]


def _listen(settings: WebSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(_BACKLOG)  # whoever comes before the loop turns waits for it
    except OSError as error:
        listening.close()
        msg = f"web: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        raise UsageError(msg) from error
    return listening


def _tls(settings: WebTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without one OpenSSL would ask at the terminal.
    password = "" if settings.key_password is None else settings.key_password.reveal()
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, password)
    except (OSError, ssl.SSLError) as error:
        msg = f"web.tls: certificate and key cannot be used: {error.strerror or error}"
        raise UsageError(msg) from error
    return context

"""A server of the interface, without a daemon."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from monitor.clock import Clock, SystemClock
from monitor.web.application import Part
from monitor.web.office import Office
from monitor.web.server import WebServer
from monitor.web.settings import WebSettings

ROLES = ("viewer", "supervisor", "operator", "admin")
TOKENS = {role: f"token-of-{role}-0123456789" for role in ROLES}
TEAM = "north"
"""The supervisor's."""


def tokens() -> dict[str, dict[str, Any]]:
    """One for each role, as the configuration holds them."""
    made: dict[str, dict[str, Any]] = {
        f"a-{role}": {"value": text, "role": role} for role, text in TOKENS.items()
    }
    made["a-supervisor"]["teams"] = [TEAM]
    return made


def settings(**more: Any) -> WebSettings:
    return WebSettings.model_validate({"enabled": True, "port": 0, "tokens": tokens(), **more})


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}


class Served:
    def __init__(
        self,
        parts: tuple[Part, ...],
        made: WebSettings,
        clock: Clock,
        office: Office | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.server = WebServer(made, parts, clock, self.counts, office=office)
        scheme = "http" if made.tls is None else "https"
        self.client = httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{self.server.port}",
            timeout=10,
            verify=False,  # noqa: S501 - whose it is does not matter here
        )

    def ask(
        self, path: str, role: str = "viewer", method: str = "GET", **more: Any
    ) -> httpx.Response:
        headers = {**bearer(role), **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)


@contextmanager
def serving(
    *parts: Part, clock: Clock | None = None, office: Office | None = None, **more: Any
) -> Iterator[Served]:
    served = Served(parts, settings(**more), SystemClock() if clock is None else clock, office)
    served.server.start()
    try:
        yield served
    finally:
        served.server.stop()
        served.client.close()

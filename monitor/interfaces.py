"""The HTTP interfaces of a daemon: which parts there are, and what they look at.

Owns the list of parts. Nothing of the web framework is imported where the interface is off.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from monitor.clock import Clock
from monitor.config import Config

if TYPE_CHECKING:
    from monitor.web.application import Part
    from monitor.web.server import WebServer


def open_web(config: Config, clock: Clock, counts: Counter[str]) -> WebServer | None:
    """The server of all parts, not started; None where it is off.

    Raises:
        UsageError: the address cannot be listened on, or a token or the certificate cannot serve.
        SecretError: a secret is not where the configuration says.
    """
    if not config.web.enabled:
        return None
    from monitor.web.server import WebServer  # noqa: PLC0415 - half a second, for this alone

    parts: list[Part] = []
    return WebServer(config.web, parts, clock, counts)

"""The ``web:`` part of ``config.yaml``: where interfaces are served, and to whom.

Owns the models alone; this module is read by every command, so it imports no web framework.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from monitor.errors import UsageError
from monitor.exporter.settings import TOKEN_CHARS_MIN, is_loopback
from monitor.secret import Secret
from monitor.units import DurationMs, Rate, Size
from monitor.web.person import (
    Language,
    OidcSettings,
    Person,
    Role,
    RoleName,
    SessionSettings,
    WebToken,
    WebUser,
    Zone,
)

__all__ = [
    "Language",
    "Person",
    "Role",
    "RoleName",
    "WebSettings",
    "WebTls",
    "revealed",
]

TOKEN_CHARS_MAX = 512
TOKENS_MAX = 100
USERS_MAX = 1_000


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


NAME_PATTERN = re.compile(r"[A-Za-z0-9._@-]{1,64}")
"""A user or a token."""
_Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN.pattern}$")]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        msg = "write https://host, as people reach it"
        raise ValueError(msg)
    if parts.path.strip("/") or parts.query or parts.fragment:
        msg = "the host alone, without a path: pages are at its root"
        raise ValueError(msg)
    return f"{parts.scheme}://{parts.netloc}".lower()


class WebTls(_Settings):
    """Our certificate."""

    cert_file: Path
    """PEM, with the chain to the root."""
    key_file: Path | None = None
    """PEM; left out where ``cert_file`` holds the key too."""
    key_password: Secret | None = None
    """Opens ``key_file``."""


class WebSettings(_Settings):
    """The HTTP interface and the pages; off unless asked for."""

    enabled: bool = False
    """Whether the daemon listens at all."""
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Beyond loopback only with ``tls``, or ``plain``."""
    port: int = Field(9109, ge=0, le=65535)
    """0: any free port, which the log tells."""
    public_url: Annotated[str, Field(max_length=300), AfterValidator(_origin)] | None = None
    """Where people reach it, such as ``https://monitor.example.com``, when something stands before
    it; cookies are for ``https`` alone then, and forms are taken from there alone. Messages hold
    links that begin with it, and none without."""
    proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], Field(max_length=20)] = ()
    """Addresses whose ``X-Forwarded-For`` is believed, such as ``10.0.0.5/32``."""
    tokens: Annotated[dict[_Name, WebToken], Field(max_length=TOKENS_MAX)] = {}
    """Programs that may ask, by the name that the audit will show."""
    users: Annotated[dict[_Name, WebUser], Field(max_length=USERS_MAX)] = {}
    """People who sign in, by the name that the audit will show; further ones: ``monitor users``."""
    session: SessionSettings = SessionSettings()
    """How long whoever signed in stays so."""
    oidc: OidcSettings | None = None
    """An identity provider that signs people in; it needs ``public_url``."""
    language: Language = "zh"
    """Of pages, for whoever has not chosen one."""
    zone: Zone = "Asia/Shanghai"
    """Of the times shown, for whoever has not chosen one."""
    tls: WebTls | None = None
    """Encryption; none: plain HTTP."""
    plain: bool = False
    """Plain HTTP beyond loopback, because something before us encrypts."""
    rate: Rate = Rate(600, 60_000)
    """Requests of one token; all that show none of them share one such allowance."""
    body_max: Size = Field(8 * 2**20, ge=1_024, le=2**28)
    """A longer body is refused unread."""
    timeout: DurationMs = Field(30_000, ge=1_000, le=600_000)
    """A request that is not answered by then is cut off."""
    connections: int = Field(128, ge=1, le=10_000)
    """Open at once; one more is told to come back."""

    board_keys: int = Field(20_000, ge=1, le=100_000)
    """Most agents, numbers … of each figure that boards show; the worst are kept."""
    trends: Size = Field(128 * 2**20, ge=2**20, le=2**32)
    """Memory for what figures were in the last 24 hours; with less of it they reach back less. Of
    `trends.log` beside the checkpoints, where they outlive a restart, at most about twice that."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        open_to_others = self.enabled and not is_loopback(self.host)
        if open_to_others and self.tls is None and not self.plain:
            msg = (
                f"host {self.host} is open to others, and tokens would be in clear: set tls, "
                "or plain: true where something before it encrypts"
            )
            raise ValueError(msg)
        twice = next((name for name in self.users if name in self.tokens), None)
        if twice is not None:
            msg = f"{twice} is in tokens and in users; the audit could not say which it was"
            raise ValueError(msg)
        if self.oidc is not None and self.public_url is None:
            msg = "oidc needs public_url: the provider sends people back there"
            raise ValueError(msg)
        return self

    @property
    def secure(self) -> bool:
        """Whether browsers reach it encrypted."""
        return self.tls is not None or (self.public_url or "").startswith("https:")


def revealed(settings: WebSettings) -> dict[str, str]:
    """The tokens in clear, by name.

    Raises:
        SecretError: one is not where the configuration says.
        UsageError: one is too short, too long, not printable ASCII, or two are the same.
    """
    found: dict[str, str] = {}
    for name, token in settings.tokens.items():
        text = token.reveal().strip()
        fits = TOKEN_CHARS_MIN <= len(text) <= TOKEN_CHARS_MAX
        if not fits or not all("!" <= char <= "~" for char in text):
            msg = (
                f"web.tokens.{name}: it must be {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} printable "
                "ASCII characters"
            )
            raise UsageError(msg)
        twin = next((other for other, known in found.items() if known == text), None)
        if twin is not None:
            msg = f"web.tokens: {twin} and {name} are the same token; the audit could not say who"
            raise UsageError(msg)
        found[name] = text
    return found

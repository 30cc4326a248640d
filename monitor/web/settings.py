"""The ``web:`` part of ``config.yaml``: where interfaces are served, and to whom.

Owns the models alone; this module is read by every command, so it imports no web framework.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from monitor.errors import UsageError
from monitor.exporter.settings import TOKEN_CHARS_MIN, is_loopback
from monitor.secret import Secret
from monitor.units import DurationMs, Rate, Size

TOKEN_CHARS_MAX = 512
TOKENS_MAX = 100

RoleName = Literal["viewer", "supervisor", "operator", "admin"]
Language = Literal["zh", "en"]
TeamName = Annotated[str, Field(min_length=1, max_length=200)]
TEAMS_MAX = 200


class Role(IntEnum):
    """What a caller may do; each may what the one below may."""

    VIEWER = 1
    """Reads; customers are masked."""
    SUPERVISOR = 2
    """Acts on alerts of its own teams."""
    OPERATOR = 3
    """Acts on alerts of all teams, and on single numbers and customers."""
    ADMIN = 4
    """Acts on all at once, takes back protection, and sees customers unmasked."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _a_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        msg = f"{name!r} is no time zone: write one such as Asia/Shanghai"
        raise ValueError(msg) from error
    return name


Zone = Annotated[str, Field(max_length=64), AfterValidator(_a_zone)]


class Person(BaseModel):
    """What a caller may do, and how it is talked to; shared by tokens and users."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    role: RoleName = "viewer"
    """``viewer`` reads, with customers masked; ``supervisor`` acts on alerts of its ``teams``;
    ``operator`` on those of all teams, and on single numbers and customers; ``admin`` on all at
    once, and sees customers unmasked."""
    teams: Annotated[tuple[TeamName, ...], Field(max_length=TEAMS_MAX)] = ()
    """Whose alerts a ``supervisor`` acts on, as in events; no other role needs any."""
    language: Language | None = None
    """Of pages; left out: ``web.language``."""
    zone: Zone | None = None
    """Of the times shown, such as ``Asia/Shanghai``; left out: ``web.zone``."""

    @model_validator(mode="after")
    def _teams_of_supervisors(self) -> Self:
        if self.role == "supervisor" and not self.teams:
            msg = "a supervisor acts on alerts of its own teams: name them in teams"
            raise ValueError(msg)
        if self.teams and self.role in {"operator", "admin"}:
            msg = f"the role {self.role} acts on all teams: leave teams out, or be a supervisor"
            raise ValueError(msg)
        return self


class WebToken(Person, Secret):
    """A bearer token, and what whoever shows it may do."""


class WebTls(_Settings):
    """Our certificate."""

    cert_file: Path
    """PEM, with the chain to the root."""
    key_file: Path | None = None
    """PEM; left out where ``cert_file`` holds the key too."""
    key_password: Secret | None = None
    """Opens ``key_file``."""


class WebSettings(_Settings):
    """The HTTP interface to numbers and do-not-call; off unless asked for."""

    enabled: bool = False
    """Whether the daemon listens at all."""
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Beyond loopback only with ``tls``, or ``plain``."""
    port: int = Field(9109, ge=0, le=65535)
    """0: any free port, which the log tells."""
    tokens: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")], WebToken],
        Field(max_length=TOKENS_MAX),
    ] = {}
    """Who may ask, by the name that the audit will show. Without any, nobody may."""
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

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        open_to_others = self.enabled and not is_loopback(self.host)
        if open_to_others and self.tls is None and not self.plain:
            msg = (
                f"host {self.host} is open to others, and tokens would be in clear: set tls, "
                "or plain: true where something before it encrypts"
            )
            raise ValueError(msg)
        return self


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

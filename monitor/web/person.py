"""Who may ask, as ``config.yaml`` says it: persons with a role, sessions, an identity provider.

Owns the models alone; this module is read by every command, so it imports no web framework.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from monitor.exporter.settings import is_loopback
from monitor.secret import Secret
from monitor.units import DurationMs

RoleName = Literal["viewer", "supervisor", "operator", "admin"]
Language = Literal["zh", "en"]
TeamName = Annotated[str, Field(min_length=1, max_length=200)]
Claim = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:/.-]{1,200}$")]
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


def a_zone(name: str) -> str:
    """``name``, when it is a time zone.

    Raises:
        ValueError: it is none.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        msg = f"{name!r} is no time zone: write one such as Asia/Shanghai"
        raise ValueError(msg) from error
    return name


Zone = Annotated[str, Field(max_length=64), AfterValidator(a_zone)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class _Rights(_Model):
    role: RoleName = "viewer"
    """``viewer`` reads, with customers masked; ``supervisor`` acts on alerts of its ``teams``;
    ``operator`` on those of all teams, and on single numbers and customers; ``admin`` on all at
    once, and sees customers unmasked."""
    teams: Annotated[tuple[TeamName, ...], Field(max_length=TEAMS_MAX)] = ()
    """Whose alerts a ``supervisor`` acts on, as in events; no other role needs any."""

    @model_validator(mode="after")
    def _teams_of_supervisors(self) -> Self:
        if self.role == "supervisor" and not self.teams:
            msg = "a supervisor acts on alerts of its own teams: name them in teams"
            raise ValueError(msg)
        if self.teams and self.role in {"operator", "admin"}:
            msg = f"the role {self.role} acts on all teams: leave teams out, or be a supervisor"
            raise ValueError(msg)
        return self


class Person(_Rights):
    """What a caller may do, and how it is talked to; shared by tokens and users."""

    language: Language | None = None
    """Of pages; left out: ``web.language``."""
    zone: Zone | None = None
    """Of the times shown, such as ``Asia/Shanghai``; left out: ``web.zone``."""


class WebToken(Person, Secret):
    """A bearer token, and what whoever shows it may do."""


class WebUser(Person):
    """Somebody who signs in with a password; others are kept in the store (``monitor users``)."""

    password_hash: Secret
    """By argon2id, as ``monitor users hash`` prints it."""


class SessionSettings(_Model):
    """How long whoever signed in stays so."""

    idle: DurationMs = Field(2 * 3_600_000, ge=60_000, le=30 * 86_400_000)
    """Over when its person did nothing for so long; what an open page fetches does not count."""
    absolute: DurationMs = Field(12 * 3_600_000, ge=60_000, le=30 * 86_400_000)
    """Over so long after signing in, whatever was asked."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.idle > self.absolute:
            msg = "idle is more than absolute, and would never end a session"
            raise ValueError(msg)
        return self


class OidcRole(_Rights):
    """What a value of the claim ``groups`` gives."""

    group: str = Field(min_length=1, max_length=200)
    """The value, as the provider sends it."""


def _issuer(url: str) -> str:
    parts = urlsplit(url)
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if (
        not parts.hostname
        or parts.query
        or parts.fragment
        or not (parts.scheme == "https" or local)
    ):
        msg = "write the provider's https://… address, as it stands in its tokens"
        raise ValueError(msg)
    return url


class OidcSettings(_Model):
    """An identity provider that signs people in (OpenID Connect, code flow with PKCE)."""

    issuer: Annotated[str, Field(max_length=500), AfterValidator(_issuer)]
    """Its address; ``/.well-known/openid-configuration`` is below it."""
    client_id: str = Field(min_length=1, max_length=200)
    """Ours, as registered there, with ``<public_url>/signin/oidc/callback`` to come back to."""
    client_secret: Secret | None = None
    """Where it gave us one."""
    scopes: Annotated[tuple[Claim, ...], Field(max_length=20)] = ("openid", "profile")
    """What is asked for."""
    name: Claim = "preferred_username"
    """The claim that names a person in the audit; it must be one that people cannot choose."""
    groups: Claim = "groups"
    """The claim with their groups, a text or a list; ``a.b`` is the claim ``b`` inside ``a``."""
    roles: Annotated[tuple[OidcRole, ...], Field(min_length=1, max_length=200)]
    """What groups may do: the highest role counts, with the teams of all. Without one, nobody is
    let in."""
    label: str = Field("", max_length=60)
    """Of the button; empty: the provider's host."""
    timeout: DurationMs = Field(5_000, ge=500, le=30_000)
    """For each answer of the provider."""

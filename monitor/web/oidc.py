"""Signing in through an identity provider: OpenID Connect 1.0, authorization code flow with PKCE.

Owns the conversation with the provider and the judgement of what it says: who it is, for whom it
says so, until when, and that it answers what we asked (``state``, ``nonce``). What a group may do
here is configuration. Tokens are looked at once and kept nowhere.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from pydantic import ValidationError

from monitor.clock import Clock
from monitor.web.person import OidcSettings, Person, Role
from monitor.web.provider import OidcError, Places, Provider
from monitor.web.sessions import digest_of

CALLBACK: Final = "/signin/oidc/callback"
UNDER_WAY_MAX: Final = 1_000
"""People on their way through the provider; the one who left first is forgotten."""
UNDER_WAY_S: Final = 600.0
_LEEWAY_S: Final = 60
_NAME_CHARS_MAX: Final = 64


class Unknown(OidcError):  # noqa: N818 - who it is, not a fault
    """Raised when somebody is whom they say, and has no role here."""

    def __init__(self, name: str) -> None:
        super().__init__("no group of theirs has a role")
        self.name = name


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody whom the provider knows, and what they may do here."""

    name: str
    role: str
    teams: tuple[str, ...]
    language: str | None
    zone: str | None
    there: str
    """Where they wanted to go."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    binding: str
    nonce: str
    verifier: str
    there: str
    at_s: float


class Oidc:
    """One provider; the server's thread uses it.

    Raises:
        SecretError: the client's secret is not where the configuration says.
    """

    def __init__(self, settings: OidcSettings, public_url: str, clock: Clock) -> None:
        self.label = settings.label or str(urlsplit(settings.issuer).hostname)
        self._settings = settings
        self._redirect = f"{public_url}{CALLBACK}"
        self._clock = clock
        self._secret = "" if settings.client_secret is None else settings.client_secret.reveal()
        self._under_way: OrderedDict[str, _UnderWay] = OrderedDict()
        self._provider = Provider(settings.issuer, settings.timeout, clock)

    async def begin(self, binding: str, there: str) -> str:
        """Where to send a browser that keeps ``binding`` in a cookie.

        Raises:
            OidcError: the provider does not say where.
        """
        places = await self._provider.places()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        now_s = self._clock.monotonic_s()
        self._under_way[digest_of(state)] = _UnderWay(
            digest_of(binding), nonce, verifier, there, now_s
        )
        if len(self._under_way) > UNDER_WAY_MAX:
            self._under_way.popitem(last=False)
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in places.authorize else "?"
        return f"{places.authorize}{joint}{urlencode(asked)}"

    async def finish(self, said: Mapping[str, str], binding: str) -> Found:
        """Who came back with these parameters.

        Raises:
            OidcError: nobody whom we sent there, or what the provider says cannot be believed.
            Unknown: it is believed, and they have no role here.
        """
        under_way = self._under_way.pop(digest_of(said.get("state", "")), None)
        if under_way is None or self._clock.monotonic_s() - under_way.at_s > UNDER_WAY_S:
            raise OidcError("nobody was sent there with this state, or it was used before")
        if not hmac.compare_digest(under_way.binding, digest_of(binding)):
            raise OidcError("another browser was sent there with this state")
        places = await self._provider.places()
        issuer = said.get("iss")
        if issuer != self._settings.issuer and (issuer is not None or places.says_issuer):
            raise OidcError("another provider answers")
        if "error" in said or not said.get("code"):
            raise OidcError("the provider says no")
        claims = await self._claims(places, said["code"], under_way)
        return self._found(claims, under_way.there)

    async def _claims(self, places: Places, code: str, under_way: _UnderWay) -> Mapping[str, Any]:
        """What the id token says, once it is believed."""
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self._settings.client_id,
            "code_verifier": under_way.verifier,
        }
        login = None
        if self._secret:
            login = httpx.BasicAuth(self._settings.client_id, self._secret)
            del asked["client_id"]
        answer = await self._provider.asked("POST", places.token, data=asked, auth=login)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the provider sends no id token")
        options: Any = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
        }
        parameters = {
            "nonce": under_way.nonce,
            "client_id": self._settings.client_id,
            "access_token": answer.get("access_token"),
        }
        try:
            decoded = await self._provider.decoded(token)
            claims = CodeIDToken(decoded.claims, decoded.header, options, parameters)
            claims.validate(now=self._clock.now_ms() // 1000, leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            what = getattr(error, "claim", None) or type(error).__name__
            msg = f"its id token cannot be believed: {what}"
            raise OidcError(msg) from error
        return dict(claims)

    def _found(self, claims: Mapping[str, Any], there: str) -> Found:
        name = _inside(claims, self._settings.name)
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise OidcError("its id token does not name anybody")
        name = name.strip()[:_NAME_CHARS_MAX]
        said = _inside(claims, self._settings.groups)
        groups = {said} if isinstance(said, str) else _texts(said)
        given = [each for each in self._settings.roles if each.group in groups]
        if not given:
            raise Unknown(name)
        role = max((each.role for each in given), key=lambda each: Role[each.upper()])
        teams = {team for each in given for team in each.teams}
        return Found(
            name=name,
            role=role,
            teams=tuple(sorted(teams)) if Role[role.upper()] < Role.OPERATOR else (),
            language=_liked("language", str(claims.get("locale", "")).partition("-")[0].lower()),
            zone=_liked("zone", str(claims.get("zoneinfo", ""))),
            there=there,
        )


def _inside(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, or of the name in claims inside each other."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> set[str]:
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()


def _liked(field: str, value: str) -> str | None:
    """What the provider knows of a person's language or zone, when it is one of ours."""
    try:
        Person.model_validate({field: value})
    except ValidationError:
        return None
    return value

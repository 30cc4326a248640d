"""Signing in through an identity provider: OpenID Connect 1.0, authorization code flow with PKCE.

Owns the conversation with the provider and the judgement of what it says: who it is, for whom it
says so, until when, and that it answers what we asked (``state``, ``nonce``). What a group may do
here is configuration. Tokens are looked at once and kept nowhere.
"""

from __future__ import annotations

import hmac
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from monitor.clock import Clock
from monitor.exporter.settings import is_loopback
from monitor.web.person import OidcSettings, Person, Role
from monitor.web.sessions import digest_of

CALLBACK: Final = "/signin/oidc/callback"
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
)
"""Signatures with a key of the provider's own; never none, nor one with a shared secret."""
UNDER_WAY_MAX: Final = 1_000
"""People on their way through the provider; the one who left first is forgotten."""
UNDER_WAY_S: Final = 600.0
_LEEWAY_S: Final = 60
_ANSWER_BYTES_MAX: Final = 1_048_576
_KEYS_AGE_S: Final = 3_600.0
_KEYS_AGAIN_S: Final = 30.0
"""An unknown key may be a new one: asked again, but not more often."""
_NAME_CHARS_MAX: Final = 64


class OidcError(Exception):
    """Raised when the provider does not answer (``away``), or what it says cannot be believed."""

    def __init__(self, message: str, *, away: bool = False) -> None:
        super().__init__(message)
        self.away = away


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


@dataclass(frozen=True, slots=True)
class _Provider:
    authorize: str
    token: str
    keys: str
    says_issuer: bool


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
        self._provider: _Provider | None = None
        self._keys: KeySet | None = None
        self._keys_at_s = 0.0
        self._tls: ssl.SSLContext | None = None

    async def begin(self, binding: str, there: str) -> str:
        """Where to send a browser that keeps ``binding`` in a cookie.

        Raises:
            OidcError: the provider does not say where.
        """
        provider = await self._discovered()
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
        joint = "&" if "?" in provider.authorize else "?"
        return f"{provider.authorize}{joint}{urlencode(asked)}"

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
        provider = await self._discovered()
        issuer = said.get("iss")
        if issuer != self._settings.issuer and (issuer is not None or provider.says_issuer):
            raise OidcError("another provider answers")
        if "error" in said or not said.get("code"):
            raise OidcError("the provider says no")
        claims = await self._claims(provider, said["code"], under_way)
        return self._found(claims, under_way.there)

    async def _claims(
        self, provider: _Provider, code: str, under_way: _UnderWay
    ) -> Mapping[str, Any]:
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
        answer = await self._asked("POST", provider.token, data=asked, auth=login)
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
            decoded = await self._decoded(provider, token)
            claims = CodeIDToken(decoded.claims, decoded.header, options, parameters)
            claims.validate(now=self._clock.now_ms() // 1000, leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            what = getattr(error, "claim", None) or type(error).__name__
            msg = f"its id token cannot be believed: {what}"
            raise OidcError(msg) from error
        return dict(claims)

    async def _decoded(self, provider: _Provider, token: str) -> jwt.Token:
        """The token, its signature checked; a key that is not known may be a new one."""
        now_s = self._clock.monotonic_s()
        if self._keys is None or now_s - self._keys_at_s > _KEYS_AGE_S:
            await self._fetch_keys(provider)
        assert self._keys is not None  # noqa: S101 - fetched, or raised
        try:
            return jwt.decode(token, self._keys, list(ALGORITHMS))
        except (JoseError, ValueError):
            if now_s - self._keys_at_s < _KEYS_AGAIN_S:
                raise
        await self._fetch_keys(provider)
        return jwt.decode(token, self._keys, list(ALGORITHMS))

    async def _fetch_keys(self, provider: _Provider) -> None:
        document = await self._asked("GET", provider.keys)
        try:
            self._keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise OidcError("the provider's keys cannot be read", away=True) from error
        self._keys_at_s = self._clock.monotonic_s()

    async def _discovered(self) -> _Provider:
        if self._provider is not None:
            return self._provider
        issuer = self._settings.issuer
        said = await self._asked("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise OidcError("the provider calls itself otherwise than web.oidc.issuer", away=True)
        self._provider = _Provider(
            authorize=_endpoint(said, "authorization_endpoint"),
            token=_endpoint(said, "token_endpoint"),
            keys=_endpoint(said, "jwks_uri"),
            says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        )
        return self._provider

    async def _asked(
        self, method: str, url: str, *, data: Any = None, auth: httpx.Auth | None = None
    ) -> dict[str, Any]:
        """What the provider answers, a JSON object; redirects are not followed."""
        if self._tls is None:
            self._tls = await run_in_threadpool(ssl.create_default_context)
        timeout_s = self._settings.timeout / 1000
        body = b""
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, timeout=timeout_s, trust_env=False) as client,
                client.stream(method, url, data=data, auth=auth) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _ANSWER_BYTES_MAX:
                        raise OidcError("the provider's answer is too long", away=True)
                if answer.status_code != httpx.codes.OK:
                    msg = f"the provider answers {answer.status_code}"
                    raise OidcError(msg, away=answer.status_code >= 500)
                found = httpx.Response(200, content=body).json()
        except (httpx.HTTPError, ValueError) as error:
            msg = f"the provider does not answer: {type(error).__name__}"
            raise OidcError(msg, away=True) from error
        if not isinstance(found, dict):
            raise OidcError("the provider does not answer with an object", away=True)
        return found

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


def _endpoint(said: Mapping[str, Any], name: str) -> str:
    url = said.get(name)
    parts = urlsplit(url) if isinstance(url, str) else None
    safe = parts is not None and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    )
    if not safe:
        msg = f"the provider's {name} is no https address"
        raise OidcError(msg, away=True)
    return str(url)


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

"""The identity provider as a server: where its parts are, its keys, and how it is asked.

Owns the HTTP of it, bounded in time and size, over https alone (or on this machine). What it says
is judged by ``monitor.web.oidc``.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.concurrency import run_in_threadpool

from monitor.clock import Clock
from monitor.exporter.settings import is_loopback

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
ANSWER_BYTES_MAX: Final = 1_048_576
_KEYS_AGE_S: Final = 3_600.0
_KEYS_AGAIN_S: Final = 30.0
"""An unknown key may be a new one: asked again, but not more often."""


class OidcError(Exception):
    """Raised when the provider does not answer (``away``), or what it says cannot be believed."""

    def __init__(self, message: str, *, away: bool = False) -> None:
        super().__init__(message)
        self.away = away


@dataclass(frozen=True, slots=True)
class Places:
    """Where the provider's parts are."""

    authorize: str
    token: str
    keys: str
    says_issuer: bool
    """Whether it says who it is when it sends a browser back (RFC 9207)."""


class Provider:
    """One identity provider; the server's thread uses it."""

    def __init__(self, issuer: str, timeout_ms: int, clock: Clock) -> None:
        self._issuer = issuer
        self._timeout_s = timeout_ms / 1000
        self._clock = clock
        self._places: Places | None = None
        self._keys: KeySet | None = None
        self._keys_at_s = 0.0
        self._tls: ssl.SSLContext | None = None

    async def decoded(self, token: str) -> jwt.Token:
        """The token, its signature checked; a key that is not known may be a new one.

        Raises:
            OidcError: the provider does not show its keys.
            JoseError: it is no token of the provider's.
            ValueError: it is no token, or its key is not known.
        """
        now_s = self._clock.monotonic_s()
        if self._keys is None or now_s - self._keys_at_s > _KEYS_AGE_S:
            await self._fetch_keys()
        assert self._keys is not None  # noqa: S101 - fetched, or raised
        try:
            return jwt.decode(token, self._keys, list(ALGORITHMS))
        except (JoseError, ValueError):
            if now_s - self._keys_at_s < _KEYS_AGAIN_S:
                raise
        await self._fetch_keys()
        return jwt.decode(token, self._keys, list(ALGORITHMS))

    async def _fetch_keys(self) -> None:
        document = await self.asked("GET", (await self.places()).keys)
        try:
            self._keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise OidcError("the provider's keys cannot be read", away=True) from error
        self._keys_at_s = self._clock.monotonic_s()

    async def places(self) -> Places:
        """Where its parts are, as it said once.

        Raises:
            OidcError: it does not say so.
        """
        if self._places is not None:
            return self._places
        issuer = self._issuer
        said = await self.asked("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise OidcError("the provider calls itself otherwise than web.oidc.issuer", away=True)
        self._places = Places(
            authorize=_endpoint(said, "authorization_endpoint"),
            token=_endpoint(said, "token_endpoint"),
            keys=_endpoint(said, "jwks_uri"),
            says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        )
        return self._places

    async def asked(
        self, method: str, url: str, *, data: Any = None, auth: httpx.Auth | None = None
    ) -> dict[str, Any]:
        """What it answers, a JSON object; redirects are not followed.

        Raises:
            OidcError: it does not, or with something else.
        """
        if self._tls is None:
            self._tls = await run_in_threadpool(ssl.create_default_context)
        body = b""
        try:
            async with (
                httpx.AsyncClient(
                    verify=self._tls, timeout=self._timeout_s, trust_env=False
                ) as client,
                client.stream(method, url, data=data, auth=auth) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > ANSWER_BYTES_MAX:
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

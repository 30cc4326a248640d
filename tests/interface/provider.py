"""A small identity provider: real HTTP, real RS256, and whatever is wrong with it on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.interface.browser import NOW

CLIENT, SECRET = "monitor", "the-clients-secret"
Claims = dict[str, Any]


@cache
def _ours() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


class Provider:
    """Answers as a provider does; tests change ``claims``, ``signed``, ``answers``."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = _ours()
        self.published = [self.key]
        self.claims: Callable[[Claims], Claims] = lambda claims: claims
        self.signed: Callable[[Claims], str] = self.sign
        self.answers: dict[str, tuple[int, Any]] = {}
        """By path, what is answered instead."""
        self.asked: list[str] = []
        self.says_issuer = False
        self._codes: dict[str, dict[str, str]] = {}

    def sign(self, claims: Claims, key: RSAKey | None = None, **header: str) -> str:
        used = key or self.key
        return jwt.encode({"alg": "RS256", "kid": str(used.kid), **header}, claims, used)

    def authorize(self, location: str, **groups: Any) -> dict[str, str]:
        """Somebody signs in there; the parameters that they are sent back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(f"{self.issuer}/authorize?")
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["client_id"] == CLIENT
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**asked, **groups}
        return {"code": code, "state": asked["state"]}

    def get(self, path: str) -> tuple[int, Any]:
        if path == "/keys":
            return 200, {"keys": [key.as_dict(private=False) for key in self.published]}
        return 200, {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": self.says_issuer,
        }

    def post(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or authorization != f"Basic {login}"
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now_s = NOW // 1000
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "1017",
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": asked["nonce"],
            "preferred_username": "lin.wei",
            "groups": ["cc-north"],
        }
        return 200, {
            "access_token": "opaque",
            "token_type": "Bearer",
            "id_token": self.signed(self.claims(claims)),
        }


class _Handler(BaseHTTPRequestHandler):
    provider: ClassVar[Provider]

    def do_GET(self) -> None:
        self._answer(lambda: self.provider.get(self.path))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(lambda: self.provider.post(form, self.headers.get("authorization", "")))

    def _answer(self, made: Callable[[], tuple[int, Any]]) -> None:
        self.provider.asked.append(self.path)
        status, content = self.provider.answers.get(self.path) or made()
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None: ...


@contextmanager
def provider() -> Iterator[Provider]:
    class Handler(_Handler): ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.provider = Provider(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Handler.provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

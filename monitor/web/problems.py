"""What is answered to what cannot be done: problem details of RFC 9457.

Owns their form. A detail never quotes what was sent: it may be a customer's number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

MEDIA_TYPE: Final = "application/problem+json"
FAULTS_MAX: Final = 10
"""Faults of one request that are told."""


class ProblemError(Exception):
    """Raised by a handler: the request is answered with this problem."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors


def document(
    status: int, detail: str = "", errors: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The members of a problem; ``errors``: each with ``at`` and ``message``."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
    }
    if detail:
        found["detail"] = detail
    if errors:
        found["errors"] = [dict(error) for error in errors[:FAULTS_MAX]]
    return found


def body(status: int, detail: str = "") -> bytes:
    """A problem as bytes; the same for the same arguments."""
    return json.dumps(document(status, detail)).encode()


# One text each, whatever was sent: an answer tells a stranger nothing by its length.
UNAUTHORIZED: Final = body(401, "show a bearer token of web.tokens, or sign in")
FORGED: Final = body(
    403, "a page of ours must send this, with the header X-CSRF-Token or the field csrf_token"
)
AWAY: Final = body(503, "the store does not answer; the daemon's log says why")
TOO_MANY: Final = body(429, "so many requests are more than web.rate; come back later")
TOO_LARGE: Final = body(413, "the body is larger than web.body_max")
TOO_SLOW: Final = body(408, "the body did not arrive in time")
BROKEN: Final = body(500, "the daemon's log says why")
BUSY: Final = body(503, "all connections of web.connections are in use; come back later")
MALFORMED: Final = body(400, "this is no HTTP request")

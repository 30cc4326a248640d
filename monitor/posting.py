"""One HTTP request, signed where that is wanted, with its outcome as the daemon's own error.

Owns what may come back from a stranger's server: any status, any delay, any amount of bytes; and
the classification of it, pure. Who is posted to, and what, is ``delivery``'s and ``telephony``'s.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import overload

import httpx

from monitor.clock import Clock
from monitor.errors import DeliveryError

ANSWER_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it says."""

    status: int
    body: bytes
    """Cut off where it was too long."""
    whole: bool
    retry_after_s: float | None


def client(timeout_ms: int) -> httpx.Client:
    """A client that keeps connections, and follows no redirect: a POST must not wander."""
    return httpx.Client(timeout=timeout_ms / 1000, follow_redirects=False)


def post(
    http: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], *, clock: Clock
) -> None:
    """POST ``body`` as JSON; returns when the receiver has answered 2xx.

    Raises:
        DeliveryError: anything else. Its text holds neither address nor body.
    """
    answer = exchange(http, url, body, headers, clock=clock)
    failure = classify(answer.status, retry_after_s=answer.retry_after_s)
    if failure is not None:
        raise failure


def exchange(
    http: httpx.Client,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    clock: Clock,
    bytes_max: int = ANSWER_BYTES_MAX,
) -> Answer:
    """POST ``body``, as JSON unless ``headers`` say otherwise; the answer, of any status.

    Of a long answer no more than about ``bytes_max`` is read; the connection of a short one is
    used again.

    Raises:
        DeliveryError: there was none. Its text holds neither address nor body.
    """
    sent = {"Content-Type": "application/json", "Accept-Encoding": "identity", **headers}
    try:
        with http.stream("POST", url, content=body, headers=sent) as answer:
            asked = retry_after_s(answer.headers.get("Retry-After"), now_ms=clock.now_ms())
            read, whole = _read(answer, bytes_max)
            return Answer(answer.status_code, read, whole, asked)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise classify(error) from None  # the chain would name the address


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """``v1=`` + hex(HMAC-SHA256(secret, timestamp + "." + body)), for ``X-Monitor-Signature``."""
    signed = f"{timestamp_s}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed(key: str, secret: str | None, body: bytes, *, clock: Clock) -> dict[str, str]:
    """The headers of a POST that a receiver may check, and drop a repeat of by its ``key``."""
    timestamp_s = clock.now_ms() // 1000
    headers = {
        "X-Monitor-Delivery": key,
        "Idempotency-Key": key,
        "X-Monitor-Timestamp": str(timestamp_s),
    }
    if secret is not None:
        headers["X-Monitor-Signature"] = sign(secret, timestamp_s, body)
    return headers


@overload
def classify(outcome: int, *, retry_after_s: float | None = None) -> DeliveryError | None: ...


@overload
def classify(outcome: httpx.HTTPError | httpx.InvalidURL) -> DeliveryError: ...


@overload
def classify(outcome: int | httpx.HTTPError | httpx.InvalidURL) -> DeliveryError | None: ...


def classify(
    outcome: int | httpx.HTTPError | httpx.InvalidURL, *, retry_after_s: float | None = None
) -> DeliveryError | None:
    """The error that an HTTP status, or a failure to get one, amounts to; None for 2xx.

    The receiver's trouble (5xx, 408, 425, 429, no connection, no answer in time) passes; ours
    (any other 4xx, a redirect, an address that cannot be) does not. Messages name no address.
    """
    if isinstance(outcome, int):
        return _of_status(outcome, retry_after_s)
    kind = type(outcome).__name__
    if isinstance(outcome, httpx.TimeoutException):
        return DeliveryError(f"no answer in time ({kind})", retry=True, reason="timeout")
    if isinstance(outcome, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return DeliveryError(f"the address cannot be used ({kind})", retry=False, reason="address")
    return DeliveryError(f"no connection ({kind})", retry=True, reason="connection")


def retry_after_s(value: str | None, *, now_ms: int) -> float | None:
    """Seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3); None if it says nothing.

    ``value`` is a whole number of seconds or an HTTP date.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now_ms / 1000)


def _of_status(status: int, asked_s: float | None) -> DeliveryError | None:
    if 200 <= status < 300:
        return None
    if status in {408, 425, 429} or status >= 500:
        reason = {408: "timeout", 425: "too_early", 429: "throttled"}.get(status, "status_5xx")
        text = f"the receiver answered {status}"
        return DeliveryError(text, retry=True, reason=reason, retry_after_s=asked_s)
    reason = "status_4xx" if status >= 400 else "redirect" if status >= 300 else "status_1xx"
    return DeliveryError(f"the receiver answered {status}", retry=False, reason=reason)


def _read(answer: httpx.Response, bytes_max: int) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    read = 0
    for piece in answer.iter_raw():
        pieces.append(piece)
        read += len(piece)
        if read > bytes_max:
            return b"".join(pieces)[:bytes_max], False
    return b"".join(pieces), True

"""Whether a failed attempt is worth another, and when.

Owns the classification of HTTP outcomes and the arithmetic of pauses, both pure.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import overload

import httpx

from monitor.errors import DeliveryError


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


def pause_ms(failures: int, *, base_ms: int, max_ms: int, draw: float) -> int:
    """The pause after the ``failures``-th failure in a row (from 1), with full jitter.

    ``draw`` is uniform in [0, 1). Formula: draw × min(max, base × 2^(failures − 1)), of M. Brooker,
    "Exponential backoff and jitter", AWS Architecture Blog, 2015.
    """
    doubled = base_ms * 2 ** min(failures - 1, 40)
    return int(draw * min(max_ms, doubled))


def _of_status(status: int, asked_s: float | None) -> DeliveryError | None:
    if 200 <= status < 300:
        return None
    if status in {408, 425, 429} or status >= 500:
        reason = {408: "timeout", 425: "too_early", 429: "throttled"}.get(status, "status_5xx")
        text = f"the receiver answered {status}"
        return DeliveryError(text, retry=True, reason=reason, retry_after_s=asked_s)
    reason = "status_4xx" if status >= 400 else "redirect" if status >= 300 else "status_1xx"
    return DeliveryError(f"the receiver answered {status}", retry=False, reason=reason)

"""One HTTP POST, with its outcome as the daemon's own error.

Owns what may come back from a stranger's server: any status, any delay, any amount of bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from monitor.clock import Clock
from monitor.delivery.retry import classify, retry_after_s

ANSWER_BYTES_MAX = 64 * 1024


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
    sent = {"Content-Type": "application/json", **headers}
    try:
        with http.stream("POST", url, content=body, headers=sent) as answer:
            status = answer.status_code
            asked = retry_after_s(answer.headers.get("Retry-After"), now_ms=clock.now_ms())
            _drop_body(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise classify(error) from None  # the chain would name the address
    failure = classify(status, retry_after_s=asked)
    if failure is not None:
        raise failure


def _drop_body(answer: httpx.Response) -> None:
    """Read a short answer, so that the connection can be used again; a long one is cut off."""
    read = 0
    for piece in answer.iter_raw():
        read += len(piece)
        if read > ANSWER_BYTES_MAX:
            return

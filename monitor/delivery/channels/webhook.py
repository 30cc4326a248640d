"""Decisions as signed JSON to an HTTP address.

Owns the request: body, headers, signature. A receiver checks
``X-Monitor-Signature: v1=`` + hex(HMAC-SHA256(secret, timestamp + "." + body)) with the timestamp
of ``X-Monitor-Timestamp`` (seconds), refuses old timestamps, and drops repeats by
``Idempotency-Key``, the decision's id.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

import httpx
import msgspec
from pydantic import SecretStr

from monitor.clock import Clock
from monitor.decisions import Alert, Listing, Order
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.http import client, post
from monitor.delivery.people import Digest, for_people
from monitor.delivery.remarks import NoRemarks, Remarks
from monitor.store.outbox import Delivery


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """The value of ``X-Monitor-Signature``."""
    signed = f"{timestamp_s}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class WebhookChannel(Channel):
    """One POST a decision."""

    takes_digests: ClassVar[bool] = True

    def __init__(
        self,
        url: SecretStr,
        *,
        clock: Clock,
        secret: SecretStr | None = None,
        timeout_ms: int = 10_000,
        http: httpx.Client | None = None,
        remarks: Remarks | None = None,
    ) -> None:
        self._remarks = remarks or NoRemarks()
        self._url = url
        self._secret = secret
        self._clock = clock
        self._http = client(timeout_ms) if http is None else http

    def send(self, delivery: Delivery) -> None:
        """POST the decision.

        Raises:
            DeliveryError: see :func:`monitor.delivery.retry.classify`.
        """
        decision = delivery.decision
        # An order is carried out, and a list kept: who does that has to know whom it is about.
        if isinstance(decision, Order | Listing):
            self._post(decision.id, decision.to_wire())
            return
        content = for_people(decision)
        remark = self._remarks.about(decision) if isinstance(decision, Alert) else None
        if remark is not None:
            content["common"] = remark.to_json()
        self._post(decision.id, content)

    def send_digest(self, digest: Digest) -> None:
        """POST the digest, as ``kind: digest``.

        Raises:
            DeliveryError: see :func:`monitor.delivery.retry.classify`.
        """
        self._post(digest.id, digest.to_json())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, key: str, content: dict[str, Any]) -> None:
        body = msgspec.json.encode(content)
        timestamp_s = self._clock.now_ms() // 1000
        headers = {
            "X-Monitor-Delivery": key,
            "Idempotency-Key": key,
            "X-Monitor-Timestamp": str(timestamp_s),
        }
        if self._secret is not None:
            secret = self._secret.get_secret_value()
            headers["X-Monitor-Signature"] = sign(secret, timestamp_s, body)
        post(self._http, self._url.get_secret_value(), body, headers, clock=self._clock)

"""Decisions as signed JSON to an HTTP address.

Owns the request: body, headers, signature. A receiver checks
``X-Monitor-Signature: v1=`` + hex(HMAC-SHA256(secret, timestamp + "." + body)) with the timestamp
of ``X-Monitor-Timestamp`` (seconds), refuses old timestamps, and drops repeats by
``Idempotency-Key``, the decision's id.
"""

from __future__ import annotations

from typing import Any, ClassVar

import httpx
import msgspec
from pydantic import SecretStr

from monitor.clock import Clock
from monitor.decisions import Alert, Listing, Order, derive_id, iso
from monitor.delivery.channels.base import Channel
from monitor.delivery.people import Digest, for_people
from monitor.delivery.remarks import NoRemarks, Remarks
from monitor.posting import client, post, signed
from monitor.store.outbox import Delivery


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
            DeliveryError: see :func:`monitor.posting.classify`.
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
            DeliveryError: see :func:`monitor.posting.classify`.
        """
        self._post(digest.id, digest.to_json())

    def test(self, receiver: str) -> str:
        """POST a ``kind: test``.

        Raises:
            DeliveryError: see :func:`monitor.posting.classify`.
        """
        now_ms = self._clock.now_ms()
        key = derive_id("test", receiver, now_ms)
        content = {"kind": "test", "id": key, "at": iso(now_ms), "receiver": receiver}
        self._post(key, content)
        return "it was taken"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _post(self, key: str, content: dict[str, Any]) -> None:
        body = msgspec.json.encode(content)
        secret = None if self._secret is None else self._secret.get_secret_value()
        headers = signed(key, secret, body, clock=self._clock)
        post(self._http, self._url.get_secret_value(), body, headers, clock=self._clock)

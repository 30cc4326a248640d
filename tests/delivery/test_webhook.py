"""The webhook against a real server that is slow, broken, rude or busy."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.delivery.attempts import Policy
from monitor.delivery.channels.webhook import WebhookChannel
from monitor.delivery.lane import Lane
from monitor.delivery.pacing import Pacer
from monitor.delivery.people import Digest, for_people
from monitor.errors import DeliveryError
from monitor.posting import sign
from monitor.store.outbox import Delivery, PlannedDelivery
from monitor.store.store import Recording, Store
from tests.delivery.conftest import NOW_MS
from tests.delivery.doubles import Answer, Server
from tests.store.made import NUMBER, alert, command, refusal

CUSTOMER = "+8613912345678"
SECRET = "sesame"


@pytest.fixture
def channel(server: Server, clock: ManualClock) -> Iterator[WebhookChannel]:
    made = WebhookChannel(
        SecretStr(f"{server.url}/in?token=hidden"),
        clock=clock,
        secret=SecretStr(SECRET),
        timeout_ms=300,
    )
    yield made
    made.close()


def delivery(decision: Decision) -> Delivery:
    return Delivery(1, "hook", "k", decision, attempts=1, created_ms=NOW_MS, mark="")


@pytest.mark.parametrize("decision", [alert(), alert(state="resolved"), command(), refusal()])
def test_a_decision_arrives_as_signed_json(
    server: Server, channel: WebhookChannel, decision: Decision
) -> None:
    channel.send(delivery(decision))
    (request,) = server.requests
    assert request.path == "/in?token=hidden"
    assert json.loads(request.body) == json.loads(json.dumps(decision.to_json()))
    headers = request.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Monitor-Delivery"] == headers["Idempotency-Key"] == decision.id
    timestamp = headers["X-Monitor-Timestamp"]
    assert timestamp == str(NOW_MS // 1000)
    expected = hmac.new(
        SECRET.encode(), timestamp.encode() + b"." + request.body, hashlib.sha256
    ).hexdigest()
    assert headers["X-Monitor-Signature"] == f"v1={expected}"


def test_the_signature_covers_time_and_body() -> None:
    signed = sign("s", 1, b"body")
    assert sign("s", 1, b"body") == signed
    assert len({signed, sign("t", 1, b"body"), sign("s", 2, b"body"), sign("s", 1, b"bodz")}) == 4


def test_without_a_secret_there_is_no_signature(server: Server, clock: ManualClock) -> None:
    channel = WebhookChannel(SecretStr(server.url), clock=clock)
    channel.send(delivery(alert()))
    channel.close()
    assert "X-Monitor-Signature" not in server.requests[0].headers


def test_a_digest_arrives_as_one(server: Server, channel: WebhookChannel) -> None:
    digest = Digest.of([alert(60_000), alert(65_000)])
    channel.send_digest(digest)
    (request,) = server.requests
    assert json.loads(request.body)["kind"] == "digest"
    assert json.loads(request.body)["newest"] == [for_people(d) for d in digest.newest]
    assert request.headers["Idempotency-Key"] == digest.id


def test_no_customer_goes_out(server: Server, channel: WebhookChannel) -> None:
    scope = (("number", NUMBER), ("customer", CUSTOMER))
    channel.send(delivery(alert(scope=scope, message={"en": f"{CUSTOMER} again"})))
    assert CUSTOMER.encode() not in server.requests[0].body
    assert NUMBER.encode() in server.requests[0].body


@pytest.mark.parametrize(
    ("answer", "reason", "retry", "after_s"),
    [
        (Answer(503), "status_5xx", True, None),
        (Answer(500, {"Retry-After": "7"}), "status_5xx", True, 7.0),
        (Answer(429, {"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT"}), "throttled", True, 60.0),
        (Answer(408), "timeout", True, None),
        (Answer(400, body=b"you sent " + CUSTOMER.encode()), "status_4xx", False, None),
        (Answer(301, {"Location": "http://127.0.0.1:1/"}), "redirect", False, None),
        (Answer(cut=True), "connection", True, None),
        (Answer(delay_s=20), "timeout", True, None),
    ],
)
def test_what_goes_wrong_has_a_reason_and_no_secrets(
    server: Server,
    channel: WebhookChannel,
    answer: Answer,
    reason: str,
    retry: bool,
    after_s: float | None,
) -> None:
    server.answers.append(answer)
    with pytest.raises(DeliveryError) as caught:
        channel.send(delivery(alert()))
    error = caught.value
    assert (error.reason, error.retry, error.retry_after_s) == (reason, retry, after_s)
    for secret in ("hidden", SECRET, CUSTOMER, server.url):
        assert secret not in str(error)
    assert error.__cause__ is None
    channel.send(delivery(alert()))  # and the next one gets through
    assert len(server.requests) == 2


def test_nobody_listens(clock: ManualClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        channel = WebhookChannel(SecretStr(url), clock=clock)
        with pytest.raises(DeliveryError, match="no connection"):
            channel.send(delivery(alert()))
        channel.close()


@pytest.mark.parametrize("size", [64 * 1024, 5_000_000])
def test_a_long_answer_is_not_swallowed_whole(
    server: Server, channel: WebhookChannel, size: int
) -> None:
    server.answers.append(Answer(body=b"x" * size))
    channel.send(delivery(alert()))
    channel.send(delivery(alert()))
    assert len(server.requests) == 2


def test_a_bad_hour_from_end_to_end(
    server: Server, channel: WebhookChannel, store: Store, clock: ManualClock
) -> None:
    """500, a cut, 429 with a wait, 404, then good: all arrive in order but the one refused."""
    lane = Lane(
        "hook",
        channel,
        outbox=store.outbox,
        clock=clock,
        policy=Policy(600_000, 3_600_000, 20, 1_000, 60_000),
        pacer=Pacer(None),
        draw=lambda: 0.5,
        count=lambda _result: None,
    )
    decisions = [refusal(NOW_MS, id=f"d{n}") for n in range(4)]
    store.record(Recording(decisions, [PlannedDelivery(d.id, "hook", "k") for d in decisions]))
    throttled = Answer(429, {"Retry-After": "30"})
    server.answers.extend([Answer(500), Answer(cut=True), throttled, Answer(), Answer(404)])
    waits = []
    with capture_logs() as logs:
        while store.outbox.next_due_ms("hook") is not None:
            waits.append(lane.step())
            clock.advance(waits[-1])
    assert [json.loads(request.body)["id"] for request in server.requests] == [
        *["d0"] * 4,
        "d1",
        "d2",
        "d3",
    ]
    assert waits[:3] == [500, 1_000, 30_000]
    assert store.outbox.counts() == {("hook", "parked"): 1}
    assert "hidden" not in str(logs)
    assert server.url not in str(logs)

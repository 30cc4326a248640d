"""Everything else by Apprise, the real one, to a server of ours."""

from __future__ import annotations

import json
import sys
from typing import Any
from unittest import mock

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.delivery.channels.apprise_channel import AppriseChannel
from monitor.delivery.channels.people import open_for_people
from monitor.delivery.messages.messages import Sources
from monitor.delivery.receivers import AppriseReceiver
from monitor.delivery.settings import DeliverySettings
from monitor.errors import DeliveryError, UsageError
from monitor.store.outbox import Delivery
from tests.delivery.conftest import NOW_MS
from tests.delivery.doubles import Answer, Server
from tests.store.made import alert


def opened(url: str, **changes: Any) -> AppriseChannel:
    receiver = AppriseReceiver.model_validate(
        {"type": "apprise", "url": {"value": url}, "language": "en", "timeout": "300ms", **changes}
    )
    channel = open_for_people("sms", receiver, Sources(), ManualClock(NOW_MS))
    assert isinstance(channel, AppriseChannel)
    return channel


def told() -> Delivery:
    return Delivery(1, "sms", "k", alert(), attempts=1, created_ms=NOW_MS, mark="")


def test_a_message_arrives(server: Server) -> None:
    url = server.url.replace("http", "json")
    opened(f"{url}/in?+X-Key=k").send(told())
    brief = opened(f"{url}/in", brief=True)
    assert brief.test("sms") == "Apprise says that it was sent"
    first, second = (json.loads(request.body) for request in server.requests)
    assert first["title"] == "Critical: number-hangup +862150000007"
    assert first["type"] == "failure"
    assert "How bad: 80.0%" in first["message"]
    assert second["message"] == "This is a test message to sms"


@pytest.mark.parametrize("answer", [Answer(500), Answer(404), Answer(cut=True), Answer(delay_s=20)])
def test_a_failure_is_one(
    server: Server, answer: Answer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answers.append(answer)
    channel = opened(f"{server.url.replace('http', 'json')}/secret-path")
    with capture_logs(), pytest.raises(DeliveryError, match="failed") as caught:
        channel.send(told())
    assert (caught.value.retry, caught.value.reason) == (True, "refused")
    said = capfd.readouterr()
    assert "secret-path" not in said.out + said.err + str(caught.value)
    channel.send(told())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nosuch://secret-path", "no address that Apprise knows"),
        (
            f"twilio://AC{'0' * 32}:{'1' * 32}@15551234567/15551234568/15551234569",
            "2 recipients at once",
        ),
    ],
)
def test_addresses_that_cannot_be_used(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        opened(url)
    assert "delivery.receivers.sms.url" in str(caught.value)
    assert "secret-path" not in str(caught.value)
    assert "1555" not in str(caught.value)


def test_without_apprise_the_configuration_says_so() -> None:
    written = {"receivers": {"sms": {"type": "apprise", "url": {"value": "json://127.0.0.1"}}}}
    settings = DeliverySettings.model_validate(written)
    assert settings.faults() == []
    with mock.patch("importlib.util.find_spec", return_value=None):
        (fault,) = settings.faults()
    assert fault.loc == ("receivers", "sms", "type")
    assert "notify" in fault.hint
    with (
        mock.patch.dict(sys.modules, {"apprise": None}),
        pytest.raises(UsageError, match="not installed"),
    ):
        opened("json://127.0.0.1")

"""Signed HTTP: an end of ours that checks every signature and carries commands out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.decisions import Ack
from monitor.errors import DeliveryError, SecretError
from monitor.posting import sign
from monitor.source.settings import KafkaConnection
from monitor.telephony.http import HttpTelephony
from monitor.telephony.joined import Joined
from monitor.telephony.open import open_telephony
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import TelephonySimulator
from tests.delivery.doubles import Answer, http_server
from tests.telephony.contract import NUMBER, CutContract, CutLine, command
from tests.telephony.posted import PostEnd

SECRET = "shared with the dialler"


class Dialler(PostEnd):
    """What a customer writes: the other end of ``kind: http``, over the simulated system."""

    def __init__(self, refused: str) -> None:
        self.simulator = TelephonySimulator(SystemClock(), answers_after_ms=0, refuses=(refused,))
        self.down = False
        super().__init__("/commands")

    def reply(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """What docs/numbers.md asks of it."""
        if self.down:
            return 503, b""
        timestamp_s = int(headers["X-Monitor-Timestamp"])
        if headers.get("X-Monitor-Signature") != sign(SECRET, timestamp_s, body):
            return 401, b""
        assert headers["Idempotency-Key"] == json.loads(body)["command_id"]
        assert self.simulator.take(body)
        (ack,) = self.simulator.answers()
        said = {"command_id": ack.command_id, "status": ack.status, "detail": ack.detail}
        return 200, json.dumps(said).encode()


class HttpLine(CutLine):
    def __init__(self) -> None:
        self.dialler = Dialler(self.refused)
        system = telephony(self.dialler.url)
        self.channel, self.acks = system, system.acks

    def may_call(self, number: str) -> bool:
        return self.dialler.simulator.may_call(number)

    def cut(self) -> None:
        self.dialler.down = True

    def mend(self) -> None:
        self.dialler.down = False


class TestHttp(CutContract):
    @pytest.fixture
    def line(self) -> Iterator[HttpLine]:
        made = HttpLine()
        yield made
        made.channel.close()
        made.dialler.close()


def telephony(url: str, secret: str | None = SECRET) -> HttpTelephony:
    return HttpTelephony(url, secret, timeout_ms=2_000, clock=SystemClock())


def test_a_wrong_signature_is_tried_again_as_somebody_will_mend_it() -> None:
    dialler = Dialler("")
    system = telephony(dialler.url, "another")
    with pytest.raises(DeliveryError, match="answered 401") as caught:
        system.send(*command("c1"))
    assert caught.value.retry
    assert dialler.simulator.may_call(NUMBER)
    system.close()
    dialler.close()


def test_an_empty_reply_says_that_the_answer_comes_later() -> None:
    with http_server() as server:
        server.answers.append(Answer(status=202, body=b""))
        system = telephony(server.url)
        system.send(*command("c1"))
        assert system.acks.poll() == []
        system.close()


@pytest.mark.parametrize(
    "body",
    [
        b"ok",
        b"[]",
        b'{"status": "perhaps"}',
        b'{"command_id": "another", "status": "applied"}',
        b"[" * 50_000,
        b"x" * 100_000,
    ],
)
def test_a_reply_that_is_no_answer_is_told_and_the_command_tried_again(body: bytes) -> None:
    with http_server() as server:
        server.answers.append(Answer(body=body))
        system = telephony(server.url)
        with pytest.raises(DeliveryError) as caught:
            system.send(*command("c1"))
        assert caught.value.retry
        assert caught.value.reason in ("malformed", "too_long")
        assert system.acks.poll() == []
        system.close()


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=308), Answer(cut=True)])
def test_whatever_goes_wrong_a_command_is_worth_another_try(answer: Answer) -> None:
    with http_server() as server:
        server.answers.append(answer)
        system = telephony(server.url)
        with pytest.raises(DeliveryError) as caught:
            system.send(*command("c1"))
        assert caught.value.retry
        system.close()


def test_after_the_end_it_is_as_if_nobody_were_there() -> None:
    system = telephony("http://127.0.0.1:9/")
    system.close()
    with pytest.raises(DeliveryError, match="closed") as caught:
        system.send(*command("c1"))
    assert caught.value.retry


def test_without_a_secret_nothing_is_signed() -> None:
    with http_server() as server:
        server.answers.append(Answer(body=b'{"status": "applied"}'))
        system = telephony(server.url, None)
        system.send(*command("c1"))
        assert "X-Monitor-Signature" not in server.requests[0].headers
        assert [ack.status for ack in system.acks.poll()] == ["applied"]
        system.close()


def settings(**more: Any) -> TelephonySettings:
    return TelephonySettings.model_validate(
        {"kind": "http", "url": "http://dialler/commands", "secret": {"value": SECRET}} | more
    )


def test_answers_by_the_topic_are_read_only_where_it_is_named() -> None:
    connection = KafkaConnection(bootstrap="broker:9092")
    alone = open_telephony(settings(), connection, SystemClock())
    assert not isinstance(alone.acks, Joined)
    both = open_telephony(settings(acks="telephony.acks"), connection, SystemClock())
    assert isinstance(both.acks, Joined)
    assert isinstance(both.channel, HttpTelephony)
    both.channel.acks.give(Ack("c1", "applied", "", 1))
    assert [ack.command_id for ack in both.acks.poll()] == ["c1"]


def test_a_secret_that_is_not_there_ends_the_start() -> None:
    with pytest.raises(SecretError, match="NOT_SET_ANYWHERE"):
        open_telephony(settings(secret={"env": "NOT_SET_ANYWHERE"}), None, SystemClock())

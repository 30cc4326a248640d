"""What is bounded in the adapters of telephony."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.clock import SystemClock
from monitor.errors import DeliveryError
from monitor.telephony.kamailio import KamailioTelephony
from tests.delivery.doubles import Answer, Server, http_server
from tests.telephony.contract import command
from tests.telephony.test_http import telephony
from tests.telephony.test_vicidial import FakeVicidial
from tests.telephony.test_vicidial import telephony as vicidial


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as running:
        yield running


def test_so_many_answers_are_remembered(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.telephony.direct.KNOWN_COMMANDS_MAX", 2)
    server.answers.extend([Answer(body=b'{"status": "applied"}')] * 4)
    system = telephony(server.url)
    for command_id in ("c1", "c2", "c3", "c3", "c1"):
        system.send(*command(command_id))
    assert len(system.acks.poll()) == 5
    assert len(server.requests) == 4  # c3 was known, c1 was not any more
    system.close()


def test_a_table_that_is_too_long_is_not_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KamailioTelephony, "reply_bytes_max", 1_000)
    server.answers.append(Answer(body=b'{"result": [' + b" " * 2_000 + b"]}"))
    system = KamailioTelephony(
        server.url, "token", table="t", mark="m", timeout_ms=2_000, clock=SystemClock()
    )
    with pytest.raises(DeliveryError, match="longer than 1000 bytes"):
        system.blocked([])
    system.close()


def test_vicidial_is_asked_about_so_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.telephony.vicidial.ASKED_MAX", 2)
    fake = FakeVicidial("")
    numbers = [f"+86215000000{n}" for n in range(4)]
    fake.active = dict.fromkeys((number.lstrip("+") for number in numbers), False)
    system = vicidial(fake.url)
    assert list(system.blocked(reversed(numbers)).ours) == numbers[:2]
    system.close()
    fake.close()

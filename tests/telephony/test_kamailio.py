"""Kamailio, the real one, with the shipped configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.errors import DeliveryError
from monitor.telephony.kamailio import KamailioTelephony
from tests import web
from tests.deploy.tools import program, run
from tests.telephony.contract import (
    HOUR_MS,
    NUMBER,
    CutContract,
    CutLine,
    SharedContract,
    SharedLine,
    command,
)
from tests.telephony.kamailio import CONFIG, MARK, TABLE, TOKEN, Kamailio
from tests.telephony.sip import Busy, call


@pytest.fixture(scope="module")
def kamailio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    far = Busy()
    process = Kamailio(tmp_path_factory.mktemp("kamailio"), far.port)
    try:
        process.start()
        yield process
    finally:
        process.stop()
        far.close()


class KamailioLine(CutLine, SharedLine):
    refused = "no such number"

    def __init__(self, process: Kamailio) -> None:
        self._process = process
        telephony = process.telephony(self.clock)
        self.channel = self.reconciler = telephony
        self.acks = telephony.acks

    def may_call(self, number: str) -> bool:
        return self._process.may_call(number)

    def cut(self) -> None:
        self._process.stop()

    def mend(self) -> None:
        self._process.start()

    def forget(self) -> None:
        self._process.stop()
        self._process.start()

    def block_by_hand(self, number: str) -> None:
        rpc(self._process, "htable.sets", TABLE, number, "fraud desk, ticket 4711")


def rpc(process: Kamailio, method: str, *params: Any, token: str = TOKEN) -> httpx.Response:
    body = msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
    return web.post(process.url, content=body, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def line(kamailio: Kamailio) -> Iterator[KamailioLine]:
    made = KamailioLine(kamailio)
    yield made
    made.channel.close()
    system = telephony(kamailio.url)
    left = system.blocked([])
    for number in left.others | left.ours.keys():
        rpc(kamailio, "htable.delete", TABLE, number)
    system.close()


class TestKamailio(CutContract, SharedContract):
    pass


def test_the_shipped_configuration_is_one() -> None:
    said = run(program("kamailio"), "-c", "-f", CONFIG)
    assert "config file ok" in said


def test_the_refused_call_says_why(kamailio: Kamailio, line: KamailioLine) -> None:
    line.channel.send(*command("c1", until_ms=1_795_338_000_000 + 10 * 365 * 24 * HOUR_MS))
    status, reply = call(NUMBER, kamailio.sip)
    assert status == 403
    assert 'Reason: SIP;cause=403;text="number suspended"' in reply
    assert "X-Suspended: callcentre-monitor;until=2036-11-" in reply
    assert ";rule=number-hangup;id=c1" in reply


def test_a_caller_without_a_plus_is_the_same_number(kamailio: Kamailio, line: KamailioLine) -> None:
    line.channel.send(*command("c1"))
    assert not kamailio.may_call(NUMBER.lstrip("+"))


def test_a_name_of_a_rule_cannot_break_out_of_the_entry(
    kamailio: Kamailio, line: KamailioLine
) -> None:
    body, key, command_id = command("c1")
    body = body.replace(b"number-hangup", b'a;until=never\\r\\nX: \\"y')
    line.channel.send(body, key, command_id)
    assert [ack.status for ack in line.acks.poll()] == ["applied"]
    _, reply = call(NUMBER, kamailio.sip)
    assert "\r\nX:" not in reply


@pytest.mark.parametrize(
    ("method", "params"),
    [("core.kill", []), ("htable.flush", [TABLE]), ("htable.seti", [TABLE, NUMBER, 1])],
)
def test_nothing_else_of_kamailio_can_be_told(
    kamailio: Kamailio, method: str, params: list[Any]
) -> None:
    assert rpc(kamailio, method, *params).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","method":"htable.dump","params":["suspended"],"method":"core.ps","id":1}',
        b'{"jsonrpc":"2.0","method":"core.ps","params":["suspended"],"id":1}',
        b'{"jsonrpc":"2.0","method":"htable.\\u0064ump","params":["suspended"],"id":1}',
        b'[{"jsonrpc":"2.0","method":"htable.dump","params":["suspended"],"id":1}]',
    ],
)
def test_a_request_in_another_form_is_not_let_in(kamailio: Kamailio, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert web.post(kamailio.url, content=body, headers=headers).status_code == 403


def test_without_the_token_nobody_gets_in(kamailio: Kamailio) -> None:
    assert rpc(kamailio, "htable.dump", TABLE, token="another").status_code == 401
    assert web.post(kamailio.url, content=b"{}").status_code == 401
    assert web.get(kamailio.url).status_code == 404


def test_a_wrong_token_is_tried_again_as_somebody_will_mend_it(kamailio: Kamailio) -> None:
    wrong = telephony(kamailio.url, token="another")
    with pytest.raises(DeliveryError, match="answered 401") as caught:
        wrong.send(*command("c1"))
    assert (caught.value.retry, caught.value.reason) == (True, "status_4xx")
    assert "another" not in str(caught.value)
    wrong.close()


def test_a_table_that_is_not_there_rejects_with_words(kamailio: Kamailio) -> None:
    system = telephony(kamailio.url, table="nosuch")
    system.send(*command("c1"))
    (ack,) = system.acks.poll()
    assert (ack.status, ack.detail) == ("rejected", "No such htable")
    with pytest.raises(DeliveryError, match="nosuch cannot be listed: No such htable"):
        system.blocked([])
    system.close()


def test_what_is_over_is_not_counted_as_blocked(kamailio: Kamailio) -> None:
    clock = ManualClock(SystemClock().now_ms())
    system = telephony(kamailio.url, clock=clock)
    system.send(*command("c1", until_ms=clock.now_ms() + 60_000))
    assert system.blocked([]).ours.keys() == {NUMBER}
    clock.advance(60_000)
    assert not system.blocked([]).ours  # it is still listed
    system.send(*command("c2", "resume"))
    system.close()


def test_what_is_over_before_it_could_be_sent_is_not_begun(kamailio: Kamailio) -> None:
    system = telephony(kamailio.url)
    system.send(*command("c1", until_ms=SystemClock().now_ms() - 1))
    (ack,) = system.acks.poll()
    assert (ack.status, ack.detail) == ("applied", "over before it was begun")
    assert kamailio.may_call(NUMBER)
    system.close()


def test_thousands_of_numbers_are_listed_in_one_answer(line: KamailioLine) -> None:
    numbers = [f"+8621700{n:05}" for n in range(2_000)]
    line.channel.send_all([command(f"m{n}", number=n) for n in numbers])
    assert line.reconciler.blocked([]).ours.keys() == set(numbers)


def telephony(
    url: str, *, token: str = TOKEN, table: str = TABLE, clock: ManualClock | None = None
) -> KamailioTelephony:
    return KamailioTelephony(
        url, token, table=table, mark=MARK, timeout_ms=5_000, clock=clock or SystemClock()
    )

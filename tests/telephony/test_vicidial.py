"""VICIdial's API, against a fake written from its documentation: no VICIdial ever ran here."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest

from monitor.clock import SystemClock
from monitor.errors import DeliveryError
from monitor.telephony import vicidial
from monitor.telephony.vicidial import VicidialTelephony
from tests.telephony.contract import (
    NUMBER,
    OTHER,
    CutContract,
    CutLine,
    TellingContract,
    TellingLine,
    command,
)
from tests.telephony.posted import PostEnd

GROUP, USER, PASSWORD = "SPRING", "6666", "of the API"


class FakeVicidial(PostEnd):
    """``non_agent_api.php`` as NON-AGENT_API.txt tells of it; the rows of INFO are our reading."""

    def __init__(self, refused: str) -> None:
        self.active: dict[str, bool] = {}
        self.down = False
        self._refused = refused.lstrip("+")
        super().__init__("/vicidial/non_agent_api.php")

    def reply(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:  # noqa: ARG002
        return 502 if self.down else 200, self.answer(dict(parse_qsl(body.decode()))).encode()

    def answer(self, asked: dict[str, str]) -> str:
        """Text, whatever it is; errors too come with status 200."""
        assert asked["source"]
        if (asked["user"], asked["pass"]) != (USER, PASSWORD):
            return "ERROR: Login incorrect, please try again\n"
        function, cid = asked["function"], asked["outbound_cid"]
        assert function == "update_cid_group_entry"
        assert cid.isdigit() or cid == self._refused
        about = f"{asked['user']}|{asked['cid_group_id']}|{asked['areacode']}|{cid}"
        if asked["cid_group_id"] != GROUP:
            return f"ERROR: {function} CID GROUP DOES NOT EXIST - {about}\n"
        if cid == self._refused:
            return f"ERROR: {function} NO MATCHING CID GROUP ENTRIES - {about}\n"
        if asked["stage"] == "INFO":
            flag = "Y" if self.active.get(cid, True) else "N"
            return f"{GROUP}|862|{cid}|{flag}\n{GROUP}|863|{cid}|{flag}\n"
        self.active[cid] = asked["active"] == "Y"
        return f"SUCCESS: {function} CID GROUP ENTRY HAS BEEN UPDATED - {about}|2\n"


class VicidialLine(CutLine, TellingLine):
    lets_go = False
    refused = "+8629999"

    def __init__(self) -> None:
        self.fake = FakeVicidial(self.refused)
        system = telephony(self.fake.url)
        self.channel = self.reconciler = system
        self.acks = system.acks

    def may_call(self, number: str) -> bool:
        return self.fake.active.get(number.lstrip("+"), True)

    def cut(self) -> None:
        self.fake.down = True

    def mend(self) -> None:
        self.fake.down = False

    def forget(self) -> None:
        self.fake.active.clear()


class TestFakeVicidial(CutContract, TellingContract):
    @pytest.fixture
    def line(self) -> Iterator[VicidialLine]:
        made = VicidialLine()
        yield made
        made.channel.close()
        made.fake.close()


@pytest.fixture
def fake() -> Iterator[FakeVicidial]:
    made = FakeVicidial("")
    yield made
    made.close()


def telephony(url: str, *, password: str = PASSWORD, group: str = GROUP) -> VicidialTelephony:
    return VicidialTelephony(
        url,
        USER,
        password,
        group=group,
        areacode="---ALL---",
        timeout_ms=2_000,
        clock=SystemClock(),
    )


def test_a_refused_login_is_tried_again_and_shows_no_password(fake: FakeVicidial) -> None:
    system = telephony(fake.url, password="hunter2")
    with pytest.raises(DeliveryError, match="refuses the login") as caught:
        system.send(*command("c1"))
    assert caught.value.retry
    assert "hunter2" not in str(caught.value)
    system.close()


def test_a_group_that_is_not_there_rejects_with_its_words(fake: FakeVicidial) -> None:
    system = telephony(fake.url, group="AUTUMN")
    system.send(*command("c1"))
    (ack,) = system.acks.poll()
    assert ack.status == "rejected"
    assert ack.detail.startswith("update_cid_group_entry CID GROUP DOES NOT EXIST")
    system.close()


def test_it_is_asked_only_about_the_numbers_of_interest(fake: FakeVicidial) -> None:
    system = telephony(fake.url)
    fake.active[OTHER.lstrip("+")] = False
    system.send(*command("c1"))
    found = system.blocked([NUMBER])
    assert dict(found.ours) == {NUMBER: None}
    assert not found.timed
    system.close()


def test_of_too_many_numbers_others_are_asked_about_each_time(
    fake: FakeVicidial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vicidial, "ASKED_MAX", 2)
    system = telephony(fake.url)
    numbers = [f"+86215000000{n}" for n in range(5)]
    asked = [system.blocked(numbers) for _ in range(3)]
    assert [sorted(each.asked or ()) for each in asked] == [
        numbers[:2],
        numbers[2:4],
        [numbers[0], numbers[4]],
    ]
    assert asked[0].tells_of(numbers[0])
    assert not asked[0].tells_of(numbers[2]), "that it is not named says nothing"
    system.close()

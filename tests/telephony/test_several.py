"""Several systems at once: whose command goes where, and when it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.clock import ManualClock
from monitor.decisions import Ack
from monitor.delivery.routes import Router
from monitor.delivery.settings import DeliverySettings
from monitor.source.base import Partition
from monitor.telephony import joined
from monitor.telephony.direct import Given
from monitor.telephony.joined import Asked, Joined
from monitor.telephony.open import open_telephony
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import SimulatedTelephony, TelephonySimulator
from tests.store.made import command

KAMAILIO = {"kind": "kamailio", "url": "http://edge:8060/RPC", "token": {"value": "t"}}
SEVERAL: dict[str, Any] = {
    "kind": "several",
    "systems": {"edge": KAMAILIO, "lab": {"kind": "simulated", "answers_after": "0s"}},
    "pools": {"spring": "lab", "autumn": "edge"},
    "otherwise": "edge",
}


def settings(**changes: Any) -> TelephonySettings:
    return TelephonySettings.model_validate(SEVERAL | changes)


@pytest.mark.parametrize(
    ("pools", "receivers"),
    [
        (["autumn"], ("telephony.edge",)),
        (["spring"], ("telephony.lab",)),
        (["spring", "autumn"], ("telephony.edge", "telephony.lab")),
        (["winter"], ("telephony.edge",)),
        ([], ("telephony.edge",)),
        (["spring", "winter"], ("telephony.edge", "telephony.lab")),
    ],
)
def test_a_number_goes_where_its_pools_are(pools: list[str], receivers: tuple[str, ...]) -> None:
    assert settings().systems_of(pools) == receivers


def test_one_system_has_them_all() -> None:
    assert TelephonySettings().systems_of(["spring", "autumn"]) == ("telephony",)
    assert TelephonySettings(kind="none").systems_of(["spring"]) == ()
    assert list(settings().named()) == ["telephony.edge", "telephony.lab"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"systems": {}}, "needs systems and otherwise"),
        ({"otherwise": None}, "needs systems and otherwise"),
        ({"otherwise": "moon"}, "there is no system moon; there are edge, lab"),
        ({"pools": {"spring": "moon"}}, "there is no system moon"),
        ({"systems": {"edge": {"kind": "log"}}, "pools": {}}, "cannot be one of several"),
        ({"systems": {"edge": {"kind": "several"}}, "pools": {}}, "cannot be one of several"),
        (
            {"systems": {"edge": {"kind": "kafka"}, "lab": {"kind": "kafka"}}},
            "a transactional_id of its own",
        ),
        ({"systems": {"edge": {"kind": "kamailio"}, "lab": {}}}, "needs url and token"),
        ({"kind": "log"}, "has no effect with kind: log; it is for several"),
        ({"url": "http://edge/"}, "url has no effect with kind: several"),
    ],
)
def test_what_does_not_fit_together(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        settings(**changes)


def test_each_has_a_way_of_its_own_and_those_that_can_say_are_asked() -> None:
    telephony = open_telephony(settings(), None, ManualClock())
    assert list(telephony.channels) == ["telephony.edge", "telephony.lab"]
    assert list(telephony.reconcilers) == ["telephony.edge", "telephony.lab"]
    assert telephony.answers
    router = Router(
        DeliverySettings(),
        telephony=True,
        systems=lambda made: telephony.receivers(made, ["spring"]),
    )
    assert [plan.receiver for plan in router.plan(command())] == ["telephony.lab", "log"]
    for channel in telephony.channels.values():
        channel.close()


def test_a_command_for_one_system_goes_there_alone_whatever_the_pools() -> None:
    telephony = open_telephony(settings(), None, ManualClock())
    there = replace(command(), system="telephony.edge")
    assert telephony.receivers(there, ["spring"]) == ("telephony.edge",)
    gone = replace(command(), system="telephony.moon")
    assert telephony.receivers(gone, ["spring"]) == ()
    for channel in telephony.channels.values():
        channel.close()


def test_an_answer_says_whose_it_is_and_who_was_asked() -> None:
    one, other = Given(), Given()
    answers, asked = Joined({"a": one, "b": other}, named=True), Asked()
    asked.note("c1", ["a", "b"])
    asked.note("c2", ["b"])
    one.give(Ack("c1", "applied", "", 1))
    other.give(Ack("c2", "applied", "", 2))
    assert [asked.whole(ack) for ack in answers.poll()] == [
        Ack("c1", "applied", "", 1, "a", ("a", "b")),
        Ack("c2", "applied", "", 2),
    ]


def test_whom_a_command_went_to_is_looked_up_once_when_it_is_not_remembered() -> None:
    asked, looked_up = Asked(), []

    def look_up(command_id: str) -> list[str]:
        looked_up.append(command_id)
        return ["a", "b"]

    asked.look_up = look_up
    for _ in range(2):
        assert asked.whole(Ack("c1", "applied", "", 1, "a")).systems == ("a", "b")
    assert looked_up == ["c1"]
    alone = Ack("c1", "applied", "", 1)
    assert asked.whole(alone) is alone


def test_so_many_commands_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "KNOWN_MAX", 2)
    asked = Asked()
    for name in ("c1", "c2", "c3"):
        asked.note(name, ["a", "b"])
    assert [asked.whole(Ack(name, "applied", "", 1, "a")).systems for name in ("c1", "c3")] == [
        (),
        ("a", "b"),
    ]


def test_where_one_system_was_is_that_of_otherwise_now() -> None:
    assert settings().formerly() == {"telephony": "telephony.edge"}
    assert TelephonySettings().formerly() == {}
    told: list[tuple[str, Mapping[Partition, int]]] = []

    class Told(Given):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def restore(self, positions: Mapping[Partition, int]) -> None:
            told.append((self.name, positions))

    answers = Joined(
        {"telephony.edge": Told("edge"), "telephony.lab": Told("lab")},
        formerly={"telephony": "telephony.edge", "": "telephony.edge"},
    )
    answers.restore(
        {
            Partition("telephony/acks", 0): 3,
            Partition("acks", 1): 4,
            Partition("telephony.lab/acks", 0): 5,
        }
    )
    assert told == [
        ("edge", {Partition("acks", 0): 3, Partition("acks", 1): 4}),
        ("lab", {Partition("acks", 0): 5}),
    ]


def test_positions_are_kept_apart() -> None:
    def system() -> SimulatedTelephony:
        return SimulatedTelephony(TelephonySimulator(ManualClock()))

    answers = Joined({"": system(), "b": system()})
    answers.restore({Partition("simulated", 0): 3, Partition("b/simulated", 0): 5})
    kept = {Partition("simulated", 0): 3, Partition("b/simulated", 0): 5}
    assert answers.positions() == kept
    assert not answers.ignored
    answers.close()

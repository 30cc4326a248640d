"""Several systems at once: whose command goes where, and when it is answered."""

from __future__ import annotations

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
from monitor.telephony.joined import Joined
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
        (["autumn"], ("telephony",)),
        (["spring"], ("telephony.lab",)),
        (["spring", "autumn"], ("telephony", "telephony.lab")),
        (["winter"], ("telephony",)),
        ([], ("telephony",)),
        (["spring", "winter"], ("telephony", "telephony.lab")),
    ],
)
def test_a_number_goes_where_its_pools_are(pools: list[str], receivers: tuple[str, ...]) -> None:
    assert settings().systems_of(pools) == receivers


def test_one_system_has_them_all() -> None:
    assert TelephonySettings().systems_of(["spring", "autumn"]) == ("telephony",)
    assert TelephonySettings(kind="none").systems_of(["spring"]) == ()
    assert list(settings().named()) == ["telephony", "telephony.lab"]


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
    assert list(telephony.channels) == ["telephony", "telephony.lab"]
    assert list(telephony.reconcilers) == ["telephony", "telephony.lab"]
    assert telephony.answers
    router = Router(
        DeliverySettings(),
        telephony=True,
        systems=lambda made: telephony.receivers(made, ["spring"]),
    )
    assert [plan.receiver for plan in router.plan(command())] == ["telephony.lab", "log"]
    for channel in telephony.channels.values():
        channel.close()


def two() -> tuple[Given, Given, Joined]:
    one, other = Given(), Given()
    return one, other, Joined({"a": one, "b": other})


def test_a_command_to_two_is_applied_once_both_say_so() -> None:
    one, other, answers = two()
    answers.expect("c1", ["a", "b"])
    one.give(Ack("c1", "applied", "", 1))
    one.give(Ack("c1", "applied", "", 1))  # a repeat is not the other's answer
    assert answers.poll() == []
    other.give(Ack("c1", "applied", "", 2))
    assert answers.poll() == [Ack("c1", "applied", "", 2)]


def test_a_command_to_two_is_rejected_once_one_says_so() -> None:
    one, other, answers = two()
    answers.expect("c1", ["a", "b"])
    one.give(Ack("c1", "applied", "", 1))
    other.give(Ack("c1", "rejected", "no", 2))
    assert [ack.status for ack in answers.poll()] == ["rejected"]


def test_what_nobody_expects_is_passed_on_as_after_a_restart() -> None:
    one, _, answers = two()
    one.give(Ack("c1", "applied", "", 1))
    assert [ack.command_id for ack in answers.poll()] == ["c1"]


def test_so_many_wait_for_a_second_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "EXPECTED_MAX", 2)
    one, _, answers = two()
    for name in ("c1", "c2", "c3"):
        answers.expect(name, ["a", "b"])
        one.give(Ack(name, "applied", "", 1))
    assert [ack.command_id for ack in answers.poll()] == ["c1"]


def test_positions_are_kept_apart() -> None:
    def system() -> SimulatedTelephony:
        return SimulatedTelephony(TelephonySimulator(ManualClock()))

    answers = Joined({"": system(), "b": system()})
    answers.restore({Partition("simulated", 0): 3, Partition("b/simulated", 0): 5})
    kept = {Partition("simulated", 0): 3, Partition("b/simulated", 0): 5}
    assert answers.positions() == kept
    assert not answers.ignored
    answers.close()

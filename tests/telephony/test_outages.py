"""Telephony down for an hour, rejecting, slow, lying: each ends where docs/numbers.md says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from monitor.clock import ManualClock
from monitor.decisions import Ack
from monitor.errors import DeliveryError
from monitor.numbers.lifecycle import State
from monitor.telephony.base import Blocked, Outgoing
from monitor.telephony.simulated import SimulatedTelephony, TelephonySimulator
from tests.numbers.made import want
from tests.telephony.contract import NUMBER
from tests.telephony.site import START_MS, Site

TTL_MS = 30 * 60_000


class Moody(SimulatedTelephony):
    """A telephony system with a mood."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.down = False
        self.lies = False
        self.slow_s = 0.0
        self._said: list[Ack] = []
        super().__init__(TelephonySimulator(clock, answers_after_ms=0))

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        self._answer_at_all()
        super().send(command_json, key, command_id)
        if self.lies:
            self._said += self.simulator.answers()
            self.simulator.forget()
        if self.slow_s:
            self.clock.advance(round(self.slow_s * 1000))
            raise DeliveryError("no answer in time", retry=True, reason="timeout")

    def send_all(self, commands: Sequence[Outgoing]) -> None:
        for command in commands:
            self.send(*command)

    def poll(self) -> list[Ack]:
        said, self._said = self._said, []
        return [*said, *super().poll()]

    def blocked(self, numbers: Iterable[str]) -> Blocked:
        self._answer_at_all()
        return super().blocked(numbers)

    def _answer_at_all(self) -> None:
        if self.down:
            raise DeliveryError("no connection", retry=True, reason="connection")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
def system(clock: ManualClock) -> Moody:
    return Moody(clock)


@pytest.fixture
def site(tmp_path: Path, clock: ManualClock, system: Moody) -> Iterator[Site]:
    made = Site(tmp_path, system, system, system, clock)
    yield made
    made.close()


def breach(site: Site) -> None:
    site.wants = [want(NUMBER, ttl_ms=TTL_MS)]
    site.step()
    site.wants = []


def test_down_for_an_hour_from_before_the_suspension(site: Site, system: Moody) -> None:
    system.down = True
    breach(site)
    assert site.until(lambda: "telephony_silent" in site.guards(), 2) <= 1.1
    site.pass_minutes(60)
    # Its time is over, and nobody has heard of it: it is not begun any more.
    assert site.desk.state(NUMBER) is State.ACTIVE
    system.down = False
    site.pass_minutes(10)
    assert system.simulator.may_call(NUMBER)
    assert site.guards().count("telephony_silent") <= 2  # once a command
    assert site.waiting() == 0


def test_down_for_an_hour_with_a_number_suspended(site: Site, system: Moody) -> None:
    breach(site)
    site.until(lambda: site.desk.state(NUMBER) is State.SUSPENDED, 1)
    system.down = True
    site.pass_minutes(60)
    # It has let go by itself at ``until``, and so has the desk.
    assert system.simulator.may_call(NUMBER)
    assert site.desk.state(NUMBER) is State.ACTIVE
    assert site.guards() == []  # nobody need be woken for it
    system.down = False
    site.pass_minutes(10)
    assert site.waiting() == 0


def test_down_for_a_moment_costs_a_moment(site: Site, system: Moody) -> None:
    system.down = True
    breach(site)
    site.pass_minutes(0.5)
    system.down = False
    assert site.until(lambda: not system.simulator.may_call(NUMBER), 2) <= 1.5
    assert site.guards() == []


def test_restarted_while_a_number_is_suspended(site: Site, system: Moody) -> None:
    breach(site)
    site.until(lambda: site.desk.state(NUMBER) is State.SUSPENDED, 1)
    system.simulator.forget()
    assert system.simulator.may_call(NUMBER)
    assert site.until(lambda: not system.simulator.may_call(NUMBER), 10) <= 5.1
    assert site.guards() == ["telephony_differs"]
    site.pass_minutes(40)
    assert system.simulator.may_call(NUMBER)  # the end is the same
    assert site.desk.state(NUMBER) is State.ACTIVE


def test_rejecting(site: Site, system: Moody) -> None:
    system.simulator._refuses = frozenset({NUMBER})
    breach(site)
    site.until(lambda: site.guards() == ["suspend_rejected"], 1)
    assert site.desk.state(NUMBER) is State.ACTIVE


def test_slow(site: Site, system: Moody) -> None:
    system.slow_s = 20.0
    breach(site)
    site.pass_minutes(0.5)
    system.slow_s = 0.0
    site.until(lambda: site.desk.state(NUMBER) is State.SUSPENDED, 5)
    assert not system.simulator.may_call(NUMBER)
    assert [change.reason for change in site.changes].count("applied") == 1


def test_lying(site: Site, system: Moody) -> None:
    system.lies = True
    breach(site)
    site.until(lambda: site.desk.state(NUMBER) is State.SUSPENDED, 1)
    assert system.simulator.may_call(NUMBER)  # it is not
    assert site.until(lambda: "telephony_differs" in site.guards(), 10) <= 5.1
    site.pass_minutes(20)
    assert site.guards() == ["telephony_differs"]  # told once
    again = [change for change in site.changes if change.reason == "commanded_again"]
    assert 3 <= len(again) <= 6  # and commanded at each reconciliation
    site.pass_minutes(20)
    assert site.desk.state(NUMBER) is State.ACTIVE


def test_blocked_for_us_and_unknown_to_us(site: Site, system: Moody) -> None:
    site.step()
    until_ms = site.clock.now_ms() + 24 * 3_600_000
    system.simulator._blocked[NUMBER] = until_ms
    assert site.until(lambda: system.simulator.may_call(NUMBER), 10) <= 5.2
    assert site.guards() == ["telephony_differs"]
    site.pass_minutes(1)
    assert site.desk.state(NUMBER) is State.ACTIVE

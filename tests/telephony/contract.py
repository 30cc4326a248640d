"""What every telephony system keeps to, however it is spoken to; each adapter's tests inherit it.

A test file makes a :class:`Line`, the daemon's end and the far end together, and gives it by a
fixture ``line`` of its class.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from typing import Any

import pytest

from monitor.clock import Clock, SystemClock
from monitor.decisions import Ack, iso
from monitor.errors import DeliveryError
from monitor.telephony.base import AckSource, CommandChannel, Reconciler

NUMBER, OTHER = "+862150000007", "+862150000008"
AWAIT_S = 30.0
HOUR_MS = 3_600_000


class Line(ABC):
    """A telephony system with the daemon's end of it."""

    channel: CommandChannel
    acks: AckSource
    clock: Clock = SystemClock()
    lets_go = True
    """It obeys ``until`` without us."""
    refused = "no such number"
    """A number that it does not have."""

    @abstractmethod
    def may_call(self, number: str) -> bool:
        """Whether a call from ``number`` passes, seen from outside."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        threading.Event().wait(seconds)


class CutLine(Line):
    """One that can be cut."""

    @abstractmethod
    def cut(self) -> None:
        """It does not answer any more."""

    @abstractmethod
    def mend(self) -> None:
        """It answers again, with what it had."""


class TellingLine(Line):
    """One that says what it blocks."""

    reconciler: Reconciler

    @abstractmethod
    def forget(self) -> None:
        """It restarts, and blocks nothing."""


class SharedLine(TellingLine):
    """One whose table others use too."""

    @abstractmethod
    def block_by_hand(self, number: str) -> None:
        """Somebody else blocks ``number``."""


def command(
    command_id: str, action: str = "suspend", number: str = NUMBER, until_ms: int | None = None
) -> tuple[bytes, str, str]:
    """As the daemon sends it."""
    body: dict[str, Any] = {
        "command_id": command_id,
        "action": action,
        "number": number,
        "until": None if until_ms is None else iso(until_ms),
        "reason": "admitted",
        "rule": "number-hangup",
        "episode": "0a93",
        "evidence": None,
        "replacement": None,
        "issued_at": "2026-11-22T01:08:20Z",
    }
    return json.dumps(body).encode(), number, command_id


class TelephonyContract:
    """Inherited by a class ``Test…`` for each adapter."""

    def asked(self, line: Line, *commands: tuple[bytes, str, str]) -> list[Ack]:
        """Send them in order; their answers, which are as many."""
        for each in commands:
            line.channel.send(*each)
        return self.answers(line, len(commands))

    def answers(self, line: Line, count: int) -> list[Ack]:
        acks: list[Ack] = []
        end = line.clock.monotonic_s() + AWAIT_S
        while len(acks) < count:
            assert line.clock.monotonic_s() < end, f"only {acks}"
            acks += line.acks.poll()
            line.wait(0.01)
        return acks

    def test_a_suspended_number_cannot_call_and_another_can(self, line: Line) -> None:
        until_ms = line.clock.now_ms() + HOUR_MS
        assert line.may_call(NUMBER)
        (ack,) = self.asked(line, command("c1", until_ms=until_ms))
        assert (ack.command_id, ack.status) == ("c1", "applied")
        assert abs(ack.at_ms - line.clock.now_ms()) < 60_000
        assert not line.may_call(NUMBER)
        assert line.may_call(OTHER)

    def test_a_resumed_number_can_call(self, line: Line) -> None:
        acks = self.asked(line, command("c1"), command("c2", "resume"))
        assert [ack.status for ack in acks] == ["applied", "applied"]
        assert line.may_call(NUMBER)

    def test_letting_go_of_what_is_not_held_is_done(self, line: Line) -> None:
        (ack,) = self.asked(line, command("c1", "resume"))
        assert ack.status == "applied"

    def test_the_last_command_of_a_number_counts(self, line: Line) -> None:
        self.asked(line, command("c1"), command("c2", "resume"), command("c3"))
        assert not line.may_call(NUMBER)

    def test_a_repeat_is_answered_as_before_and_changes_nothing(self, line: Line) -> None:
        self.asked(line, command("c1"), command("c2", "resume"))
        (ack,) = self.asked(line, command("c1"))
        assert (ack.command_id, ack.status) == ("c1", "applied")
        assert line.may_call(NUMBER)

    def test_several_at_once(self, line: Line) -> None:
        numbers = [f"+8621600000{n:02}" for n in range(12)]
        line.channel.send_all([command(f"c{n}", number=n) for n in numbers])
        acks = self.answers(line, len(numbers))
        assert {ack.command_id for ack in acks} == {f"c{n}" for n in numbers}
        assert not any(line.may_call(number) for number in numbers)

    def test_it_lets_go_by_itself(self, line: Line) -> None:
        self.asked(line, command("c1", until_ms=line.clock.now_ms() + 2_000))
        assert not line.may_call(NUMBER)
        line.wait(4.0)
        assert line.may_call(NUMBER) is line.lets_go

    def test_a_new_end_replaces_the_old_one(self, line: Line) -> None:
        now_ms = line.clock.now_ms()
        self.asked(line, command("c1", until_ms=now_ms + 2_000))
        self.asked(line, command("c2", until_ms=now_ms + HOUR_MS))
        line.wait(4.0)
        assert not line.may_call(NUMBER)

    def test_what_it_cannot_do_is_rejected_with_words(self, line: Line) -> None:
        (ack,) = self.asked(line, command("c1", number=line.refused))
        assert ack.status == "rejected"
        assert ack.detail

    def test_it_goes_on_where_its_positions_say(self, line: Line) -> None:
        self.asked(line, command("c1"))
        assert set(line.acks.positions().values()) <= {1}
        line.acks.close()
        line.acks.close()
        line.channel.close()
        line.channel.close()


class CutContract(TelephonyContract):
    """Of those that can be cut."""

    def test_while_it_is_away_nothing_is_answered_and_afterwards_all_is_done(
        self, line: CutLine
    ) -> None:
        mark = line.channel.prepare()
        line.cut()
        with pytest.raises(DeliveryError) as caught:
            line.channel.send(*command("c1"))
        assert caught.value.retry
        assert line.acks.poll() == []
        line.mend()
        if not line.channel.already_sent("c1", mark):
            line.channel.send(*command("c1"))
        assert [ack.command_id for ack in self.answers(line, 1)] == ["c1"]
        assert not line.may_call(NUMBER)


class TellingContract(TelephonyContract):
    """Of those that say what they block."""

    def test_it_says_what_it_blocks(self, line: TellingLine) -> None:
        until_ms = line.clock.now_ms() + HOUR_MS
        self.asked(line, command("c1", until_ms=until_ms), command("c2", number=OTHER))
        found = line.reconciler.blocked([NUMBER, OTHER])
        assert found.ours.keys() == {NUMBER, OTHER}
        if found.timed:
            assert abs((found.ours[NUMBER] or 0) - until_ms) < 1_000
            assert found.ours[OTHER] is None
        self.asked(line, command("c3", "resume"), command("c4", "resume", OTHER))
        assert not line.reconciler.blocked([NUMBER, OTHER]).ours

    def test_after_its_restart_it_says_that_it_blocks_nothing(self, line: TellingLine) -> None:
        self.asked(line, command("c1"))
        line.forget()
        assert not line.reconciler.blocked([NUMBER]).ours
        assert line.may_call(NUMBER)
        self.asked(line, command("c2"))
        assert not line.may_call(NUMBER)


class SharedContract(TellingContract):
    """Of those that others use too."""

    def test_what_somebody_else_blocks_is_left_alone(self, line: SharedLine) -> None:
        line.block_by_hand(NUMBER)
        assert line.reconciler.blocked([NUMBER]).others == {NUMBER}
        acks = self.asked(line, command("c1"), command("c2", "resume"))
        assert [ack.status for ack in acks] == ["applied", "applied"]
        assert not line.may_call(NUMBER)
        assert line.reconciler.blocked([NUMBER]).others == {NUMBER}

"""The simulated telephony system, the log channel and what the settings open."""

from __future__ import annotations

import msgspec
import pytest
import structlog
from pydantic import ValidationError

from monitor.clock import ManualClock
from monitor.decisions import Ack, iso
from monitor.errors import SourceError
from monitor.source.base import Partition
from monitor.source.settings import KafkaConnection
from monitor.telephony.acks import AckReader
from monitor.telephony.base import AckSource, CommandChannel
from monitor.telephony.kafka import KafkaCommandChannel
from monitor.telephony.open import LogChannel, open_telephony
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import SimulatedTelephony, TelephonySimulator

NOW_MS = 1_795_338_000_000
NUMBER = "+862150000007"


def command(
    command_id: str, action: str = "suspend", number: str = NUMBER, until_ms: int | None = None
) -> bytes:
    until = None if until_ms is None else iso(until_ms)
    body = {"command_id": command_id, "action": action, "number": number, "until": until}
    return msgspec.json.encode(body | {"evidence": None})


def simulator(
    clock: ManualClock, answers_after_ms: int = 500, refuses: tuple[str, ...] = ()
) -> TelephonySimulator:
    return TelephonySimulator(clock, answers_after_ms=answers_after_ms, refuses=refuses)


def test_a_suspension_takes_effect_and_is_answered_after_the_delay() -> None:
    clock = ManualClock(NOW_MS)
    system = simulator(clock)
    assert system.take(command("c1"))
    clock.advance(499)
    assert system.answers() == []
    assert system.may_call(NUMBER)
    clock.advance(1)
    assert system.answers() == [Ack("c1", "applied", "", NOW_MS + 500)]
    assert not system.may_call(NUMBER)
    assert system.may_call("+862150000008")
    assert system.answers() == []


def test_a_number_is_let_go_at_until_by_itself() -> None:
    clock = ManualClock(NOW_MS)
    system = simulator(clock, 0)
    system.take(command("c1", until_ms=NOW_MS + 1_000))
    system.answers()
    clock.advance(999)
    assert system.blocked() == {NUMBER: NOW_MS + 1_000}
    clock.advance(1)
    assert system.blocked() == {}


def test_a_resume_lets_go_and_a_repeat_changes_nothing() -> None:
    clock = ManualClock(NOW_MS)
    system = simulator(clock, 0)
    for body in (command("c1"), command("c2", "resume"), command("c1")):
        system.take(body)
    first, _, repeated = system.answers()
    assert repeated == first
    assert system.may_call(NUMBER)


def test_resuming_what_is_not_suspended_is_fine() -> None:
    system = simulator(ManualClock(NOW_MS), 0)
    system.take(command("c1", "resume"))
    assert [ack.status for ack in system.answers()] == ["applied"]


def test_an_unknown_number_is_rejected() -> None:
    system = simulator(ManualClock(NOW_MS), 0, (NUMBER,))
    system.take(command("c1"))
    assert system.answers() == [Ack("c1", "rejected", "no such number", NOW_MS)]
    assert system.may_call(NUMBER)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", command("c1", "explode"), command("c1").replace(b"null", b'"x"')]
)
def test_what_is_no_command_is_not_taken(body: bytes) -> None:
    system = simulator(ManualClock(NOW_MS), 0)
    assert not system.take(body)
    assert system.answers() == []


def test_answers_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.telephony.simulated.KNOWN_COMMANDS_MAX", 2)
    clock = ManualClock(NOW_MS)
    system = simulator(clock, 0)
    for command_id in ("c1", "c2", "c3"):
        system.take(command(command_id))
    system.answers()
    clock.advance(10)
    system.take(command("c1"))  # forgotten: carried out again
    system.take(command("c3"))  # remembered
    assert [ack.at_ms for ack in system.answers()] == [NOW_MS + 10, NOW_MS]


def test_in_process_it_is_channel_and_answers_in_one() -> None:
    clock = ManualClock(NOW_MS)
    telephony = open_telephony(TelephonySettings(kind="simulated"), None, clock)
    channel: CommandChannel | None = telephony.channel
    acks: AckSource = telephony.acks
    assert isinstance(channel, SimulatedTelephony)
    assert telephony.answers
    acks.restore({Partition("simulated", 0): 3})
    mark = channel.prepare()
    channel.send(command("c1"), NUMBER, "c1")
    assert not channel.already_sent("c1", mark)
    assert acks.poll() == []
    clock.advance(500)
    assert [ack.command_id for ack in acks.poll()] == ["c1"]
    assert acks.positions() == {Partition("simulated", 0): 4}
    channel.close()


def test_the_log_channel_writes_a_line_and_nobody_answers() -> None:
    telephony = open_telephony(TelephonySettings(), None, ManualClock())
    assert isinstance(telephony.channel, LogChannel)
    assert not telephony.answers
    mark = telephony.channel.prepare()
    with structlog.testing.capture_logs() as lines:
        telephony.channel.send(command("c1"), NUMBER, "c1")
    assert [(line["event"], line["command_id"]) for line in lines] == [("telephony_command", "c1")]
    assert not telephony.channel.already_sent("c1", mark)
    telephony.acks.restore({})
    assert telephony.acks.poll() == []
    assert telephony.acks.positions() == {}
    telephony.acks.close()
    telephony.channel.close()


def test_kind_none_has_no_channel() -> None:
    telephony = open_telephony(TelephonySettings(kind="none"), None, ManualClock())
    assert telephony.channel is None


def test_kind_kafka_takes_the_sources_connection_or_its_own() -> None:
    source = KafkaConnection(bootstrap="source:9092")
    own = KafkaConnection(bootstrap="own:9092")
    for settings, expected in [
        (TelephonySettings(kind="kafka"), source),
        (TelephonySettings(kind="kafka", connection=own), own),
    ]:
        telephony = open_telephony(settings, source, ManualClock())
        assert isinstance(telephony.channel, KafkaCommandChannel)
        assert isinstance(telephony.acks, AckReader)
        assert telephony.channel._connection == expected
    with pytest.raises(SourceError, match="needs a connection"):
        open_telephony(TelephonySettings(kind="kafka"), None, ManualClock())


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [("log", "commands", "t"), ("kafka", "answers_after", "1s"), ("none", "send_timeout", "5s")],
)
def test_a_setting_without_effect_is_an_error(kind: str, name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} has no effect with kind: {kind}"):
        TelephonySettings.model_validate({"kind": kind, name: value})

"""The simulated telephony keeps to the contract, in this process and behind topics."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.source.settings import KafkaConnection
from monitor.telephony.open import open_telephony
from monitor.telephony.settings import TelephonySettings
from monitor.telephony.simulated import KafkaSimulator, SimulatedTelephony, TelephonySimulator
from tests.broker.broker import Cluster
from tests.telephony.contract import Line, TelephonyContract

_names = itertools.count()


class SimulatedLine(Line):
    """In this process, on a clock of its own."""

    def __init__(self) -> None:
        self.clock: ManualClock = ManualClock(1_795_338_000_000)
        self.simulator = TelephonySimulator(self.clock, answers_after_ms=0, refuses=(self.refused,))
        system = SimulatedTelephony(self.simulator)
        self.channel = self.acks = self.reconciler = system

    def may_call(self, number: str) -> bool:
        return self.simulator.may_call(number)

    def wait(self, seconds: float) -> None:
        self.clock.advance(round(seconds * 1000))

    def forget(self) -> None:
        self.simulator.forget()


class TestSimulated(TelephonyContract):
    @pytest.fixture
    def line(self) -> SimulatedLine:
        return SimulatedLine()


class KafkaLine(Line):
    """Topics with the simulator behind them."""

    def __init__(self, kafka: Cluster) -> None:
        name = f"contract.{next(_names)}"
        commands, acks = kafka.create_topic(f"{name}-out"), kafka.create_topic(f"{name}-in")
        settings = TelephonySettings.model_validate(
            {"kind": "kafka", "commands": commands, "acks": acks, "transactional_id": commands}
        )
        connection = KafkaConnection(bootstrap=kafka.bootstrap)
        telephony = open_telephony(settings, connection, SystemClock())
        assert telephony.channel is not None
        self.channel, self.acks = telephony.channel, telephony.acks
        simulator = TelephonySimulator(self.clock, answers_after_ms=0, refuses=(self.refused,))
        self.far = KafkaSimulator(simulator, settings, connection)
        self.acks.restore({})

    def may_call(self, number: str) -> bool:
        return self.far.simulator.may_call(number)

    def wait(self, seconds: float) -> None:
        end = self.clock.monotonic_s() + seconds
        self.far.step(0.01)
        while self.clock.monotonic_s() < end:
            self.far.step(min(0.1, max(0.01, end - self.clock.monotonic_s())))


@pytest.mark.kafka
class TestKafka(TelephonyContract):
    @pytest.fixture
    def line(self, kafka: Cluster) -> Iterator[Line]:
        made = KafkaLine(kafka)
        yield made
        made.channel.close()
        made.acks.close()
        made.far.close()

"""The threads: they deliver, they wake, they stop in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import SystemClock
from monitor.decisions import Decision
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.settings import DeliverySettings
from monitor.delivery.worker import DeliveryWorker
from monitor.stats import Stats
from monitor.store.outbox import Delivery, PlannedDelivery
from monitor.store.store import Recording, Store
from tests.delivery.doubles import Scripted, Topic, broken, wait_for
from tests.store.made import command, refusal

CLOCK = SystemClock()


def settings(**changes: Any) -> DeliverySettings:
    return DeliverySettings.model_validate(
        {"drain": "2s", "backoff": {"base": "1ms", "max": "2ms"}, **changes}
    )


def decisions(count: int) -> list[Decision]:
    now_ms = CLOCK.now_ms()
    return [refusal(now_ms, id=f"{now_ms}-{n}") for n in range(count)]


def queue(store: Store, made: list[Decision], *receivers: str, key: str = "k") -> list[str]:
    plan = [PlannedDelivery(d.id, receiver, key) for d in made for receiver in receivers]
    store.record(Recording(made, plan))
    return [decision.id for decision in made]


@pytest.fixture
def clock() -> SystemClock:
    return CLOCK


def test_each_receiver_gets_everything_in_order_and_one_that_hangs_holds_none_up(
    store: Store,
) -> None:
    hang = threading.Event()

    class Hanging(Scripted):
        def send(self, delivery: Delivery) -> None:
            hang.wait(20)
            super().send(delivery)

    good, flaky, hanging = Scripted(), Scripted([broken(), None, broken()]), Hanging()
    stats = Stats()
    worker = DeliveryWorker(
        settings(drain="100ms"),
        {"good": good, "flaky": flaky, "hanging": hanging},
        outbox=store.outbox,
        clock=CLOCK,
        stats=stats,
    )
    ids = queue(store, decisions(10), "good", "flaky", "hanging")
    worker.start()
    wait_for(lambda: flaky.sent == ids and good.sent == ids, "not delivered")
    more = queue(store, decisions(5), "good", "flaky")
    worker.wake()
    wait_for(lambda: flaky.sent == ids + more and good.sent == ids + more, "not woken")
    with capture_logs() as logs:
        assert not worker.stop()
    assert [line["event"] for line in logs] == ["delivery_stop_incomplete"]
    assert logs[0]["threads"] == ["delivery-hanging"]
    assert (good.closed, flaky.closed, hanging.closed) == (True, True, True)
    assert (stats.deliveries["good", "ok"], stats.deliveries["flaky", "ok"]) == (15, 15)
    assert stats.deliveries["flaky", "timeout"] == 2
    hang.set()
    wait_for(lambda: len(hanging.sent) == 1, "the last one did not end")
    for thread in worker._threads:
        thread.join(10)
    assert store.outbox.counts() == {("hanging", "queued"): 9}  # for the next start


def test_stopping_sends_what_is_due_first(store: Store) -> None:
    channel = Scripted()
    worker = DeliveryWorker(
        settings(), {"r": channel}, outbox=store.outbox, clock=CLOCK, stats=Stats()
    )
    ids = queue(store, decisions(50), "r")
    worker._stopping.set()  # as if stop came before the thread's first look
    worker.start()
    assert worker.stop()
    assert channel.sent == ids


def test_a_retry_in_the_distance_does_not_hold_up_stopping(store: Store) -> None:
    channel = Scripted([broken()] * 99)
    worker = DeliveryWorker(
        settings(drain="10s", backoff={"base": "5m", "max": "5m"}),
        {"r": channel},
        outbox=store.outbox,
        clock=CLOCK,
        stats=Stats(),
        draw=lambda: 0.9,
    )
    queue(store, decisions(2), "r")
    worker.start()
    wait_for(lambda: bool(channel.attempts), "no attempt")
    started_s = CLOCK.monotonic_s()
    assert worker.stop()
    assert CLOCK.monotonic_s() - started_s < 5
    assert len(channel.attempts) == 1


class Silent(Scripted):
    """It connects when it is let; whatever is asked of it afterwards is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.connects = threading.Event()
        self.asked = 0

    def prepare(self) -> str:
        self.connects.wait(20)
        self.asked += 1
        return super().prepare()


def silent(store: Store) -> tuple[DeliveryWorker, Silent]:
    channel = Silent()
    worker = DeliveryWorker(
        settings(drain="20s"), {"r": channel}, outbox=store.outbox, clock=CLOCK, stats=Stats()
    )
    return worker, channel


def test_a_first_connection_that_nothing_needs_is_not_waited_for(store: Store) -> None:
    worker, channel = silent(store)
    worker.start()
    started_s = CLOCK.monotonic_s()
    with capture_logs() as logs:
        assert worker.stop()
        assert CLOCK.monotonic_s() - started_s < 10
        channel.closed = False
        queue(store, decisions(1), "r")  # by another daemon, which has the store now
        channel.connects.set()
        for thread in worker._threads:
            thread.join(10)
    assert (logs, channel.asked, channel.sent) == ([], 1, [])
    assert channel.closed, "what it had opened after all"


def test_one_that_never_started_is_stopped(store: Store) -> None:
    worker, channel = silent(store)
    assert worker.stop()
    assert channel.closed


@pytest.mark.parametrize("sending", [False, True], ids=["queued", "left by a crash"])
def test_a_first_connection_that_something_needs_is_waited_for(
    store: Store, *, sending: bool
) -> None:
    worker, channel = silent(store)
    ids = queue(store, decisions(1), "r")
    if sending:
        store.outbox.claim("r", limit=1)
    assert store.outbox.owes("r")
    worker.start()
    threading.Timer(0.2, channel.connects.set).start()
    assert worker.stop()
    assert channel.sent == ids
    assert not store.outbox.owes("r")


def test_deliveries_of_receivers_that_are_gone_are_parked_at_the_start(store: Store) -> None:
    queue(store, decisions(3), "gone")
    worker = DeliveryWorker(settings(), {}, outbox=store.outbox, clock=CLOCK, stats=Stats())
    with capture_logs() as logs:
        worker.start()
    assert worker.stop()
    (line,) = logs
    assert (line["event"], line["receiver"], line["count"]) == ("deliveries_parked", "gone", 3)
    assert store.outbox.counts() == {("gone", "parked"): 3}


def test_at_the_start_whoever_waits_for_an_answer_is_told_what_nobody_will_get(
    store: Store,
) -> None:
    ids = queue(store, decisions(2), "gone")
    again = queue(store, [command(CLOCK.now_ms())], "was")
    told: list[tuple[str, str]] = []
    here = Scripted()
    worker = DeliveryWorker(
        settings(),
        {"here": here},
        outbox=store.outbox,
        clock=CLOCK,
        stats=Stats(),
        gone=lambda decision, receiver: told.append((decision, receiver)),
        formerly={"was": "here"},
    )
    with capture_logs() as logs:
        worker.start()
    wait_for(lambda: here.sent == again, "not delivered under its new name")
    worker.stop()
    assert told == [(name, "gone") for name in ids]
    assert [line["event"] for line in logs[:2]] == ["deliveries_rerouted", "deliveries_parked"]


def test_a_stale_suspension_is_counted_as_a_command_of_telephony_only(store: Store) -> None:
    topic, told = Topic(), Scripted()
    stats = Stats()
    worker = DeliveryWorker(
        settings(),
        {"telephony": CommandsChannel(topic), "log": told},
        outbox=store.outbox,
        clock=CLOCK,
        stats=stats,
    )
    over = command(1_000)
    queue(store, [over, replace(over, id="c2", until_ms=None)], "telephony", "log")
    worker.start()
    wait_for(lambda: len(told.sent) == 2 and bool(topic.records), "not delivered")
    assert worker.stop()
    assert [command_id for _, command_id, _ in topic.records] == ["c2"]
    assert stats.commands == {("suspend", "stale"): 1}
    assert told.sent == [over.id, "c2"]
    assert stats.deliveries["telephony", "stale"] == 1


def test_a_fault_in_a_lane_is_logged_and_survived(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Scripted()
    worker = DeliveryWorker(
        settings(), {"r": channel}, outbox=store.outbox, clock=CLOCK, stats=Stats()
    )
    (lane,) = worker.lanes
    step: Callable[[float | None], int] = lane.step
    faults = [ZeroDivisionError("ours")]

    def faulty(deadline_s: float | None = None) -> int:
        if faults:
            raise faults.pop()
        return step(deadline_s)

    monkeypatch.setattr(lane, "step", faulty)
    ids = queue(store, decisions(1), "r")
    with capture_logs() as logs:
        worker.start()
        wait_for(lambda: not faults, "no step")
        worker.wake()
        wait_for(lambda: channel.sent == ids, "the lane is dead")
        assert worker.stop()
    assert [line["event"] for line in logs] == ["delivery_lane_failed"]


@pytest.mark.parametrize("fault", [None, broken(), ZeroDivisionError("ours")])
def test_a_channel_is_connected_before_there_is_anything_to_send(
    store: Store, fault: Exception | None
) -> None:
    class Connecting(Scripted):
        connected = 0

        def prepare(self) -> str:
            self.connected += 1
            if self.connected == 1 and fault is not None:
                raise fault
            return ""

    channel = Connecting()
    worker = DeliveryWorker(
        settings(), {"r": channel}, outbox=store.outbox, clock=CLOCK, stats=Stats()
    )
    with capture_logs() as logs:
        worker.start()
        wait_for(lambda: channel.connected > 0, "it is never connected")
        ids = queue(store, decisions(1), "r")
        worker.wake()
        wait_for(lambda: channel.sent == ids, "the lane is dead")
        assert worker.stop()
    ours = isinstance(fault, ZeroDivisionError)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == (
        ["delivery_lane_failed"] if ours else []
    )

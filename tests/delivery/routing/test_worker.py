"""The dispatcher's thread beside the lanes, and receivers that show what fires."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

from structlog.testing import capture_logs

from monitor.clock import ManualClock, SystemClock
from monitor.delivery.quiet import Quiet
from monitor.delivery.routes import Router
from monitor.delivery.routing.board import Board
from monitor.delivery.routing.dispatcher import Dispatcher
from monitor.delivery.worker import DeliveryWorker
from monitor.people.desk import PeopleDesk
from monitor.stats import Stats
from monitor.store.outbox import PlannedDelivery
from monitor.store.routed import RECEIVER
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.delivery.doubles import Digesting, wait_for
from tests.delivery.routing.scene import settings_of
from tests.store.made import alert, refusal

CLOCK = SystemClock()


def test_the_thread_routes_is_woken_survives_a_fault_and_stops(tmp_path: Path) -> None:
    settings = settings_of(routing=[{"name": "all", "to": ["ops"]}])
    router = Router(settings, telephony=False)
    now_ms = CLOCK.now_ms()
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), CLOCK) as store:
        channel = Digesting()
        dispatcher = Dispatcher(store, CLOCK, lambda: router.people, waiting_max=100)
        worker = DeliveryWorker(
            settings,
            {"ops": channel},
            outbox=store.outbox,
            clock=CLOCK,
            stats=Stats(),
            dispatcher=dispatcher,
        )
        first, second = alert(now_ms), alert(now_ms + 1)
        store.record(Recording([first], router.plan_all([first])))
        with capture_logs() as logs:
            failing = [RuntimeError("ours")]
            take = Board.take

            def broken(self: Board, *arguments: object) -> None:
                if failing:
                    raise failing.pop()
                take(self, *arguments)  # type: ignore[arg-type]

            with mock.patch.object(Board, "take", broken):
                worker.start()
                wait_for(lambda: channel.sent == [first.id], "not told")
        assert "routing_failed" in {line["event"] for line in logs}
        store.record(Recording([second], router.plan_all([second])))
        worker.wake()
        wait_for(lambda: channel.sent == [first.id, second.id], "not woken")
        assert worker.stop()
        assert dispatcher.busy_since_s is None


def test_without_a_dispatcher_what_waits_for_routes_is_parked(tmp_path: Path) -> None:
    settings = settings_of(routing=[{"name": "all", "to": ["ops"]}])
    router = Router(settings, telephony=False)
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), CLOCK) as store:
        first = alert(CLOCK.now_ms())
        store.record(Recording([first], router.plan_all([first])))
        worker = DeliveryWorker(settings, {}, outbox=store.outbox, clock=CLOCK, stats=Stats())
        worker.start()
        assert worker.stop()
        assert store.outbox.counts() == {(RECEIVER, "parked"): 1}


def test_who_shows_what_fires_shows_what_its_routes_say_and_nothing_silenced(
    tmp_path: Path,
) -> None:
    receivers = {"am": {"type": "alertmanager", "url": "http://127.0.0.1:9093"}}
    routing = [{"name": "t1", "match": {"team": "t1"}, "to": ["am"]}]
    settings = settings_of(receivers=receivers, people={}, routing=routing)
    router = Router(settings, telephony=False)
    mine, other = alert(scope=(("team", "t1"),)), alert(scope=(("team", "t2"),))
    assert router.showing(mine, 0) == ("am",)
    assert router.showing(other, 0) == ()
    assert router.showing(alert(scope=(("agent", "a1"),)), 0, "t1") == ("am",)
    assert router.showing(alert(shadow=True), 0) == ("log",)
    legacy = Router(settings_of(receivers=receivers, people={}, default=["am"]), telephony=False)
    assert legacy.showing(mine, 0) == ("am",)
    clock = ManualClock(1_000_000)
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), clock) as store:
        store.record(Recording([mine], teams={mine.episode: "t1"}))
        quiet = Quiet(store, clock, dict)
        wave = refusal(number="", guard="brake", episode="")
        store.record(Recording([wave], [PlannedDelivery(wave.id, "am", "")]))
        assert quiet.paged(replace(mine, inhibited_by=wave.id)) == {"am"}
        assert quiet.paged(replace(mine, inhibited_by="another")) == frozenset()
        assert quiet.paged(mine) == frozenset()
        assert quiet.silence(mine) is None
        assert quiet.team(mine) == "t1"
        assert quiet.team(other) == ""
        PeopleDesk(store, clock).silence({"team": "t1"}, 2_000_000, "wang", "works")
        clock.advance(3_000)
        assert quiet.silence(mine) is not None
        assert quiet.silence(other) is None
        assert quiet.until_ms(mine) == 1_063_000

"""A desk, its store and its telephony on a clock of the tests: everything but the windows."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from monitor.clock import ManualClock
from monitor.decisions import Ack, Decision, Found, ManualAction, NumberChange, Refusal, Want
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.routes import Router
from monitor.delivery.settings import DeliverySettings
from monitor.delivery.worker import DeliveryWorker
from monitor.engine import Outcome
from monitor.numbers.desk import NumberDesk
from monitor.numbers.settings import NumbersSettings, PoolsSettings
from monitor.recorder import StoreRecorder
from monitor.stats import Stats
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from monitor.telephony.base import AckSource, CommandChannel, Reconciler
from monitor.telephony.reconcile import Reconciling

START_MS = 1_800_000_000_000
TICK_MS = 5_000


class Site:
    """Stepped tick by tick; wall time and event time are one."""

    def __init__(
        self,
        folder: Path,
        channel: CommandChannel,
        acks: AckSource,
        reconciler: Reconciler | None,
        clock: ManualClock,
    ) -> None:
        self.clock = clock
        numbers = NumbersSettings.model_validate({"reconcile_every": "5m"})
        pools = PoolsSettings.model_validate({"defaults": {"max_fraction": "100%"}})
        self.desk = NumberDesk(pools, numbers, tick_ms=TICK_MS)
        self.store = Store.open(StoreSettings(path=folder / "monitor.db"), clock)
        delivery = DeliverySettings()
        self.recorder = StoreRecorder(
            self.store,
            Router(delivery, telephony=True),
            acks,
            clock=clock,
            stop=threading.Event(),
            ack_timeout_ms=numbers.ack_timeout,
        )
        self.recorder.awaited = lambda: self.desk.awaited
        (self.lane,) = DeliveryWorker(
            delivery,
            {"telephony": CommandsChannel(channel)},
            outbox=self.store.outbox,
            clock=clock,
            stats=Stats(),
            draw=random.Random(1).random,
            stale=self.recorder.stale,
        ).lanes
        self.reconciling = Reconciling(
            {} if reconciler is None else {"telephony": reconciler},
            lambda _number: ("telephony",),
            every_ms=numbers.reconcile_every,
            clock=clock,
        )
        self.recorder.found = self._found
        self.told: list[Refusal] = []
        self.changes: list[NumberChange] = []
        self.wants: Sequence[Want] = ()
        self.manual: list[ManualAction] = []

    def until(self, met: Callable[[], bool], minutes: float = 120) -> float:
        """Step until ``met``; how many minutes that took.

        Raises:
            AssertionError: it is not within ``minutes``.
        """
        began_ms = self.clock.now_ms()
        while not met():
            took = (self.clock.now_ms() - began_ms) / 60_000
            assert took <= minutes, f"not within {minutes} minutes"
            self.step()
        return (self.clock.now_ms() - began_ms) / 60_000

    def pass_minutes(self, minutes: float) -> None:
        """Step through them."""
        for _ in range(round(minutes * 60_000 / TICK_MS)):
            self.step()

    def step(self) -> None:
        """A tick, and all that is due of deliveries."""
        self.clock.advance(TICK_MS)
        tick = self.clock.now_ms()
        inputs = [each.what for each in self.recorder.inputs(tick)]
        acks = [what for what in inputs if isinstance(what, Ack)]
        found = [what for what in inputs if isinstance(what, Found)]
        manual, self.manual = self.manual, []
        step = self.desk.step(tick, self.wants, [], acks, manual, found=found)
        decisions: list[Decision] = [*step.commands, *step.refusals]
        self.recorder.record(Outcome(tick, decisions, step.changes))
        self.told += step.refusals
        self.changes += step.changes
        while self.lane.step() == 0:
            pass
        self.lane.step()

    def guards(self) -> list[str]:
        """What people were told of, in order."""
        return [refusal.guard for refusal in self.told]

    def waiting(self) -> int:
        """Commands that telephony has not been given, and will be."""
        counts = self.store.outbox.counts().items()
        going = ("queued", "sending", "retry")
        return sum(n for (name, state), n in counts if name == "telephony" and state in going)

    def close(self) -> None:
        self.store.close()

    def _found(self) -> list[Ack | Found]:
        found = self.reconciling.poll(self.desk)
        for thread in threading.enumerate():
            if thread.name == "telephony-reconcile":
                thread.join(30)
        return [*found, *self.reconciling.poll(self.desk)]

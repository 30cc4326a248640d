"""The threads that deliver, apart from the engine's.

Owns start, waking and stopping: one thread a receiver, so that none waits for another. They share
nothing but the outbox.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from monitor.clock import Clock
from monitor.decisions import Alert
from monitor.delivery.attempts import Policy
from monitor.delivery.channels.base import Channel
from monitor.delivery.lane import Lane
from monitor.delivery.pacing import Pacer
from monitor.delivery.routing.dispatcher import Dispatcher
from monitor.delivery.settings import DeliverySettings, WebhookReceiver
from monitor.errors import DeliveryError, StoreError
from monitor.stats import Stats
from monitor.store.outbox import NO_SUCH_RECEIVER, Delivery, Outbox

log = structlog.get_logger(__name__)

_CRASH_PAUSE_MS = 1_000


class DeliveryWorker:
    """Delivers what the outbox holds, from :meth:`start` to :meth:`stop`."""

    def __init__(
        self,
        settings: DeliverySettings,
        channels: Mapping[str, Channel],
        *,
        outbox: Outbox,
        clock: Clock,
        stats: Stats,
        draw: Callable[[], float] = random.random,
        stale: Callable[[Delivery], None] = lambda _delivery: None,
        gone: Callable[[str, str], None] = lambda _decision, _receiver: None,
        formerly: Mapping[str, str] = MappingProxyType({}),
        quiet: Callable[[Alert], int | None] = lambda _alert: None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        """``channels`` by receiver; ``draw`` gives the jitter, uniform in [0, 1).

        ``quiet``: see ``monitor.delivery.quiet``; ``dispatcher``: who says whom alerts go to.

        ``stale`` is told, from a delivery thread, of each command that was not sent because its
        time was over; ``gone``, at the start, of each decision whose receiver is gone.
        ``formerly``: receivers of today by the names they had.
        """
        self._stale = stale
        self._gone = gone
        self._formerly = formerly
        self._quiet = quiet
        self._dispatcher = dispatcher
        self._settings = settings
        self._outbox = outbox
        self._clock = clock
        self._stats = stats
        self._stats_turn = threading.Lock()
        self._stopping = threading.Event()
        self._deadline_s: float | None = None
        self.lanes = [
            self._lane(receiver, channel, draw) for receiver, channel in sorted(channels.items())
        ]
        self._bells = [threading.Event() for _ in self.lanes]
        self._routing_bell = threading.Event()
        if dispatcher is not None:
            dispatcher.wake = self._wake_lanes
        self._threads: list[threading.Thread] = []
        self._connecting: set[Lane] = set()
        """Lanes that have not yet come to look at what there is to send."""
        self._left: set[Lane] = set()
        """Those that nobody waits for any more: their channels are closed."""
        self._lanes_turn = threading.Lock()

    def start(self) -> None:
        """Start delivering; what waits for receivers that no longer exist is parked.

        Raises:
            StoreError: the outbox cannot be read.
        """
        for receiver, count in self._outbox.reroute(self._formerly).items():
            log.info("deliveries_rerouted", was=receiver, now=self._formerly[receiver], count=count)
        known = [lane.receiver for lane in self.lanes]
        known += [] if self._dispatcher is None else [self._dispatcher.receiver]
        parked = self._outbox.abandon(known)
        for receiver, decision in parked:
            self._gone(decision, receiver)
        for receiver, count in sorted(Counter(receiver for receiver, _ in parked).items()):
            log.error("deliveries_parked", receiver=receiver, reason=NO_SUCH_RECEIVER, count=count)
        for lane, bell in zip(self.lanes, self._bells, strict=True):
            thread = threading.Thread(
                target=self._run,
                args=(lane, bell),
                name=f"delivery-{lane.receiver}",
                daemon=True,  # a receiver that hangs must not keep the process
            )
            self._connecting.add(lane)
            self._threads.append(thread)
            thread.start()
        if self._dispatcher is not None:
            thread = threading.Thread(
                target=self._route, args=(self._dispatcher,), name="delivery-routing", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """New deliveries were recorded; never blocks."""
        self._routing_bell.set()
        self._wake_lanes()

    def _wake_lanes(self) -> None:
        for bell in self._bells:
            bell.set()

    def _route(self, dispatcher: Dispatcher) -> None:
        bell = self._routing_bell
        while not self._stopping.is_set():
            bell.clear()
            try:
                wait_ms = dispatcher.step()
            except Exception:
                # A fault of ours must not end it for good, or in silence.
                log.exception("routing_failed")
                wait_ms = _CRASH_PAUSE_MS
            if wait_ms > 0 and not self._stopping.is_set():
                self._clock.wait(bell, wait_ms / 1000)

    def stop(self) -> bool:
        """Send what is due for at most ``drain``, then stop; whether all that was begun has ended.

        What is not sent stays in the outbox for the next start. A first connection that is still on
        its way is not waited for where there is nothing to send.
        """
        drain_s = self._settings.drain / 1000
        self._deadline_s = self._clock.monotonic_s() + drain_s
        self._stopping.set()
        self.wake()
        lanes = dict(zip(self._threads, self.lanes, strict=False))  # routing has none
        waited_for = [t for t in self._threads if t not in lanes or not self._leaves(lanes[t])]
        for thread in waited_for:
            left_s = max(0.0, self._deadline_s - self._clock.monotonic_s())
            thread.join(left_s + 0.5)  # the last attempt's bookkeeping
        hanging = [thread.name for thread in waited_for if thread.is_alive()]
        if hanging:
            detail = "what they had begun is looked up, or sent again with its id, after a start"
            log.warning("delivery_stop_incomplete", threads=hanging, detail=detail)
        for lane in self.lanes:
            lane.channel.close()
        return not hanging

    def _run(self, lane: Lane, bell: threading.Event) -> None:
        self._connect(lane)
        with self._lanes_turn:
            self._connecting.discard(lane)
            left = lane in self._left
        if left:
            lane.channel.close()  # what was opened after the others were closed
            return
        while not self._stopping.is_set():
            bell.clear()
            wait_ms = self._step(lane)
            if wait_ms > 0 and not self._stopping.is_set():
                self._clock.wait(bell, wait_ms / 1000)
        while self._time_left() and self._step(lane) == 0:
            pass

    @staticmethod
    def _connect(lane: Lane) -> None:
        """The first command shall not wait for a connection; what fails is told when one does."""
        try:
            lane.channel.prepare()
        except DeliveryError as fault:
            log.debug("not_connected_yet", receiver=lane.receiver, detail=str(fault))
        except Exception:
            log.exception("delivery_lane_failed", receiver=lane.receiver)

    def _leaves(self, lane: Lane) -> bool:
        """Give it up where its first connection, which may never come, is all that it is at."""
        try:
            owes = self._outbox.owes(lane.receiver)
        except StoreError:
            owes = True
        with self._lanes_turn:
            if owes or lane not in self._connecting:
                return False
            self._left.add(lane)
            return True

    def _time_left(self) -> bool:
        return self._deadline_s is None or self._clock.monotonic_s() < self._deadline_s

    def _step(self, lane: Lane) -> int:
        try:
            return lane.step(self._deadline_s)
        except Exception:
            # A fault of ours in one lane must not end deliveries for good, or in silence.
            log.exception("delivery_lane_failed", receiver=lane.receiver)
            return _CRASH_PAUSE_MS

    def _lane(self, receiver: str, channel: Channel, draw: Callable[[], float]) -> Lane:
        settings = self._settings
        made = settings.known_receivers().get(receiver)

        def count(result: str) -> None:
            with self._stats_turn:
                self._stats.deliveries[receiver, result] += 1
                if result == "stale":
                    self._stats.commands["suspend", "stale"] += 1

        return Lane(
            receiver,
            channel,
            outbox=self._outbox,
            clock=self._clock,
            policy=Policy(
                stale_after_ms=settings.stale_after,
                max_age_ms=settings.max_age,
                max_attempts=settings.max_attempts,
                backoff_base_ms=settings.backoff.base,
                backoff_max_ms=settings.backoff.max,
            ),
            pacer=channel.pacer or Pacer(made.rate if isinstance(made, WebhookReceiver) else None),
            draw=draw,
            count=count,
            stale=self._stale,
            quiet=self._quiet,
        )

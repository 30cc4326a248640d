"""Delivery as one run has it: channels with what they tell, lanes, routing to people.

Owns how these look at the run around them: at the routes of the last reload, at silences, and at
the records that came lately. What each does is ``monitor.delivery`` and ``monitor.explain``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from monitor.assembly import connect_topic
from monitor.clock import Clock
from monitor.decisions import Alert
from monitor.delivery.build import open_channels
from monitor.delivery.messages.messages import Sources
from monitor.delivery.messages.templates import Templates
from monitor.delivery.quiet import Quiet
from monitor.delivery.remarks import NoRemarks
from monitor.delivery.routes import Router
from monitor.delivery.routing.dispatcher import Dispatcher
from monitor.delivery.worker import DeliveryWorker
from monitor.engine import Engine
from monitor.explain.background import SiteBackground
from monitor.explain.remarks import FreshRemarks
from monitor.recorder import StoreRecorder
from monitor.running.watchdog import Busy
from monitor.site import Site
from monitor.stats import Stats
from monitor.store.store import Store
from monitor.telephony.open import Telephony
from monitor.telephony.settings import is_system


class Delivery:
    """Everything between the outbox and who is told; nothing is connected yet."""

    def __init__(
        self,
        site: Site,
        now: Callable[[], Site],
        *,
        store: Store,
        recorder: StoreRecorder,
        telephony: Telephony,
        clock: Clock,
        stats: Stats,
    ) -> None:
        """``site``: what the run began with; ``now``: what a reload has put in place since.

        Raises:
            ConfigError, SecretError: a secret of a receiver is missing.
        """
        settings = site.config.delivery
        quiet = Quiet(store, clock, lambda: recorder.router.people.packs)
        self._explains = bool(settings.explain)
        self._remarks = FreshRemarks(now, clock, within_ms=settings.explain)
        self._dispatcher = Dispatcher(
            store, clock, lambda: recorder.router.people, waiting_max=settings.waiting_max
        )
        channels = open_channels(
            settings,
            router=_RouterOfTheDay(recorder, quiet),
            episodes=store.episodes,
            clock=clock,
            telephony=telephony.channels,
            topics=partial(connect_topic, site.config, clock),
            sources=Sources(
                templates=Templates(settings.templates),
                remarks=self._remarks if self._explains else NoRemarks(),
                background=SiteBackground(now, store.history),
                console=site.config.web.public_url,
                zone=site.config.web.zone,
            ),
        )
        self.worker = DeliveryWorker(
            settings,
            channels,
            outbox=store.outbox,
            clock=clock,
            stats=stats,
            stale=recorder.stale,
            gone=partial(_gone, recorder),
            formerly=site.config.telephony.formerly(),
            quiet=quiet.until_ms,
            dispatcher=self._dispatcher,
        )
        recorder.wake = self.worker.wake

    @property
    def busy(self) -> tuple[Busy, ...]:
        """What may be stuck, for the watchdog."""
        return (*self.worker.lanes, self._dispatcher)

    def watch(self, engine: Engine) -> None:
        """From now on remarks look at what the engine releases, where they are wanted."""
        if self._explains:
            self._remarks.places = engine.watermarks.partitions
            engine.on_rows = self._remarks.offer
            self._remarks.start()

    def unwatch(self) -> None:
        """Remarks look no more, and who waits for one goes without; twice is fine."""
        self._remarks.stop()


def _gone(recorder: StoreRecorder, decision: str, receiver: str) -> None:
    """What no system will answer any more; of other receivers nobody waits for an answer."""
    if is_system(receiver):
        recorder.gone(decision, receiver)


class _RouterOfTheDay(Router):
    """What the recorder routes by now: channels are opened once, and routes can be reloaded."""

    def __init__(self, recorder: StoreRecorder, quiet: Quiet) -> None:
        self._recorder = recorder
        self._quiet = quiet

    def showing(self, alert: Alert, now_ms: int, team: str = "") -> tuple[str, ...]:
        """The receivers that show an alert, as of the last reload; none where it is silenced."""
        if self._quiet.silence(alert) is not None:
            return ()
        router = self._recorder.router
        known = team or (self._quiet.team(alert) if router.people.on else "")
        paged = self._quiet.paged(alert)
        return tuple(n for n in router.showing(alert, now_ms, known) if n not in paged)

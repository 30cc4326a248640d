"""The daemon: every concrete part, in the order they start and stop.

Owns construction and order alone. What happens to events is ``monitor.engine``, what happens around
it ``monitor.running``; which class a setting means is ``monitor.assembly``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog

from monitor.assembly import (
    build_judges,
    connect_telephony,
    connect_topic,
    open_archiver,
    open_dead_letters,
    open_source,
)
from monitor.clock import Clock, SystemClock
from monitor.config import Config
from monitor.decisions import Ack, Alert, Command, Decision, Found
from monitor.delivery.build import open_channels
from monitor.delivery.messages.messages import Sources
from monitor.delivery.messages.templates import Templates
from monitor.delivery.quiet import Quiet
from monitor.delivery.remarks import NoRemarks
from monitor.delivery.routes import Router
from monitor.delivery.routing.dispatcher import Dispatcher
from monitor.delivery.worker import DeliveryWorker
from monitor.engine import Engine, Pace
from monitor.events.ahead import ReadAhead
from monitor.events.customers import Customers
from monitor.events.enrich import Owners
from monitor.explain.background import SiteBackground
from monitor.explain.reading import Reading
from monitor.explain.remarks import FreshRemarks
from monitor.exporter.server import ExporterServer
from monitor.indicators.compile import BEGINNING
from monitor.interfaces import open_web
from monitor.people.teams import Teams
from monitor.recorder import StoreRecorder
from monitor.running import loop
from monitor.running.beside import ThreadBeside
from monitor.running.closing import close_all
from monitor.running.parts import Parts
from monitor.running.resume import load_state, resume, unfinished
from monitor.running.standby import Stop, take_turns
from monitor.running.standing import Standing
from monitor.running.watchdog import Beat, Watchdog
from monitor.site import Site
from monitor.snapshot import Board
from monitor.source.aside import Aside
from monitor.source.settings import KafkaSettings
from monitor.stats import Stats
from monitor.store.checkpoint import CheckpointStore
from monitor.store.checkpoints import open_checkpoints
from monitor.store.store import Store
from monitor.telephony.moved import Moved
from monitor.telephony.reconcile import Reconciling
from monitor.telephony.settings import is_system
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import Watermarks

log = structlog.get_logger(__name__)


class Daemon:
    """One running daemon; :meth:`run` from start to stop."""

    def __init__(
        self,
        site: Site,
        *,
        path: Path | None = None,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """``path``: the configuration file, for reloads; ``environ``: where tokens are."""
        self.site = site
        self.board = Board()
        self.stats = Stats()
        self.stop = Stop()
        """Set it, and :meth:`run` ends with a checkpoint."""
        self.reload = threading.Event()
        """Set it, and the configuration is read again before the next step."""
        self.recorder: StoreRecorder | None = None
        """What has been decided lately, once :meth:`run` works."""
        self.port: int | None = None
        """Where figures are served, once :meth:`run` listens."""
        self.web_port: int | None = None
        """Where interfaces are served, once :meth:`run` listens and they are on."""
        self.reloaded: Callable[[Site], None] = lambda _site: None
        """Told of each configuration that a reload has put in place."""
        self._path = path
        self._clock = SystemClock() if clock is None else clock
        self._environ = {} if environ is None else environ

    def run(self) -> None:
        """Start everything, work until :attr:`stop` is set, stop everything.

        Raises:
            StoreError: the store cannot be opened, or refuses while stopping.
            SourceError: the source can never be read.
            UsageError: an address or a token is not to be had.
            SecretError: a secret of ``web`` is not where the configuration says.
        """
        config = self.site.config
        with contextlib.ExitStack() as servers:
            if config.exporter.enabled:
                exporter = ExporterServer(self.board, config.exporter, self._clock, self._environ)
                servers.callback(exporter.stop)
                exporter.start()
                self.port = exporter.port
            explain = Reading(lambda: self.site)
            web = open_web(
                config, self.board, self._clock, self.stats.web, explain, self._lately,
                lambda: (self.site.rules, self.site.indicators),
                lambda: self.site.packs_of_rules,
            )  # fmt: skip
            if web is not None:
                servers.callback(web.stop)
                web.start()
                self.web_port = web.port
            if config.store.url is None:
                with self.stop.tied() as over:
                    self._work(over)
            else:
                take_turns(config.store, self._clock, self.stop, self.board, self._work)

    def _work(self, over: threading.Event, token: int | None = None) -> None:
        """Work until ``over`` is set; ``token``: of the lease, on PostgreSQL."""
        settings = self.site.config.store
        with (
            Store.open(settings, self._clock, token=token, hurry=over.is_set) as store,
            contextlib.closing(
                open_checkpoints(settings, token=token, hurry=over.is_set)
            ) as checkpoints,
        ):
            self._work_with(store, checkpoints, over)

    def _work_with(self, store: Store, checkpoints: CheckpointStore, over: threading.Event) -> None:
        state = load_state(checkpoints)
        before = unfinished(state, store, self.site)
        if before is not None:
            with self._run_of(before.site, store, checkpoints, over) as (parts, standing, _):
                resume(parts, standing, state)
                loop.finish(parts, standing, before.until_ms)
            state = load_state(checkpoints)
        if over.is_set():
            return
        with self._run_of(self.site, store, checkpoints, over) as (parts, standing, worker):
            resume(parts, standing, state)
            worker.start()
            loop.run(parts, standing)

    @contextlib.contextmanager
    def _run_of(
        self, site: Site, store: Store, checkpoints: CheckpointStore, over: threading.Event
    ) -> Iterator[tuple[Parts, Standing, DeliveryWorker]]:
        """The parts of one run, built in order; stopped and closed in the other."""
        config = site.config
        archiver = open_archiver(site, self._clock, self.stats)
        telephony = connect_telephony(config, self._clock)

        def systems(command: Command) -> tuple[str, ...]:
            return telephony.receivers(command, engine.judges.desk.book.dialled_for(command.number))

        router = Router(
            config.delivery,
            telephony=bool(telephony.channels),
            systems=systems,
            packs=site.packs_of_rules,
        )
        recorder = StoreRecorder(
            store,
            router,
            telephony.acks,
            clock=self._clock,
            stop=over,
            ack_timeout_ms=config.numbers.ack_timeout,
        )
        within_ms = config.delivery.explain
        remarks = FreshRemarks(lambda: self.site, self._clock, within_ms=within_ms)
        quiet = Quiet(store, self._clock, lambda: recorder.router.people.packs)
        channels = open_channels(
            config.delivery,
            router=_RouterOfTheDay(recorder, quiet),
            episodes=store.episodes,
            clock=self._clock,
            telephony=telephony.channels,
            topics=partial(connect_topic, config, self._clock),
            sources=Sources(
                templates=Templates(config.delivery.templates),
                remarks=remarks if within_ms else NoRemarks(),
                background=SiteBackground(lambda: self.site, store.history),
                console=config.web.public_url,
                zone=config.web.zone,
            ),
        )
        dispatcher = Dispatcher(
            store,
            self._clock,
            lambda: recorder.router.people,
            waiting_max=config.delivery.waiting_max,
        )
        worker = DeliveryWorker(
            config.delivery,
            channels,
            outbox=store.outbox,
            clock=self._clock,
            stats=self.stats,
            stale=recorder.stale,
            gone=partial(_gone, recorder),
            formerly=config.telephony.formerly(),
            quiet=quiet.until_ms,
            dispatcher=dispatcher,
        )
        recorder.wake = worker.wake
        recorder.whole = telephony.asked.whole
        telephony.asked.look_up = lambda command: telephony.went_to(
            store.outbox.receivers_of(command)
        )
        self.recorder = recorder
        engine = build_engine(
            site, recorder, self._clock, self.stats, answers=telephony.answers, stop=over
        )
        if within_ms:
            remarks.places = engine.watermarks.partitions
            engine.on_rows = remarks.offer
            remarks.start()
        recorder.awaited = lambda: engine.judges.desk.awaited
        reconciling = Reconciling(
            telephony.reconcilers,
            lambda number: telephony.systems_of(engine.judges.desk.book.dialled_for(number)),
            every_ms=config.numbers.reconcile_every,
            clock=self._clock,
        )
        moved = Moved(
            store.outbox.last_suspended_at,
            lambda number: telephony.systems_of(engine.judges.desk.book.dialled_for(number)),
            sorted(telephony.channels),
            self._clock,
        )
        if archiver is not None:
            archiver.start()
        beat = Beat(self._clock)
        parts = Parts(
            site=site,
            path=self._path,
            clock=self._clock,
            stop=over,
            reload=self.reload,
            board=self.board,
            stats=self.stats,
            engine=engine,
            store=store,
            checkpoints=checkpoints,
            beside=ThreadBeside(),
            recorder=recorder,
            telephony=telephony,
            beat=beat,
            systems=systems,
            reloaded=self._reloaded,
        )
        recorder.found = partial(_found, parts, reconciling, moved)
        standing = Standing(parts)
        recorder.waiting = standing.waiting
        recorder.teams = Teams(lambda: standing.agents, lambda: engine.places).of_all
        watchdog = Watchdog(
            self.board,
            self._clock,
            beat,
            lanes=[*worker.lanes, dispatcher],
            directories=directories(config),
        )
        watchdog.start()
        try:
            yield parts, standing, worker
        finally:
            watchdog.stop()
            remarks.stop()
            if archiver is not None:
                archiver.stop()
            parts.beside.close()
            closings = {
                "deliveries": worker.stop,
                "source": engine.source.close,
                "dead_letters": engine.dead_letters.close,
                "answers": telephony.acks.close,
            }
            close_all(closings, within_s=config.delivery.drain / 1000 + 0.75)
            close_all(
                {name: channel.close for name, channel in telephony.channels.items()}, within_s=0.3
            )

    def _lately(self) -> list[Decision]:
        """What has been decided lately, for those who look."""
        return [] if self.recorder is None else list(self.recorder.feed)

    def _reloaded(self, site: Site) -> None:
        self.site = site
        self.reloaded(site)


def _found(parts: Parts, reconciling: Reconciling, moved: Moved) -> list[Ack | Found]:
    """What came of asking telephony; nothing while what it was told is not known in full."""
    engine = parts.engine
    if parts.progress.rebuilding or engine.judged < engine.promised or engine.last is not None:
        return []
    reconciling.every_ms = parts.site.config.numbers.reconcile_every
    desk = engine.judges.desk
    return [*moved.poll(desk, parts.site), *reconciling.poll(desk)]


def _gone(recorder: StoreRecorder, decision: str, receiver: str) -> None:
    """What no system will answer any more; of other receivers nobody waits for an answer."""
    if is_system(receiver):
        recorder.gone(decision, receiver)


def build_engine(
    site: Site,
    recorder: StoreRecorder,
    clock: Clock,
    stats: Stats,
    *,
    answers: bool,
    stop: threading.Event,
) -> Engine:
    """The engine of a live daemon, not started; it leaves off soon once ``stop`` is set."""
    config = site.config
    # Aside is within: what reads ahead can then be told to stop, too.
    source = ReadAhead(Aside(open_source(config, clock), stop), clock)
    engine = Engine(
        source=source,
        judges=build_judges(site, covered_from=BEGINNING, answers=answers),
        owners=Owners(config.events.owners),
        customers=Customers(config.events.customers),
        watermarks=Watermarks(config.time.tolerances()),
        dedup=Dedup(
            lateness_ms=config.time.lateness, tick_ms=config.time.tick, limit=config.limits.ids
        ),
        dead_letters=open_dead_letters(config, clock),
        recorder=recorder,
        clock=clock,
        stats=stats,
        pace=Pace(tick_ms=config.time.tick, max_pending_rows=config.limits.pending_rows),
    )
    source.decoder = lambda: engine.judges.decoder
    engine.told_to_stop = stop.is_set
    return engine


def directories(config: Config) -> dict[str, Path]:
    """What this daemon keeps on disks of this machine."""
    kept: dict[str, Path] = {}
    if config.store.url is None:
        kept |= {"store": config.store.path.parent, "checkpoints": config.store.checkpoints}
    if not isinstance(config.source, KafkaSettings) or config.dead_letters.topic is None:
        kept["dead_letters"] = config.events.dead_letters.path.parent
    if config.archive.path is not None:
        kept["archive"] = config.archive.path
    return kept


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
        return router.showing(alert, now_ms, known)

"""The daemon: every concrete part, in the order they start and stop.

Owns construction and order alone; rooms beside this one build what has parts of its own. What
happens to events is ``monitor.engine``, what happens around it ``monitor.running``; which class a
setting means is ``monitor.assembly``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from monitor.app.delivery import Delivery
from monitor.app.engine import build_engine
from monitor.app.recorder import connect, open_recorder
from monitor.app.telephony import Systems
from monitor.assembly import connect_telephony, open_archiver
from monitor.clock import Clock, SystemClock
from monitor.config import Config
from monitor.decisions import Decision
from monitor.delivery.worker import DeliveryWorker
from monitor.explain.reading import Reading
from monitor.exporter.server import ExporterServer
from monitor.interfaces import open_web
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
from monitor.source.settings import KafkaSettings
from monitor.stats import Stats
from monitor.store.checkpoint import CheckpointStore
from monitor.store.checkpoints import open_checkpoints
from monitor.store.store import Store


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
        settings = self.site.config.store
        with self._served():
            if settings.url is None:
                with self.stop.tied() as over:
                    self._work(over)
            else:
                take_turns(settings, self._clock, self.stop, self.board, self._work)

    @contextlib.contextmanager
    def _served(self) -> Iterator[None]:
        """Figures and interfaces, from before the store is opened until after it is closed."""
        config = self.site.config
        with contextlib.ExitStack() as servers:
            if config.exporter.enabled:
                exporter = ExporterServer(self.board, config.exporter, self._clock, self._environ)
                servers.callback(exporter.stop)
                exporter.start()
                self.port = exporter.port
            web = open_web(
                config,
                self.board,
                self._clock,
                self.stats.web,
                explain=Reading(lambda: self.site),
                feed=self._lately,
                judged=lambda: (self.site.rules, self.site.indicators),
                packs=lambda: self.site.packs_of_rules,
            )
            if web is not None:
                servers.callback(web.stop)
                web.start()
                self.web_port = web.port
            yield

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
        config, clock, stats = site.config, self._clock, self.stats
        with contextlib.ExitStack() as closing:
            # What happens: where commands go, what is kept of decisions, who is told of them.
            telephony = connect_telephony(config, clock)
            closing.callback(
                close_all,
                {name: each.close for name, each in telephony.channels.items()},
                within_s=0.3,
            )
            systems = Systems(telephony, lambda: engine.judges.desk)
            recorder = self.recorder = open_recorder(site, store, telephony, systems, clock, over)
            delivery = Delivery(
                site,
                lambda: self.site,
                store=store,
                recorder=recorder,
                telephony=telephony,
                clock=clock,
                stats=stats,
            )
            engine = build_engine(
                site, recorder, clock, stats, answers=telephony.answers, stop=over
            )
            closings = {
                "deliveries": delivery.worker.stop,
                "source": engine.source.close,
                "dead_letters": engine.dead_letters.close,
                "answers": telephony.acks.close,
            }
            closing.callback(close_all, closings, within_s=config.delivery.drain / 1000 + 0.75)

            # What a run works with, and how it stands.
            parts = Parts(
                site=site,
                path=self._path,
                clock=clock,
                stop=over,
                reload=self.reload,
                board=self.board,
                stats=stats,
                engine=engine,
                store=store,
                checkpoints=checkpoints,
                beside=ThreadBeside(),
                recorder=recorder,
                telephony=telephony,
                beat=Beat(clock),
                systems=systems.receivers,
                reloaded=self._reloaded,
            )
            closing.callback(parts.beside.close)
            standing = Standing(parts)
            connect(parts, standing, systems)

            with self._looked_at(parts, delivery):
                yield parts, standing, delivery.worker

    @contextlib.contextmanager
    def _looked_at(self, parts: Parts, delivery: Delivery) -> Iterator[None]:
        """What looks on, each in a thread of its own: the archive, remarks, the watchdog."""
        config = parts.site.config
        with contextlib.ExitStack() as closing:
            archiver = open_archiver(parts.site, self._clock, self.stats)
            if archiver is not None:
                archiver.start()
                closing.callback(archiver.stop)
            delivery.watch(parts.engine)
            closing.callback(delivery.unwatch)
            watchdog = Watchdog(
                self.board,
                self._clock,
                parts.beat,
                lanes=delivery.busy,
                directories=directories(config),
            )
            watchdog.start()
            closing.callback(watchdog.stop)
            yield

    def _lately(self) -> list[Decision]:
        """What has been decided lately, for those who look."""
        return [] if self.recorder is None else list(self.recorder.feed)

    def _reloaded(self, site: Site) -> None:
        self.site = site
        self.reloaded(site)


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

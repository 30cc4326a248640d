"""One life of the daemon, from its start to its death.

Owns the wiring: the rooms of ``monitor.running``, the recorder, the store and the lanes are the
daemon's own; source, disk, receivers and telephony are the world's. The order is that of
``monitor.app.daemon``.
"""

from __future__ import annotations

import threading

import numpy as np

from monitor.assembly import build_judges
from monitor.clock import Clock
from monitor.delivery.lane import Lane
from monitor.delivery.routes import Router
from monitor.delivery.worker import DeliveryWorker
from monitor.engine import Engine, Pace
from monitor.events.enrich import Owners
from monitor.events.rejects import MemoryDeadLetters
from monitor.indicators.compile import BEGINNING
from monitor.recorder import StoreRecorder
from monitor.running import loop
from monitor.running.keep import Keeper
from monitor.running.parts import Parts
from monitor.running.resume import load_state, resume
from monitor.running.standing import Standing
from monitor.running.watchdog import Beat
from monitor.site import Site
from monitor.snapshot import Board
from monitor.source.base import Source
from monitor.stats import Stats
from monitor.telephony.open import Telephony
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import Watermarks
from tests.faults.beside import SteppedBeside
from tests.faults.world import World


class Life:
    """The daemon's parts; whoever holds it steps them."""

    def __init__(self, world: World) -> None:
        """Start; on return the daemon has taken up where the last one ended.

        Raises:
            MonitorError: it cannot start; the process would end with that message.
        """
        site, clock = world.site, world.clock
        config = site.config
        self.clock = clock
        self.store = world.open_store()
        answers = world.answers()
        telephony = Telephony({"telephony": world.command_channel()}, answers, answers=True)
        stop, stats = threading.Event(), Stats()
        self.recorder = recorder = StoreRecorder(
            self.store,
            Router(config.delivery, telephony=True),
            answers,
            clock=clock,
            stop=stop,
            ack_timeout_ms=config.numbers.ack_timeout,
        )
        channels = {name: world.channel(name) for name in config.delivery.known_receivers()}
        channels["telephony"] = world.telephony()
        worker = DeliveryWorker(
            config.delivery,
            channels,
            outbox=self.store.outbox,
            clock=clock,
            stats=stats,
            draw=world.draw,
            stale=recorder.stale,
        )
        self._worker = worker
        self._due_s = dict.fromkeys(channels, 0.0)
        recorder.wake = self._wake
        self.engine = engine = _engine(site, world.source(), recorder, clock, stats)
        recorder.awaited = lambda: engine.judges.desk.awaited
        self.beside = SteppedBeside()
        self.parts = Parts(
            site=site,
            path=world.config_path,
            clock=clock,
            stop=stop,
            reload=threading.Event(),
            board=Board(),
            stats=stats,
            engine=engine,
            store=self.store,
            checkpoints=world.checkpoints(),
            beside=self.beside,
            recorder=recorder,
            telephony=telephony,
            beat=Beat(clock),
            systems=lambda _command: ("telephony",),
            reloaded=lambda _site: None,
        )
        self.standing = Standing(self.parts)
        recorder.waiting = self.standing.waiting
        resume(self.parts, self.standing, load_state(self.parts.checkpoints))
        self.store.outbox.abandon([lane.receiver for lane in worker.lanes])
        self._keeper = Keeper(self.parts, self.standing)

    def turn(self) -> None:
        """One turn of the engine's thread."""
        loop.turn(self.parts, self.standing, self._keeper)

    def lanes_due(self) -> list[Lane]:
        """Lanes that would not be asleep now."""
        now_s = self.clock.monotonic_s()
        return [lane for lane in self._worker.lanes if self._due_s[lane.receiver] <= now_s]

    def step_lane(self, lane: Lane) -> None:
        """One turn of a delivery thread."""
        self._due_s[lane.receiver] = np.inf  # asleep, unless it is woken meanwhile
        due_s = self.clock.monotonic_s() + self._worker._step(lane) / 1000
        self._due_s[lane.receiver] = min(self._due_s[lane.receiver], due_s)

    def _wake(self) -> None:
        self._due_s = dict.fromkeys(self._due_s, 0.0)


def _engine(
    site: Site, source: Source, recorder: StoreRecorder, clock: Clock, stats: Stats
) -> Engine:
    """As ``monitor.app.engine.build_engine``, but for source and dead letters."""
    config = site.config
    return Engine(
        source=source,
        judges=build_judges(site, covered_from=BEGINNING),
        owners=Owners(config.events.owners),
        watermarks=Watermarks(config.time.tolerances()),
        dedup=Dedup(
            lateness_ms=config.time.lateness, tick_ms=config.time.tick, limit=config.limits.ids
        ),
        dead_letters=MemoryDeadLetters(),
        recorder=recorder,
        clock=clock,
        stats=stats,
        pace=Pace(
            tick_ms=config.time.tick,
            max_pending_rows=config.limits.pending_rows,
            at_once=20,  # so that it reads on when it has fallen behind
            many_records=3,
        ),
    )

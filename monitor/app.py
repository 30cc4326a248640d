"""The daemon: every concrete part, in the order they start and stop.

Owns the main loop's surroundings: start from a checkpoint, checkpoints, reloads, publishing,
readiness. What happens to events is ``monitor.engine``; which concrete parts there are is
``monitor.assembly``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from monitor.assembly import (
    build_judges,
    connect_telephony,
    open_dead_letters,
    open_source,
    widen_pending,
)
from monitor.clock import Clock, SystemClock
from monitor.decisions import Decision
from monitor.delivery.build import open_channels
from monitor.delivery.routes import Router
from monitor.delivery.worker import DeliveryWorker
from monitor.engine import Engine, Pace
from monitor.errors import CheckpointError, ConfigError, SourceUnavailable, StoreError
from monitor.events.enrich import Owners
from monitor.exporter.server import ExporterServer
from monitor.indicators.compile import BEGINNING
from monitor.publish import Around, picture
from monitor.recorder import (
    StoreRecorder,
    journaled_end,
    journaled_floors,
    journaled_inputs,
    journaled_refusals,
)
from monitor.site import Site, load_site
from monitor.snapshot import Board, CheckpointStanding, Queue, Unready
from monitor.source.base import Partition
from monitor.stats import Stats
from monitor.store.checkpoint import Checkpoints
from monitor.store.store import Store
from monitor.telephony.open import Telephony
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import NEVER, Watermarks

log = structlog.get_logger(__name__)

PUBLISH_EVERY_S = 1.0
RECONNECT_S = 1.0
PRUNE_EVERY_S = 60.0
CATCHING_UP_MS = 60_000
"""Behind the clock by more than this with records left to read: not ready."""
OUTBOX_MANY = 100_000
"""Deliveries waiting at which the outbox counts as full: nothing is dropped, people are told."""
CHECKPOINT_SHARE = 10
"""Checkpoints take at most one part in so many of the engine's time."""


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
        self.stop = threading.Event()
        """Set it, and :meth:`run` ends with a checkpoint."""
        self.reload = threading.Event()
        """Set it, and the configuration is read again before the next step."""
        self.recorder: StoreRecorder | None = None
        """What has been decided lately, once :meth:`run` works."""
        self.port: int | None = None
        """Where figures are served, once :meth:`run` listens."""
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
        """
        config = self.site.config
        exporter: ExporterServer | None = None
        if config.exporter.enabled:
            exporter = ExporterServer(self.board, config.exporter, self._clock, self._environ)
            exporter.start()
            self.port = exporter.port
        try:
            with Store.open(config.store, self._clock) as store:
                self._run_with(store)
        finally:
            if exporter is not None:
                exporter.stop()

    def _run_with(self, store: Store) -> None:
        config = self.site.config
        telephony = connect_telephony(config, self._clock)
        router = Router(config.delivery, telephony=telephony.channel is not None)
        recorder = StoreRecorder(
            store,
            router,
            telephony.acks,
            clock=self._clock,
            stop=self.stop,
            ack_timeout_ms=config.numbers.ack_timeout,
        )
        channels = open_channels(
            config.delivery,
            router=_RouterOfTheDay(recorder),
            episodes=store.episodes,
            clock=self._clock,
            telephony=telephony.channel,
        )
        worker = DeliveryWorker(
            config.delivery,
            channels,
            outbox=store.outbox,
            clock=self._clock,
            stats=self.stats,
            stale=recorder.stale,
        )
        recorder.wake = worker.wake
        self.recorder = recorder
        engine = build_engine(
            self.site, recorder, self._clock, self.stats, answers=telephony.answers
        )
        recorder.awaited = lambda: engine.judges.desk.awaited
        run = Run(self, engine, store, recorder, telephony)
        recorder.waiting = run.say_why_waiting
        try:
            run.start()
            worker.start()
            run.loop()
        finally:
            if not worker.stop():
                log.warning("deliveries_left", detail="they are sent after the next start")
            engine.source.close()
            engine.dead_letters.close()
            if telephony.channel is not None:
                telephony.channel.close()
            telephony.acks.close()


def build_engine(
    site: Site, recorder: StoreRecorder, clock: Clock, stats: Stats, *, answers: bool
) -> Engine:
    """The engine of a live daemon, not started."""
    config = site.config
    return Engine(
        source=open_source(config, clock),
        judges=build_judges(site, covered_from=BEGINNING, answers=answers),
        owners=Owners(config.events.owners),
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


class Run:
    """The engine's thread between start and stop."""

    def __init__(
        self,
        daemon: Daemon,
        engine: Engine,
        store: Store,
        recorder: StoreRecorder,
        telephony: Telephony,
    ) -> None:
        self._daemon = daemon
        self._engine = engine
        self._store = store
        self._recorder = recorder
        self._telephony = telephony
        self._checkpoints = Checkpoints(daemon.site.config.store.checkpoints)
        self._clock = daemon._clock  # noqa: SLF001 - two classes, one thing
        self._around = Around(
            config_hash=daemon.site.hash,
            agents=_places(daemon.site),
            unready=(Unready("restoring"),),
        )
        self._journal_seq = 0
        self._journal_kept = 0
        self._unavailable = ""
        self._refused: dict[str, str] = {}
        """What the disk refuses just now, apart from decisions, and why."""
        self._covered_from = BEGINNING
        """What the log begins with, as far as it was read."""
        self._stepped = False
        """Indicators have a state, from a checkpoint."""
        self._opened = False
        """The source has begun; before, its positions are not to be kept."""
        self._publish_at_s = self._checkpoint_at_s = self._prune_at_s = 0.0

    # --- start ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the last checkpoint, then the journal after it, then the log after that."""
        engine, store = self._engine, self._store
        self._publish()
        state = self._load()
        positions: dict[Partition, int] = {}
        acks: dict[Partition, int] = {}
        if state is not None:
            positions = self._restore(state)
            self._journal_seq = self._journal_kept = state["journal_seq"]
            acks = {Partition(topic, number): at for topic, number, at in state["acks"]}
        entries = store.journal.read(self._journal_seq)
        engine.watermarks.expect(
            journaled_floors(store.journal.floors()), journaled_refusals(entries)
        )
        tick_ms, judged_to_ms = engine.pace.tick_ms, store.journal.judged_to_ms()
        after_ms = NEVER if state is None else state["engine"]["judged"]
        left = (entry for entry in entries if entry.tick_ms > after_ms)
        engine.expect(
            journaled_inputs(left, tick_ms=tick_ms), journaled_end(judged_to_ms, tick_ms=tick_ms)
        )
        self._telephony.acks.restore(acks)
        self._open_source(positions, since_ms=None if state is not None else self._horizon_ms())
        if not self._opened:
            return
        store.journal.append(
            "reload", max(engine.judged, 0), {"hash": self._daemon.site.hash, "start": True}
        )
        log.info(
            "started",
            config=self._daemon.site.hash,
            rules=len(self._daemon.site.rules),
            indicators=len(self._daemon.site.indicators),
            from_checkpoint=state is not None,
            partitions=len(engine.source.standings()),
        )

    def _load(self) -> dict[str, Any] | None:
        try:
            state = self._checkpoints.load()
        except CheckpointError as error:
            log.warning("checkpoints_unreadable", detail=str(error), then="the log is read again")
            return None
        return state

    def _restore(self, state: Mapping[str, Any]) -> dict[Partition, int]:
        """Take over a checkpoint, which may be of another configuration; returns the positions."""
        engine, site, saved = self._engine, self._daemon.site, state["engine"]
        self._covered_from = covered_from = state.get("covered_from", BEGINNING)
        if state["config"] != site.hash:
            log.info("configuration_changed", before=state["config"], now=site.hash)
            # Up to where it was read tells where windows that are new begin.
            self._stepped = saved["indicators"]["tick"] is not None
            engine.judged = saved["judged"]
            engine.pending.restore(saved["pending"])
            covered_from = self._new_from()
        engine.judges = build_judges(
            site, covered_from=covered_from, answers=self._telephony.answers
        )
        positions = engine.restore(saved)
        # Ticks of another length go on from the last one that is over; nothing is judged twice,
        # as rows up to where it was judged are not waiting any more.
        if engine.judged != NEVER:
            engine.judged -= engine.judged % engine.pace.tick_ms
        widen_pending(engine)
        return positions

    def _new_from(self) -> int:
        """Where the windows of new rules begin.

        Rows that were read before were decoded without what only the new rules look at.
        """
        engine = self._engine
        if not (self._stepped or self._daemon.stats.ticks or len(engine.pending)):
            return self._covered_from  # nothing was read
        begin, tick_ms = max(engine.judged, engine.pending.latest), engine.pace.tick_ms
        return begin - begin % tick_ms + tick_ms

    def _horizon_ms(self) -> int:
        """How far back windows and late records reach, in broker time."""
        reach = self._engine.judges.indicators.horizon_ms + self._daemon.site.config.time.lateness
        return max(0, self._clock.now_ms() - reach)

    def _open_source(self, positions: Mapping[Partition, int], since_ms: int | None) -> None:
        engine = self._engine
        while True:
            try:
                engine.source.start(positions, since_ms)
            except SourceUnavailable as error:
                self._note_unavailable(str(error))
                if self._clock.wait(self._daemon.stop, RECONNECT_S):
                    return
            else:
                break
        self._opened = True
        self._note_unavailable("")
        whole = all(standing.complete for standing in engine.source.standings().values())
        if since_ms is not None and not whole:
            # What is older than the horizon was not read, so windows fill from there on.
            self._covered_from = since_ms + self._daemon.site.config.time.max_ahead
            engine.judges = build_judges(
                self._daemon.site,
                covered_from=self._covered_from,
                answers=self._telephony.answers,
            )

    # --- work -----------------------------------------------------------------------------------

    def loop(self) -> None:
        """Step until told to stop; a checkpoint last."""
        while not self._daemon.stop.is_set():
            if self._daemon.reload.is_set():
                self._daemon.reload.clear()
                self._reload()
            try:
                self._engine.step()
            except SourceUnavailable as error:
                self._note_unavailable(str(error))
                self._clock.wait(self._daemon.stop, RECONNECT_S)
            else:
                self._note_unavailable("")
            self._around.unready = self._unready()
            now_s = self._clock.monotonic_s()
            if now_s >= self._publish_at_s:
                self._publish()
                self._publish_at_s = now_s + PUBLISH_EVERY_S
            if now_s >= self._checkpoint_at_s:
                self._checkpoint()
            if now_s >= self._prune_at_s:
                self._prune()
                self._prune_at_s = now_s + PRUNE_EVERY_S
        if self._opened:
            self._checkpoint()
        self._publish()
        log.info("stopped", judged_ms=self._engine.judged)

    def say_why_waiting(self) -> None:
        """The store keeps the engine waiting, or does no longer: the old picture, with why."""
        self._around.unready = self._unready()
        latest = self._daemon.board.latest
        if latest is not None:
            now_ms, unready = self._clock.now_ms(), self._around.unready
            self._daemon.board.publish(replace(latest, wall_ms=now_ms, unready=unready))

    @contextlib.contextmanager
    def _tolerating(self, what: str) -> Iterator[None]:
        """The disk may refuse ``what``: it is said once, tried again later, and stops nothing."""
        try:
            yield
        except (StoreError, CheckpointError) as error:
            if what not in self._refused:
                log.warning("store_refuses", what=what, detail=str(error))
            self._refused[what] = str(error)
        else:
            if self._refused.pop(what, None):
                log.info("store_accepts_again", what=what)

    def _note_unavailable(self, detail: str) -> None:
        if detail and not self._unavailable:
            log.warning("source_unavailable", detail=detail)
        elif self._unavailable and not detail:
            log.info("source_available_again")
        if detail != self._unavailable:
            self._unavailable = detail
            self._around.unready = self._unready()
            self._publish()

    def _unready(self) -> tuple[Unready, ...]:
        reasons: list[Unready] = []
        if self._unavailable:
            reasons.append(Unready("source", self._unavailable))
        if self._recorder.failing:
            reasons.append(Unready("store", self._recorder.failing))
        behind_ms = self._clock.now_ms() - self._engine.watermarks.engine
        lag = any(s.position < s.end for s in self._engine.source.standings().values())
        if lag and behind_ms > CATCHING_UP_MS:
            begun = self._engine.watermarks.engine != NEVER
            detail = f"{behind_ms // 1000} s behind" if begun else "at the beginning"
            reasons.append(Unready("catching_up", detail))
        return tuple(reasons)

    def _publish(self) -> None:
        site = self._daemon.site
        with self._tolerating("outbox"):
            self._around.queues = (self._outbox(),)
        self._daemon.board.publish(
            picture(
                self._engine,
                site.indicators,
                site.config.exporter,
                around=self._around,
                pending_limit=site.config.limits.pending_rows,
                keys_limit=site.config.limits.keys_per_scope,
            )
        )

    def _outbox(self) -> Queue:
        counts = self._store.outbox.counts()
        waiting = sum(n for (_, state), n in counts.items() if state in {"queued", "retry"})
        oldest = max(self._store.outbox.oldest_age_ms().values(), default=None)
        since_ms = None if oldest is None else self._clock.now_ms() - oldest
        return Queue("outbox", waiting, OUTBOX_MANY, since_ms)

    def _checkpoint(self) -> None:
        """Write a checkpoint; a disk that refuses costs a longer restart, nothing else."""
        every_s = self._daemon.site.config.checkpoint.every / 1000
        self._checkpoint_at_s = self._clock.monotonic_s() + every_s
        with self._tolerating("checkpoint"):
            self._save()

    def _save(self) -> None:
        started_s = self._clock.monotonic_s()
        acks = self._telephony.acks.positions()
        # Inputs that wait for their tick are in no state yet: the journal is read again for them.
        seq = self._journal_seq if self._engine.waiting_inputs else self._store.journal.last_seq()
        state = {
            "engine": self._engine.snapshot(),
            "journal_seq": seq,
            "acks": [[p.topic, p.number, offset] for p, offset in sorted(acks.items())],
            "config": self._daemon.site.hash,
            "covered_from": self._covered_from,
        }
        size = self._checkpoints.save(state)
        self._journal_kept, self._journal_seq = self._journal_seq, seq
        took_s = self._clock.monotonic_s() - started_s
        self._daemon.stats.checkpoints += 1
        self._daemon.stats.checkpoint_time.observe(took_s)
        self._around.checkpoint = CheckpointStanding(self._clock.now_ms(), size)
        self._checkpoint_at_s = max(self._checkpoint_at_s, started_s + took_s * CHECKPOINT_SHARE)

    def _prune(self) -> None:
        before_ms = self._clock.now_ms() - self._daemon.site.config.store.retention
        with self._tolerating("prune"):
            gone = self._store.history.prune(before_ms, journal_upto=self._journal_kept)
            if gone:
                log.info("history_pruned", rows=gone)

    # --- reload ---------------------------------------------------------------------------------

    def _reload(self) -> None:
        """Read the configuration again, whole; what is wrong with it changes nothing."""
        try:
            site = load_site(self._daemon._path)  # noqa: SLF001 - two classes, one thing
            changed = self._daemon.site.config.only_by_restart(site.config)
            if changed:
                self._refuse_reload(f"restart to change {', '.join(changed)}")
                return
            self._store.journal.append("reload", max(self._engine.judged, 0), {"hash": site.hash})
        except (ConfigError, OSError, StoreError) as error:
            self._refuse_reload(str(error))
            return
        self._take_over(site)
        self._daemon.stats.reloads["ok"] += 1
        log.info("reloaded", config=site.hash, rules=len(site.rules))

    def _refuse_reload(self, why: str) -> None:
        log.warning("reload_refused", detail=why)
        self._daemon.stats.reloads["refused"] += 1

    def _take_over(self, site: Site) -> None:
        engine, config, telephony = self._engine, site.config, self._telephony
        judges = build_judges(
            site,
            covered_from=self._new_from(),
            desk=engine.judges.desk,
            answers=telephony.answers,
        )
        engine.replace(judges)
        widen_pending(engine)
        self._recorder.router = Router(config.delivery, telephony=telephony.channel is not None)
        self._recorder.ack_timeout_ms = config.numbers.ack_timeout
        self._daemon.site = site
        self._around.config_hash = site.hash
        self._around.agents = _places(site)
        self._daemon.reloaded(site)


class _RouterOfTheDay(Router):
    """What the recorder routes by now: channels are opened once, and routes can be reloaded."""

    def __init__(self, recorder: StoreRecorder) -> None:
        self._recorder = recorder

    def receivers(self, decision: Decision) -> tuple[str, ...]:
        """Names of the receivers of a decision, as of the last reload."""
        return self._recorder.router.receivers(decision)


def _places(site: Site) -> dict[str, tuple[str, str]]:
    return {
        agent: (group, team)
        for team, groups in site.config.events.organisation.items()
        for group, agents in groups.items()
        for agent in agents
    }

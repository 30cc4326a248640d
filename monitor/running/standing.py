"""Why the daemon is not ready, and the picture that says so.

Owns readiness and publishing. What people are shown is ``monitor.publish``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import structlog

from monitor.errors import CheckpointError, LeaseLost, StoreError
from monitor.publish import Around, Shots, picture
from monitor.running import bounds
from monitor.running.parts import Parts, begun
from monitor.site import Site
from monitor.snapshot import CheckpointStanding, Unready
from monitor.store.checkpoint import Saved

log = structlog.get_logger(__name__)

PUBLISH_EVERY_S = 1.0
CATCHING_UP_MS = 60_000
"""Behind the clock by more than this with records left to read: not ready."""


class Standing:
    """Tells how the run is doing; the engine's thread uses it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._around = Around(unready=(Unready("restoring"),))
        self._shots = Shots()
        self._unavailable = ""
        self._refused: dict[str, str] = {}
        """What the disk refuses just now, apart from decisions, and why."""
        self._publish_at_s = 0.0
        self.configured(parts.site)

    def configured(self, site: Site) -> None:
        """A configuration is in place."""
        self._around.config_hash = site.hash
        self._around.agents = site.places
        web = site.config.web
        self._around.keys_max = web.board_keys if web.enabled else 0

    @property
    def agents(self) -> Mapping[str, tuple[str, str]]:
        """Group and team by agent, as the configuration has them."""
        return self._around.agents

    def checkpointed(self, saved: Saved) -> None:
        """A checkpoint is durable."""
        now_ms = self._parts.clock.now_ms()
        self._around.checkpoint = CheckpointStanding(now_ms, saved.size, saved.written)

    def source(self, unavailable: str = "") -> None:
        """The source cannot be read for this reason; empty: it can be."""
        if unavailable and not self._unavailable:
            log.warning("source_unavailable", detail=unavailable)
        elif self._unavailable and not unavailable:
            log.info("source_available_again")
        if unavailable != self._unavailable:
            self._unavailable = unavailable
            self.look()
            self.publish()

    def waiting(self) -> None:
        """The store keeps the engine waiting, or does no longer: the old picture, with why."""
        self._parts.beat.turn()
        self.look()
        board = self._parts.board
        if board.latest is not None:
            now_ms, unready = self._parts.clock.now_ms(), tuple(self._around.unready)
            board.publish(replace(board.latest, wall_ms=now_ms, unready=unready))

    @contextlib.contextmanager
    def tolerating(self, what: str) -> Iterator[None]:
        """The disk may refuse ``what``: it is said once, tried again later, and stops nothing.

        Raises:
            LeaseLost: another daemon is the active one: trying again will not help.
        """
        try:
            yield
        except LeaseLost:
            raise
        except (StoreError, CheckpointError) as error:
            if what not in self._refused:
                log.warning("store_refuses", what=what, detail=str(error))
            self._refused[what] = str(error)
        else:
            if self._refused.pop(what, None):
                log.info("store_accepts_again", what=what)

    def look(self) -> None:
        """Find out what keeps the daemon from being ready."""
        engine, recorder = self._parts.engine, self._parts.recorder
        reasons: list[Unready] = []
        if self._unavailable:
            reasons.append(Unready("source", self._unavailable))
        if recorder.failing:
            reasons.append(Unready("store", recorder.failing))
        behind_ms = self._parts.clock.now_ms() - engine.watermarks.engine
        lag = any(s.position < s.end for s in engine.source.standings().values())
        if lag and behind_ms > CATCHING_UP_MS:
            detail = f"{behind_ms // 1000} s behind" if begun(engine) else "at the beginning"
            reasons.append(Unready("catching_up", detail))
        self._around.unready = tuple(reasons)

    def publish_when_due(self) -> None:
        """Publish about once a second."""
        if self._parts.clock.monotonic_s() >= self._publish_at_s:
            self.publish()

    def publish(self) -> None:
        """Put the present picture on the board."""
        parts = self._parts
        self._around.tables = bounds.tables(parts)
        self._around.acks_ignored = dict(parts.telephony.acks.ignored)
        with self.tolerating("outbox"):
            deliveries = self._around.deliveries = parts.store.outbox.counts()
            self._around.queues = bounds.queues(parts, deliveries)
        parts.board.publish(
            picture(
                parts.engine,
                parts.site.indicators,
                parts.site.config.exporter,
                around=self._around,
                shots=self._shots,
                pending_limit=parts.site.config.limits.pending_rows,
            )
        )
        self._publish_at_s = parts.clock.monotonic_s() + PUBLISH_EVERY_S

"""Checkpoints while the daemon runs, and the end of what is kept for too long.

Owns when they are due, and what follows once one is durable. The engine's thread takes the picture,
another one writes it, and what depends on it waits until the engine's thread has heard that it is
durable. A disk that refuses costs a longer restart, nothing else.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from monitor.errors import StoreError
from monitor.running.beside import Job
from monitor.running.bundle import bundled
from monitor.running.layout import LAYOUT
from monitor.running.parts import Parts
from monitor.running.rebuild import SeenAsOf, kept_of
from monitor.running.standing import Standing
from monitor.sealed import Sealed
from monitor.site import Site
from monitor.store.checkpoint import Saved
from monitor.store.kept import Texts

log = structlog.get_logger(__name__)

PRUNE_EVERY_S = 60.0
PRUNE_S = 0.25
"""How long the engine waits for it at a time; what is left then comes after a pause."""
PRUNE_SHARE = 10
"""Pruning takes at most one part in so many of the engine's time."""
CHECKPOINT_SHARE = 10
"""Pictures take at most one part in so many of the engine's time."""
PATIENCE_S = 5.0
"""So long a checkpoint, or pruning, that is due waits for a moment between two ticks."""
WRITING_SHARE = 2
"""Checkpoints are being written for at most one part in so many of the time."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What writing a checkpoint gave."""

    saved: Saved
    kept: Texts
    took_s: float
    """Since the picture was begun."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """A checkpoint on its way to the disk."""

    job: Job
    seq: int
    """Up to here the journal is in it."""
    began_s: float
    seen: SeenAsOf | None
    """As of when the pools' numbers are written beside it; None: they are not."""


class Keeper:
    """Has checkpoints written and prunes history; the engine's thread uses it."""

    def __init__(self, parts: Parts, standing: Standing) -> None:
        self._parts = parts
        self._standing = standing
        self._bundled: tuple[Site, Sealed] | None = None
        self._checkpoint_at_s = self._prune_at_s = 0.0
        self._writing: _Writing | None = None
        self._delayed = False
        """The next one is due, and that was counted."""
        self._seen: SeenAsOf | None = None

    def keep_when_due(self) -> None:
        """Write and prune what it is time for."""
        if self._writing is not None and self._writing.job.done():
            self._end()
        now_s = self._parts.clock.monotonic_s()
        if now_s >= self._checkpoint_at_s:
            if self._writing is None:
                if self._may(self._checkpoint_at_s, now_s):
                    self._begin()
            elif not self._delayed:
                self._delayed = True
                self._parts.stats.checkpoints_delayed += 1
        if now_s >= self._prune_at_s and self._may(self._prune_at_s, now_s):
            self._prune_at_s = now_s + PRUNE_EVERY_S
            self._prune(now_s)

    def _may(self, due_s: float, now_s: float) -> bool:
        return self._parts.engine.calm() or now_s >= due_s + PATIENCE_S

    def checkpoint(self) -> bool:
        """Write one as of now, and wait for it; whether it is durable.

        None is written when the store is behind, or in a rebuild: what the store has not taken must
        be judged again, and a rebuild that is broken off begins anew from what is kept.
        """
        self._end()
        self._begin()
        return self._end()

    def _begin(self) -> None:
        """Take a picture, and have it written."""
        parts = self._parts
        if parts.progress.rebuilding or not parts.recorder.all_stored():
            # What is kept of the last run is younger than a state that is still being rebuilt.
            return
        began_s = parts.clock.monotonic_s()
        self._delayed = False
        seq, seen = 0, None
        try:
            seq = self._journal_seq()
            state = self._picture(seq)
            seen = SeenAsOf.due(state, self._seen)
            job: Job = parts.beside.start(
                partial(self._write, state, began_s, with_seen=seen is not None)
            )
        except StoreError as error:
            job = Future[_Written]()
            job.set_exception(error)
        self._writing = _Writing(job, seq, began_s, seen)
        held_s = parts.clock.monotonic_s() - began_s
        parts.stats.checkpoint_hold.observe(held_s)
        every_s = parts.site.config.checkpoint.every / 1000
        self._checkpoint_at_s = began_s + max(every_s, held_s * CHECKPOINT_SHARE)

    def _end(self) -> bool:
        """Wait for the one on its way, and do what was to follow; whether one is durable now."""
        writing, self._writing = self._writing, None
        if writing is None:
            return False
        durable = False
        parts, progress = self._parts, self._parts.progress
        with self._standing.tolerating("checkpoint"):
            written: _Written = writing.job.result()
            durable = True
            progress.journal_kept, progress.journal_seq = progress.journal_seq, writing.seq
            parts.stats.checkpoints += 1
            parts.stats.checkpoint_time.observe(written.took_s)
            due_s = writing.began_s + written.took_s * WRITING_SHARE
            self._checkpoint_at_s = max(self._checkpoint_at_s, due_s)
            self._standing.checkpointed(written.saved)
            parts.store.kept.save(written.kept)
            self._seen = writing.seen or self._seen
        return durable

    def _journal_seq(self) -> int:
        # Inputs that wait for their tick are in no state yet: the journal is read again for them.
        parts = self._parts
        if parts.engine.waiting_inputs:
            return parts.progress.journal_seq
        return parts.store.journal.last_seq()

    def _picture(self, seq: int) -> dict[str, Any]:
        """The state as it is now, of which nothing is changed any more."""
        parts = self._parts
        acks = parts.telephony.acks.positions()
        return {
            "layout": LAYOUT,
            "engine": parts.engine.snapshot(),
            "journal_seq": seq,
            "acks": [[p.topic, p.number, offset] for p, offset in sorted(acks.items())],
            "config": parts.site.hash,
            "site": self._bundle(),
            "covered_from": parts.progress.covered_from,
        }

    def _write(self, state: dict[str, Any], began_s: float, *, with_seen: bool) -> _Written:
        """Beside the engine's thread."""
        saved = self._parts.checkpoints.save(state)
        kept = kept_of(state, with_seen=with_seen)
        return _Written(saved, kept, self._parts.clock.monotonic_s() - began_s)

    def _bundle(self) -> Sealed:
        """What is judged by now; the same until a reload."""
        site = self._parts.site
        if self._bundled is None or self._bundled[0] is not site:
            self._bundled = site, Sealed(bundled(site))
        return self._bundled[1]

    def _prune(self, began_s: float) -> None:
        """Delete what is too old, in short transactions, for a while at a time."""
        parts, rows, gone = self._parts, 0, 1
        before_ms = parts.clock.now_ms() - parts.site.config.store.retention
        with self._standing.tolerating("prune"):
            while gone and parts.clock.monotonic_s() - began_s < PRUNE_S:
                gone = parts.store.history.prune(
                    before_ms, journal_upto=parts.progress.journal_kept
                )
                rows += gone
            if gone:
                now_s = parts.clock.monotonic_s()
                self._prune_at_s = now_s + PRUNE_SHARE * (now_s - began_s)
            if rows:
                log.info("history_pruned", rows=rows, left=bool(gone))

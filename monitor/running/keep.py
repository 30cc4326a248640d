"""Checkpoints while the daemon runs, and the end of what is kept for too long.

Owns when they are due. A disk that refuses costs a longer restart, nothing else.
"""

from __future__ import annotations

from typing import Any

import structlog

from monitor.running.bundle import Bundle, bundled
from monitor.running.layout import LAYOUT
from monitor.running.parts import Parts
from monitor.running.rebuild import kept_of
from monitor.running.standing import Standing
from monitor.site import Site

log = structlog.get_logger(__name__)

PRUNE_EVERY_S = 60.0
PRUNE_S = 0.25
"""How long the engine waits for it at a time; what is left then comes after a pause."""
PRUNE_SHARE = 10
"""Pruning takes at most one part in so many of the engine's time."""
CHECKPOINT_SHARE = 10
"""Checkpoints take at most one part in so many of the engine's time."""


class Keeper:
    """Writes checkpoints and prunes history; the engine's thread uses it."""

    def __init__(self, parts: Parts, standing: Standing) -> None:
        self._parts = parts
        self._standing = standing
        self._bundled: tuple[Site, Bundle] | None = None
        self._checkpoint_at_s = self._prune_at_s = 0.0

    def keep_when_due(self) -> None:
        """Write and prune what it is time for."""
        now_s = self._parts.clock.monotonic_s()
        if now_s >= self._checkpoint_at_s:
            self.checkpoint()
        if now_s >= self._prune_at_s:
            self._prune_at_s = now_s + PRUNE_EVERY_S
            self._prune(now_s)

    def checkpoint(self) -> None:
        """Write one now, unless the store is behind: what it has not taken must be judged again."""
        if not self._parts.recorder.catch_up():
            return
        every_s = self._parts.site.config.checkpoint.every / 1000
        started_s = self._parts.clock.monotonic_s()
        self._checkpoint_at_s = started_s + every_s
        with self._standing.tolerating("checkpoint"):
            self._save()
            took_s = self._parts.clock.monotonic_s() - started_s
            self._parts.stats.checkpoints += 1
            self._parts.stats.checkpoint_time.observe(took_s)
            due_s = started_s + took_s * CHECKPOINT_SHARE
            self._checkpoint_at_s = max(self._checkpoint_at_s, due_s)

    def _save(self) -> None:
        parts, progress = self._parts, self._parts.progress
        acks = parts.telephony.acks.positions()
        # Inputs that wait for their tick are in no state yet: the journal is read again for them.
        waiting = parts.engine.waiting_inputs
        seq = progress.journal_seq if waiting else parts.store.journal.last_seq()
        state: dict[str, Any] = {
            "layout": LAYOUT,
            "engine": parts.engine.snapshot(),
            "journal_seq": seq,
            "acks": [[p.topic, p.number, offset] for p, offset in sorted(acks.items())],
            "config": parts.site.hash,
            "site": self._bundle(),
            "covered_from": progress.covered_from,
        }
        parts.store.kept.save(kept_of(state))
        size = parts.checkpoints.save(state)
        progress.journal_kept, progress.journal_seq = progress.journal_seq, seq
        self._standing.checkpointed(size)

    def _bundle(self) -> Bundle:
        """What is judged by now; the same until a reload."""
        site = self._parts.site
        if self._bundled is None or self._bundled[0] is not site:
            self._bundled = site, bundled(site)
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

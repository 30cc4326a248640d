"""What a run works with, and how far it has come.

Owns no behaviour but the question where windows begin. ``monitor.app`` fills it in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from monitor.clock import Clock
from monitor.decisions import Command
from monitor.engine import Engine
from monitor.indicators.compile import BEGINNING
from monitor.recorder import StoreRecorder
from monitor.running.beside import Beside
from monitor.running.watchdog import Beat
from monitor.site import Site
from monitor.snapshot import Board
from monitor.stats import Stats
from monitor.store.checkpoint import CheckpointStore
from monitor.store.store import Store
from monitor.telephony.open import Telephony
from monitor.windows.watermark import NEVER


@dataclass(slots=True)
class Progress:
    """How far a run has come, as far as the engine does not know it itself."""

    journal_seq: int = 0
    """Up to here the journal is in the newest checkpoint."""
    journal_kept: int = 0
    """The same for the checkpoint before it, which is read when the newest is damaged."""
    covered_from: int = BEGINNING
    """What the log begins with, as far as it was read."""
    rebuilding: bool = False
    """There was no checkpoint, and what the store keeps of numbers has not been reached yet."""
    stepped: bool = False
    """Indicators have a state, from a checkpoint."""
    opened: bool = False
    """The source has begun; before, its positions are not to be kept."""


@dataclass(slots=True)
class Parts:
    """The concrete parts of one run; ``site`` changes with a reload."""

    site: Site
    path: Path | None
    """The configuration file, for reloads."""
    clock: Clock
    stop: threading.Event
    reload: threading.Event
    board: Board
    stats: Stats
    engine: Engine
    store: Store
    checkpoints: CheckpointStore
    beside: Beside
    """Where they are written."""
    recorder: StoreRecorder
    telephony: Telephony
    beat: Beat
    systems: Callable[[Command], tuple[str, ...]]
    """Of telephony, those that a command goes to."""
    reloaded: Callable[[Site], None]
    """Told of each configuration that a reload has put in place."""
    progress: Progress = field(default_factory=Progress)

    def new_from(self) -> int:
        """Where the windows of new rules begin.

        Rows that were read before were decoded without what only the new rules look at.
        """
        engine, progress = self.engine, self.progress
        if not (progress.stepped or self.stats.ticks or len(engine.pending)):
            return progress.covered_from  # nothing was read
        begin, tick_ms = max(engine.judged, engine.pending.latest), engine.pace.tick_ms
        return begin - begin % tick_ms + tick_ms


def begun(engine: Engine) -> bool:
    """Whether any record has moved the engine's time."""
    return engine.watermarks.engine != NEVER

"""The prometheus_client collector that reads the newest snapshot at scrape.

Owns the order of the metrics and the daemon's readiness as seen from outside the engine: a picture
that is not renewed is itself a reason. Nothing is kept between scrapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import GCCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from monitor.clock import Clock
from monitor.exporter import catalogue, daemon, domain, figures
from monitor.exporter.families import counted
from monitor.exporter.settings import ExporterSettings
from monitor.snapshot import Board, Snapshot, Unready

REFUSALS = ("busy", "overdue", "unauthorized")


def unready(board: Board, now_ms: int, stalled_after_ms: int) -> list[Unready]:
    """Why the daemon is not doing its job; empty when it is.

    ``standby``, ``starting`` and ``stalled`` are found here, the rest is the engine's own word.
    """
    snapshot = board.latest
    if board.standing_by:
        return [Unready("standby", "another daemon is the active one")]
    if snapshot is None:
        return [Unready("starting", "the engine has not made its first step")]
    reasons = list(snapshot.unready)
    if stalled(snapshot, now_ms, stalled_after_ms):
        age_s = (now_ms - snapshot.wall_ms) // 1000
        reasons.append(Unready("stalled", f"the engine's last step was {age_s} s ago"))
    return reasons


def stalled(snapshot: Snapshot | None, now_ms: int, stalled_after_ms: int) -> bool:
    """The engine has been silent for longer than ``stalled_after_ms``."""
    return snapshot is not None and now_ms - snapshot.wall_ms > stalled_after_ms


class SnapshotCollector(Collector):
    """All metrics of the catalogue but the figures, from the newest snapshot."""

    def __init__(self, board: Board, settings: ExporterSettings, clock: Clock) -> None:
        self._board = board
        self._settings = settings
        self._clock = clock
        self.refused: Counter[str] = Counter()
        """HTTP requests refused, by reason; the server counts them here."""

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read a snapshot."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics, each once; those without a sample are left out."""
        for metric in self._all():
            if metric.samples:
                yield metric

    def _all(self) -> Iterator[Metric]:
        snapshot, now_ms = self._board.latest, self._clock.now_ms()
        settings = self._settings
        if snapshot is not None:
            yield from figures.collect(
                snapshot, settings.scopes, settings.series_max, settings.keys_max
            )
            yield from domain.collect(snapshot, settings.rows_max)
        reasons = unready(self._board, now_ms, settings.stalled_after)
        names = [reason.reason for reason in reasons]
        watch, rows_max = self._board.watch, settings.rows_max
        yield from daemon.collect(snapshot, watch, now_ms, names, rows_max)
        yield counted(catalogue.HTTP_REFUSED, self.refused, REFUSALS)


def registry(collector: SnapshotCollector) -> CollectorRegistry:
    """The collector together with the process's own figures (memory, CPU, garbage collection)."""
    made = CollectorRegistry()
    made.register(collector)
    ProcessCollector(registry=made)
    GCCollector(registry=made)
    return made

"""Everything that ``/metrics`` says, in either text format.

Owns the joining of the two ways in which it is written: the figures by ``figures.text``, kept until
there are others; the rest, a few thousand samples at most, by prometheus_client.
"""

from __future__ import annotations

import threading

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics

from monitor.exporter import figures
from monitor.exporter.collector import SnapshotCollector, registry
from monitor.exporter.settings import ExporterSettings
from monitor.snapshot import Board, IndicatorFigures


class Exposition:
    """Writes the newest snapshot of a board; any number of threads use it."""

    def __init__(
        self, board: Board, collector: SnapshotCollector, settings: ExporterSettings
    ) -> None:
        self._board = board
        self._settings = settings
        self._registry = registry(collector)
        # One thread at a time writes, and those who waited share what it wrote: the engine has one
        # rival for the interpreter, however many scrape.
        self._writing = threading.Lock()
        self._written: tuple[tuple[IndicatorFigures, ...], bytes] = ((), b"")

    def text(self, *, openmetrics_format: bool = False) -> bytes:
        """The text format, or OpenMetrics 1.0.0, which has a last line of its own."""
        with self._writing:
            if openmetrics_format:
                rest: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            else:
                rest = exposition.generate_latest(self._registry)
            return self._figures() + rest

    def _figures(self) -> bytes:
        snapshot = self._board.latest
        if snapshot is None:
            return b""
        of, text = self._written
        if of is not snapshot.figures:
            settings = self._settings
            shown = figures.narrowed(snapshot, settings.keys_max)
            chosen = figures.choose(shown, settings.scopes, settings.series_max)
            text = figures.text(chosen)
            self._written = (snapshot.figures, text)
        return text

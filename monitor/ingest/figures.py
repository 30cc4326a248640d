"""What a receiver of webhooks says of itself: ``/metrics``, ``/healthz``, ``/readyz``.

Owns the counters and what follows from them. Listening and text formats are ``monitor.exporter``'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Final, NamedTuple

from prometheus_client import GCCollector, ProcessCollector, exposition
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from monitor.clock import Clock
from monitor.exporter import catalogue, pages
from monitor.exporter.collector import REFUSALS
from monitor.exporter.families import Rows, counted, single
from monitor.exporter.server import PageServer
from monitor.exporter.settings import read_token
from monitor.ingest.settings import IngestExporter
from monitor.snapshot import Unready

REASONS: Final = ("signature", "rate", "malformed", "full", "not_kept")
"""Why a webhook of a receiver is not kept."""
UNKNOWN: Final = ("", "unknown_receiver")
STALLED_MS: Final = 60_000
"""A batch that disk or broker has had for so long counts as hung."""


@dataclass(slots=True)
class Counts:
    """What has been received since the start; each field has one thread that writes it."""

    kept: Counter[str] = field(default_factory=Counter)
    """Records, by receiver."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By receiver and reason."""
    sink_errors: int = 0
    failing: str = ""
    """Why the last batch was not taken; empty when it was."""
    last_kept_ms: int = 0
    """Wall time; 0: nothing yet."""
    busy_since_s: float | None = None
    """When the batch under way was begun, on the clock's monotonic scale."""


class Queue(NamedTuple):
    """How full it is."""

    waiting: Callable[[], int]
    most: int


class Figures(Collector):
    """The figures of one receiver, as of when they are asked for."""

    def __init__(
        self,
        counts: Counts,
        answers: Mapping[str, int],
        queue: Queue,
        receivers: Sequence[str],
        clock: Clock,
    ) -> None:
        """``answers``: of the server, by status."""
        self.refused: Counter[str] = Counter()
        """Requests to these pages that were not answered, by reason."""
        self._counts, self._answers, self._queue = counts, answers, queue
        self._receivers, self._clock = sorted(receivers), clock

    def describe(self) -> list[Metric]:
        """Nothing: what there is shows when it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of the catalogue, each once."""
        counts = self._counts
        yield counted(catalogue.INGEST_KEPT, counts.kept, self._receivers)
        known = [(name, reason) for name in self._receivers for reason in REASONS]
        yield counted(catalogue.INGEST_REFUSED, counts.refused, [*known, UNKNOWN])
        yield counted(catalogue.INGEST_REQUESTS, self._answers, ["200"])
        yield single(catalogue.INGEST_WAITING, self._queue.waiting())
        yield single(catalogue.INGEST_WAITING_MAX, self._queue.most)
        yield single(catalogue.INGEST_SINK_ERRORS, counts.sink_errors)
        yield single(catalogue.INGEST_LAST_KEPT, counts.last_kept_ms / 1000)
        reasons = Rows(catalogue.INGEST_UNREADY)
        for each in self.unready():
            reasons.add(1, each.reason)
        if reasons.metric.samples:
            yield reasons.metric
        yield counted(catalogue.HTTP_REFUSED, self.refused, REFUSALS)

    def unready(self) -> list[Unready]:
        """Why webhooks are not kept now; empty: they are."""
        reasons: list[Unready] = []
        if self._counts.failing:
            reasons.append(Unready("not_kept", self._counts.failing))
        if self._queue.waiting() >= self._queue.most:
            reasons.append(Unready("full", f"{self._queue.most} records wait to be kept"))
        if self.stalled():
            reasons.append(Unready("stalled", "disk or broker does not answer"))
        return reasons

    def stalled(self) -> bool:
        """Whether disk or broker has not answered for long."""
        since_s = self._counts.busy_since_s
        return since_s is not None and self._clock.monotonic_s() - since_s > STALLED_MS / 1000


def serve(
    figures: Figures, settings: IngestExporter, clock: Clock, environ: Mapping[str, str]
) -> PageServer:
    """The server of these pages, not started.

    Raises:
        UsageError: the address cannot be listened on, or the token is not there.
    """
    registry = CollectorRegistry()
    registry.register(figures)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)

    def text(openmetrics_format: bool) -> bytes:  # noqa: FBT001 - one of two formats
        if openmetrics_format:
            return bytes(openmetrics.generate_latest(registry))  # type: ignore[no-untyped-call]
        return exposition.generate_latest(registry)

    def metrics(headers: Message) -> pages.Answer:
        return pages.metrics(headers, text)

    exporter = settings.exporter()
    shown = pages.Pages(
        read_token(exporter, environ),
        {
            "/metrics": metrics,
            "/healthz": lambda _: pages.healthz(stalled=figures.stalled()),
            "/readyz": lambda _: pages.readyz(figures.unready()),
        },
    )
    return PageServer(shown, figures.refused, exporter, clock)

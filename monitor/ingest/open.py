"""The receiver of webhooks as a whole: sink, queue and server, from a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from monitor.clock import Clock
from monitor.errors import UsageError
from monitor.exporter.server import PageServer
from monitor.ingest.figures import Figures, Queue, serve
from monitor.ingest.queue import KeepingQueue
from monitor.ingest.routes import Receivers
from monitor.ingest.settings import IngestSettings
from monitor.ingest.sinks import FileSink, KafkaSink, Sink
from monitor.source.settings import AnySource, KafkaSettings
from monitor.web.server import WebServer


class Ingest:
    """One running receiver."""

    def __init__(
        self,
        settings: IngestSettings,
        source: AnySource,
        clock: Clock,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Listen; requests are answered from :meth:`start` on.

        Raises:
            UsageError: no receiver is configured, the address or the folder is not to be had, or
                records are to go to a Kafka that the source does not name.
            SecretError: a secret is not where the configuration says.
        """
        if not settings.receivers:
            raise UsageError("ingest.receivers: there are none, so there is nothing to receive")
        self.counts: Counter[str] = Counter()
        """Answers, by status."""
        self._exporter: PageServer | None = None
        self._keeping = KeepingQueue(_sink(settings, source), settings.waiting, clock)
        try:
            parts = [Receivers(settings, self._keeping, clock).part()]
            if settings.exporter.enabled:
                self._exporter = serve(
                    self._figures(settings, clock), settings.exporter, clock, environ
                )
            self._server = WebServer(settings.web(), parts, clock, self.counts)
        except BaseException:
            if self._exporter is not None:
                self._exporter.stop()
            self._keeping.close()
            raise
        self.port = self._server.port
        self.exporter_port = None if self._exporter is None else self._exporter.port
        """Where figures and health are; None: nowhere."""

    def start(self) -> None:
        """Answer from now on."""
        self._server.start()
        if self._exporter is not None:
            self._exporter.start()

    def stop(self) -> None:
        """Answer what is under way, and keep what waits."""
        self._server.stop()
        self._keeping.close()
        if self._exporter is not None:
            self._exporter.stop()

    def _figures(self, settings: IngestSettings, clock: Clock) -> Figures:
        keeping = self._keeping
        queue = Queue(keeping.__len__, settings.waiting)
        return Figures(keeping.counts, self.counts, queue, list(settings.receivers), clock)


def _sink(settings: IngestSettings, source: AnySource) -> Sink:
    if settings.to == "files":
        return FileSink(settings.folder, bytes_max=settings.file_bytes, files=settings.files)
    if not isinstance(source, KafkaSettings):
        raise UsageError("ingest.to: kafka needs a source of kind kafka")
    return KafkaSink(source, settings.topic_prefix)

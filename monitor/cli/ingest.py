"""``monitor ingest``: the receiver of webhooks in this terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

import structlog

from monitor import logs
from monitor.cli.declare import single
from monitor.cli.options import ConfigOption, site_of
from monitor.clock import SystemClock

log = structlog.get_logger(__name__)


def ingest(config: ConfigOption = None) -> None:
    """Receive webhooks of other systems until ctrl-c, and keep them for the daemon.

    Each is answered once it is durable. Configured under `ingest:`; the daemon reads what is kept
    by a mapping (`mappings.topics`).
    """
    from monitor.ingest.open import Ingest  # noqa: PLC0415 - half a second, for this alone

    site = site_of(config)
    logs.configure(level=site.config.logs.level, stream=sys.stderr)
    stop = threading.Event()

    def told(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, told)
    signal.signal(signal.SIGTERM, told)
    receiver = Ingest(site.config.ingest, site.config.source, SystemClock(), os.environ)
    receiver.start()
    log.info(
        "ingest_ready",
        port=receiver.port,
        receivers=sorted(site.config.ingest.receivers),
        exporter_port=receiver.exporter_port,
    )
    try:
        stop.wait()
    finally:
        receiver.stop()
    log.info("ingest_stopped", answers=dict(sorted(receiver.counts.items())))


app = single("ingest", ingest, "ingest", "ingest -c /etc/monitor/config.yaml")

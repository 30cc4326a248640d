"""The engine of a live daemon, from its configuration.

Owns construction alone; what the engine does is ``monitor.engine``.
"""

from __future__ import annotations

import threading

from monitor.assembly import build_judges, open_dead_letters, open_source
from monitor.clock import Clock
from monitor.engine import Engine, Pace
from monitor.events.ahead import LIVE_ROWS_MAX, ReadAhead
from monitor.events.customers import Customers
from monitor.events.enrich import Owners
from monitor.indicators.compile import BEGINNING
from monitor.recorder import StoreRecorder
from monitor.site import Site
from monitor.source.aside import Aside
from monitor.stats import Stats
from monitor.windows.dedup import Dedup
from monitor.windows.watermark import Watermarks

_POLL_RECORDS = 50_000
"""What four partitions of Kafka give at once: what a batch costs whatever is in it comes once for
all that a partition gave."""


def build_engine(
    site: Site,
    recorder: StoreRecorder,
    clock: Clock,
    stats: Stats,
    *,
    answers: bool,
    stop: threading.Event,
) -> Engine:
    """The engine of a live daemon, not started; it leaves off soon once ``stop`` is set."""
    config = site.config
    # Aside is within: what reads ahead can then be told to stop, too.
    source = ReadAhead(Aside(open_source(config, clock), stop), clock, LIVE_ROWS_MAX)
    engine = Engine(
        source=source,
        judges=build_judges(site, covered_from=BEGINNING, answers=answers),
        owners=Owners(config.events.owners),
        customers=Customers(config.events.customers),
        watermarks=Watermarks(config.time.tolerances()),
        dedup=Dedup(
            lateness_ms=config.time.lateness, tick_ms=config.time.tick, limit=config.limits.ids
        ),
        dead_letters=open_dead_letters(config, clock),
        recorder=recorder,
        clock=clock,
        stats=stats,
        pace=Pace(
            tick_ms=config.time.tick,
            max_pending_rows=config.limits.pending_rows,
            max_poll_records=min(_POLL_RECORDS, config.limits.pending_rows),
        ),
    )
    source.decoder = lambda: engine.judges.decoder
    engine.told_to_stop = stop.is_set
    return engine

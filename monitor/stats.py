"""Running totals that the engine and the delivery threads keep and the exporter reads.

Owns plain counters only, no metric names: those stand once in ``monitor.exporter.catalogue``.
Each total has one writing thread; readers may see it a moment old, never torn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

TICK_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
WRITE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAY_BUCKETS_S = (1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

TOPICS_MAX = 1_000
"""Topics, or files, whose records are counted one by one."""
OTHER_TYPES = "other"
"""Stands for every event type that the catalogue does not have, and for topics past the bound."""


class Timing:
    """A histogram of seconds with fixed buckets; the last bucket is everything above."""

    def __init__(self, buckets_s: tuple[float, ...] = TICK_BUCKETS_S) -> None:
        self.buckets_s = buckets_s
        self.counts = [0] * (len(buckets_s) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.sum_s += seconds
        for index, bound in enumerate(self.buckets_s):
            if seconds <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1


@dataclass(slots=True)
class Stats:
    """Totals since the process started; labels as the exporter will show them."""

    records: Counter[str] = field(default_factory=Counter)
    """Records read, by topic; of files, by path. New ones past ``TOPICS_MAX`` share a key."""
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (type, outcome): ``accepted``, ``duplicate``. Types come from producers, so those that the
    catalogue does not have share the key ``OTHER_TYPES``."""
    rejects: Counter[str] = field(default_factory=Counter)
    """Dead letters, by reason."""
    late: int = 0
    """Accepted records whose time was below their partition's watermark."""
    resumed_late: int = 0
    dedup_uncertain: int = 0
    """Accepted while the id table was full."""
    unknown_types: int = 0
    tombstones: int = 0
    unmapped: int = 0
    """Records of other systems that their mapping says nothing about."""
    key_overflow: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows that found a table full, by scope and what the table holds."""
    alerts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Alert transitions, by (rule, level, state)."""
    commands: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Commands, by (action, result): ``issued``, ``applied``, ``rejected``, ``stale``."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Suspensions that a guard refused, by guard."""
    listings: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Changes of the do-not-call list, by (action, reason)."""
    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (receiver, result): ``ok``, or the error's reason."""
    ticks: int = 0
    tick_time: Timing = field(default_factory=Timing)
    decision_delay: Timing = field(default_factory=lambda: Timing(DELAY_BUCKETS_S))
    """By tick: wall time when it was judged, less the effective time of its oldest event."""
    checkpoints: int = 0
    checkpoint_time: Timing = field(default_factory=lambda: Timing(WRITE_BUCKETS_S))
    """From when it was begun until it was durable."""
    checkpoint_hold: Timing = field(default_factory=Timing)
    """How long the engine did nothing else."""
    checkpoints_delayed: int = 0
    """Due while the one before was still being written."""
    reloads: Counter[str] = field(default_factory=Counter)
    """By result: ``ok``, ``refused``."""
    archive_records: int = 0
    """Written to the archive, by its own thread, as all of these."""
    archive_bytes: int = 0
    archive_size_bytes: int = 0
    """Of the whole archive, as last looked."""
    archive_waiting: int = 0
    """Read for it, and not written yet."""
    archive_failures: int = 0
    """Turns that failed: the disk, or the source."""
    web: Counter[str] = field(default_factory=Counter)
    """Answers of the HTTP interface, by status; ``overdue``: cut off without one."""

    def read(self, topic: str, records: int) -> None:
        """Count records of a topic; files may come and go for ever."""
        known = topic in self.records or len(self.records) < TOPICS_MAX
        self.records[topic if known else OTHER_TYPES] += records

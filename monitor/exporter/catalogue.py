"""Every metric of the daemon, once: name, kind, help, labels.

Owns the names; where a figure comes from is ``domain.py`` and ``daemon.py``; ``docs/metrics.md`` is
generated from here. ``callcentre_`` is what happens in the centre, ``monitor_`` is the daemon
itself. Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` on
counters, times as Unix timestamps rather than ages, so that an age keeps growing when we hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from monitor.events.batch import PRIVATE_DIMENSIONS, SCOPES

BUCKET, OTHER = "bucket", "other"
"""A label, and its one value: the series of all keys together that found their scope's table full.
Its key is shown as ``other`` too; a real key of that name has no such label."""
LABEL_DIMENSIONS = tuple(name for name in SCOPES if name not in PRIVATE_DIMENSIONS)


class Kind(StrEnum):
    """Prometheus' metric types, as far as we use them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric."""

    name: str
    """As queries write it, with ``_total`` on counters, without ``_bucket`` on histograms."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    scoped: bool = False
    """Also carries the label of its ``scope``'s own dimension: ``scope="team", team="…"``."""

    def __post_init__(self) -> None:
        """Hold the naming rules that ``promtool check metrics`` cannot know."""
        if not self.name.startswith(("callcentre_", "monitor_")):
            msg = f"{self.name}: not in our name space"
            raise ValueError(msg)
        if (self.kind is Kind.COUNTER) != self.name.endswith("_total"):
            msg = f"{self.name}: counters, and only they, end in _total"
            raise ValueError(msg)
        if PRIVATE_DIMENSIONS & set(self.labels):
            msg = f"{self.name}: customers are never a label"
            raise ValueError(msg)


def _counter(name: str, text: str, *labels: str) -> MetricSpec:
    return MetricSpec(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str, scoped: bool = False) -> MetricSpec:
    return MetricSpec(name, Kind.GAUGE, text, labels, scoped)


def _histogram(name: str, text: str) -> MetricSpec:
    return MetricSpec(name, Kind.HISTOGRAM, text)


_FIGURE = ("indicator", "window", "scope")

INDICATOR_RATIO = _gauge(
    "callcentre_indicator_ratio",
    "Windowed value of a ratio, 0 to 1; absent while its denominator is 0.",
    *_FIGURE,
    scoped=True,
)
INDICATOR_VALUE = _gauge(
    "callcentre_indicator_value",
    "Windowed value of a mean or a count, in its measure's own unit; a mean of nothing is absent.",
    *_FIGURE,
    scoped=True,
)
INDICATOR_HITS = _gauge(
    "callcentre_indicator_hits",
    "Numerator in the window: sum over keys, then divide by callcentre_indicator_of, to aggregate.",
    *_FIGURE,
    scoped=True,
)
INDICATOR_OF = _gauge(
    "callcentre_indicator_of", "Denominator in the window.", *_FIGURE, scoped=True
)
INDICATOR_COVERED = _gauge(
    "callcentre_indicator_covered",
    "1 when the log seen covers the window; 0 while it is warming and not judged.",
    *_FIGURE,
)
INDICATOR_KEYS_DROPPED = _gauge(
    "callcentre_indicator_keys_dropped",
    "Keys with figures that the exporter's caps left out; the worst are kept.",
    *_FIGURE,
)
INDICATOR_INFO = _gauge(
    "callcentre_indicator_info",
    "Always 1: what an indicator is.",
    "indicator",
    "kind",
    "class",
    "better",
    "title",
    "title_zh",
)
INDICATOR_TARGET = _gauge(
    "callcentre_indicator_target", "The target of an indicator, in its own unit.", "indicator"
)
AGENT_INFO = _gauge(
    "callcentre_agent_info",
    "Always 1: the group and team of an agent. Join: and on (agent) callcentre_agent_info{team=…}.",
    "agent",
    "group",
    "team",
)
EVENTS = _counter(
    "callcentre_events_total", "Events, by type and what became of them.", "type", "outcome"
)
RULE_THRESHOLD = _gauge(
    "callcentre_rule_threshold",
    "Where a level of a rule fires, in its indicator's unit.",
    "rule",
    "indicator",
    "window",
    "scope",
    "level",
    "direction",
)
RULE_SCOPES = _gauge(
    "callcentre_rule_scopes", "Scopes of a rule, by the state they are in.", "rule", "state"
)
RULE_FOLDED = _counter(
    "callcentre_rule_folded_scopes_total",
    "Scopes whose event became part of a wave: one alert for all, and nothing suspended for it.",
    "rule",
)
RULE_INFO = _gauge(
    "callcentre_rule_info",
    "Always 1: what a rule watches.",
    "rule",
    "indicator",
    "window",
    "scope",
    "status",
)
ALERTS_FIRING = _gauge(
    "callcentre_alerts_firing", "Alert episodes firing now.", "rule", "level", "shadow"
)
ALERT_SINCE = _gauge(
    "callcentre_alert_since_timestamp_seconds",
    "Since when an alert fires. A customer in its scope is left out.",
    "rule",
    "level",
    "shadow",
    "scope",
    scoped=True,
)
ALERTS = _counter("callcentre_alerts_total", "Alert transitions.", "rule", "level", "state")
NUMBERS = _gauge("callcentre_numbers", "Known outbound numbers, by state.", "state")
NUMBER_SINCE = _gauge(
    "callcentre_number_since_timestamp_seconds",
    "Since when a number that is not active is in its state.",
    "number",
    "state",
    "rule",
)
NUMBER_UNTIL = _gauge(
    "callcentre_number_until_timestamp_seconds",
    "When the suspension of a number ends; absent where only a clearance or a person ends it.",
    "number",
)
NUMBERS_FROZEN = _gauge(
    "callcentre_numbers_frozen", "1 while the kill switch is on and nothing is suspended."
)
COMMANDS = _counter(
    "callcentre_commands_total", "Commands to telephony, by result.", "action", "result"
)
LISTINGS = _counter(
    "callcentre_do_not_call_changes_total",
    "Changes of the do-not-call list, by what led to them.",
    "action",
    "reason",
)
REFUSALS = _counter(
    "callcentre_refusals_total", "Suspensions that a guard did not let through.", "guard"
)

UNREADY = _gauge(
    "monitor_unready", "1 for each reason why the daemon is not doing its job.", "reason"
)
READY = _gauge("monitor_ready", "1 when the daemon is doing its job, as /readyz says.")
BUILD_INFO = _gauge(
    "monitor_build_info", "Always 1: what is running.", "version", "python", "polars", "config"
)
SNAPSHOT_TIME = _gauge(
    "monitor_snapshot_timestamp_seconds",
    "Wall time of the picture the other figures are from; an old one means the engine hangs.",
)
WATERMARK_TIME = _gauge(
    "monitor_watermark_timestamp_seconds", "The engine's watermark: event time judged up to."
)
WATERMARK_DELAY = _gauge(
    "monitor_watermark_delay_seconds", "Wall time at the scrape less the engine's watermark."
)
DECISION_DELAY = _histogram(
    "monitor_decision_delay_seconds",
    "From an event's effective time to the decision on its tick: the oldest event of each tick.",
)
RECORDS = _counter("monitor_records_total", "Records read.", "topic")
LATE = _counter("monitor_late_records_total", "Records below their partition's watermark, counted.")
RESUMED_LATE = _counter(
    "monitor_resumed_late_records_total",
    "Late records of a partition that had been left out of the watermark as idle.",
)
UNKNOWN_TYPES = _counter("monitor_unknown_type_records_total", "Records of a type unknown to us.")
TOMBSTONES = _counter("monitor_tombstones_total", "Null records.")
UNMAPPED = _counter(
    "monitor_unmapped_records_total", "Records that their mapping says nothing about."
)
REJECTS = _counter("monitor_rejects_total", "Records that went to the dead letters.", "reason")
KEY_OVERFLOW = _counter(
    "monitor_key_overflow_rows_total",
    "Rows that found a scope's table full. Of keys: counted in its bucket; else left out.",
    "scope",
    "table",
)
PARTITION_LAG = _gauge(
    "monitor_partition_lag_records", "Records not yet read.", "topic", "partition"
)
PARTITION_POSITION = _gauge(
    "monitor_partition_position", "The next offset to be read.", "topic", "partition"
)
PARTITION_WATERMARK_DELAY = _gauge(
    "monitor_partition_watermark_delay_seconds",
    "Wall time at the scrape less the partition's watermark; absent until its first record.",
    "topic",
    "partition",
)
PARTITION_IDLE = _gauge(
    "monitor_partition_idle", "1 while left out of the engine's watermark.", "topic", "partition"
)
TICKS = _counter("monitor_ticks_total", "Ticks judged.")
TICK_TIME = _histogram("monitor_tick_duration_seconds", "Time to judge one tick.")
QUEUE_LENGTH = _gauge("monitor_queue_length", "Entries in a bounded queue.", "queue")
QUEUE_LIMIT = _gauge("monitor_queue_limit", "Most entries that a queue takes.", "queue")
QUEUE_OLDEST = _gauge(
    "monitor_queue_oldest_timestamp_seconds",
    "When the oldest entry of a queue came; absent while it is empty.",
    "queue",
)
KEYS = _gauge("monitor_keys", "Living keys of a scope.", "scope")
KEYS_LIMIT = _gauge("monitor_keys_limit", "Most keys that a scope takes.", "scope")
TABLE_ENTRIES = _gauge(
    "monitor_table_entries", "Entries of a bounded table; of several alike, the fullest.", "table"
)
TABLE_LIMIT = _gauge("monitor_table_limit", "Most entries that a table takes.", "table")
TABLE_OVERFLOW = _counter(
    "monitor_table_overflow_total",
    "What found a table full: rows of ids, sightings of numbers, marks that were forgotten.",
    "table",
)
DEAD_LETTERS_LOST = _counter(
    "monitor_dead_letters_lost_total",
    "Refused records that could not be kept: the queue, the topic or the disk did not take them.",
)
ARCHIVE_RECORDS = _counter(
    "monitor_archive_records_total", "Records written to the archive of events."
)
ARCHIVE_BYTES = _counter("monitor_archive_bytes_total", "Bytes written to the archive of events.")
ARCHIVE_SIZE = _gauge("monitor_archive_size_bytes", "The archive of events on disk.")
ARCHIVE_WAITING = _gauge(
    "monitor_archive_waiting_records", "Records read for the archive and not written yet."
)
ARCHIVE_FAILURES = _counter(
    "monitor_archive_failures_total",
    "Times that the archive could not be read for or written; it is tried again, nothing is lost.",
)
CHECKPOINTS = _counter("monitor_checkpoints_total", "Checkpoints saved.")
CHECKPOINTS_DELAYED = _counter(
    "monitor_checkpoints_delayed_total",
    "Checkpoints that were due while the one before was still being written.",
)
CHECKPOINT_DURATION = _histogram(
    "monitor_checkpoint_duration_seconds", "Time to save one, beside the engine's work."
)
CHECKPOINT_HOLD = _histogram(
    "monitor_checkpoint_hold_seconds", "How long the engine does nothing else for one."
)
CHECKPOINT_SAVED = _gauge(
    "monitor_checkpoint_timestamp_seconds", "When the last checkpoint was saved."
)
CHECKPOINT_SIZE = _gauge(
    "monitor_checkpoint_size_bytes", "Size of all that the last checkpoint is read from."
)
CHECKPOINT_WRITTEN = _gauge(
    "monitor_checkpoint_written_bytes", "What was written for the last checkpoint."
)
DELIVERIES = _counter(
    "monitor_deliveries_total",
    "Deliveries: ok, digest (told with others), stale (too late, not sent), or the error's class.",
    "receiver",
    "result",
)
OUTBOX = _gauge(
    "monitor_outbox_deliveries",
    "Deliveries that are not sent: waiting, folded into a digest to come, stale, or given up.",
    "receiver",
    "state",
)
ACKS_IGNORED = _counter(
    "monitor_acks_ignored_total",
    "Records of telephony that are no answer, and answers to commands that none awaits (unknown).",
    "reason",
)
TURN = _gauge(
    "monitor_engine_turn_seconds",
    "How long the engine's present turn has taken so far; it grows while the engine is stuck.",
)
DELIVERY_BUSY = _gauge(
    "monitor_delivery_busy_seconds",
    "How long the delivery under way has taken so far; 0 between deliveries.",
    "receiver",
)
DISK_FREE = _gauge("monitor_disk_free_bytes", "Free on the disk that this is kept on.", "directory")
DISK_SIZE = _gauge("monitor_disk_size_bytes", "Size of the disk that this is kept on.", "directory")
CLOCK_JUMPS = _counter(
    "monitor_clock_jumps_total",
    "How often wall time parted from monotonic time by two seconds or more.",
    "direction",
)
RELOADS = _counter("monitor_reloads_total", "Reloads of configuration and rules.", "result")
SCRAPE_SERIES = _gauge(
    "monitor_exporter_indicator_series", "Indicator series in this scrape, after the caps."
)
SCRAPE_DROPPED = _gauge(
    "monitor_exporter_dropped_series",
    "Series that the caps left out of this scrape; what they are: …_keys_dropped, by indicator.",
)
WEB_REQUESTS = _counter(
    "monitor_web_requests_total",
    "Requests to the HTTP interface, by status of the answer; overdue: cut off without one.",
    "status",
)
HTTP_REFUSED = _counter(
    "monitor_exporter_refused_requests_total",
    "HTTP requests refused: busy (all threads in use), overdue (too slow), unauthorized.",
    "reason",
)

CATALOGUE: tuple[MetricSpec, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, MetricSpec)
)
"""Every metric of the daemon, in the order above."""

INGEST_KEPT = _counter(
    "monitor_ingest_records_total",
    "Webhooks that were kept: durable, and answered 200.",
    "receiver",
)
INGEST_REFUSED = _counter(
    "monitor_ingest_refused_total",
    "Webhooks that were not kept, by reason; of a receiver that there is not, without its name.",
    "receiver",
    "reason",
)
INGEST_REQUESTS = _counter(
    "monitor_ingest_requests_total",
    "Requests, by status of the answer; overdue: cut off without one.",
    "status",
)
INGEST_WAITING = _gauge("monitor_ingest_waiting_records", "Records that wait to be kept.")
INGEST_WAITING_MAX = _gauge(
    "monitor_ingest_waiting_records_max", "With so many waiting the next is told to come back."
)
INGEST_SINK_ERRORS = _counter(
    "monitor_ingest_sink_errors_total", "Batches of records that disk or broker did not take."
)
INGEST_LAST_KEPT = _gauge(
    "monitor_ingest_last_kept_timestamp_seconds", "When the last record was kept; 0: none yet."
)
INGEST_UNREADY = _gauge(
    "monitor_ingest_unready", "1 while /readyz says no, by reason; absent otherwise.", "reason"
)

INGEST: tuple[MetricSpec, ...] = tuple(
    value
    for value in list(globals().values())
    if isinstance(value, MetricSpec) and value not in CATALOGUE
)
"""Those of ``monitor ingest``, a process of its own."""

"""``monitor_`` metrics from a snapshot: the daemon's own health.

Owns where each figure comes from. Delays are taken at the scrape, not when the picture was
published, so that they keep growing when the engine hangs.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from importlib import metadata

import polars as pl
from prometheus_client.core import Metric

from monitor.events.batch import REJECT_REASONS
from monitor.exporter import catalogue as names
from monitor.exporter.families import Rows, counted, histogram, single
from monitor.snapshot import PartitionStanding, Snapshot, Watch

DISTRIBUTION = "callcentre-monitor"
RELOAD_RESULTS = ("ok", "refused")


def collect(
    snapshot: Snapshot | None,
    watch: Watch | None,
    now_ms: int,
    unready: list[str],
    rows_max: int,
) -> Iterator[Metric]:
    """Every metric of the daemon; before the first snapshot, what stands without one.

    ``unready`` are the reasons that ``/readyz`` gives, the exporter's own included. ``rows_max``
    bounds the list of partitions, which may be files: those with most to read are shown.
    """
    reasons = Rows(names.UNREADY)
    for reason in sorted(set(unready)):
        reasons.add(1, reason)
    yield reasons.metric
    yield single(names.READY, float(not unready))
    config = "" if snapshot is None else snapshot.config_hash
    yield (
        Rows(names.BUILD_INFO)
        .add(1, metadata.version(DISTRIBUTION), platform.python_version(), pl.__version__, config)
        .metric
    )
    if watch is not None:
        yield from _watched(watch)
    if snapshot is None:
        return
    yield single(names.SNAPSHOT_TIME, snapshot.wall_ms / 1000)
    yield from _progress(snapshot, now_ms)
    partitions = most_behind(snapshot.partitions, rows_max)
    yield from _input(snapshot, {standing.topic for standing in partitions})
    yield from _partitions(partitions, now_ms)
    yield from _bounds(snapshot)
    yield from _checkpoints(snapshot)
    yield from _archive(snapshot)
    yield counted(names.DELIVERIES, snapshot.stats.deliveries)
    yield counted(names.RELOADS, snapshot.stats.reloads, RELOAD_RESULTS)
    yield counted(names.WEB_REQUESTS, snapshot.stats.web)


def _archive(snapshot: Snapshot) -> Iterator[Metric]:
    stats = snapshot.stats
    yield single(names.ARCHIVE_RECORDS, stats.archive_records)
    yield single(names.ARCHIVE_BYTES, stats.archive_bytes)
    yield single(names.ARCHIVE_SIZE, stats.archive_size_bytes)
    yield single(names.ARCHIVE_WAITING, stats.archive_waiting)
    yield single(names.ARCHIVE_FAILURES, stats.archive_failures)


def _watched(watch: Watch) -> Iterator[Metric]:
    yield single(names.TURN, watch.turn_s)
    busy = Rows(names.DELIVERY_BUSY)
    for receiver, seconds in sorted(watch.deliveries_s.items()):
        busy.add(seconds, receiver)
    free, size = Rows(names.DISK_FREE), Rows(names.DISK_SIZE)
    for disk in watch.disks:
        free.add(disk.free_bytes, disk.name)
        size.add(disk.size_bytes, disk.name)
    for rows in (busy, free, size):
        yield rows.metric
    yield counted(names.CLOCK_JUMPS, watch.clock_jumps)


def _progress(snapshot: Snapshot, now_ms: int) -> Iterator[Metric]:
    if snapshot.at_ms is not None:
        yield single(names.WATERMARK_TIME, snapshot.at_ms / 1000)
        yield single(names.WATERMARK_DELAY, (now_ms - snapshot.at_ms) / 1000)
    yield histogram(names.DECISION_DELAY, snapshot.stats.decision_delay)
    yield single(names.TICKS, snapshot.stats.ticks)
    yield histogram(names.TICK_TIME, snapshot.stats.tick_time)


def most_behind(
    partitions: Sequence[PartitionStanding], rows_max: int
) -> Sequence[PartitionStanding]:
    """As they are, or where there are too many those with the largest lag, in the same order."""
    if len(partitions) <= rows_max:
        return partitions
    order = sorted(range(len(partitions)), key=lambda index: (-partitions[index].lag, index))
    return [partitions[index] for index in sorted(order[:rows_max])]


def _input(snapshot: Snapshot, topics: AbstractSet[str]) -> Iterator[Metric]:
    stats = snapshot.stats
    yield counted(names.RECORDS, stats.records, topics)
    yield single(names.LATE, stats.late)
    yield single(names.RESUMED_LATE, stats.resumed_late)
    yield single(names.UNKNOWN_TYPES, stats.unknown_types)
    yield single(names.TOMBSTONES, stats.tombstones)
    yield single(names.UNMAPPED, stats.unmapped)
    yield counted(names.REJECTS, stats.rejects, REJECT_REASONS)
    yield counted(names.KEY_OVERFLOW, stats.key_overflow)


def _partitions(partitions: Iterable[PartitionStanding], now_ms: int) -> Iterator[Metric]:
    lag, position = Rows(names.PARTITION_LAG), Rows(names.PARTITION_POSITION)
    delay, idle = Rows(names.PARTITION_WATERMARK_DELAY), Rows(names.PARTITION_IDLE)
    for standing in partitions:
        labels = (standing.topic, str(standing.partition))
        lag.add(standing.lag, *labels)
        position.add(standing.position, *labels)
        idle.add(float(standing.idle), *labels)
        if standing.watermark_ms is not None:
            delay.add((now_ms - standing.watermark_ms) / 1000, *labels)
    for rows in (lag, position, delay, idle):
        yield rows.metric


def _bounds(snapshot: Snapshot) -> Iterator[Metric]:
    length, limit = Rows(names.QUEUE_LENGTH), Rows(names.QUEUE_LIMIT)
    oldest = Rows(names.QUEUE_OLDEST)
    for queue in snapshot.queues:
        length.add(queue.length, queue.name)
        limit.add(queue.limit, queue.name)
        if queue.oldest_ms is not None:
            oldest.add(queue.oldest_ms / 1000, queue.name)
    keys, keys_limit = Rows(names.KEYS), Rows(names.KEYS_LIMIT)
    for scope, count in sorted(snapshot.keys.items()):
        keys.add(count.living, scope)
        keys_limit.add(count.limit, scope)
    for rows in (length, limit, oldest, keys, keys_limit):
        yield rows.metric
    yield from _tables(snapshot)
    outbox = Rows(names.OUTBOX)
    for (receiver, state), deliveries in sorted(snapshot.deliveries.items()):
        outbox.add(deliveries, receiver, state)
    yield outbox.metric
    yield single(names.DEAD_LETTERS_LOST, snapshot.dead_letters_lost)
    yield counted(names.ACKS_IGNORED, snapshot.acks_ignored)


def _tables(snapshot: Snapshot) -> Iterator[Metric]:
    entries, most, beyond = (
        Rows(spec) for spec in (names.TABLE_ENTRIES, names.TABLE_LIMIT, names.TABLE_OVERFLOW)
    )
    for table in sorted(snapshot.tables, key=lambda table: table.name):
        entries.add(table.entries, table.name)
        most.add(table.limit, table.name)
        if table.beyond is not None:
            beyond.add(table.beyond, table.name)
    for rows in (entries, most, beyond):
        yield rows.metric


def _checkpoints(snapshot: Snapshot) -> Iterator[Metric]:
    yield single(names.CHECKPOINTS, snapshot.stats.checkpoints)
    yield single(names.CHECKPOINTS_DELAYED, snapshot.stats.checkpoints_delayed)
    yield histogram(names.CHECKPOINT_DURATION, snapshot.stats.checkpoint_time)
    yield histogram(names.CHECKPOINT_HOLD, snapshot.stats.checkpoint_hold)
    if snapshot.checkpoint is not None:
        yield single(names.CHECKPOINT_SAVED, snapshot.checkpoint.saved_ms / 1000)
        yield single(names.CHECKPOINT_SIZE, snapshot.checkpoint.size_bytes)
        yield single(names.CHECKPOINT_WRITTEN, snapshot.checkpoint.written_bytes)

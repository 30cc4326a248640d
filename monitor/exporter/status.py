"""``/status``: the snapshot as JSON, for people and for ``monitor status``.

Owns that document's shape. Customers are masked in it; windowed figures are not in it (they are
what ``/metrics`` is for).
"""

from __future__ import annotations

from typing import Any

from monitor.decisions import Scope, iso
from monitor.events.batch import PRIVATE_DIMENSIONS
from monitor.exporter.daemon import most_behind
from monitor.logs import mask_customer
from monitor.snapshot import (
    AlertStanding,
    IncidentStanding,
    PartitionStanding,
    Snapshot,
    Unready,
)

ALERTS_MAX = 200
STANDING_MAX = 200
PARTITIONS_MAX = 1_000


def document(snapshot: Snapshot | None, now_ms: int, unready: list[Unready]) -> dict[str, Any]:
    """The document; every time in it is RFC 3339, every duration in seconds.

    Lists that traffic makes longer are bounded; their full lengths stand beside them.
    """
    ready = {
        "ready": not unready,
        "unready": [{"reason": entry.reason, "detail": entry.detail} for entry in unready],
    }
    if snapshot is None:
        return ready
    return ready | {
        "taken": iso(snapshot.wall_ms),
        "watermark": _iso(snapshot.at_ms),
        "watermark_delay_s": _age(now_ms, snapshot.at_ms),
        "tick": _iso(snapshot.tick_ms),
        "config": snapshot.config_hash,
        "frozen": snapshot.frozen,
        "lag": sum(standing.lag for standing in snapshot.partitions),
        "partitions_read": len(snapshot.partitions),
        "partitions": [
            _partition(standing, now_ms)
            for standing in most_behind(snapshot.partitions, PARTITIONS_MAX)
        ],
        "rules": [
            {
                "rule": rule.rule,
                "by": list(rule.by),
                "window": rule.window,
                "status": rule.status,
                "states": dict(rule.states),
            }
            for rule in snapshot.rules
        ],
        "alerts_firing": len(snapshot.alerts),
        "alerts": [_alert(alert) for alert in snapshot.alerts[:ALERTS_MAX]],
        "numbers": dict(snapshot.numbers),
        "standing": [
            {
                "number": number.number,
                "state": number.state,
                "since": iso(number.since_ms),
                "until": _iso(number.until_ms),
                "rule": number.rule,
            }
            for number in snapshot.standing[:STANDING_MAX]
        ],
        "incidents_open": len(snapshot.incidents),
        "incidents": [_incident(each) for each in snapshot.incidents[:STANDING_MAX]],
        "queues": [
            {
                "queue": queue.name,
                "length": queue.length,
                "limit": queue.limit,
                "oldest_s": _age(now_ms, queue.oldest_ms),
            }
            for queue in snapshot.queues
        ],
        "keys": {
            scope: {"living": count.living, "limit": count.limit}
            for scope, count in snapshot.keys.items()
        },
        "checkpoint": None
        if snapshot.checkpoint is None
        else {
            "saved": iso(snapshot.checkpoint.saved_ms),
            "age_s": _age(now_ms, snapshot.checkpoint.saved_ms),
            "size_bytes": snapshot.checkpoint.size_bytes,
            "written_bytes": snapshot.checkpoint.written_bytes,
        },
        "totals": _totals(snapshot),
    }


def _totals(snapshot: Snapshot) -> dict[str, Any]:
    stats = snapshot.stats
    return {
        "records": dict(sorted(dict(stats.records).items())),
        "rejects": dict(sorted(dict(stats.rejects).items())),
        "late": stats.late,
        "overflow": _joined({key: n for key, n in dict(stats.key_overflow).items() if n}),
        "ticks": stats.ticks,
        "commands": _joined(dict(stats.commands)),
        "refusals": dict(sorted(dict(stats.refusals).items())),
        "deliveries": _joined(dict(stats.deliveries)),
        "reloads": dict(sorted(dict(stats.reloads).items())),
    }


def _joined(totals: dict[tuple[str, str], int]) -> dict[str, int]:
    return {"/".join(key): count for key, count in sorted(totals.items())}


def _partition(standing: PartitionStanding, now_ms: int) -> dict[str, Any]:
    return {
        "topic": standing.topic,
        "partition": standing.partition,
        "position": standing.position,
        "lag": standing.lag,
        "watermark_delay_s": _age(now_ms, standing.watermark_ms),
        "idle": standing.idle,
    }


def _incident(incident: IncidentStanding) -> dict[str, Any]:
    return {
        "kind": incident.kind,
        "pool": incident.pool,
        "since": iso(incident.since_ms),
        "waiting": incident.waiting,
        "detail": incident.detail,
        "ref": incident.ref,
        "until": _iso(incident.until_ms),
        "approved_by": incident.approved_by,
    }


def _alert(alert: AlertStanding) -> dict[str, Any]:
    figures = alert.figures
    return {
        "rule": alert.rule,
        "level": alert.level,
        "scope": _shown(alert.scope),
        "since": iso(alert.since_ms),
        "value": None if figures.value is None else round(figures.value, 6),
        "hits": figures.hits,
        "of": figures.of,
        "window": figures.window,
        "shadow": alert.shadow,
        "episode": alert.episode,
    }


def _shown(scope: Scope) -> dict[str, str]:
    return {
        name: mask_customer(value) if name in PRIVATE_DIMENSIONS else value for name, value in scope
    }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _age(now_ms: int, ms: int | None) -> float | None:
    return None if ms is None else round((now_ms - ms) / 1000, 3)

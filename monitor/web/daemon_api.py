"""Rules and the daemon's own health over HTTP.

Owns the routes; what the daemon says of itself is ``/status``'s document.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.exporter import status
from monitor.exporter.collector import unready
from monitor.snapshot import RuleStanding
from monitor.web.application import Viewer
from monitor.web.office import office_of
from monitor.web.packed import packed
from monitor.web.room import room_of, tables_of
from monitor.web.tables import Tables


class LevelRow(BaseModel):
    """Where one level fires."""

    level: Literal["warn", "crit"] = Field(description="How bad")
    bound: float = Field(description="In the indicator's unit")
    direction: Literal["above", "below"] = Field(description="On which side of the bound it fires")


class RuleRow(BaseModel):
    """A rule, and in which state how many of its scopes are."""

    rule: str = Field(description="Its id")
    title: dict[str, str] = Field(description="By language")
    indicator: str = Field(description="Empty for a rule on events, on absence or on rules")
    area: str = Field(description="The side of the business it is on")
    by: list[str] = Field(description="Its dimensions")
    window: str = Field(description="Its windows, joined by commas")
    status: Literal["active", "shadow", "off"] = Field(
        description="Whether it acts, only tries, or rests"
    )
    levels: list[LevelRow] = Field(
        description="Where it fires; none where that moves, or it is on events"
    )
    states: dict[str, int] = Field(description="How many of its scopes are in which state")
    folded: int = Field(description="Scopes that became part of a wave, since the last reload")
    firing: dict[str, int] = Field(description="Alerts that fire, by level")


class Rules(BaseModel):
    """All rules, those that fire first."""

    rules: list[RuleRow] = Field(description="One row each")


class Health(BaseModel):
    """How the daemon is: docs/operating.md says what the rest of it means."""

    model_config = ConfigDict(extra="allow")

    ready: bool = Field(description="It does its job")
    unready: list[dict[str, str]] = Field(description="If not, why: `reason` and `detail`")
    standing_by: bool = Field(description="Another daemon is the active one")


router = APIRouter()


@router.get("/rules", tags=["rules"], summary="Rules and their states", response_model=Rules)
def rules(_caller: Viewer, request: Request) -> Response:
    """As of the newest picture."""
    return packed(request, {"rules": rule_rows(tables_of(request))})


@router.get(
    "/health",
    tags=["health"],
    summary="How the daemon is",
    response_model=Health,
)
def health(_caller: Viewer, request: Request) -> Response:
    """What `/status` says, deliveries, tables and disks; also while it starts, or stands by."""
    return packed(request, health_document(request))


def rule_rows(tables: Tables) -> list[dict[str, Any]]:
    """All rules as JSON, those that fire first."""
    firing: dict[str, dict[str, int]] = {}
    for alert in tables.picture.alerts:
        of = firing.setdefault(alert.rule, {"crit": 0, "warn": 0})
        of[alert.level] += 1
    rows = [_rule(rule, tables, firing.get(rule.rule, {})) for rule in tables.picture.rules]
    rank = {"active": 0, "shadow": 1, "off": 2}
    return sorted(
        rows,
        key=lambda row: (
            rank[row["status"]],
            -row["firing"].get("crit", 0),
            -row["firing"].get("warn", 0),
            row["rule"],
        ),
    )


def _rule(rule: RuleStanding, tables: Tables, firing: dict[str, int]) -> dict[str, Any]:
    info = tables.infos.get(rule.indicator)
    return {
        "rule": rule.rule,
        "title": dict(rule.title),
        "indicator": rule.indicator,
        "kind": "" if info is None else info.kind,
        "area": "" if info is None else info.area,
        "by": list(rule.by),
        "window": rule.window,
        "status": rule.status,
        "levels": [
            {"level": each.level, "bound": each.bound, "direction": each.direction}
            for each in rule.levels
        ],
        "states": dict(rule.states),
        "folded": rule.folded,
        "firing": firing,
    }


def health_document(request: Request) -> dict[str, Any]:
    """How the daemon is, as JSON."""
    office, room = office_of(request), room_of(request)
    now_ms, board = office.clock.now_ms(), office.board
    snapshot, watch = board.latest, board.watch
    found = status.document(snapshot, now_ms, unready(board, now_ms, room.stalled_after_ms))
    for left_out in ("alerts", "standing", "rules"):  # they have addresses of their own
        found.pop(left_out, None)
    found["standing_by"] = board.standing_by
    found["trends"] = {"samples": len(room.trends), "bytes": room.trends.bytes}
    found["streams"] = room.hub.readers
    if snapshot is not None:
        found["deliveries"] = [
            {"receiver": receiver, "state": state, "count": count}
            for (receiver, state), count in sorted(snapshot.deliveries.items())
        ]
        found["tables"] = [
            {"table": table.name, "entries": table.entries, "limit": table.limit}
            for table in snapshot.tables
        ]
    if watch is not None:
        found["turn_s"] = round(watch.turn_s, 3)
        found["disks"] = [
            {"name": disk.name, "free_bytes": disk.free_bytes, "size_bytes": disk.size_bytes}
            for disk in watch.disks
        ]
    return found

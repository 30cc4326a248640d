"""Boards and figures over HTTP: teams, groups, agents and every other dimension, now and lately.

Owns the routes. Figures are of scopes without customers alone, as everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from monitor.decisions import iso
from monitor.snapshot import Snapshot
from monitor.web import rows
from monitor.web.application import Viewer
from monitor.web.packed import packed, tag, unchanged
from monitor.web.problems import ProblemError
from monitor.web.room import room_of, tables_of
from monitor.web.rows import View
from monitor.web.tables import AREAS, TREE, Span, Tables, headlines

ROWS_MAX = 500
PER_AREA = 2

State = Literal["none", "plain", "good", "off", "beyond", "warn", "crit"]
Area = Literal["compliance", "efficiency", "conversion", "experience"]
By = Annotated[str, Query(max_length=40, description="A dimension: team, group, agent, number …")]
Name = Annotated[str, Query(min_length=1, max_length=300, description="Which of its keys")]


class Figure(BaseModel):
    """One figure."""

    value: float | None = Field(description="Null: there is nothing to divide by")
    hits: float | None = Field(description="Above the line, or the count itself")
    of: float | None = Field(description="Null for a count")
    state: State = Field(
        description="`good`, `off`: its target is met, or not; `beyond`: a rule's bound is crossed,"
        " without enough evidence yet; `warn`, `crit`: a rule fires"
    )


class ColumnInfo(BaseModel):
    """What an indicator is, and over which window it is shown."""

    indicator: str = Field(description="Its id")
    title: dict[str, str] = Field(description="By language")
    area: str = Field(description="The side of the business; empty when the pack does not say")
    class_: str = Field(alias="class", description="`leading`, `efficiency`, `result` or empty")
    kind: Literal["ratio", "mean", "count"] = Field(description="How its values are to be written")
    better: Literal["lower", "higher"] = Field(description="Which way is good")
    target: float | None = Field(description="What the best teams hold")
    bound: float | None = Field(description="The least severe bound of a rule")
    window: str = Field(description="Over which its values are")
    covered: bool = Field(description="The log seen covers the window")


class Row(BaseModel):
    """One team, group, agent, number or the like."""

    name: str = Field(description="The key")
    group: str = Field(description="Of an agent")
    team: str = Field(description="Of an agent or a group")
    alerts: int = Field(description="Alerts that fire there, or below")
    firing: str = Field(description="The worst of them: `warn`, `crit` or empty")
    figures: dict[str, Figure] = Field(description="By indicator")
    trend: dict[str, list[float | None]] | None = Field(None, description="By `trend=true`")


class Board(BaseModel):
    """A page of rows."""

    by: str = Field(description="The dimension")
    tick: str | None = Field(description="The tick that the figures are of")
    total: int = Field(description="Rows of this view altogether")
    columns: list[ColumnInfo] = Field(
        description="The indicators shown, those of one side together"
    )
    rows: list[Row] = Field(description="This page of them")


class Standing(BaseModel):
    """All figures of one scope now, by indicator and window."""

    by: str = Field(description="The dimension")
    name: str = Field(description="The key")
    group: str = Field(description="Of an agent")
    team: str = Field(description="Of an agent or a group")
    tick: str | None = Field(description="The tick that the figures are of")
    figures: list[dict[str, Any]] = Field(
        description="One for each indicator and window: what it is, and how it stands"
    )


class Trend(BaseModel):
    """One figure over time."""

    indicator: str = Field(description="Its id")
    window: str = Field(description="Over which its values are")
    at: list[int] = Field(description="Milliseconds since 1970, ascending")
    values: list[float | None] = Field(description="Null where there was nothing to divide by")


class TrendsOf(BaseModel):
    """Figures of one scope over time: docs/console.md says how far back, and how closely."""

    by: str = Field(description="The dimension")
    name: str = Field(description="The key")
    lines: list[Trend] = Field(description="One for each indicator")


_NO_SUCH: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There are no figures by this dimension"}
}
router = APIRouter(responses=_NO_SUCH)


@router.get("/board", tags=["board"], summary="Teams, groups, agents", response_model=Board)
def board(
    _caller: Viewer,
    request: Request,
    by: By = "team",
    team: Annotated[str | None, Query(max_length=300, description="Agents or groups of it")] = None,
    group: Annotated[str | None, Query(max_length=300, description="Agents of it")] = None,
    q: Annotated[str, Query(max_length=100, description="Part of a name")] = "",
    area: Annotated[Area | None, Query(description="All indicators of one side alone")] = None,
    *,
    every: Annotated[bool, Query(description="All indicators, not only the headlines")] = False,
    span: Annotated[
        Span, Query(description="Of several windows the shortest or longest")
    ] = "short",
    sort: Annotated[str, Query(max_length=100, description="`attention`, `name`, an indicator")] = (
        rows.ATTENTION
    ),
    reverse: Annotated[bool, Query(description="The other way round")] = False,
    firing: Annotated[bool, Query(description="Only those with an alert")] = False,
    trend: Annotated[bool, Query(description="With what figures were lately")] = False,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="Rows left out before")] = 0,
    limit: Annotated[int, Query(ge=0, le=ROWS_MAX, description="Rows at most")] = 100,
) -> Response:
    """Of the newest picture; worst first, unless told otherwise."""
    room, tables = room_of(request), tables_of(request)
    etag = tag(room.hub.boot, tables.version, len(room.trends) if trend else 0, request.url.query)
    known = unchanged(request, etag)
    if known is not None:
        return known
    table = tables.table(checked(tables, by), span)
    columns = shown_columns(tables, by, span, area=area, every=every)
    view = View(
        by, columns, team=team, group=group, q=q, sort=sort, reverse=reverse, span=span,
        firing=firing,
    )  # fmt: skip
    chosen = rows.choose(tables, view)
    lately = room.trends if trend else None
    content = {
        "by": by,
        "tick": tick_of(tables.picture),
        "total": len(chosen),
        "columns": [rows.told(table.columns[name]) for name in columns],
        "rows": [
            rows.row(tables, view, place, trends=lately, columns=columns)
            for place in chosen[offset : offset + limit].tolist()
        ],
    }
    return packed(request, content, etag=etag)


@router.get("/figures", tags=["board"], summary="One scope now", response_model=Standing)
def figures(_caller: Viewer, request: Request, by: By, name: Name) -> Response:
    """All indicators over all their windows."""
    tables = tables_of(request)
    return packed(request, standing(tables, checked(tables, by), name))


@router.get("/trends", tags=["board"], summary="One scope over time", response_model=TrendsOf)
def trends(
    _caller: Viewer,
    request: Request,
    by: By,
    name: Name,
    indicator: Annotated[str | None, Query(max_length=100, description="This one alone")] = None,
    window: Annotated[str, Query(max_length=100, description="Empty: the shortest")] = "",
    since: Annotated[int, Query(ge=0, description="Milliseconds since 1970")] = 0,
) -> Response:
    """As far back as is kept, over the shortest window, or one that a rule judges."""
    room, tables = room_of(request), tables_of(request)
    known = tables.windows(checked(tables, by))
    wanted = [each for each in known if indicator in {None, each}]
    found = []
    for each in wanted:
        line = room.trends.line(each, by, name, window=window, since_ms=since)
        if line is not None:
            found.append(
                {
                    "indicator": each,
                    "window": line.window,
                    "at": line.at_ms,
                    "values": [None if v is None else rows.number(v) for v in line.values],
                }
            )
    return packed(request, {"by": by, "name": name, "lines": found})


def checked(tables: Tables, by: str) -> str:
    """A dimension that there are figures of.

    Raises:
        ProblemError: it is another one.
    """
    if by in TREE or any(figures.by == (by,) for figures in tables.picture.figures):
        return by
    raise ProblemError(404, "there are no figures by this dimension")


def shown_columns(
    tables: Tables, by: str, span: Span, *, area: str | None = None, every: bool = False
) -> list[str]:
    """Indicators of a board, those of one area together."""
    table = tables.table(by, span)
    if area is None and not every:
        others = [tables.table(each, span) for each in TREE] if by in TREE else [table]
        return (
            headlines(tables, table, others, PER_AREA)
            or list(table.columns)[: PER_AREA * len(AREAS)]
        )
    names = [name for name, column in table.columns.items() if area in {None, column.info.area}]
    order = {each: place for place, each in enumerate(AREAS)}
    return sorted(names, key=lambda name: order.get(table.columns[name].info.area, len(AREAS)))


def standing(tables: Tables, by: str, name: str) -> dict[str, Any]:
    """All figures of one scope."""
    above = tables.above(((by, name),))
    found: list[dict[str, Any]] = []
    for indicator, windows in tables.windows(by).items():
        for span, each in (("short", windows[0]), ("long", windows[-1])):
            table = tables.table(by, "short" if span == "short" else "long")
            place = table.index.get(name)
            if place is None or (span == "long" and len(windows) == 1):
                continue
            column = table.columns[indicator]
            found.append(rows.told(column) | rows.cell(column, place) | {"window": each.window})
    return {
        "by": by,
        "name": name,
        "group": above.get("group", "") if by == "agent" else "",
        "team": above.get("team", "") if by in {"agent", "group"} else "",
        "tick": tick_of(tables.picture),
        "figures": found,
    }


def tick_of(picture: Snapshot) -> str | None:
    """The tick of a picture, as text."""
    return None if picture.tick_ms is None else iso(picture.tick_ms)

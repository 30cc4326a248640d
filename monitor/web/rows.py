"""Rows of a table as people look at them: some of them, in an order, with what they were lately.

Owns filters, sorting and the JSON of a row. The same for the interface and the console.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from monitor.web.tables import AREAS, BEYOND, NONE, OFF, STATES, Column, Span, Table, Tables
from monitor.web.trends import Trends

Places = npt.NDArray[np.intp]
Order = Literal["asc", "desc"]
ATTENTION: Final = "attention"
TREND_POINTS: Final = 40


@dataclass(frozen=True, slots=True)
class View:
    """What somebody wants to see of a dimension."""

    by: str
    columns: Sequence[str] = ()
    """Indicators; empty: all that the table has."""
    team: str | None = None
    group: str | None = None
    q: str = ""
    """Part of a name."""
    sort: str = ATTENTION
    """``attention``, ``name`` or an indicator, whose worst come first."""
    reverse: bool = False
    span: Span = "short"
    firing: bool = False
    """Only those with an alert."""


def choose(tables: Tables, view: View) -> Places:
    """Positions in the table of the rows of a view, in its order."""
    table = tables.table(view.by, view.span)
    found = np.flatnonzero(_filter(tables, table, view))
    keys: list[npt.NDArray[Any]] = [np.arange(len(table.names))]
    column = table.columns.get(view.sort)
    if column is not None:
        keys.append(_badness(column))
    elif view.sort != "name":
        states = [each.state for each in table.columns.values()]
        if states:
            every = np.array(states)
            keys += [-(every == OFF).sum(axis=0), -(every == BEYOND).sum(axis=0)]
        keys += [-table.alerts, -table.firing]
    order = np.lexsort([key[found] for key in keys])
    chosen = found[order]
    return chosen[::-1] if view.reverse else chosen


def row(
    tables: Tables,
    view: View,
    place: int,
    *,
    trends: Trends | None = None,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """One row as JSON; ``trends``: with what its figures were lately, for ``columns``."""
    table = tables.table(view.by, view.span)
    name = table.names[place]
    above = tables.above(((view.by, name),))
    shown = [name for name in (columns or table.columns) if name in table.columns]
    found: dict[str, Any] = {
        "name": name,
        "group": above.get("group", "") if view.by == "agent" else "",
        "team": above.get("team", "") if view.by in {"agent", "group"} else "",
        "alerts": int(table.alerts[place]),
        "firing": STATES[table.firing[place]] if table.firing[place] else "",
        "figures": {each: cell(table.columns[each], place) for each in shown},
    }
    if trends is not None:
        found["trend"] = {each: points(trends, each, view.by, name) for each in shown}
    return found


def cell(column: Column, place: int) -> dict[str, Any]:
    """One figure as JSON."""
    return {
        "value": number(column.value[place]),
        "hits": number(column.hits[place]),
        "of": number(column.of[place]),
        "state": STATES[column.state[place]],
    }


def told(column: Column) -> dict[str, Any]:
    """A column as JSON."""
    info = column.info
    return {
        "indicator": info.id,
        "title": dict(info.title),
        "area": info.area,
        "class": info.of_class,
        "kind": info.kind,
        "better": info.better,
        "target": info.target,
        "bound": column.bound,
        "window": column.window,
        "covered": column.covered,
    }


def points(trends: Trends, indicator: str, by: str, name: str) -> list[float | None]:
    """What a figure was lately, evenly thinned; the newest last."""
    line = trends.line(indicator, by, name)
    if line is None:
        return []
    values = line.values
    if len(values) <= TREND_POINTS:
        return values
    places = np.linspace(0, len(values) - 1, TREND_POINTS).round().astype(int)
    return [values[place] for place in places.tolist()]


def number(value: Any) -> float | None:
    """A figure as JSON has it; no number: None."""
    as_float = float(value)
    return round(as_float, 6) if math.isfinite(as_float) else None


def areas(table: Table, place: int) -> dict[str, str]:
    """The worst state of a row in each area; empty where it has no figure there."""
    worst: dict[str, int] = {}
    for column in table.columns.values():
        area = column.info.area
        if area and column.state[place] != NONE:
            worst[area] = max(worst.get(area, 0), int(column.state[place]))
    return {area: STATES[worst[area]] if area in worst else "" for area in AREAS}


def _filter(tables: Tables, table: Table, view: View) -> npt.NDArray[np.bool_]:
    names = table.names
    keep = np.ones(len(names), dtype=bool)
    if view.by == "agent" and (view.team is not None or view.group is not None):
        nowhere = ("", "")
        places = [tables.places.get(name, nowhere) for name in names]
        if view.team is not None:
            keep &= np.fromiter((team == view.team for _, team in places), bool, len(names))
        if view.group is not None:
            keep &= np.fromiter((group == view.group for group, _ in places), bool, len(names))
    elif view.by == "group" and view.team is not None:
        teams = (tables.team_of.get(name, "") == view.team for name in names)
        keep &= np.fromiter(teams, bool, len(names))
    if view.q:
        wanted = view.q.casefold()
        keep &= np.fromiter((wanted in name.casefold() for name in names), bool, len(names))
    if view.firing:
        keep &= table.alerts > 0
    return keep


def _badness(column: Column) -> npt.NDArray[np.float64]:
    """Ascending: the worst first, those without a figure last."""
    signed = -column.value if column.info.better == "lower" else column.value
    return np.where(np.isnan(signed), np.inf, signed)

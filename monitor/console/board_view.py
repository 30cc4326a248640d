"""What the console's board shows: lines of the tree or of one dimension, and the areas above.

Owns the shape of its values; nothing is worked out here that the interface does not say too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from fastapi import Request

from monitor.console.around import around
from monitor.web import board_api, rows
from monitor.web.room import room_of, tables_of
from monitor.web.rows import View
from monitor.web.tables import (
    AREAS,
    BEYOND,
    CRIT,
    GOOD,
    NONE,
    OFF,
    PLAIN,
    TREE,
    WARN,
    Span,
    Table,
    Tables,
)

FLAT_PAGE: Final = 60
IN_GROUP: Final = 25
"""Agents of an open group that are shown; the others are a click away."""
_FLAT: Final = ("agent", "campaign", "number", "number_type", "customer_tag", "company")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see of the board."""

    by: str
    team: str
    group: str
    q: str
    area: str
    span: Span
    sort: str
    reverse: bool
    firing: bool
    page: int
    open: tuple[str, ...]
    """``team:name`` and ``group:name`` whose rows are shown."""


def board(request: Request, asked: Asked) -> dict[str, Any]:
    """The board's values."""
    tables, trends = tables_of(request), room_of(request).trends
    dimensions = [by for by in _FLAT if tables.windows(by)]
    flat = asked.by in dimensions or bool(asked.q or asked.team or asked.group)
    by = asked.by if asked.by in dimensions else ("agent" if flat else "team")
    area = asked.area if asked.area in AREAS else None
    columns = board_api.shown_columns(tables, by, asked.span, area=area)
    made = _Rows(tables, asked, columns)
    lines = made.flat(by) if flat else made.tree()
    for line in lines:
        row = line["row"]
        row["trend"] = {
            each: rows.points(trends, each, line["by"], row["name"]) for each in columns
        }
    table = tables.table(by, asked.span)
    return around(request) | {
        "asked": asked,
        "by": by,
        "flat": flat,
        "dimensions": dimensions,
        "columns": [rows.told(table.columns[name]) for name in columns],
        "areas": area_tiles(tables, (by,) if flat else TREE[::-1], asked.span),
        "lines": lines,
        "total": made.total,
        "pages": max(1, -(-made.total // FLAT_PAGE)) if flat else 1,
        "tick": board_api.tick_of(tables.picture),
    }


class _Rows:
    """Lines of the board."""

    def __init__(self, tables: Tables, asked: Asked, columns: Sequence[str]) -> None:
        self._tables, self._asked, self._columns = tables, asked, columns
        self.total = 0

    def flat(self, by: str) -> list[dict[str, Any]]:
        """One page of one dimension."""
        view = self._view(by, team=self._asked.team or None, group=self._asked.group or None)
        chosen = rows.choose(self._tables, view)
        self.total = len(chosen)
        first = (self._asked.page - 1) * FLAT_PAGE
        return [self._line(view, place, 0) for place in chosen[first : first + FLAT_PAGE].tolist()]

    def tree(self) -> list[dict[str, Any]]:
        """Teams, and what is open below them."""
        view = self._view("team")
        chosen = rows.choose(self._tables, view)
        self.total = len(chosen)
        found: list[dict[str, Any]] = []
        sizes = Counter(place.team for place in self._tables.picture.agents)
        for place in chosen.tolist():
            line = self._line(view, place, 0) | {"below": "group"}
            line["size"] = sizes.get(line["row"]["name"], 0)
            found.append(line)
            if line["open"]:
                found += self._groups(line["row"]["name"])
        return found

    def _groups(self, team: str) -> list[dict[str, Any]]:
        view = self._view("group", team=team)
        sizes = Counter(place.group for place in self._tables.picture.agents)
        found: list[dict[str, Any]] = []
        for place in rows.choose(self._tables, view).tolist():
            line = self._line(view, place, 1) | {"below": "agent"}
            line["size"] = sizes.get(line["row"]["name"], 0)
            found.append(line)
            if line["open"]:
                found += self._agents(line["row"]["name"])
        return found

    def _agents(self, group: str) -> list[dict[str, Any]]:
        view = self._view("agent", group=group)
        chosen = rows.choose(self._tables, view)
        found = [self._line(view, place, 2) for place in chosen[:IN_GROUP].tolist()]
        if found and len(chosen) > IN_GROUP:
            found[-1]["more"] = {"group": group, "count": len(chosen) - IN_GROUP}
        return found

    def _view(self, by: str, team: str | None = None, group: str | None = None) -> View:
        asked = self._asked
        return View(
            by, self._columns, team=team, group=group, q=asked.q, sort=asked.sort,
            reverse=asked.reverse, span=asked.span, firing=asked.firing,
        )  # fmt: skip

    def _line(self, view: View, place: int, depth: int) -> dict[str, Any]:
        row = rows.row(self._tables, view, place, columns=self._columns)
        key = f"{view.by}:{row['name']}"
        table = self._tables.table(view.by, self._asked.span)
        return {
            "by": view.by,
            "key": key,
            "depth": depth,
            "open": key in self._asked.open,
            "toggle": [*{*self._asked.open} ^ {key}],
            "row": row,
            "areas": rows.areas(table, place),
            "more": None,
            "size": 0,
            "below": "",
        }


def area_tiles(tables: Tables, of: Sequence[str], span: Span) -> list[dict[str, Any]]:
    """For each side of the business how all keys stand, and what fires.

    ``of``: dimensions; the first that has figures there is told of.
    """
    firing: dict[str, Counter[str]] = {area: Counter() for area in AREAS}
    for alert in tables.loud:
        info = tables.infos.get(tables.indicator_of.get(alert.rule, ""))
        if info is not None and info.area:
            firing[info.area][alert.level] += 1
    tiles: list[dict[str, Any]] = []
    for area in AREAS:
        tile = {"area": area, "crit": firing[area]["crit"], "warn": firing[area]["warn"]}
        found = ((by, _stands(tables.table(by, span), area)) for by in of)
        by, stands = next((each for each in found if each[1]), ("", {}))
        tiles.append(tile | {"by": by, "stands": stands})
    return tiles


def _stands(table: Table, area: str) -> dict[str, int]:
    """How many keys are how good in an area, each by its worst figure there."""
    states = [c.state for c in table.columns.values() if c.info.area == area]
    if not states or not (worst := np.max(np.array(states), axis=0)).any():
        return {}
    worst = worst[worst != NONE]
    groups = {
        "crit": [CRIT],
        "warn": [WARN],
        "beyond": [BEYOND],
        "off": [OFF],
        "good": [GOOD, PLAIN],
    }
    return {name: int(np.isin(worst, ranks).sum()) for name, ranks in groups.items()}

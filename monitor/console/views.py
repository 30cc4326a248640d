"""What each page shows, gathered from the functions of the interface.

Owns the shape of a page's values; nothing is worked out here that the interface does not say too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from fastapi import Request

from monitor.decisions import NumberChange, iso
from monitor.people.desk import PeopleDesk
from monitor.snapshot import IncidentStanding, NumberStanding
from monitor.store.handled import InboxRow, Wanted
from monitor.store.store import Store
from monitor.web import alerts_api, board_api, people_api, rows
from monitor.web.access import Caller
from monitor.web.office import office_of
from monitor.web.requested import Change
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
NUMBERS_PAGE: Final = 100
CHANGES_SHOWN: Final = 30
SCOPE_ALERTS: Final = 200
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


def around(request: Request) -> dict[str, Any]:
    """What several pages look up: titles of rules and indicators, teams."""
    tables = alerts_api.tables_or_none(request)
    if tables is None:
        return {"rule_titles": {}, "titles": {}, "infos": {}, "rule_levels": {}, "teams": []}
    return {
        "rule_titles": {rule.rule: rule.title for rule in tables.picture.rules},
        "rule_levels": {rule.rule: rule.levels for rule in tables.picture.rules},
        "infos": tables.infos,
        "titles": {info.id: info.title for info in tables.picture.indicators},
        "teams": sorted({place.team for place in tables.picture.agents} - {""}),
    }


def inbox(request: Request, found: Mapping[str, Any]) -> dict[str, Any]:
    """The inbox' values."""
    return around(request) | {
        "alerts": found["alerts"],
        "firing": found["firing"],
        "next_cursor": found["next"],
    }


async def silences(request: Request, caller: Caller) -> list[dict[str, Any]]:
    """Those that hold."""
    office = office_of(request)
    found = await office.ask(lambda store: PeopleDesk(store, office.clock).silences(limit=200))
    return [people_api.shown(each, caller).model_dump() for each in found]


async def numbers(
    request: Request, caller: Caller, *, state: str, q: str, page: int
) -> dict[str, Any]:
    """The numbers board's values."""
    office, tables = office_of(request), tables_of(request)
    picture = tables.picture
    digits = q.replace(" ", "")
    chosen = [
        each
        for each in picture.standing
        if state in {"", each.state} and (not digits or digits in each.number)
    ]
    changes = await office.ask(lambda store: store.history.changes(limit=CHANGES_SHOWN))
    first = (page - 1) * NUMBERS_PAGE
    return around(request) | {
        "counts": dict(picture.numbers),
        "frozen": picture.frozen,
        "numbers": [standing(each) for each in chosen[first : first + NUMBERS_PAGE]],
        "total": len(chosen),
        "page": page,
        "pages": max(1, -(-len(chosen) // NUMBERS_PAGE)),
        "changes": [Change.of(change, caller).model_dump() for change in changes],
        "incidents": [held_up(each) for each in picture.incidents],
    }


def standing(each: NumberStanding) -> dict[str, Any]:
    """A number that is not simply active."""
    return {
        "number": each.number,
        "state": each.state,
        "since": iso(each.since_ms),
        "until": None if each.until_ms is None else iso(each.until_ms),
        "rule": each.rule,
    }


def held_up(each: IncidentStanding) -> dict[str, Any]:
    """Why suspensions in a pool stand still."""
    return {
        "kind": each.kind,
        "pool": each.pool,
        "since": iso(each.since_ms),
        "until": None if each.until_ms is None else iso(each.until_ms),
        "detail": each.detail,
        "waiting": each.waiting,
        "name": "" if each.approved_by else each.ref,
        "approved_by": each.approved_by,
    }


async def scope(request: Request, caller: Caller, by: str, name: str) -> dict[str, Any]:
    """The values of a page on one scope."""
    office, tables = office_of(request), tables_of(request)
    by = board_api.checked(tables, by)
    told = board_api.standing(tables, by, name)
    rules = [rule.rule for rule in tables.picture.rules if by in rule.by]
    found = await office.ask(lambda store: _alerts_of(store, request, rules, (by, name)))
    changes: list[NumberChange] = []
    state = None
    if by == "number":
        changes = await office.ask(
            lambda store: store.history.changes(number=name, limit=CHANGES_SHOWN)
        )
        state = next((standing(n) for n in tables.picture.standing if n.number == name), None)
    figures = [each for each in told["figures"] if each["state"] != "none" or each["target"]]
    areas = [(area, [f for f in figures if f["area"] == area]) for area in (*AREAS, "")]
    alerts = [alerts_api.alert_row(row, tables, caller, full=False) for row in found]
    return around(request) | {
        "by": by,
        "name": name,
        "team": told["team"],
        "group": told["group"],
        "tick": told["tick"],
        "areas": [(area, short_first(each)) for area, each in areas if each],
        "alerts": alerts,
        "standing": state,
        "changes": [Change.of(change, caller).model_dump() for change in changes],
        "below": TREE[TREE.index(by) + 1] if by in TREE[:2] else "",
        "bands": [
            {
                "indicator": row["indicator"],
                "from": row["since"],
                "to": row["at"] if row["state"] == "resolved" else None,
                "level": row["level"],
                "episode": row["episode"],
            }
            for row in alerts
        ],
    }


def short_first(figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each indicator once, over its shortest window, with what it is over the longest."""
    found: dict[str, dict[str, Any]] = {}
    for each in figures:
        if each["indicator"] in found:
            found[each["indicator"]]["longer"] = each
        else:
            found[each["indicator"]] = dict(each) | {"longer": None}
    return list(found.values())


def _alerts_of(
    store: Store, request: Request, rules: Sequence[str], scope: tuple[str, str]
) -> list[InboxRow]:
    """Episodes of a scope, the newest first: of the last of each rule that looks at it."""
    desk = PeopleDesk(store, office_of(request).clock)
    found = [
        row
        for rule in rules
        for row in desk.inbox(Wanted(rule=rule), limit=SCOPE_ALERTS).rows
        if scope in row.alert.scope
    ]
    return sorted(found, key=lambda row: -row.alert.since_ms)[:50]

"""What each page but the board shows, gathered from the functions of the interface.

Owns the shape of a page's values; nothing is worked out here that the interface does not say too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Request

from monitor.console.around import around
from monitor.decisions import NumberChange, iso
from monitor.people.desk import PeopleDesk
from monitor.snapshot import IncidentStanding, NumberStanding
from monitor.store.handled import InboxRow, Wanted
from monitor.store.store import Store
from monitor.web import board_api, people_api
from monitor.web.access import Caller
from monitor.web.alert_rows import alert_row
from monitor.web.office import office_of
from monitor.web.requested import Change
from monitor.web.room import tables_of
from monitor.web.tables import AREAS, TREE

NUMBERS_PAGE: Final = 100
CHANGES_SHOWN: Final = 30
SCOPE_ALERTS: Final = 200


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
    alerts = [alert_row(row, tables, caller, full=False) for row in found]
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

"""Alerts over HTTP: the inbox, and one alert with all that is known of it.

Owns the routes that read, and what they look up. What people do about alerts is ``people_api``, how
an alert is said ``alert_rows``.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from monitor.decisions import Alert, Command
from monitor.errors import MonitorError
from monitor.people.desk import PeopleDesk
from monitor.store.handled import InboxRow, Wanted
from monitor.store.silenced import Silence
from monitor.store.store import Store
from monitor.web.access import Caller
from monitor.web.alert_rows import (
    AlertWhole,
    Inbox,
    Records,
    act_row,
    alert_row,
    transition,
    undone,
)
from monitor.web.application import Viewer
from monitor.web.customers import Customers, in_full
from monitor.web.hearing import silenced_until, tellings
from monitor.web.office import office_of
from monitor.web.packed import packed
from monitor.web.problems import ProblemError
from monitor.web.room import Room, room_of
from monitor.web.tables import Tables

PAGE_MAX = 200
RECORDS_MAX = 500
_ONE_AT_A_TIME = "somebody's question is being answered; ask again in a moment"

EpisodePath = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The alert's episode, as in the list")
]
router = APIRouter(tags=["alerts"])


@router.get("", summary="The inbox", response_model=Inbox)
async def list_(
    caller: Viewer,
    request: Request,
    state: Annotated[
        Literal["firing", "resolved"] | None, Query(description="Going on, or over")
    ] = None,
    level: Annotated[Literal["warn", "crit"] | None, Query(description="How bad")] = None,
    rule: Annotated[str | None, Query(max_length=200, description="Of this rule")] = None,
    team: Annotated[str | None, Query(max_length=300, description="Of this team")] = None,
    acknowledged: Annotated[bool | None, Query(description="Somebody knows, or nobody")] = None,
    *,
    mine: Annotated[bool, Query(description="Assigned to whoever asks")] = False,
    shadow: Annotated[bool, Query(description="Those of shadow rules instead")] = False,
    cursor: Annotated[
        str | None, Query(max_length=80, description="`next` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="Rows at most")] = 50,
    customers: Customers = False,
) -> Response:
    """One row an episode, the newest first by its beginning."""
    wanted = Wanted(
        state=state,
        level=level,
        rule=rule,
        teams=None if team is None else frozenset({team}),
        acknowledged=acknowledged,
        assigned_to=caller.name if mine else None,
        shadow=shadow,
    )
    found = await inbox(request, caller, wanted, cursor, limit, whole=customers)
    return packed(request, found)


@router.get("/{episode}", summary="One alert", response_model=AlertWhole)
async def show(
    episode: EpisodePath,
    caller: Viewer,
    request: Request,
    *,
    customers: Customers = False,
) -> Response:
    """With its course, what was done for it, and what people did about it."""
    return packed(request, await whole(request, caller, episode, full=customers))


@router.get(
    "/{episode}/records",
    summary="The records behind it",
    response_model=Records,
    responses={409: {"description": "There are none, or they cannot be read: `detail` says why"}},
)
async def records(
    episode: EpisodePath,
    caller: Viewer,
    request: Request,
    limit: Annotated[int, Query(ge=0, le=RECORDS_MAX, description="Records at most")] = 50,
    *,
    customers: Customers = False,
) -> Response:
    """Read back from the log, which may take seconds; one question at a time."""
    found = await explained(request, caller, episode, limit, full=customers)
    return packed(request, found)


async def inbox(
    request: Request,
    caller: Caller,
    wanted: Wanted,
    cursor: str | None,
    limit: int,
    *,
    whole: bool = False,
) -> dict[str, Any]:
    """A page of the inbox as JSON."""
    full = in_full(request, caller, asked=whole)
    office, tables = office_of(request), tables_or_none(request)
    packs = room_of(request).packs()

    def ask(store: Store) -> tuple[tuple[InboxRow, ...], str | None, list[Silence]]:
        desk = PeopleDesk(store, office.clock)
        page = desk.inbox(wanted, cursor=cursor, limit=limit)
        return page.rows, page.cursor, desk.silences()

    try:
        rows, further, silences = await office.ask(ask)
    except ValueError as error:
        raise ProblemError(422, str(error)) from error
    return {
        "alerts": [
            alert_row(row, tables, caller, full=full)
            | {"silenced_until": silenced_until(row, silences, packs.get(row.alert.rule, ""))}
            for row in rows
        ],
        "firing": _by_level(tables),
        "next": further,
    }


async def whole(request: Request, caller: Caller, episode: str, *, full: bool) -> dict[str, Any]:
    """One alert with all that is known of it, as JSON.

    Raises:
        ProblemError: there is none of that episode.
    """
    full = in_full(request, caller, asked=full, of=episode)
    office, tables = office_of(request), tables_or_none(request)
    packs = room_of(request).packs()

    def ask(store: Store) -> dict[str, Any] | None:
        desk = PeopleDesk(store, office.clock)
        row = desk.entry(episode)
        if row is None:
            return None
        found = alert_row(row, tables, caller, full=full)
        decisions = store.history.of_episode(episode, row.alert.rule, row.alert.since_ms)
        course = [each for each in decisions if isinstance(each, Alert)]
        found["course"] = [transition(each) for each in course]
        found["commands"] = [each.to_json() for each in decisions if isinstance(each, Command)]
        found["refusals"] = [
            undone(each, caller, full=full)
            for each in decisions
            if not isinstance(each, Alert | Command)
        ]
        found["acts"] = [act_row(act, caller) for act in desk.acts(about=episode)]
        found["told"] = tellings(store, episode, course)
        pack = packs.get(row.alert.rule, "")
        found["silenced_until"] = silenced_until(row, desk.silences(), pack)
        found["runbook"] = "" if tables is None else tables.runbook_of.get(row.alert.rule, "")
        return found

    found = await office.ask(ask)
    if found is None:
        raise ProblemError(404, "there is no alert of this episode")
    return found


async def explained(
    request: Request, caller: Caller, episode: str, limit: int, *, full: bool
) -> dict[str, Any]:
    """The records behind an alert, and what they have in common.

    Raises:
        ProblemError: there is no such alert, or no answer.
    """
    full = in_full(request, caller, asked=full, of=episode)
    room, office = room_of(request), office_of(request)
    alert = await office.ask(lambda store: _begun(store, episode))
    if alert is None:
        raise ProblemError(404, "there is no alert of this episode")
    if room.explain is None:
        raise ProblemError(409, "records are not read here")
    if room.explaining.locked():
        raise ProblemError(503, _ONE_AT_A_TIME, headers={"retry-after": "2"})
    async with room.explaining:
        return await _explain(room, alert, limit, full=full)


async def _explain(room: Room, alert: Alert, limit: int, *, full: bool) -> dict[str, Any]:
    assert room.explain is not None  # noqa: S101 - the caller looked
    work = asyncio.ensure_future(run_in_threadpool(room.explain, alert, limit, full))
    try:
        return {"explanations": await asyncio.shield(work)}
    except MonitorError as error:
        raise ProblemError(409, str(error)) from error
    except asyncio.CancelledError:
        # Whoever asked has gone, and the thread reads on: nobody else may ask meanwhile.
        await asyncio.wait({work})
        raise


def tables_or_none(request: Request) -> Tables | None:
    """The newest snapshot as tables; None before the first: alerts are in the store."""
    picture = office_of(request).board.latest
    return None if picture is None else room_of(request).desk.of(picture)


def _by_level(tables: Tables | None) -> dict[str, int]:
    found = {"crit": 0, "warn": 0}
    for alert in () if tables is None else tables.loud:
        found[alert.level] += 1
    return found


def _begun(store: Store, episode: str) -> Alert | None:
    """The alert that an episode began with."""
    found = store.history.alerts_named(episode)
    return next((each for each in found if each.state == "firing"), found[0] if found else None)

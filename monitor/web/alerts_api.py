"""Alerts over HTTP: the inbox, and one alert with all that is known of it.

Owns the routes that read. What people do about alerts is ``people_api``. Customers are masked
unless an admin asks for them in full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from monitor.decisions import Alert, Command, Decision, iso
from monitor.delivery.people import without
from monitor.errors import MonitorError
from monitor.events.batch import PRIVATE_DIMENSIONS
from monitor.logs import mask_customer
from monitor.people.desk import PeopleDesk
from monitor.store.handled import Act, Handling, InboxRow, Wanted
from monitor.store.silenced import Silence
from monitor.store.store import Store
from monitor.web.access import Caller
from monitor.web.application import Viewer, words_for
from monitor.web.deeds import Note, note
from monitor.web.hearing import Telling, silenced_until, tellings
from monitor.web.office import office_of
from monitor.web.packed import packed
from monitor.web.problems import ProblemError
from monitor.web.room import Room, room_of
from monitor.web.settings import Role
from monitor.web.tables import Tables

PAGE_MAX = 200
RECORDS_MAX = 500
_ONE_AT_A_TIME = "somebody's question is being answered; ask again in a moment"

_TOLD: Final = (
    "episode", "rule", "level", "state", "reason", "since", "at", "value", "hits", "of", "window",
    "evidence", "shadow",
)  # fmt: skip

EpisodePath = Annotated[
    str, Path(pattern=r"^[0-9a-f]{32}$", description="The alert's episode, as in the list")
]
Customers = Annotated[bool, Query(description="Customers in full; for admins")]


class Handled(BaseModel):
    """How an alert stands with people."""

    acknowledged_by: str | None = Field(description="Who knows of it; null: nobody said so")
    acknowledged: str | None = Field(description="When")
    holds: bool = Field(description="It is known at its present level")
    note: str = Field(description="What was said with it")
    assigned_to: str | None = Field(description="Who has it; null: nobody")


class AlertRow(BaseModel):
    """An episode, as of its latest transition."""

    episode: str = Field(description="Its id for people")
    rule: str = Field(description="The rule that fires")
    indicator: str = Field(description="What the rule looks at; empty for one on events")
    area: str = Field(description="The side of the business it is on")
    level: Literal["warn", "crit"] = Field(description="How bad")
    state: Literal["firing", "resolved"] = Field(description="Whether it goes on")
    reason: str = Field(description="Why the latest transition was taken")
    scope: dict[str, str] = Field(description="Whom it is about: dimensions and their values")
    team: str = Field(description="Whose it is; empty: no one team's")
    since: str = Field(description="When it began")
    at: str = Field(description="The tick of its latest transition")
    value: float | None = Field(description="The figure that the rule judged")
    hits: float = Field(description="Above the line")
    of: float = Field(description="Below the line")
    window: str = Field(description="Over which window; empty for an event")
    kind: Literal["ratio", "mean", "count"] = Field(description="How the value is to be written")
    evidence: dict[str, Any] = Field(
        description="How sure the rule is: `method`, `score`, and what is `needed`"
    )
    message: dict[str, str] = Field(description="What the rule says, by language")
    shadow: bool = Field(description="Its rule only tries: nobody is told")
    handled: Handled = Field(description="What people did about it")
    yours: bool = Field(description="Whether the caller may act on it")
    silenced_until: str | None = Field(
        description="Nobody is told of it until then, as people said; null: it is not silenced"
    )


class Inbox(BaseModel):
    """A page of alerts, the newest first."""

    alerts: list[AlertRow] = Field(description="One row an episode")
    firing: dict[str, int] = Field(description="How many fire now, by level")
    next: str | None = Field(description="For `cursor`, where there are more")


class AlertWhole(AlertRow):
    """One alert with what came of it."""

    course: list[dict[str, Any]] = Field(description="Its transitions, the oldest first")
    commands: list[dict[str, Any]] = Field(description="What was done about numbers for it")
    refusals: list[dict[str, Any]] = Field(description="What a guard did not let through")
    acts: list[dict[str, Any]] = Field(description="What people did, the newest first")
    told: list[Telling] = Field(
        description="Who was told, or why nobody was, the oldest first; kept with `store.retention`"
    )
    runbook: str = Field(description="What to do about it, as its rule says: text, or an address")


class Explained(BaseModel):
    """What can be said of one rule's alert: docs/explain.md."""

    rule: str = Field(description="Whose alert it is")
    bad: int = Field(description="How many records are bad")
    rest: int = Field(description="How many others there are")
    complete: bool | None = Field(
        description="The log still says what the alert said; null: rows alone cannot tell"
    )
    common: list[dict[str, Any]] = Field(
        description="What the bad ones have in common, by dimension"
    )
    records: list[dict[str, Any]] = Field(description="The bad ones, the newest first")


class Records(BaseModel):
    """The records behind an alert, and what they have in common."""

    explanations: list[Explained] = Field(description="One; of a rule on rules one for each part")


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
    mine: Annotated[bool, Query(description="Assigned to whoever asks")] = False,  # noqa: FBT002
    shadow: Annotated[bool, Query(description="Those of shadow rules instead")] = False,  # noqa: FBT002
    cursor: Annotated[
        str | None, Query(max_length=80, description="`next` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="Rows at most")] = 50,
    customers: Customers = False,  # noqa: FBT002
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
    customers: Customers = False,  # noqa: FBT002
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
    customers: Customers = False,  # noqa: FBT002
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
            _undone(each, caller, full=full)
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


def alert_row(
    row: InboxRow, tables: Tables | None, caller: Caller, *, full: bool
) -> dict[str, Any]:
    """A row of the inbox as JSON."""
    alert = row.alert
    team = row.team or ("" if tables is None else tables.team(alert.scope))
    indicator = "" if tables is None else tables.indicator_of.get(alert.rule, "")
    info = None if tables is None else tables.infos.get(indicator)
    told = alert.to_json()
    scope, message = told["scope"], told["message"]
    if not full:
        scope, message = masked(scope, message)
    return {name: told[name] for name in _TOLD} | {
        "indicator": indicator,
        "area": "" if info is None else info.area,
        "kind": alert.figures.kind,
        "scope": scope,
        "team": team,
        "message": message,
        "handled": _handled(row.handling, alert, caller),
        "yours": caller.acts_on(team),
    }


def masked(
    scope: Mapping[str, str], message: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Scope and texts without a customer to dial."""
    private = {name: value for name, value in scope.items() if name in PRIVATE_DIMENSIONS}
    hidden = {name: mask_customer(value) for name, value in private.items()}
    return dict(scope) | hidden, without(message, private.values())


def in_full(request: Request, caller: Caller, *, asked: bool, of: str = "") -> bool:
    """Whether customers are told in full; that they are stands in the audit.

    ``of``: the episode, where it is one alert; the rule, where it is a report.

    Raises:
        ProblemError: they were asked for by one who may not see them.
    """
    if asked and caller.role < Role.ADMIN:
        raise ProblemError(403, "customers in full are for the role admin")
    if asked:
        note(request, Note("read customers in full", target=of))
    return asked


def tables_or_none(request: Request) -> Tables | None:
    """The newest snapshot as tables; None before the first: alerts are in the store."""
    picture = office_of(request).board.latest
    return None if picture is None else room_of(request).desk.of(picture)


def _undone(decision: Decision, caller: Caller, *, full: bool) -> dict[str, Any]:
    """A refusal, or an order to another system, as JSON."""
    told = decision.to_json()
    if not full and "scope" in told:
        told["scope"], _ = masked(told["scope"], {})
    if "detail" in told:
        told["detail"] = words_for(caller, told["detail"])
    return told


def act_row(act: Act, caller: Caller) -> dict[str, Any]:
    """What somebody did, as JSON."""
    details = {
        name: words_for(caller, value) if isinstance(value, str) else value
        for name, value in act.details.items()
        if name in {"note", "to", "reason"}
    }
    return {"at": iso(act.at_ms), "who": act.who, "what": act.what, **details}


def transition(alert: Alert) -> dict[str, Any]:
    """One transition of an episode as JSON."""
    told = alert.to_json()
    names = ("at", "state", "level", "reason", "value", "hits", "of", "evidence")
    return {name: told[name] for name in names}


def _handled(handling: Handling, alert: Alert, caller: Caller) -> dict[str, Any]:
    when = handling.acknowledged_ms
    return {
        "acknowledged_by": handling.acknowledged_by,
        "acknowledged": None if when is None else iso(when),
        "holds": handling.covers(alert.level),
        "note": words_for(caller, handling.note),
        "assigned_to": handling.assigned_to,
    }


def _by_level(tables: Tables | None) -> dict[str, int]:
    found = {"crit": 0, "warn": 0}
    for alert in () if tables is None else tables.loud:
        found[alert.level] += 1
    return found


def _begun(store: Store, episode: str) -> Alert | None:
    """The alert that an episode began with."""
    found = store.history.alerts_named(episode)
    return next((each for each in found if each.state == "firing"), found[0] if found else None)

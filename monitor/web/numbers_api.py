"""Outbound numbers over HTTP: who is out of service, why, and the same orders as by command line.

Owns the routes. What may be asked for is ``monitor.numbers.asking``: an action added there is a
route here. Numbers are our own, so they are shown in full.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from monitor.decisions import iso
from monitor.numbers import asking
from monitor.numbers.asking import ACTS, Act, Term
from monitor.snapshot import NumberStanding, Snapshot
from monitor.web.access import Caller
from monitor.web.application import Viewer, caller_of, needs
from monitor.web.office import Office, office_of
from monitor.web.problems import ProblemError
from monitor.web.requested import (
    RESPONSES,
    ApprovalBody,
    Body,
    Change,
    EndingBody,
    Key,
    Outcome,
    UndoBody,
    Wait,
    leave,
    name_of,
)
from monitor.web.settings import Role

NumberPath = Annotated[
    str, Path(min_length=1, max_length=64, description="The outbound number, as E.164: +86…")
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="At most so many, the newest")]


class Number(BaseModel):
    """How a number stands."""

    number: str = Field(description="As E.164")
    state: str = Field(description="`active` is in service; the others: docs/numbers.md")
    since: str | None = Field(None, description="Null: it was never anything else")
    until: str | None = Field(None, description="Null: until told, or it is in service")
    rule: str | None = Field(None, description="What put it there; empty when a person did")


class Numbers(BaseModel):
    """Numbers that are not simply active."""

    counts: dict[str, int] = Field(description="Known numbers by state")
    frozen: bool = Field(description="Whether suspensions by rules are frozen")
    numbers: list[Number] = Field(description="By number")
    left_out: int = Field(description="Further ones, beyond exporter.rows_max")


class Incident(BaseModel):
    """Why suspensions in a pool stand still."""

    kind: str = Field(
        description="`campaign`, `brake`, `approval`; `max_fraction` or `min_left`: as many are "
        "out as may be, and more wait"
    )
    pool: str = Field(description="As in `pools`, or the campaign's")
    since: str = Field(description="When it began to")
    waiting: int = Field(description="Numbers of the pool that rules want out")
    detail: str = Field(description="In words")
    ref: str = Field(description="Of an approval: what `approve` is given by; else empty")
    until: str | None = Field(
        description="Of an approval: until then it may be given; once given, it holds until then"
    )
    approved_by: str = Field(description="Who gave the approval; empty: nobody yet")


class Incidents(BaseModel):
    """Pools in which suspensions stand still, by name."""

    incidents: list[Incident] = Field(description="By pool")


class History(BaseModel):
    """Changes of numbers, the newest first."""

    changes: list[Change] = Field(description="The newest first")


router = APIRouter(tags=["numbers"])


@router.get("", summary="Numbers that are not simply active")
async def list_(
    _caller: Viewer,
    request: Request,
    state: Annotated[
        str | None, Query(max_length=50, description="Only those in this state")
    ] = None,
) -> Numbers:
    """As of the newest picture, about a second old."""
    picture = office_of(request).picture()
    return Numbers(
        counts=dict(picture.numbers),
        frozen=picture.frozen,
        numbers=[_shown(each) for each in picture.standing if state in {None, each.state}],
        left_out=max(0, _resting(picture) - len(picture.standing)),
    )


@router.get("/incidents", summary="Pools in which suspensions stand still, and why")
async def incidents(
    _caller: Viewer,
    request: Request,
    pool: Annotated[str | None, Query(max_length=200, description="Of this pool alone")] = None,
) -> Incidents:
    """Waves that the brake holds, approvals asked for, pools at their floor; a second old."""
    found = office_of(request).picture().incidents
    return Incidents(
        incidents=[
            Incident(
                kind=each.kind,
                pool=each.pool,
                since=iso(each.since_ms),
                waiting=each.waiting,
                detail=each.detail,
                ref=each.ref,
                until=None if each.until_ms is None else iso(each.until_ms),
                approved_by=each.approved_by,
            )
            for each in found
            if pool in {None, each.pool}
        ]
    )


@router.get("/history", summary="Changes of all numbers, freezes among them")
async def all_history(caller: Viewer, request: Request, limit: Limit = 50) -> History:
    """Who or which rule did what, when and why."""
    return await _history(office_of(request), None, limit, caller)


@router.get("/{number}", summary="How one number stands")
async def show(number: NumberPath, _caller: Viewer, request: Request) -> Number:
    """A number that nobody has taken out of service is active, whether it was ever seen or not."""
    office = office_of(request)
    wanted = asking.e164(number, office.region)
    picture = office.picture()
    for standing in picture.standing:
        if standing.number == wanted:
            return _shown(standing)
    if _resting(picture) <= len(picture.standing):
        return Number(number=wanted, state="active")
    # The picture is cut at exporter.rows_max; the history is not.
    last = await office.ask(lambda store: store.history.changes(number=wanted, limit=1))
    if not last:
        return Number(number=wanted, state="active")
    (change,) = last
    until = None if change.until_ms is None else iso(change.until_ms)
    since = iso(change.at_ms)
    return Number(number=wanted, state=change.after, since=since, until=until, rule=change.by)


@router.get("/{number}/history", summary="Changes of one number")
async def history(
    number: NumberPath, caller: Viewer, request: Request, limit: Limit = 50
) -> History:
    """Who or which rule did what, when and why."""
    office = office_of(request)
    return await _history(office, asking.e164(number, office.region), limit, caller)


async def _history(office: Office, number: str | None, limit: int, caller: Caller) -> History:
    found = await office.ask(lambda store: store.history.changes(number=number, limit=limit))
    return History(changes=[Change.of(change, caller) for change in found])


def _resting(picture: Snapshot) -> int:
    return sum(count for state, count in picture.numbers.items() if state != "active")


def _shown(standing: NumberStanding) -> Number:
    return Number(
        number=standing.number,
        state=standing.state,
        since=iso(standing.since_ms),
        until=None if standing.until_ms is None else iso(standing.until_ms),
        rule=standing.rule,
    )


async def _leave(
    request: Request, act: Act, number: str, body: Body, key: str | None, wait: float
) -> Response:
    caller: Caller = caller_of(request)
    try:
        action = asking.request(
            act,
            ident=name_of(caller, key),
            number=number,
            region=office_of(request).region,
            who=caller.name,
            why=body.why,
            **body.terms(office_of(request).clock.now_ms()),
        )
    except ValueError as error:
        raise ProblemError(422, str(error)) from error
    return await leave(request, action, wait)


Handler = Callable[..., Awaitable[Response]]
_BODIES: dict[Term | None, type[Body]] = {
    None: Body,
    "ttl_ms": EndingBody,
    "since_ms": UndoBody,
    "ref": ApprovalBody,
}


def _handler(act: Act) -> Handler:
    """The handler of one action; its parameters are what the framework reads."""

    async def of_all(request: Request, body: Body, key: Key = None, wait: Wait = 0) -> Response:
        return await _leave(request, act, "", body, key, wait)

    async def of_one(
        number: NumberPath, request: Request, body: Body, key: Key = None, wait: Wait = 0
    ) -> Response:
        return await _leave(request, act, number, body, key, wait)

    handler: Handler = of_one if act.of_number else of_all
    handler.__annotations__["body"] = _BODIES[act.term]
    return handler


_EXPLAINED = (
    "A request, as those of `monitor numbers` are: left in the store, taken by the daemon at its"
    " next tick, carried out under the same guards and audit."
)
for _act in ACTS.values():
    router.add_api_route(
        f"/{{number}}/{_act.name}" if _act.of_number else f"/{_act.name}",
        _handler(_act),
        methods=["POST"],
        name=_act.name,
        summary=_act.doc,
        response_model=Outcome,
        description=_EXPLAINED,
        responses=RESPONSES,
        dependencies=[Depends(needs(Role.OPERATOR if _act.of_number else Role.ADMIN))],
    )

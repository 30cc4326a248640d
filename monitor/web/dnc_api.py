"""Customers nobody may call over HTTP: the same list and the same requests as by command line.

Owns the routes. Customers are masked unless an admin asks for them in full; those that are asked
about stand in bodies, never in an address, which others write down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from monitor.decisions import Listing, ListingAction, iso
from monitor.dnc import asking, files
from monitor.dnc.files import Form
from monitor.events.settings import EventSettings
from monitor.logs import mask_customer
from monitor.web.access import Caller
from monitor.web.application import Admin, Operator, Viewer, words_for
from monitor.web.deeds import Note, note
from monitor.web.office import Office, office_of
from monitor.web.problems import ProblemError
from monitor.web.requested import RESPONSES, EndingBody, Key, Outcome, Wait, leave, name_of
from monitor.web.settings import Role

Customers = Annotated[
    list[Annotated[str, Field(max_length=asking.CHARS_MAX)]],
    Field(min_length=1, max_length=asking.CUSTOMERS_MAX),
]


class Asked(BaseModel):
    """Customers, as telephone numbers in any spelling, or ids as in events."""

    model_config = ConfigDict(extra="forbid")

    customers: Customers = Field(description="Up to 200")


class AddBody(EndingBody):
    """Customers, and why."""

    customers: Customers = Field(description="As telephone numbers in any spelling, or ids; to 200")


class Entry(BaseModel):
    """One customer on the list."""

    customer: str = Field(description="Masked, unless an admin asks for it in full")
    since: str = Field(description="On the list from then on")
    until: str | None = Field(description="Off it by itself then; null: never")
    reason: str = Field(description="`opted_out`, `unsolicited`, `refused`, `person` or `import`")
    source: str = Field(description="The kind of event; `cli` or `api`")
    by: str = Field(description="A person, a token, or the event")
    why: str = Field(description="In words; telephone numbers are masked below admin")


class Page(BaseModel):
    """A part of the list."""

    count: int = Field(description="On the list altogether")
    entries: list[Entry] = Field(description="By customer")
    next: str | None = Field(description="For `after`, when there is more; admins alone get it")


class Checked(BaseModel):
    """For each customer asked about, in order, whether they may not be called."""

    listed: list[bool] = Field(description="In the order in which they were asked about")


router = APIRouter(tags=["do-not-call"])


@router.get("", summary="Who is on the list")
async def list_(
    caller: Viewer,
    request: Request,
    reason: Annotated[
        str | None, Query(max_length=50, description="Only those for this reason")
    ] = None,
    after: Annotated[
        str, Query(max_length=500, description="Beyond this customer: `next`; for admins")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many")] = 100,
    *,
    customers: Annotated[bool, Query(description="In full; for admins")] = False,
) -> Page:
    """By customer, masked unless an admin asks with `customers=true`."""
    if (customers or after) and caller.role < Role.ADMIN:
        raise ProblemError(403, "customers in full are for the role admin")
    if customers:
        note(request, Note("read customers in full"))
    office = office_of(request)
    now_ms = office.clock.now_ms()
    found = await office.ask(
        lambda store: store.listed.entries(now_ms, after=after, reason=reason, limit=limit)
    )
    count = await office.ask(lambda store: store.listed.count(now_ms))
    more = len(found) == limit and caller.role >= Role.ADMIN
    return Page(
        count=count,
        entries=[_shown(each, caller, full=customers) for each in found],
        next=found[-1].customer if more else None,
    )


@router.post("/check", summary="Whether customers are on the list")
async def check(body: Asked, _caller: Viewer, request: Request) -> Checked:
    """Our own list alone, and as of now."""
    office = office_of(request)
    names = [_names([each], request)[0] for each in body.customers]
    now_ms = office.clock.now_ms()
    found = await office.ask(lambda store: store.listed.among(names, now_ms))
    return Checked(listed=[name in found for name in names])


@router.post(
    "/add", summary="Put customers on the list", response_model=Outcome, responses=RESPONSES
)
async def add(
    body: AddBody, caller: Operator, request: Request, key: Key = None, wait: Wait = 0
) -> Response:
    """Those who are on it stay as they are, unless it would be for longer."""
    return await _leave(request, caller, "add", body, key, wait)


@router.post(
    "/remove", summary="Take customers off the list", response_model=Outcome, responses=RESPONSES
)
async def remove(
    body: AddBody, caller: Admin, request: Request, key: Key = None, wait: Wait = 0
) -> Response:
    """For admins: it takes protection away."""
    if body.ttl is not None:
        raise ProblemError(422, "taking off has no end of its own")
    return await _leave(request, caller, "remove", body, key, wait)


@router.get(
    "/export",
    summary="The whole list for diallers, in full",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export(
    _caller: Admin,
    request: Request,
    form: Annotated[Form, Query(description="One customer a line, or with columns")] = "plain",
) -> StreamingResponse:
    """One customer a line, or CSV with columns."""
    note(request, Note("export do-not-call"))
    office = office_of(request)
    first = await _page(office, "")
    media = "text/csv" if form == "csv" else "text/plain"
    return StreamingResponse(_exported(office, first, form), media_type=f"{media}; charset=utf-8")


async def _exported(office: Office, page: list[Listing], form: Form) -> AsyncIterator[str]:
    yield files.head(form)
    while page:
        yield "".join(files.lines(page, form))
        page = await _page(office, page[-1].customer)


async def _page(office: Office, after: str) -> list[Listing]:
    now_ms = office.clock.now_ms()
    return await office.ask(lambda store: store.listed.entries(now_ms, after=after))


async def _leave(
    request: Request,
    caller: Caller,
    action: ListingAction,
    body: AddBody,
    key: str | None,
    wait_s: float,
) -> Response:
    now_ms = office_of(request).clock.now_ms()
    (asked,) = asking.requests(
        action,
        _names(body.customers, request),
        ident=name_of(caller, key),
        since_ms=now_ms,
        until_ms=None if body.ttl is None else now_ms + body.ttl,
        reason="person",
        source="api",
        who=caller.name,
        why=body.why,
    )
    return await leave(request, asked, wait_s)


def _names(written: list[str], request: Request) -> list[str]:
    events: EventSettings = request.app.state.events
    try:
        return asking.customers(written, events)
    except asking.UnusableError as error:
        raise ProblemError(422, str(error)) from error


def _shown(listing: Listing, caller: Caller, *, full: bool) -> Entry:
    return Entry(
        customer=listing.customer if full else mask_customer(listing.customer),
        since=iso(listing.since_ms),
        until=None if listing.until_ms is None else iso(listing.until_ms),
        reason=listing.reason,
        source=listing.source,
        by=listing.by,
        why=words_for(caller, listing.why),
    )

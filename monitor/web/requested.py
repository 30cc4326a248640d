"""Requests of people over HTTP: left in the store, as those of the command line are.

Owns how one is named, how long a caller waits for it, and how its outcome is told. Routes of single
interfaces say what is asked for.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from monitor.decisions import ListAction, ManualAction, NumberChange, derive_id, iso
from monitor.numbers import asking
from monitor.numbers.asking import Answer
from monitor.store.journal import Asked
from monitor.store.store import Store
from monitor.units import DurationMs
from monitor.web.access import Caller
from monitor.web.application import API, Viewer, caller_of, words_for
from monitor.web.office import Office, office_of
from monitor.web.problems import ProblemError

WAIT_S_MAX: Final = 10
_POLL_S: Final = 0.1

Wait = Annotated[
    float,
    Query(ge=0, le=WAIT_S_MAX, description="Seconds to wait for the daemon to have carried it out"),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same request may be sent again with it, and counts once",
    ),
]


class Body(BaseModel):
    """What is said with a request."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=500, description="Kept in the history")

    def terms(self, now_ms: int) -> dict[str, Any]:  # noqa: ARG002 - others count from it
        """What else the request says, by field of ``ManualAction``."""
        return {}


class EndingBody(Body):
    """As above, and when it is over by itself."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    ttl: DurationMs | None = Field(
        None, alias="for", description="Over by itself after this, such as 2h"
    )

    def terms(self, now_ms: int) -> dict[str, Any]:  # noqa: ARG002
        """When it ends."""
        return {"ttl_ms": self.ttl}


class UndoBody(Body):
    """What is to be taken back."""

    last: DurationMs = Field(gt=0, description="Suspensions of so long, until now, such as 30m")
    pool: str = Field("", max_length=200, description="In one pool; empty: in all")

    def terms(self, now_ms: int) -> dict[str, Any]:
        """Since when, and where."""
        return {"since_ms": now_ms - self.last, "pool": self.pool}


class ApprovalBody(Body):
    """What is approved."""

    name: str = Field(
        min_length=1, max_length=64, description="Under which it was asked for, in the alert"
    )

    def terms(self, now_ms: int) -> dict[str, Any]:  # noqa: ARG002
        """The name."""
        return {"ref": self.name.strip()}


class Change(BaseModel):
    """One row of a number's history: what changed, who or which rule did it, and why."""

    at: str = Field(description="When, as of the tick that it took effect at")
    kind: Literal["number"] = Field("number", description="Always `number`")
    id: str = Field(description="Of the row")
    number: str = Field(description="Empty for what concerns all numbers, such as a freeze")
    before: str = Field(description="State before; docs/numbers.md has all of them")
    after: str = Field(description="State after; the same where only terms changed")
    reason: str = Field(description="The event of the number's life, or such as `refused`")
    by: str = Field(description="A rule, a person or token, `telephony` or `time`")
    episode: str = Field(description="Of the alert behind it; empty when there is none")
    command_id: str = Field(description="Of the command to telephony; empty when there is none")
    until: str | None = Field(description="When it is over by itself; null: it is not")
    detail: str = Field(description="In words; telephone numbers are masked below admin")

    @classmethod
    def of(cls, change: NumberChange, caller: Caller) -> Self:
        """The row as this caller may see it."""
        told = change.to_json()
        return cls(**told | {"detail": words_for(caller, change.detail)})


class Outcome(BaseModel):
    """What has become of a request."""

    request: str = Field(description="Its id: GET /api/v1/requests/{id} tells how it goes on")
    status: asking.Status = Field(
        description="`waiting` for the daemon, `taken` by it and not judged, `done` or `refused`"
    )
    words: str = Field(description="The same in a sentence")
    change: Change | None = Field(None, description="The row of history that answers it")
    tick: str | None = Field(None, description="The tick that it takes effect at")


router = APIRouter(tags=["requests"])


RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"model": Outcome, "description": "Not done yet: ask `Location` how it goes on"},
    409: {"model": Outcome, "description": "Refused; `words` says why"},
}


@router.get(
    "/{ident}",
    summary="What has become of a request",
    response_model=Outcome,
    responses=RESPONSES,
)
async def look(
    ident: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="As the answer to it says")],
    caller: Viewer,
    request: Request,
    wait: Wait = 0,
) -> Response:
    """Done, refused, taken by the daemon, or waiting for it."""
    answer = await _await(office_of(request), ident, wait)
    if answer is None:
        raise ProblemError(404, "nothing is known of this request")
    return _told(ident, answer, caller)


def name_of(caller: Caller, key: str | None) -> str:
    """The id of a request; of one that is sent again, the same."""
    return uuid.uuid4().hex if key is None else derive_id("web", caller.name, key)


async def leave(request: Request, action: Asked, wait_s: float) -> Response:
    """Leave a request in the store and tell what has become of it.

    Raises:
        BackPressure: too many wait already.
        StoreError: the store does not answer.
        ProblemError: its id was used for something else.
    """
    office = office_of(request)

    def put(store: Store) -> Asked | None:
        store.requests.put(action)
        left = store.requests.find(action.id)
        return None if left is None else left.action

    left = await office.ask(put)
    if left is not None and not _same(left, action):
        raise ProblemError(409, "this Idempotency-Key was used for another request")
    answer = await _await(office, action.id, wait_s)
    told = answer or Answer("waiting", "left for the daemon")
    return _told(action.id, told, caller_of(request))


def _same(left: Asked, action: Asked) -> bool:
    """Whether what was left under an id is what is asked for now, a while later perhaps."""
    if isinstance(left, ListAction) and isinstance(action, ListAction):
        return left == replace(action, since_ms=left.since_ms, until_ms=left.until_ms)
    if isinstance(left, ManualAction) and isinstance(action, ManualAction):
        return left == replace(action, since_ms=left.since_ms)
    return False


async def _await(office: Office, ident: str, wait_s: float) -> Answer | None:
    end_s = office.clock.monotonic_s() + wait_s
    while True:
        found = await office.ask(lambda store: asking.answer(store, ident))
        if (found is not None and found.settled) or office.clock.monotonic_s() >= end_s:
            return found
        await asyncio.sleep(_POLL_S)


def _told(ident: str, answer: Answer, caller: Caller) -> Response:
    """200 when it is settled, done or refused; 202 until then."""
    outcome = Outcome(
        request=ident,
        status=answer.status,
        words=words_for(caller, answer.words),
        change=None if answer.change is None else Change.of(answer.change, caller),
        tick=None if answer.tick_ms is None else iso(answer.tick_ms),
    )
    status = {"done": 200, "refused": 409}.get(answer.status, 202)
    headers = {"location": f"{API}/requests/{ident}"}
    return JSONResponse(outcome.model_dump(), status, headers=headers)

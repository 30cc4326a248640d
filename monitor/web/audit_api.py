"""What people and programs did, over HTTP: for admins.

Owns the route. Rows are written by ``monitor.web.deeds`` and by the command line.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from monitor.decisions import iso
from monitor.web.application import Admin
from monitor.web.office import office_of


class Done(BaseModel):
    """One thing that somebody did, or tried."""

    at: str = Field(description="When, as of the daemon's clock")
    who: str = Field(description="Name of the person or token; empty: a stranger")
    role: str = Field(description="What they might do then")
    via: str = Field(description="`token`, `password`, `oidc` or `cli`; empty: a stranger")
    address: str = Field(description="Where from; empty: the command line of the daemon's host")
    action: str = Field(description="Method and path as declared, or such as `sign in`")
    target: str = Field(description="On what, such as a number; a customer is masked")
    result: int = Field(description="Status of the answer: below 400, it was done or left to be")
    detail: str = Field(description="Whatever else is to be said, in words")


class AuditPage(BaseModel):
    """A part of the audit, the newest first."""

    entries: list[Done] = Field(description="Rows, the newest first")
    next: int | None = Field(description="For `before`, when there is more")


router = APIRouter(tags=["audit"])


@router.get("", summary="Who did what, from where, and how it ended")
async def list_(
    _caller: Admin,
    request: Request,
    who: Annotated[
        str | None, Query(max_length=200, description="Of this person or token alone")
    ] = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="Older than this row")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="At most so many")] = 100,
) -> AuditPage:
    """Every request that could change something, every sign-in and every export."""
    found = await office_of(request).ask(
        lambda store: store.audit.deeds(before=before, who=who, limit=limit)
    )
    entries = [
        Done(
            at=iso(deed.at_ms),
            who=deed.who,
            role=deed.role,
            via=deed.via,
            address=deed.address,
            action=deed.action,
            target=deed.target,
            result=deed.result,
            detail=deed.detail,
        )
        for _, deed in found
    ]
    return AuditPage(entries=entries, next=found[-1][0] if len(found) == limit else None)

"""Kept results of scorecards over HTTP: operators and admins see all, supervisors their own teams.

Owns the routes. What is kept is ``monitor scorecard run --keep``'s; nothing is worked out here, for
a month of events is more than a request may wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from monitor.scorecards.kept import LABEL, NAME, Shelf
from monitor.web.access import Caller
from monitor.web.application import Supervisor
from monitor.web.problems import ProblemError

CardPath = Annotated[
    str, Path(pattern=f"^{NAME.pattern}$", description="The card's name, `scorecard:` in its file")
]
PeriodPath = Annotated[
    str, Path(pattern=f"^(?:{LABEL.pattern})$", description="Such as 2026-11 or 2026-W48")
]
PersonPath = Annotated[
    str, Path(min_length=1, max_length=256, description="As events say it, such as agent-0007")
]


class CardResults(BaseModel):
    """A card with its kept periods."""

    card: str = Field(description="The card's name")
    periods: list[str] = Field(description="Labels, the newest first")


class AllResults(BaseModel):
    """What is kept."""

    cards: list[CardResults] = Field(description="In order of their names")


class SheetBody(BaseModel):
    """One period of a card; amounts are decimal texts, never binary floats."""

    card: str = Field(description="The card's name")
    title: str = Field(description="For people, in the language that was asked for")
    titles: dict[str, dict[str, dict[str, str]]] = Field(
        default={},
        description="By language, of the card, its lines and figures by id; none in old results",
    )
    hash: str = Field(description="Fingerprint of the card it was worked out by")
    currency: str = Field(description="ISO 4217")
    places: int = Field(description="Decimal places of amounts")
    period: str = Field(description="Its label, such as 2026-11")
    first: str = Field(description="First day")
    last: str = Field(description="Last day, itself included")
    zone: str = Field(description="Whose days")
    promotions: list[str] = Field(description="Those that the period has days of")
    statements: list[dict[str, Any]] = Field(description="One a person, or a person and team")
    pools: list[dict[str, Any]] = Field(description="Amounts and how they were shared")
    remarks: list[str] = Field(description="What the reader must know")
    total: str = Field(description="Of the statements that are shown")


class PersonBody(BaseModel):
    """One person's statements in a period."""

    card: str = Field(description="The card's name")
    title: str = Field(description="For people, in the language that was asked for")
    titles: dict[str, dict[str, dict[str, str]]] = Field(
        default={},
        description="By language, of the card, its lines and figures by id; none in old results",
    )
    currency: str = Field(description="ISO 4217")
    period: str = Field(description="Its label, such as 2026-11")
    statements: list[dict[str, Any]] = Field(description="Figures, lines with workings, total")


router = APIRouter(tags=["scorecards"])


def _shelf(request: Request) -> Shelf:
    found: Shelf = request.app.state.scorecards
    return found


@router.get("", summary="Cards and periods whose results are kept")
async def list_(_caller: Supervisor, request: Request) -> AllResults:
    """Names alone."""
    found = await listed(request)
    return AllResults(cards=[CardResults(card=card, periods=of) for card, of in found.items()])


@router.get("/{card}/{period}", summary="What a card pays for a period")
async def sheet(
    card: CardPath, period: PeriodPath, caller: Supervisor, request: Request
) -> SheetBody:
    """Supervisors: statements, pools and total of their own teams."""
    return SheetBody(**await found(request, caller, card, period))


@router.get("/{card}/{period}/{person}", summary="One person's pay with all workings")
async def person_(
    card: CardPath, period: PeriodPath, person: PersonPath, caller: Supervisor, request: Request
) -> PersonBody:
    """Somebody of another team is not there, for a supervisor."""
    whole = await found(request, caller, card, period)
    return PersonBody(
        card=card,
        title=whole["title"],
        titles=whole.get("titles", {}),
        currency=whole["currency"],
        period=period,
        statements=of_person(whole, person),
    )


async def listed(request: Request) -> dict[str, list[str]]:
    """Labels of kept periods by card, the newest first."""
    return await run_in_threadpool(_shelf(request).listed)


async def found(request: Request, caller: Caller, card: str, period: str) -> dict[str, Any]:
    """One period of a card, as this caller may see it.

    Raises:
        ProblemError: nothing is kept of it.
    """
    kept = await run_in_threadpool(_shelf(request).seen_by, card, period, caller.teams)
    if kept is None:
        raise ProblemError(404, "no result is kept of that card and period")
    return kept


def of_person(whole: Mapping[str, Any], person: str) -> list[dict[str, Any]]:
    """One person's statements among those that may be seen.

    Raises:
        ProblemError: there are none.
    """
    mine = [each for each in whole["statements"] if each["person"] == person]
    if not mine:
        raise ProblemError(404, "nobody of that name has a statement here that you may see")
    return mine

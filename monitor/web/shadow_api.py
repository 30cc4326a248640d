"""What rules in shadow would have done, next to what happened after, over HTTP.

Owns the routes, and when a report is made: one at a time, and kept for a minute, since it reads
thousands of decisions in the daemon's own process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from monitor.indicators.model import Indicator
from monitor.rules.model import Rule
from monitor.shadow.report import CASES_MAX, Case, ShadowReport, report
from monitor.web.access import Caller
from monitor.web.application import Viewer
from monitor.web.customers import Customers, in_full, masked_scope
from monitor.web.office import Office, office_of
from monitor.web.packed import packed
from monitor.web.problems import ProblemError

DAYS_MAX = 31
AFTER_H_MAX = 168
KEPT_MAX = 8
"""Answers that are kept, of different questions."""
KEPT_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000

Judged = Callable[[], tuple[Sequence[Rule], Sequence[Indicator]]]
"""The rules and indicators of the site, as they are now."""
Level = Literal["warn", "crit"]
What = Literal["suspended", "flagged", "complained", "alerted"]

RulePath = Annotated[str, Path(min_length=1, max_length=200, description="The rule's id")]
Days = Annotated[int, Query(ge=1, le=DAYS_MAX, description="How far back")]
AfterHours = Annotated[
    int, Query(ge=1, le=AFTER_H_MAX, description="Hours after an alert that are looked at")
]


class ShadowRow(BaseModel):
    """What one rule would have done."""

    rule: str = Field(description="Its id")
    status: Literal["active", "shadow", "off"] = Field(description="As it is configured now")
    since: str = Field(description="Its alerts from then on")
    until: str = Field(description="Now")
    after_s: float = Field(description="How long after an alert what happens is looked at")
    episodes: int = Field(description="Alerts that it would have begun")
    a_week: list[float] = Field(description="The same a week: as counted, and the 95 % limits")
    by_level: dict[Level, int] = Field(description="By the level each began with")
    suspensions: int = Field(description="Numbers it would have suspended, each time counted")
    scopes: int = Field(description="How many different scopes they are about")
    followed: dict[What, int] = Field(
        description="Alerts after which it happened for real; one may count in several"
    )
    nothing: int = Field(description="Alerts after which nothing did, among those old enough")
    open: int = Field(description="Alerts after which nothing did so far")
    missed: dict[What, int] = Field(
        description="Of rules by number: numbers to which it happened with no alert before"
    )
    cut: bool = Field(description="There was more than is read: counts are of the newest")


class ShadowFollow(BaseModel):
    """Something real that happened to the same scope."""

    what: What = Field(description="Out of service, flagged, a rule on complaints, another rule")
    after_s: float = Field(description="Since the alert")
    rule: str = Field(description="Of the decision; empty where a person did it")


class ShadowCase(BaseModel):
    """One alert that a rule would have begun."""

    at: str = Field(description="When")
    episode: str = Field(description="As in the inbox, with `shadow=true`")
    scope: dict[str, str] = Field(description="Whom it is about: dimensions and their values")
    level: Level = Field(description="How bad")
    value: float | None = Field(description="The figure that the rule judged")
    kind: Literal["ratio", "mean", "count"] = Field(description="How the value is to be written")
    hits: float = Field(description="Above the line")
    of: float = Field(description="Below the line")
    suspends: bool = Field(description="A number would have been suspended")
    open: bool = Field(description="It is too young to say that nothing happened")
    after: list[ShadowFollow] = Field(description="The first of each kind")


class ShadowWhole(ShadowRow):
    """The same with its alerts."""

    cases: list[ShadowCase] = Field(description=f"The newest first, at most {CASES_MAX}")


class ShadowList(BaseModel):
    """All rules in shadow."""

    reports: list[ShadowRow] = Field(description="One row a rule, in the rules' order")


@dataclass(slots=True)
class _Kept:
    at_ms: int
    found: list[ShadowReport]


class Shadows:
    """Reports of a daemon's rules; the server's loop alone asks for them."""

    def __init__(self, judged: Judged | None) -> None:
        """``judged``: None where nobody says which rules there are."""
        self._judged = judged
        self._making = asyncio.Lock()
        self._kept: dict[tuple[str | None, int, int], _Kept] = {}
        self._rules: Sequence[Rule] = ()

    async def all(self, office: Office, days: int, after_h: int) -> list[ShadowReport]:
        """Of the rules that are in shadow.

        Raises:
            ProblemError: nobody says which rules there are.
            StoreError: the store cannot be asked.
        """
        return await self._reports(office, None, days, after_h)

    async def one(self, office: Office, rule: str, days: int, after_h: int) -> ShadowReport:
        """Of one rule, whatever it is now.

        Raises:
            ProblemError: there is no such rule, or nobody says which there are.
            StoreError: the store cannot be asked.
        """
        kept = self._standing(office, (None, days, after_h))
        for each in [] if kept is None else kept:
            if each.rule == rule:
                return each
        if all(each.id != rule for each in self._site()[0]):
            raise ProblemError(404, "there is no rule of this id")
        (found,) = await self._reports(office, rule, days, after_h)
        return found

    async def _reports(
        self, office: Office, only: str | None, days: int, after_h: int
    ) -> list[ShadowReport]:
        key = (only, days, after_h)
        async with self._making:
            found = self._standing(office, key)
            if found is not None:
                return found
            work = asyncio.ensure_future(self._made(office, key))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                # Whoever asked has gone, and the thread reads on: nobody else begins meanwhile.
                await asyncio.wait({work})
                raise

    def _site(self) -> tuple[Sequence[Rule], Sequence[Indicator]]:
        if self._judged is None:
            raise ProblemError(503, "nobody says here which rules there are")
        return self._judged()

    def _standing(
        self, office: Office, key: tuple[str | None, int, int]
    ) -> list[ShadowReport] | None:
        """What was found less than a minute ago, by the same rules."""
        rules, _ = self._site()
        if rules is not self._rules:  # they were read again
            self._kept, self._rules = {}, rules
        kept = self._kept.get(key)
        if kept is None or not 0 <= office.clock.now_ms() - kept.at_ms < KEPT_MS:
            return None
        return kept.found

    async def _made(self, office: Office, key: tuple[str | None, int, int]) -> list[ShadowReport]:
        only, days, after_h = key
        rules, indicators = self._site()
        now_ms = office.clock.now_ms()
        found = await office.ask(
            lambda store: report(
                store.history, rules, indicators,
                since_ms=now_ms - days * _DAY_MS, until_ms=now_ms, only=only,
                after_ms=after_h * _HOUR_MS,
            )
        )  # fmt: skip
        self._kept[key] = _Kept(now_ms, found)
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return found


router = APIRouter(tags=["shadow"])


@router.get("", summary="What rules in shadow would have done", response_model=ShadowList)
async def list_(
    _caller: Viewer, request: Request, days: Days = 7, after_hours: AfterHours = 24
) -> Response:
    """Counts alone; made anew once a minute."""
    found = await shadows_of(request).all(office_of(request), days, after_hours)
    return packed(request, {"reports": [row(each) for each in found]})


@router.get("/{rule}", summary="What one rule would have done", response_model=ShadowWhole)
async def show(
    rule: RulePath,
    caller: Viewer,
    request: Request,
    days: Days = 7,
    after_hours: AfterHours = 24,
    *,
    customers: Customers = False,
) -> Response:
    """With its alerts; also of a rule that was in shadow, and acts now."""
    found = await whole(request, caller, rule, days, after_hours, full=customers)
    return packed(request, found)


async def whole(
    request: Request, caller: Caller, rule: str, days: int, after_h: int, *, full: bool
) -> dict[str, Any]:
    """One rule's report as JSON.

    Raises:
        ProblemError: there is no such rule, or customers are not for this caller.
    """
    full = in_full(request, caller, asked=full, of=rule)
    found = await shadows_of(request).one(office_of(request), rule, days, after_h)
    return row(found) | {"cases": [_case(each, full=full) for each in found.cases]}


def row(found: ShadowReport) -> dict[str, Any]:
    """A report as JSON, without its cases."""
    told = found.to_json()
    del told["cases"]
    return told


def shadows_of(request: Request) -> Shadows:
    """Those of the application that a request came to."""
    found: Shadows = request.app.state.shadows
    return found


def _case(case: Case, *, full: bool) -> dict[str, Any]:
    told = case.to_json() | {"kind": case.alert.figures.kind}
    if not full:
        told["scope"] = masked_scope(told["scope"])
    return told

"""Pages on rules in shadow: what each would have done, next to what happened after.

Owns their routes and values; the figures are the interface's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from monitor.console.around import around
from monitor.console.paint import Painter
from monitor.shadow.report import CASES_MAX
from monitor.web import shadow_api
from monitor.web.application import Viewer
from monitor.web.office import office_of

AFTER_H: Final = 24
SPANS: Final = (1, 7, 30)
"""Days that are a click away."""

Days = Annotated[int, Query(ge=1, le=shadow_api.DAYS_MAX)]

router = APIRouter(include_in_schema=False)


@router.get("/shadow")
async def shadow(caller: Viewer, request: Request, days: Days = 7) -> Response:
    """All rules in shadow, those with the most alerts first."""
    found = await shadow_api.shadows_of(request).all(office_of(request), days, AFTER_H)
    rows = [_told(shadow_api.row(each)) for each in found]
    rows.sort(key=lambda row: (-row["suspensions"], -row["episodes"]))
    loud = [row for row in rows if row["episodes"] or row["missed"]]
    return Painter(request, caller).page(
        "shadow.html", "rules", **around(request), loud=loud,
        quiet=[row for row in rows if row not in loud], **_asked(days, rows),
    )  # fmt: skip


@router.get("/shadow/{rule}")
async def shadow_rule(
    rule: shadow_api.RulePath, caller: Viewer, request: Request, days: Days = 7
) -> Response:
    """One rule with its alerts."""
    found = await shadow_api.whole(request, caller, rule, days, AFTER_H, full=False)
    return Painter(request, caller).page(
        "shadow_rule.html", "rules", **around(request), told=_told(found),
        cases_max=CASES_MAX, **_asked(days, [found]),
    )  # fmt: skip


def _asked(days: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "days": days,
        "spans": SPANS,
        "after_s": AFTER_H * 3600,
        "cut": any(row["cut"] for row in rows),
    }


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A report with its episodes as three parts of a whole."""
    followed = row["episodes"] - row["nothing"] - row["open"]
    return {
        **row,
        "parts": {"followed": followed, "nothing": row["nothing"], "open": row["open"]},
    }

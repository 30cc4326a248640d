"""The pages and where they are: ``/console/…``.

Owns the routes. What a page shows is gathered by ``views`` and ``board_view``, how it looks is in
the templates.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from monitor.console import board_view, views
from monitor.console.around import around
from monitor.console.assets import assets
from monitor.console.paint import (
    CONSOLE,
    LANGUAGE_COOKIE,
    Painter,
)
from monitor.console.words import LANGUAGES
from monitor.exporter.pages import accepts_gzip
from monitor.numbers import asking
from monitor.store.handled import Wanted
from monitor.web import alerts_api, daemon_api
from monitor.web.application import Viewer
from monitor.web.office import office_of
from monitor.web.problems import ProblemError
from monitor.web.room import tables_of

__all__ = ["CONSOLE", "router"]

_YEAR_S = 31_536_000
Text = Annotated[str, Query(max_length=300)]

router = APIRouter(include_in_schema=False)


@router.get("")
@router.get("/")
def board(
    caller: Viewer,
    request: Request,
    by: Text = "",
    team: Text = "",
    group: Text = "",
    q: Text = "",
    area: Text = "",
    span: Text = "short",
    sort: Text = "attention",
    *,
    reverse: bool = False,
    firing: bool = False,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Teams, groups and agents, or another dimension, with the four sides of the business."""
    painter = Painter(request, caller)
    if alerts_api.tables_or_none(request) is None:
        return painter.page("starting.html", "board", answered=503)
    asked = board_view.Asked(
        by=by, team=team, group=group, q=q.strip(), area=area,
        span="long" if span == "long" else "short", sort=sort, reverse=reverse, firing=firing,
        page=page, open=tuple(request.query_params.getlist("open"))[:200],
    )  # fmt: skip
    return painter.page("board.html", "board", **board_view.board(request, asked))


@router.get("/alerts")
async def alerts(
    caller: Viewer,
    request: Request,
    show: Text = "firing",
    level: Text = "",
    team: Text = "",
    rule: Text = "",
    cursor: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """The inbox."""
    painter = Painter(request, caller)
    wanted = Wanted(
        state={"firing": "firing", "open": "firing", "ended": "resolved"}.get(show),  # type: ignore[arg-type]  # of three texts
        level=level if level in {"warn", "crit"} else None,  # type: ignore[arg-type]
        rule=rule or None,
        teams=frozenset({team}) if team else None,
        acknowledged=False if show == "open" else None,
        assigned_to=caller.name if show == "mine" else None,
        shadow=show == "shadow",
    )
    found = await alerts_api.inbox(request, caller, wanted, cursor, 50)
    silences = await views.silences(request, caller)
    return painter.page(
        "alerts.html", "alerts", **views.inbox(request, found), show=show, level=level,
        team=team, rule=rule, silences=silences,
    )  # fmt: skip


@router.get("/alerts/{episode}")
async def alert(episode: alerts_api.EpisodePath, caller: Viewer, request: Request) -> Response:
    """One alert with all that is known of it."""
    found = await alerts_api.whole(request, caller, episode, full=False)
    return Painter(request, caller).page("alert.html", "alerts", alert=found, **around(request))


@router.get("/alerts/{episode}/toast")
async def toast(episode: alerts_api.EpisodePath, caller: Viewer, request: Request) -> Response:
    """What pops up when it comes; nothing does where people silenced it."""
    found = await alerts_api.whole(request, caller, episode, full=False)
    if found["silenced_until"] is not None:
        return Response(status_code=204)
    return Painter(request, caller).fragment("toast.html", alert=found, **around(request))


@router.get("/alerts/{episode}/records")
async def records(
    episode: alerts_api.EpisodePath,
    caller: Viewer,
    request: Request,
    *,
    customers: bool = False,
) -> Response:
    """The records behind it, as a piece of its page."""
    painter = Painter(request, caller)
    try:
        found = await alerts_api.explained(request, caller, episode, 50, full=customers)
    except ProblemError as problem:
        return painter.fragment("records.html", told=None, why=problem.detail)
    return painter.fragment(
        "records.html", told=found, why="", in_full=customers, **around(request)
    )


@router.get("/numbers")
async def numbers(
    caller: Viewer,
    request: Request,
    state: Text = "",
    q: Text = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Numbers out of service, what waits for a word, and what happened lately."""
    painter = Painter(request, caller)
    if alerts_api.tables_or_none(request) is None:
        return painter.page("starting.html", "numbers", answered=503)
    shown = await views.numbers(request, caller, state=state, q=q.strip(), page=page)
    return painter.page("numbers.html", "numbers", **shown, state=state, q=q)


@router.get("/scope")
async def scope(caller: Viewer, request: Request, by: Text, name: Text) -> Response:
    """One team, agent, number …: its figures now and lately, and its alerts."""
    if by == "number":
        name = asking.e164(name, office_of(request).region)
        if not name[1:].isdigit():
            raise ProblemError(404, "this is no telephone number")
    shown = await views.scope(request, caller, by, name)
    return Painter(request, caller).page("scope.html", "board", **shown)


@router.get("/rules")
def rules(caller: Viewer, request: Request, status: Text = "") -> Response:
    """All rules and how their scopes stand."""
    rows = daemon_api.rule_rows(tables_of(request))
    counts = {
        each: sum(row["status"] == each for row in rows) for each in ("active", "shadow", "off")
    }
    shown = [row for row in rows if status in {"", row["status"]}]
    return Painter(request, caller).page(
        "rules.html", "rules", rules=shown, counts=counts, status=status
    )


@router.get("/health")
def health(caller: Viewer, request: Request) -> Response:
    """How the daemon is."""
    return Painter(request, caller).page(
        "health.html", "health", health=daemon_api.health_document(request)
    )


@router.get("/language")
def language(_caller: Viewer, to: Text, back: Text = "") -> Response:
    """Another language, from now on in this browser."""
    known = to if to in LANGUAGES else "en"
    ours = back.startswith(f"{CONSOLE}/") and "//" not in back and "\\" not in back
    answer = RedirectResponse(back if ours else f"{CONSOLE}/", 303)
    answer.set_cookie(
        LANGUAGE_COOKIE, known, max_age=_YEAR_S, path=CONSOLE, samesite="lax", httponly=True
    )
    return answer


@router.get("/static/{name}")
def static(name: str, request: Request) -> Response:
    """A file under the name that says what is in it."""
    found = assets().by_name.get(name)
    if found is None:
        raise ProblemError(404)
    headers = {"cache-control": f"public, max-age={_YEAR_S}, immutable", "vary": "Accept-Encoding"}
    if accepts_gzip(request.headers.get("accept-encoding", "")) and len(found.packed) < len(
        found.body
    ):
        headers["content-encoding"] = "gzip"
        return Response(found.packed, headers=headers, media_type=found.media_type)
    return Response(found.body, headers=headers, media_type=found.media_type)

"""The application: its parts, how faults are answered, and what a handler may ask of a caller.

Owns what all interfaces share. An interface is a ``Part``: a router of its own module, and what its
handlers look at, under ``request.app.state``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from monitor.errors import BackPressure, StoreError
from monitor.logs import mask_words
from monitor.web import problems
from monitor.web.access import Caller, Via
from monitor.web.described import Declared, completed, declared
from monitor.web.problems import ProblemError
from monitor.web.settings import Language, Role, RoleName

log = structlog.get_logger(__name__)

API = "/api/v1"
VERSION = "1"
"""Where the versioned interface begins; what is there stays as it is until ``/api/v2``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One interface."""

    router: APIRouter
    prefix: str
    """Such as ``/api/v1/numbers``."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of ``request.app.state``."""
    checks_itself: bool = False
    """Its callers show no token: its handlers check a signature."""
    open_to_all: bool = False
    """Strangers may ask too; ``prefix`` begins every path that they may."""


def application(parts: Sequence[Part], *, version: str) -> FastAPI:
    """All parts behind one door; who is let in is ``monitor.web.gate``."""
    app = FastAPI(
        title="callcentre-monitor",
        version=version,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreError, _away)
    app.add_exception_handler(BackPressure, _full)
    app.add_exception_handler(Exception, _failed)  # and then it is raised, for the gate to log
    app.include_router(_self, prefix=API)
    for part in parts:
        app.include_router(part.router, prefix=part.prefix)
        for name, value in part.state.items():
            setattr(app.state, name, value)
    framework = app.openapi

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(completed(deepcopy(framework()), routes_of(parts)))
        return described

    described: dict[str, Any] = {}
    app.openapi = openapi  # type: ignore[method-assign]  # the framework's own way to extend it
    return app


def routes_of(parts: Sequence[Part]) -> list[Declared]:
    """Everything that is served, with the role that it needs."""
    found = [Declared("GET", f"{API}/openapi.json", None), *declared(API, _self.routes)]
    for part in parts:
        found += declared(part.prefix, part.router.routes)
    return found


def caller_of(request: Request) -> Caller:
    """Who asks, as the gate found out."""
    found: Caller = request.scope["monitor.caller"]
    return found


def needs(role: Role) -> Callable[[Request], Caller]:
    """A dependency: the caller, who must have at least this role.

    It raises ``ProblemError`` 403 for others.
    """

    def checked(request: Request) -> Caller:

        caller = caller_of(request)
        if caller.role < role:
            msg = f"the token may not do this: it needs the role {role.name.lower()}"
            raise ProblemError(403, msg)
        return caller

    checked.role = role  # type: ignore[attr-defined]  # for whoever describes the routes
    return checked


def words_for(caller: Caller, text: str) -> str:
    """What people wrote, without what may be a customer's number unless the caller may see it."""
    return text if caller.role >= Role.ADMIN else mask_words(text)


Viewer = Annotated[Caller, Depends(needs(Role.VIEWER))]
Supervisor = Annotated[Caller, Depends(needs(Role.SUPERVISOR))]
Operator = Annotated[Caller, Depends(needs(Role.OPERATOR))]
Admin = Annotated[Caller, Depends(needs(Role.ADMIN))]

_LATER = {"retry-after": "5"}
_self = APIRouter(tags=["self"])


class Self(BaseModel):
    """Who asks."""

    name: str = Field(description="As the audit shows it")
    role: RoleName = Field(description="What they may do; each what the ones before it may")
    teams: list[str] | None = Field(description="Whose alerts it acts on; null: all teams")
    language: Language = Field(description="Of pages")
    zone: str = Field(description="In which times are shown, such as Asia/Shanghai")
    via: Via = Field(description="How it is known: a token, or who signed in and how")
    csrf_token: str | None = Field(
        description="What a page sends along as `X-CSRF-Token` with whatever changes something;"
        " null: a token was shown, which needs none"
    )


@_self.get("/self", summary="Who asks, and what they may do")
async def whoami(caller: Viewer) -> Self:
    """Whose token was shown, or who signed in."""
    return Self(
        name=caller.name,
        role=cast("RoleName", caller.role.name.lower()),
        teams=None if caller.teams is None else sorted(caller.teams),
        language=caller.language,
        zone=caller.zone,
        via=caller.via,
        csrf_token=caller.csrf or None,
    )


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for it alone
    content = problems.document(error.status, error.detail, error.errors)
    return _page(request, content) or _answer(error.status, content, error.headers)


def _http(request: Request, error: Exception) -> Response:
    """No such path, no such method: the framework's own words quote nothing."""
    assert isinstance(error, HTTPException)  # noqa: S101
    content = problems.document(error.status_code)
    return _page(request, content) or _answer(error.status_code, content, error.headers)


def _page(request: Request, content: Mapping[str, Any]) -> Response | None:
    """What a part shows to people instead of a problem; None: the problem it is."""
    for prefix, faults in getattr(request.app.state, "faults", {}).items():
        if request.url.path.startswith(f"{prefix}/"):
            found: Response | None = faults(request, content["status"], content.get("detail", ""))
            return found
    return None


def _invalid(request: Request, error: Exception) -> Response:
    """Where it is wrong, and what would be right; never what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [
        {
            "at": ".".join(str(part) for part in fault["loc"])[:200],
            "message": str(fault["msg"])[:200],
        }
        for fault in error.errors()[: problems.FAULTS_MAX]
    ]
    content = problems.document(422, "see errors", errors)
    return _page(request, content) or _answer(422, content, {})


def _away(_request: Request, error: Exception) -> JSONResponse:
    log.warning("web_store_refuses", detail=str(error))  # it names hosts and files
    content = problems.document(503, "the store does not answer; the daemon's log says why")
    return _answer(503, content, _LATER)


def _full(_request: Request, _error: Exception) -> JSONResponse:
    content = problems.document(503, "too many requests wait already: does the daemon work?")
    return _answer(503, content, _LATER)


def _failed(_request: Request, _error: Exception) -> Response:
    return Response(problems.BROKEN, 500, media_type=problems.MEDIA_TYPE)


def _answer(
    status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None
) -> JSONResponse:
    return JSONResponse(
        content, status, headers=dict(headers or {}), media_type=problems.MEDIA_TYPE
    )

"""Who may ask for what: every path there is. A path that is not here fails the tests.

Whoever adds an endpoint adds its row: the least role, what is sent, and what is answered then.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from monitor.web.person import Role

NUMBER: Final = "+862150000007"
EPISODE: Final = "5d0f" * 8
WHY: Final = {"why": "the carrier asked"}
CUSTOMERS: Final = {"why": "asked", "customers": ["+8613912345699"]}


QUIET: Final = {"for": "1h", "reason": "a drill"}


class Row(NamedTuple):
    """One endpoint."""

    role: Role | None
    """The least that may; None: strangers may."""
    status: int = 200
    """What whoever may is answered."""
    body: Any = None
    """JSON that is sent along."""
    of_team: bool = False
    """A supervisor of another team may not."""


VIEWER, SUPERVISOR, OPERATOR, ADMIN = Role

ENDPOINTS: Final[dict[tuple[str, str], Row]] = {
    ("GET", "/api/v1/openapi.json"): Row(VIEWER),
    ("GET", "/api/v1/self"): Row(VIEWER),
    ("GET", "/api/v1/numbers"): Row(VIEWER),
    ("GET", "/api/v1/numbers/history"): Row(VIEWER),
    ("GET", "/api/v1/numbers/{number}"): Row(VIEWER),
    ("GET", "/api/v1/numbers/{number}/history"): Row(VIEWER),
    ("GET", "/api/v1/numbers/incidents"): Row(VIEWER),
    ("POST", "/api/v1/numbers/{number}/suspend"): Row(OPERATOR, 202, WHY),
    ("POST", "/api/v1/numbers/{number}/resume"): Row(OPERATOR, 202, WHY),
    ("POST", "/api/v1/numbers/{number}/hold"): Row(OPERATOR, 202, WHY),
    ("POST", "/api/v1/numbers/{number}/release"): Row(OPERATOR, 202, WHY),
    ("POST", "/api/v1/numbers/{number}/retire"): Row(OPERATOR, 202, WHY),
    ("POST", "/api/v1/numbers/undo"): Row(ADMIN, 202, {**WHY, "last": "30m"}),
    ("POST", "/api/v1/numbers/approve"): Row(ADMIN, 202, {**WHY, "name": "5d0f"}),
    ("POST", "/api/v1/numbers/freeze"): Row(ADMIN, 202, WHY),
    ("POST", "/api/v1/numbers/unfreeze"): Row(ADMIN, 202, WHY),
    ("GET", "/api/v1/do-not-call"): Row(VIEWER),
    ("POST", "/api/v1/do-not-call/check"): Row(VIEWER, 200, {"customers": ["+8613912345699"]}),
    ("POST", "/api/v1/do-not-call/add"): Row(OPERATOR, 202, CUSTOMERS),
    ("POST", "/api/v1/do-not-call/remove"): Row(ADMIN, 202, CUSTOMERS),
    ("GET", "/api/v1/do-not-call/export"): Row(ADMIN),
    ("GET", "/api/v1/do-not-call?customers=true"): Row(ADMIN),
    ("GET", "/api/v1/do-not-call?after=x"): Row(ADMIN),
    ("GET", "/api/v1/requests/{ident}"): Row(VIEWER, 404),
    ("GET", "/api/v1/audit"): Row(ADMIN),
    ("GET", "/api/v1/scorecards"): Row(SUPERVISOR),
    ("GET", "/api/v1/scorecards/{card}/{period}"): Row(SUPERVISOR, 404),
    ("GET", "/api/v1/scorecards/{card}/{period}/{person}"): Row(SUPERVISOR, 404),
    ("GET", "/api/v1/board"): Row(VIEWER),
    ("GET", "/api/v1/figures"): Row(VIEWER, 422),
    ("GET", "/api/v1/figures?by=team&name=team-1"): Row(VIEWER),
    ("GET", "/api/v1/trends"): Row(VIEWER, 422),
    ("GET", "/api/v1/trends?by=team&name=team-1"): Row(VIEWER),
    ("GET", "/api/v1/alerts"): Row(VIEWER),
    ("GET", "/api/v1/alerts?customers=true"): Row(ADMIN),
    ("GET", "/api/v1/alerts/{episode}"): Row(VIEWER, 404),
    ("GET", "/api/v1/alerts/{episode}/records"): Row(VIEWER, 404),
    ("POST", "/api/v1/alerts/{episode}/acknowledge"): Row(SUPERVISOR, 404, {"note": "seen"}),
    ("POST", "/api/v1/alerts/{episode}/assign"): Row(SUPERVISOR, 404, {"to": "lin"}),
    ("POST", "/api/v1/alerts/{episode}/silence"): Row(SUPERVISOR, 404, QUIET),
    ("GET", "/api/v1/silences"): Row(VIEWER),
    ("POST", "/api/v1/silences"): Row(OPERATOR, 200, {**QUIET, "matchers": {"rule": "x"}}),
    ("POST", "/api/v1/silences/{ident}/end"): Row(SUPERVISOR, 404),
    ("GET", "/api/v1/rules"): Row(VIEWER),
    ("GET", "/api/v1/health"): Row(VIEWER),
    ("GET", "/api/v1/shadow"): Row(VIEWER),
    ("GET", "/api/v1/shadow/{rule}"): Row(VIEWER),
    ("GET", "/api/v1/shadow/{rule}?customers=true"): Row(ADMIN),
    ("GET", "/api/v1/live"): Row(VIEWER, 503),  # too many are open: test_live.py has the others
    ("GET", "/console"): Row(VIEWER),
    ("GET", "/console/"): Row(VIEWER),
    ("GET", "/console/alerts"): Row(VIEWER),
    ("GET", "/console/alerts/{episode}"): Row(VIEWER, 404),
    ("GET", "/console/alerts/{episode}/toast"): Row(VIEWER, 404),
    ("GET", "/console/alerts/{episode}/records"): Row(VIEWER),
    ("GET", "/console/numbers"): Row(VIEWER),
    ("GET", "/console/scope"): Row(VIEWER, 422),
    ("GET", "/console/scope?by=team&name=team-1"): Row(VIEWER),
    ("GET", "/console/rules"): Row(VIEWER),
    ("GET", "/console/shadow"): Row(VIEWER),
    ("GET", "/console/shadow/{rule}"): Row(VIEWER),
    ("GET", "/console/scorecards"): Row(SUPERVISOR),
    ("GET", "/console/scorecards/{card}/{period}"): Row(SUPERVISOR, 404),
    ("GET", "/console/scorecards/{card}/{period}/{person}"): Row(SUPERVISOR, 404),
    ("GET", "/console/health"): Row(VIEWER),
    ("GET", "/console/language"): Row(VIEWER, 422),
    ("GET", "/console/language?to=zh"): Row(VIEWER, 303),
    ("GET", "/console/static/{name}"): Row(VIEWER, 404),
    ("GET", "/signin"): Row(None),
    ("GET", "/signin/style.css"): Row(None),
    ("GET", "/signin/oidc"): Row(None, 404),
    ("GET", "/signin/oidc/callback"): Row(None, 404),
    ("POST", "/signin"): Row(None, 403),  # without the form's token
    ("POST", "/signout"): Row(VIEWER, 303),
}

PLACES: Final = {
    "name": "none",
    "number": NUMBER,
    "ident": "0" * 32,
    "episode": EPISODE,
    "card": "step-rates",
    "period": "2026-10",
    "person": "agent-0007",
    "rule": "trial",
}
"""What stands in the places of a path."""

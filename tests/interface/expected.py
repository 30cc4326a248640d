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
    ("GET", "/api/v1/numbers/incidents"): Row(VIEWER),
    ("GET", "/api/v1/numbers/{number}"): Row(VIEWER),
    ("GET", "/api/v1/numbers/{number}/history"): Row(VIEWER),
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
    ("GET", "/signin"): Row(None),
    ("GET", "/signin/style.css"): Row(None),
    ("GET", "/signin/oidc"): Row(None, 404),
    ("GET", "/signin/oidc/callback"): Row(None, 404),
    ("POST", "/signin"): Row(None, 403),  # without the form's token
    ("POST", "/signout"): Row(VIEWER, 303),
}

PLACES: Final = {
    "number": NUMBER,
    "ident": "0" * 32,
    "episode": EPISODE,
    "card": "step-rates",
    "period": "2026-10",
    "person": "agent-0007",
}
"""What stands in the places of a path."""

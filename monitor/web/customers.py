"""Customers in answers: masked, unless an admin asks for them in full.

Owns who may, and that it stands in the audit when somebody has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Request

from monitor.delivery.people import without
from monitor.events.batch import PRIVATE_DIMENSIONS
from monitor.logs import mask_customer
from monitor.web.access import Caller
from monitor.web.deeds import Note, note
from monitor.web.problems import ProblemError
from monitor.web.settings import Role

Customers = Annotated[bool, Query(description="Customers in full; for admins")]


def masked(
    scope: Mapping[str, str], message: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Scope and texts without a customer to dial."""
    private = [value for name, value in scope.items() if name in PRIVATE_DIMENSIONS]
    return masked_scope(scope), without(message, private)


def masked_scope(scope: Mapping[str, str]) -> dict[str, str]:
    """A scope without a customer to dial."""
    return {
        name: mask_customer(value) if name in PRIVATE_DIMENSIONS else value
        for name, value in scope.items()
    }


def in_full(request: Request, caller: Caller, *, asked: bool, of: str = "") -> bool:
    """Whether customers are told in full; that they are stands in the audit.

    ``of``: the episode, where it is one alert; the rule, where it is a report.

    Raises:
        ProblemError: they were asked for by one who may not see them.
    """
    if asked and caller.role < Role.ADMIN:
        raise ProblemError(403, "customers in full are for the role admin")
    if asked:
        note(request, Note("read customers in full", target=of))
    return asked

"""What is written down of requests: who did what, from where, on what, and how it ended.

Owns which requests are actions: every one that can change something and whose caller is known,
every sign-in, and whatever a handler notes, such as an export. Of what was sent nothing is kept, as
it may name customers.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import Request

from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.logs import mask_customer
from monitor.store.audit import TEXT_MAX, Deed
from monitor.units import Rate
from monitor.web.access import Allowance, Caller
from monitor.web.office import Office
from monitor.web.origin import SAFE_METHODS

log = structlog.get_logger(__name__)

_OF_STRANGERS: Final = Rate(120, 60_000)
"""Failed sign-ins that are written down; of further ones only the first of each half second."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a handler says of its request, for the audit."""

    action: str = ""
    """Empty: method and path."""
    target: str = ""
    """On what; no customer in full."""
    detail: str = ""
    caller: Caller | None = None
    """Who did it, where the request does not show it: a sign-in."""


def note(request: Request, made: Note) -> None:
    """Have this request written down, and how."""
    request.scope["monitor.note"] = made


class Deeds:
    """Writes down what is done; ``office`` None: there is nowhere to."""

    def __init__(self, office: Office | None, clock: Clock, paths: Iterable[str] = ()) -> None:
        """``paths``: those that are served, as they are declared."""
        self._office = office
        self._clock = clock
        self._words = frozenset(part for path in paths for part in path.split("/"))
        self._strangers = Allowance(_OF_STRANGERS)

    async def note(self, scope: MutableMapping[str, Any], status: int) -> None:
        """The request is about to be answered so; what cannot be kept stands in the log."""
        said: Note | None = scope.get("monitor.note")
        caller: Caller | None = scope.get("monitor.caller")
        if said is None and (caller is None or scope["method"] in SAFE_METHODS):
            return
        said = said or Note()
        caller = said.caller or caller
        if caller is None and self._strangers.take(self._clock.monotonic_s()):
            return
        deed = self._deed(scope, said, caller, status)
        log.info(
            "web_action",
            who=deed.who,
            role=deed.role,
            action=deed.action,
            target=deed.target,
            result=status,
            address=deed.address,
        )
        if self._office is None:
            return
        try:
            await self._office.ask(lambda store: store.audit.add(deed))
        except StoreError as error:
            log.error("web_action_not_kept", detail=str(error))  # noqa: TRY400 - told in words

    def _deed(
        self, scope: MutableMapping[str, Any], said: Note, caller: Caller | None, status: int
    ) -> Deed:
        return Deed(
            at_ms=self._clock.now_ms(),
            who="" if caller is None else caller.name,
            role="" if caller is None else caller.role.name.lower(),
            via="" if caller is None else caller.via,
            address=str(scope.get("monitor.address", ""))[:TEXT_MAX],
            action=(said.action or f"{scope['method']} {self._path(scope)}")[:TEXT_MAX],
            target=(said.target or _target(scope))[:TEXT_MAX],
            result=status,
            detail=said.detail[:TEXT_MAX],
        )

    def _path(self, scope: MutableMapping[str, Any]) -> str:
        """As it is declared; of what came to no handler, what may be a customer is masked."""
        parts = str(scope["path"]).split("/")
        if scope.get("route") is None:
            return "/".join(part if part in self._words else mask_customer(part) for part in parts)
        given = scope.get("path_params") or {}
        names = {str(value): f"{{{name}}}" for name, value in given.items()}
        return "/".join(names.get(part, part) for part in parts)


def _target(scope: MutableMapping[str, Any]) -> str:
    """The parts of the path that say on what; one that is a customer's is masked."""
    given = scope.get("path_params") or {}
    shown = [mask_customer(str(v)) if "customer" in k else str(v) for k, v in given.items()]
    return " ".join(shown)

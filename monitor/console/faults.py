"""What people see instead of problem details when a page cannot be shown."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response

from monitor.console.paint import Painter
from monitor.web.access import Caller

_KNOWN: Final = frozenset({403, 404, 409, 422, 503})


def fault_page(request: Request, status: int, detail: str) -> Response | None:
    """The page; None where no person's browser waits for one."""
    caller: Caller | None = request.scope.get("monitor.caller")
    wanted = "text/html" in request.headers.get("accept", "")
    if caller is None or not wanted or request.headers.get("x-fragment"):
        return None
    painter = Painter(request, caller)
    words = painter.words(f"fault.{status if status in _KNOWN else 'other'}")
    # Details are in English; there they say more than the words.
    shown = detail if painter.words.language == "en" and status != 422 else ""
    return painter.page("fault.html", "", answered=status, words=words, detail=shown)

"""What every answer bears.

Owns the headers that tell browsers what must not be done with an answer. A page may load scripts,
styles, pictures, sounds and data from this server alone, and nothing that stands in the page itself
is a script or a style; no other site may frame it.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any, Final

HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
"""Of what is no page."""
PAGE_HEADERS: Final = HEADERS | {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With no-referrer a browser says of its own forms that they come from nowhere.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": (
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"
    ),
}
_HSTS: Final = {"strict-transport-security": "max-age=31536000"}
_ITS_OWN: Final = b"cache-control"
"""What a file that is no answer of the API may say itself."""

Pairs = list[tuple[bytes, bytes]]


class Headers:
    """The headers of one server; ``encrypted``: browsers reach it by https."""

    def __init__(self, *, encrypted: bool) -> None:
        more = _HSTS if encrypted else {}
        self._of_others = _pairs(HEADERS | more)
        self._of_pages = _pairs(PAGE_HEADERS | more)

    def added(self, scope: MutableMapping[str, Any], given: Iterable[tuple[bytes, bytes]]) -> Pairs:
        """``given`` by the application, and ours, which count where both say something."""
        theirs = [(name.lower(), value) for name, value in given]
        kind = next((value for name, value in theirs if name == b"content-type"), b"")
        page = kind.startswith(b"text/html")
        ours = self._of_pages if page else self._of_others
        if not page and not str(scope["path"]).startswith("/api/"):
            stored = any(name == _ITS_OWN for name, _ in theirs)
            ours = [pair for pair in ours if not (stored and pair[0] == _ITS_OWN)]
        names = {name for name, _ in ours}
        return [pair for pair in theirs if pair[0] not in names] + ours


def _pairs(headers: dict[str, str]) -> Pairs:
    return [(name.encode(), text.encode()) for name, text in headers.items()]

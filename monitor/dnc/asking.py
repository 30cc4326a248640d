"""What people may ask for about the do-not-call list, and how customers are written for it.

Owns the making of requests, which the store hands to the engine; command line and HTTP interface go
through here. What became of one is ``monitor.numbers.asking.answer``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from monitor.decisions import ListAction, ListingAction
from monitor.events.do_not_call import as_in_events
from monitor.events.settings import EventSettings

CUSTOMERS_MAX: Final = 200
"""In one request; a longer list is several."""
CHARS_MAX: Final = 256

Source = Literal["cli", "api"]


class UnusableError(ValueError):
    """Raised when what is to be listed can be no customer."""


def customers(written: Iterable[str], events: EventSettings) -> list[str]:
    """Customers as events carry them, each once, in order.

    Raises:
        UnusableError: one is empty, too long, or holds control characters; it says which place.
    """
    texts = [text.strip() for text in written]
    for place, text in enumerate(texts, start=1):
        if not text or len(text) > CHARS_MAX or not text.isprintable():
            msg = f"entry {place} is no customer: 1 to {CHARS_MAX} printable characters"
            raise UnusableError(msg)
    return list(dict.fromkeys(as_in_events(texts, events).to_list()))


def requests(
    action: ListingAction,
    names: list[str],
    *,
    ident: str,
    since_ms: int,
    until_ms: int | None,
    reason: str,
    source: Source,
    who: str,
    why: str,
) -> Iterator[ListAction]:
    """Requests of at most :data:`CUSTOMERS_MAX` customers each, for ``store.requests``.

    ``ident`` is the first one's id; the others' follow from it.
    """
    for begin in range(0, len(names), CUSTOMERS_MAX):
        yield ListAction(
            id=ident if begin == 0 else f"{ident}.{begin}",
            action=action,
            customers=tuple(names[begin : begin + CUSTOMERS_MAX]),
            since_ms=since_ms,
            until_ms=until_ms,
            reason=reason,
            source=source,
            who=who,
            why=why,
        )

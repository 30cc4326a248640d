"""Customers and ids as tokens, by a key that stays with the site.

Owns the hash: HMAC-SHA256, 128 bits of it, of the customer as events carry it, so that one customer
is one token however the number was written. Nobody without the key can tell whether a number is a
token's; with it, anybody can.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from monitor.events.do_not_call import as_in_events
from monitor.events.places import telling
from monitor.events.settings import EventSettings
from monitor.events.tokens import token

_HEX = 32


class Tokens:
    """Tokens by one key; a pure function."""

    def __init__(self, key: bytes, events: EventSettings) -> None:
        """``events``: how customers are read."""
        self._key = key
        self._events = events
        self.mark = self._hashed("mark", "")[:8]
        """Tells archives by different keys apart; says nothing of the key."""

    def of(self, customers: Iterable[str]) -> dict[str, str]:
        """The token of each customer, by the customer as written."""
        written = list(dict.fromkeys(customers))
        known = as_in_events(written, self._events)
        places = telling(known).to_list()
        return {
            customer: token(place, self._hashed("customer", name))
            for customer, name, place in zip(written, known.to_list(), places, strict=True)
        }

    def of_id(self, text: str) -> str:
        """What stands for an id: the same for the same, and for nothing else."""
        return token("", self._hashed("id", text))

    def _hashed(self, kind: str, text: str) -> str:
        # surrogatepass: no text that was read has any, and none is to be an error here
        said = f"{kind}\x00{text}".encode(errors="surrogatepass")
        return hmac.digest(self._key, said, "sha256").hex()[:_HEX]

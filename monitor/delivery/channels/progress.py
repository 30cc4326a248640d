"""How much of a delivery has arrived, where it goes out in several pieces.

Owns the memory of it, in this process alone: an attempt that fails halfway is not begun anew, and
nobody gets a piece twice. After a crash a delivery that was under way is sent again in full, as
everywhere in delivery.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

REMEMBERED_MAX: Final = 1_000
"""Deliveries under way; of one that was forgotten pieces may come twice."""


class Progress:
    """Pieces that have arrived, by delivery; one thread uses it."""

    def __init__(self) -> None:
        self._arrived: OrderedDict[str, set[str]] = OrderedDict()

    def arrived(self, delivery: str, piece: str) -> bool:
        """Whether a piece has."""
        return piece in self._arrived.get(delivery, ())

    def note(self, delivery: str, piece: str) -> None:
        """A piece has arrived."""
        self._arrived.setdefault(delivery, set()).add(piece)
        self._arrived.move_to_end(delivery)
        while len(self._arrived) > REMEMBERED_MAX:
            self._arrived.popitem(last=False)

    def forget(self, delivery: str, piece: str) -> None:
        """A piece is to be tried again."""
        self._arrived.get(delivery, set()).discard(piece)

    def over(self, delivery: str) -> None:
        """All of it has."""
        self._arrived.pop(delivery, None)

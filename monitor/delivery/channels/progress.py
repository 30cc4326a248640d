"""How much of a message has arrived, where it goes out in several pieces.

Owns the pieces and the form in which they stand beside the delivery in the outbox, so that neither
an attempt that fails halfway nor a crash begins anew, and nobody gets a piece twice. Between a
piece's arrival and its being noted a crash repeats that one piece, as everywhere in delivery.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from monitor.decisions import derive_id

REMEMBERED_MAX: Final = 1_000
"""Messages under way that are remembered while the store does not take them."""
_PIECE: Final = 10
"""Hex digits by which a piece is known: of what is in it, and for recipients' addresses a mask."""


class Progress:
    """Pieces that have arrived, by message; one thread uses it."""

    def __init__(self) -> None:
        self._arrived: OrderedDict[str, set[str]] = OrderedDict()
        self._keep: Callable[[str], None] | None = None

    def follow(self, kept: str, keep: Callable[[str], None]) -> None:
        """An attempt begins. ``kept``: what ``keep`` was given last, by whatever process, or empty.

        ``keep`` may raise what the store raises; the piece is remembered here all the same.
        """
        self._keep = keep
        if kept:
            message, *pieces = kept.split(" ")
            self._arrived.setdefault(message, set()).update(pieces)

    def leave(self) -> None:
        """The attempt is over."""
        self._keep = None

    def arrived(self, message: str, piece: str) -> bool:
        """Whether a piece has."""
        return _name(piece) in self._arrived.get(message, ())

    def note(self, message: str, piece: str) -> None:
        """A piece has arrived."""
        self._arrived.setdefault(message, set()).add(_name(piece))
        self._arrived.move_to_end(message)
        while len(self._arrived) > REMEMBERED_MAX:
            self._arrived.popitem(last=False)
        self._write(message)

    def forget(self, message: str, piece: str) -> None:
        """A piece is to be tried again."""
        self._arrived.get(message, set()).discard(_name(piece))
        self._write(message)

    def over(self, message: str) -> None:
        """All of it has arrived; that is settled with the delivery."""
        self._arrived.pop(message, None)

    def _write(self, message: str) -> None:
        if self._keep is not None:
            self._keep(" ".join([message, *sorted(self._arrived.get(message, ()))]))


def message_of(kept: str) -> str:
    """Of which message something has arrived; empty: of none."""
    return kept.partition(" ")[0]


def _name(piece: str) -> str:
    return derive_id("piece", piece)[:_PIECE]

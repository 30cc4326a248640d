"""Parts of a snapshot that are handed over as they are, because nobody changes them any more.

Owns the two kinds of them, and how a table that only grows is cut into few of them. A snapshot
made of such parts costs what has changed since the last one, and may be written by another thread
while the tables go on. Where parts are stored is ``monitor.store.checkpoint``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _itself(value: Any) -> Any:
    return value


class Later:
    """A value of a snapshot that is made when it is written, of what nobody changes any more."""

    __slots__ = ("_make", "_of")

    def __init__(self, of: Any, make: Callable[[Any], Any] = _itself) -> None:
        """Be ready: ``make`` gives plain values, whenever and in whatever thread it is asked.

        By default ``of`` is one itself.
        """
        self._of = of
        self._make = make

    def content(self) -> Any:
        """The value."""
        return self._make(self._of)


class Sealed(Later):
    """One that is stored once, and only referred to by the snapshots after that."""

    __slots__ = ("place",)

    def __init__(
        self, of: Any, make: Callable[[Any], Any] = _itself, *, place: object | None = None
    ) -> None:
        super().__init__(of, make)
        self.place = place
        """Where it is stored: the store's own, and nobody else's business; None: nowhere yet."""

    def fill(self, content: Any) -> None:
        """What stands at its place has been read."""
        self._of = content

    def held_as(self, of: Any, make: Callable[[Any], Any]) -> Sealed:
        """The same part, which from now on is made of ``of``."""
        return Sealed(of, make, place=self.place)


def plain(value: Any) -> Any:
    """``value``, or what it will be when it is written."""
    return value.content() if isinstance(value, Later) else value


class Stretches:
    """The rows of a table that only grows, in stretches each at least twice as long as the next.

    So they are few, and a row is sealed again only as often as the table doubles.
    """

    def __init__(self, sealed: Iterable[tuple[int, Sealed]] = ()) -> None:
        """``sealed``: stretches that there are, with their lengths, from the first row on."""
        self._ends: list[int] = []
        self._sealed: list[Sealed] = []
        for length, each in sealed:
            self._ends.append(self._begin(len(self._ends)) + length)
            self._sealed.append(each)

    def upto(self, size: int, seal: Callable[[int, int], Sealed]) -> list[Sealed]:
        """All rows below ``size``; ``seal`` makes a stretch, from its first row to its end."""
        begin = self._begin(len(self._ends))
        if size > begin:
            while self._ends:
                before = self._begin(len(self._ends) - 1)
                if begin - before >= 2 * (size - begin):
                    break
                self._ends.pop()
                self._sealed.pop()
                begin = before
            self._ends.append(size)
            self._sealed.append(seal(begin, size))
        return list(self._sealed)

    def _begin(self, index: int) -> int:
        return self._ends[index - 1] if index else 0

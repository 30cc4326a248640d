"""Strings to dense ids, bounded.

Owns the mapping only; what an id indexes belongs to the owner of the table. An id is recycled
after ``release``, so arrays indexed by it stay as small as the number of living keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt

from monitor.sealed import Sealed

OVERFLOW = -1
"""The id of every key that found the table full."""

OTHER = "\x1eother"
"""The name of the bucket that stands for all of these; no key has a control character in it."""

STRETCH = 4_096
"""Ids whose names make one part of a snapshot."""


class KeyTable:
    """A bounded two-way table between strings and ids ``0 … size-1``."""

    def __init__(self, limit: int, listed: AbstractSet[str] = frozenset()) -> None:
        """``listed``: names that find room beyond ``limit``; whoever lists them bounds them."""
        self.limit = limit
        self._listed = listed
        self.overflowed = 0
        """Keys refused because the table was full, since construction."""
        self.other: int | None = None
        """The id of the bucket, while there is one. It is no key: it is not among the living, is
        found by no name, and has room beyond ``limit``."""
        self._ids: dict[str, int] = {}
        self._names: list[str | None] = []
        self._free: list[int] = []
        self._sealed: list[Sealed | None] = []
        """By stretch of ids, as far as asked for; None: its names have changed since."""

    def __len__(self) -> int:
        """Number of living keys."""
        return len(self._ids)

    @property
    def size(self) -> int:
        """One more than the largest id ever given out: the length arrays must have."""
        return len(self._names)

    def intern(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Ids of ``names``, shape ``(len(names),)``; new ones are given the next id.

        A name that finds the table full gets ``OVERFLOW`` and is counted.
        """
        found = list(map(self._ids.get, names))
        fresh = [name for name, key in zip(names, found, strict=True) if key is None]
        given = iter(self._add_all(fresh))
        ids = (next(given) if key is None else key for key in found)
        return np.fromiter(ids, dtype=np.int64, count=len(names))

    def bucket(self) -> int:
        """The id of the bucket for what found the table full, made when there is none."""
        if self.other is None:
            self.other = self._take_id(OTHER)
        return self.other

    def find(self, name: str) -> int | None:
        """The id of ``name``, or None when it is not in the table."""
        return self._ids.get(name)

    def name(self, key: int) -> str:
        """The string of a living id.

        Raises:
            KeyError: the id was never given out, or was released.
        """
        found = self._names[key] if 0 <= key < len(self._names) else None
        if found is None:
            raise KeyError(key)
        return found

    def names(self, keys: Iterable[int]) -> list[str]:
        """The strings of living ids, in their order."""
        return [self.name(key) for key in keys]

    def living(self) -> npt.NDArray[np.int64]:
        """All ids in use, ascending, shape ``(len(self),)``."""
        others = self._free if self.other is None else [*self._free, self.other]
        return np.delete(np.arange(len(self._names), dtype=np.int64), others)

    def release(self, keys: Iterable[int]) -> None:
        """Forget ``keys``; their ids are given out again, smallest first."""
        for key in keys:
            if key == self.other:
                self.other = None
            else:
                del self._ids[self.name(key)]
            self._names[key] = None
            self._changed(key)
            self._free.append(key)
        self._free.sort(reverse=True)

    def snapshot(self) -> list[Sealed]:
        """The names in order of their ids, None where an id is free; a part for each stretch."""
        parts: list[Sealed] = []
        for number, first in enumerate(range(0, len(self._names), STRETCH)):
            part = self._sealed[number] if number < len(self._sealed) else None
            parts.append(part or Sealed(self._names[first : first + STRETCH]))
        self._sealed = list(parts)
        return parts

    def restore(self, parts: Sequence[Sealed]) -> None:
        """Replace the table by one that :meth:`snapshot` gave."""
        stretches: list[list[str | None]] = [part.content() for part in parts]
        self._names = [name for stretch in stretches for name in stretch]
        sizes = [len(stretch) for stretch in stretches]
        ours = max(sizes, default=0) <= STRETCH and all(size == STRETCH for size in sizes[:-1])
        self._sealed = list(parts) if ours else []
        self._ids = {name: key for key, name in enumerate(self._names) if name is not None}
        self.other = self._ids.pop(OTHER, None)
        self._free = [key for key, name in enumerate(self._names) if name is None]
        self._free.sort(reverse=True)

    def _add_all(self, names: list[str]) -> Sequence[int]:
        """Ids of names that were not there, of which some may be alike.

        At once where none is refused, none gets an id that another had, and none comes again.
        """
        slowly = self._free or len(self._ids) + len(names) > self.limit
        if slowly or len(set(names)) < len(names):
            given = []
            for name in names:
                found = self._ids.get(name)
                given.append(self._add(name) if found is None else found)
            return given
        if not names:
            return []
        first = len(self._names)
        ids = range(first, first + len(names))
        self._ids.update(zip(names, ids, strict=True))
        self._names += names
        for key in range(first - first % STRETCH, first + len(names), STRETCH):
            self._changed(key)
        return ids

    def _add(self, name: str) -> int:
        if len(self._ids) >= self.limit and name not in self._listed:
            self.overflowed += 1
            return OVERFLOW
        key = self._ids[name] = self._take_id(name)
        return key

    def _take_id(self, name: str) -> int:
        """The smallest free id, which is ``name``'s from now on."""
        if self._free:
            key = self._free.pop()
            self._names[key] = name
        else:
            key = len(self._names)
            self._names.append(name)
        self._changed(key)
        return key

    def _changed(self, key: int) -> None:
        if key // STRETCH < len(self._sealed):
            self._sealed[key // STRETCH] = None

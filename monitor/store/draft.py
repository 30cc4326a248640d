"""One checkpoint as it is being made: what it refers to, and what is to be written with it.

Owns the choice, part by part, between referring and writing. A part whose file is being emptied is
written again, from memory, as if it had not been stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from monitor.sealed import Sealed
from monitor.store.changes import BYTES_MIN, ChangingArray
from monitor.store.checkpoint_format import OWN
from monitor.store.holdings import Moving
from monitor.store.state import Array, Packed, Reference, pack_part


class Place(NamedTuple):
    """Where a part is stored."""

    shelf: object
    """Of the one who stored it; nobody else may rely on it."""
    number: int
    part: int
    length: int
    """Bytes, unpacked."""


class Draft:
    """A checkpoint being made; the :class:`monitor.store.state.Elsewhere` of its state."""

    def __init__(
        self,
        shelf: object,
        usable: frozenset[int],
        moving: Moving,
        changing: Mapping[str, ChangingArray],
    ) -> None:
        """``usable``: files of parts that may be referred to; ``changing``: by path, as before."""
        self.fresh: list[tuple[Sealed, Packed]] = []
        """To be written, in order."""
        self.living: Counter[int] = Counter()
        """Bytes, unpacked, referred to in each file of parts; ``OWN``: in the one of this."""
        self.changing: dict[str, ChangingArray] = {}
        self._shelf = shelf
        self._usable = usable
        self._moving = moving.numbers
        self._budget = moving.budget
        self._before = changing
        self._references: dict[int, Reference] = {}
        """By identity of the part."""

    def part(self, sealed: Sealed) -> Reference:
        """Where a part is, or will be."""
        reference = self._references.get(id(sealed))
        if reference is None:
            reference = self._references[id(sealed)] = self._stored(sealed) or self._fresh(sealed)
        return reference

    def array(self, path: str, array: Array) -> list[Reference] | None:
        """Where an array is, as changes of an older one; None: it is too small for that."""
        if array.ndim == 0 or array.nbytes < BYTES_MIN:
            return None
        changing = self._before.get(path)
        self.changing[path] = changing = changing or ChangingArray.begun(array)
        return [self.part(part) for part in changing.parts(array)]

    def settle(self, number: int) -> None:
        """It is durable, under this number."""
        for index, (sealed, packed) in enumerate(self.fresh):
            sealed.place = Place(self._shelf, number, index, packed.size)

    def _stored(self, sealed: Sealed) -> Reference | None:
        place = sealed.place
        if not isinstance(place, Place) or place.shelf is not self._shelf:
            return None
        if place.number not in self._usable:
            return None
        if place.number in self._moving and self._budget > 0:
            self._budget -= place.length
            return None
        self.living[place.number] += place.length
        return place.number, place.part

    def _fresh(self, sealed: Sealed) -> Reference:
        packed = pack_part(sealed.content())
        self.fresh.append((sealed, packed))
        self.living[OWN] += packed.size
        return OWN, len(self.fresh) - 1

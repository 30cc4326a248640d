"""Which files of checkpoints there are, what is known of them, and which of them are needed.

Owns the arithmetic; the files themselves are a ``Shelf``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monitor.store.checkpoint_format import OWN, Written
from monitor.store.shelf import Blob

KEPT: Final = 2
"""Roots that are kept, not counting those known to be damaged."""
SPARE_BYTES: Final = 4 * 2**20
"""What is not needed of the files may be as much as what is, and so much more."""
FILES_MAX: Final = 24
"""Files of parts that a checkpoint is read from."""
MOVED_BYTES: Final = 16 * 2**20
"""Bytes, unpacked, that are at most written again with one checkpoint; more when it is larger:"""
MOVED_SHARE: Final = 8
"""one part of the state in so many."""


class Parts(NamedTuple):
    """A file of parts that was written or read here."""

    digest: bytes
    length: int
    """Bytes of all its parts, unpacked."""


class Moving(NamedTuple):
    """Files whose parts are to be written again."""

    numbers: frozenset[int]
    budget: int
    """Bytes, unpacked, at which it is enough for once."""


@dataclass(slots=True)
class Holdings:
    """All files on one shelf, as one who writes there knows them."""

    damaged: set[int] = field(default_factory=set)
    """Roots that could not be read: they are no reason to let a sound one go."""
    _sizes: dict[Blob, int] = field(default_factory=dict)
    _parts: dict[int, Parts] = field(default_factory=dict)
    _needs: dict[int, frozenset[int]] = field(default_factory=dict)
    """By root, if it was written or read here: the files of parts it refers to."""
    _living: dict[int, int] = field(default_factory=dict)
    """Of the newest root: bytes, unpacked, that it refers to in each file of parts."""

    def see(self, sizes: Mapping[Blob, int]) -> None:
        """These files are there."""
        self._sizes = dict(sizes)

    def roots(self) -> list[int]:
        """Their numbers, the newest first."""
        return sorted((blob.number for blob in self._sizes if blob.kind == "root"), reverse=True)

    def usable(self) -> frozenset[int]:
        """Files of parts that may be referred to: they are there, and were sound."""
        return frozenset(number for number in self._parts if Blob("parts", number) in self._sizes)

    def digests(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """The checksums of files of parts."""
        return {number: self._parts[number].digest for number in numbers if number != OWN}

    def moving(self) -> Moving:
        """Which files are to be emptied.

        Those with the least in use when too little of all is, and the smallest when there are too
        many.
        """
        living = {n: length for n, length in self._living.items() if n in self.usable()}
        sizes = {number: self._sizes[Blob("parts", number)] for number in living}
        used = {n: living[n] / max(self._parts[n].length, 1) for n in living}
        needed = sum(sizes[number] * used[number] for number in living)
        held, chosen = float(sum(sizes.values())), set[int]()
        for number in sorted(living, key=used.__getitem__):
            if held <= 2 * needed + SPARE_BYTES:
                break
            chosen.add(number)
            held -= sizes[number] * (1 - used[number])
        crowd = len(living) - FILES_MAX
        if crowd >= 0:
            chosen.update(sorted(living, key=living.__getitem__)[: crowd + 2])
        budget = max(MOVED_BYTES, sum(living.values()) // MOVED_SHARE)
        return Moving(frozenset(chosen), budget)

    def gone_with(self, needs: Iterable[int]) -> list[Blob]:
        """What is not needed any more beside a new root that refers to these files of parts."""
        sound = [number for number in self.roots() if number not in self.damaged]
        kept = sound[: KEPT - 1]
        gone = [Blob("root", number) for number in self.roots() if number not in kept]
        if all(number in self._needs for number in kept):
            needed = frozenset(needs).union(*(self._needs[number] for number in kept))
            gone += [b for b in self._sizes if b.kind == "parts" and b.number not in needed]
        return gone

    def added(
        self, number: int, living: Mapping[int, int], own: Written | None, gone: Iterable[Blob]
    ) -> None:
        """A root was written, with ``own`` parts, and ``gone`` went.

        ``living``: bytes, unpacked, that it refers to in each file of parts.
        """
        for blob in gone:
            self._sizes.pop(blob, None)
        if own is not None:
            self._sizes[Blob("parts", number)] = own.size
            self._parts[number] = Parts(own.digest, living[OWN])
        self._refers(number, living)

    def read(self, number: int, living: Mapping[int, int], parts: Mapping[int, Parts]) -> None:
        """A root was read, and the files of parts that it refers to."""
        self._parts |= {number if n == OWN else n: each for n, each in parts.items()}
        self._refers(number, living)

    def size_of(self, number: int) -> int:
        """Bytes of the files of parts that a root refers to."""
        return sum(self._sizes[Blob("parts", each)] for each in self._needs[number])

    def _refers(self, number: int, living: Mapping[int, int]) -> None:
        self._living = {number if n == OWN else n: length for n, length in living.items()}
        self._needs[number] = frozenset(self._living)
        there = {blob.number for blob in self._sizes} | {number}
        self._parts = {n: each for n, each in self._parts.items() if n in there}
        self._needs = {n: each for n, each in self._needs.items() if n in there}
        self.damaged &= there

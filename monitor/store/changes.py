"""Arrays that change in place, stored as what has changed of them.

Owns the comparison with what was stored last, and the way back. A row is stored with its place; of
a row that was stored several times the last one counts. Parts are merged so that each has at least
twice as many rows as the next: they are few, and a row is written again only as often as what has
changed doubles. Nobody need say what he changed: all is compared, bit by bit, which costs a read
of memory in the thread that writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from monitor.errors import CheckpointError
from monitor.sealed import Sealed

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

BYTES_MIN: Final = 4_096
"""A smaller array is stored whole, each time."""


class ChangingArray:
    """One array of the state as it was stored last, and the parts that it is stored in."""

    def __init__(self, last: Array, parts: Sequence[Sealed]) -> None:
        """``parts``: of which ``last`` was made, the oldest first; nobody else changes either."""
        self._last = last
        self._parts = list(parts)
        self._rows = [len(part.content()["values"]) for part in parts]

    @classmethod
    def begun(cls, array: Array) -> ChangingArray:
        """Nothing of ``array`` is stored yet."""
        changing = cls(array, ())
        changing._whole(array)
        return changing

    def parts(self, array: Array) -> list[Sealed]:
        """The parts that ``array``, as it is now, is to be stored in; nobody changes it."""
        rows = changed_rows(self._last, array)
        if rows is None:
            self._whole(array)
        elif len(rows):
            self._put(rows, array)
        self._last = array
        return list(self._parts)

    def _put(self, rows: Rows, array: Array) -> None:
        while self._rows and self._rows[-1] < 2 * len(rows):
            self._rows.pop()
            content = self._parts.pop().content()
            if not self._parts:
                self._whole(array)
                return
            rows = np.union1d(rows, content["rows"])
            rows = rows[: np.searchsorted(rows, len(array))]
        self._parts.append(Sealed({"rows": rows, "values": array[rows]}))
        self._rows.append(len(rows))

    def _whole(self, array: Array) -> None:
        self._parts, self._rows = [Sealed({"values": array})], [len(array)]


def changed_rows(before: Array, after: Array) -> Rows | None:
    """Which rows of ``after`` are not those of ``before``, or beyond them; None: no use to tell."""
    both = min(len(before), len(after))
    if before.dtype != after.dtype or before.shape[1:] != after.shape[1:] or not both:
        return None
    same_size = f"u{after.dtype.itemsize}"  # NaN is itself, and 0.0 is not -0.0
    differs = before[:both].view(same_size) != after[:both].view(same_size)
    changed = np.flatnonzero(differs.reshape(both, -1).any(axis=1))
    return np.concatenate([changed, np.arange(both, len(after))])


def assemble(array: Array, contents: Sequence[Any]) -> None:
    """Fill ``array`` from the contents of its parts, the oldest first.

    Raises:
        CheckpointError: they do not belong together.
    """
    try:
        first, *later = contents
        both = min(len(first["values"]), len(array))
        array[:both], array[both:] = first["values"][:both], 0
        for content in later:
            rows, values = content["rows"], content["values"]
            inside = rows < len(array)
            array[rows[inside]] = values[inside]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        msg = f"the checkpoint's changes of an array do not fit it: {error}"
        raise CheckpointError(msg) from error

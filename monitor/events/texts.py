"""Texts of a batch as polars columns: names that come again and again, and texts that do not.

Owns the table of names of a field, which outlives batches: a name is looked at once, after that
its rows are told by a number. A table that is full is begun anew; what it held is in frames only.
Columns are built block by block, while the bytes are still in the processor's cache.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import nanoarrow
import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.compiled.tables import number_texts, pack, place_again

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

T = TypeVar("T", bound=np.generic)

NAMES_MAX = 2**16
"""Names of one field that are remembered."""
ARENA_BYTES_MAX = 2**22
_NAMES_AT_FIRST = 2**10
_PACKED_AT_FIRST = 2**12
_STRING = nanoarrow.c_schema(nanoarrow.large_string())


class TextColumn(Protocol):
    """A column in the making."""

    def add(self, raw: Bytes, places: Int64, lengths: Int32) -> None:
        """Append texts, which stand in ``raw``; null where the length is negative."""
        ...

    def take(self) -> pl.Series:
        """All that was added since the last time, as a String column."""
        ...

    def others(self) -> Bool | None:
        """Which rows of it are none of the texts that there may be; None: no row is."""
        ...


class Names:
    """The names of one field that came lately; number 0 is null."""

    def __init__(self, first: tuple[str, ...] = (), names_max: int = NAMES_MAX) -> None:
        """Give ``first`` the numbers from 1 on."""
        self._first = first
        self._names_max = names_max
        self._others: list[Bool] = []
        self._pieces: list[pl.Series] = []
        self._found: list[Int32] = []
        self._begin()

    def _begin(self) -> None:
        self._slots = np.full(4 * _NAMES_AT_FIRST, -1, np.int32)
        self._places = np.zeros(_NAMES_AT_FIRST, np.int64)
        self._lengths = np.full(_NAMES_AT_FIRST, -1, np.int32)
        self._arena = np.zeros(32 * _NAMES_AT_FIRST, np.uint8)
        self._held = np.array([1, 0])
        """Numbers given, bytes used."""
        self._texts = self._named = pl.Series([None], dtype=pl.String)
        if self._first:
            raw = np.frombuffer("".join(self._first).encode() + bytes(8), np.uint8)
            lengths = np.array([len(name.encode()) for name in self._first], np.int32)
            self._number(raw, np.cumsum(lengths) - lengths, lengths)

    @property
    def held(self) -> int:
        """Names in the table."""
        return int(self._held[0]) - 1

    def add(self, raw: Bytes, places: Int64, lengths: Int32) -> None:
        """See :class:`TextColumn`."""
        done = 0
        while done < len(places):
            found = self._number(raw, places[done:], lengths[done:])
            self._found.append(found)
            done += len(found)
            if done < len(places):
                self._close()
                self._begin()

    def take(self) -> pl.Series:
        """See :class:`TextColumn`."""
        self._close()
        pieces, self._pieces = self._pieces, []
        return pl.concat(pieces) if len(pieces) > 1 else pieces[0]

    def others(self) -> Bool | None:
        """Which of the rows last taken have a name that is not among ``first``; None: none has."""
        others, self._others = self._others, []
        return np.concatenate(others) if any(each.any() for each in others) else None

    def _close(self) -> None:
        """Read the numbers as names while the table still knows them."""
        numbers = np.concatenate(self._found) if self._found else np.zeros(0, np.int32)
        self._found = []
        if self._first:
            self._others.append(numbers > len(self._first))
        if not numbers.any():
            self._pieces.append(_nothing(len(numbers)))
            return
        at, texts = numbers.view(np.uint32), self._texts
        if numbers.all():  # twice as fast from a column that has no null
            at, texts = at - 1, self._named
        self._pieces.append(texts[pl.Series(at)])

    def _number(self, raw: Bytes, places: Int64, lengths: Int32) -> Int32:
        """Numbers of the texts, as many of them as there is room for."""
        found = np.empty(len(places), np.int32)
        before, done = int(self._held[0]), 0
        while True:
            done += number_texts(
                raw, places[done:], lengths[done:], self._slots, self._places, self._lengths,
                self._arena, self._held, found[done:],
            )  # fmt: skip
            if done == len(places) or not self._grow(int(lengths[done])):
                break
        if self._held[0] > before:
            # In one piece it is several times as fast to take from.
            self._texts = pl.concat([self._texts, self._written(before)], rechunk=True)
            self._named = self._texts[1:]
        return found[:done]

    def _grow(self, more: int) -> bool:
        """Have room for another name of ``more`` bytes; false when that is too much."""
        names, size = int(self._held[0]), int(self._held[1]) + more + 8
        if size > len(self._arena):
            if size > ARENA_BYTES_MAX:
                return False
            self._arena = _longer(self._arena, min(2 * size, ARENA_BYTES_MAX), 0)
        if names >= len(self._places):
            if names >= self._names_max:
                return False
            self._places = _longer(self._places, min(2 * names, self._names_max), 0)
            self._lengths = _longer(self._lengths, len(self._places), -1)
            self._slots = np.full(4 * len(self._places), -1, np.int32)
            place_again(self._slots, self._places, self._lengths, self._arena, 1, names)
        return True

    def _written(self, first: int) -> pl.Series:
        last = int(self._held[0])
        ends = self._places[first:last] + self._lengths[first:last]
        start = int(self._places[first])
        whole = self._arena[start : int(ends[-1])].tobytes()
        spans = zip(self._places[first:last].tolist(), ends.tolist(), strict=True)
        names = [whole[low - start : high - start].decode() for low, high in spans]
        return pl.Series(names, dtype=pl.String)


class Texts:
    """Texts of which hardly two are the same."""

    def __init__(self) -> None:
        self._lengths: list[Int32] = []
        self._packed = np.empty(_PACKED_AT_FIRST, np.uint8)
        self._used = 0

    def add(self, raw: Bytes, places: Int64, lengths: Int32) -> None:
        """See :class:`TextColumn`."""
        most = self._used + int(lengths.sum(where=lengths > 0)) + 8
        if most > len(self._packed):
            self._packed = _longer(self._packed, 2 * most, 0)
        self._used = int(pack(raw, places, lengths, self._packed, self._used))
        self._lengths.append(lengths.copy())

    def take(self) -> pl.Series:
        """See :class:`TextColumn`."""
        lengths = np.concatenate(self._lengths) if self._lengths else np.zeros(0, np.int32)
        # The column looks into it for as long as it lives.
        packed, rows = self._packed[: self._used].copy(), len(lengths)
        self._lengths, self._used = [], 0
        if not rows or lengths.max() < 0:
            return _nothing(rows)
        ends = np.zeros(rows + 1, np.int64)
        np.cumsum(np.maximum(lengths, 0), out=ends[1:])
        absent = lengths < 0
        present = np.packbits(~absent, bitorder="little") if absent.any() else None
        buffers = [present, ends, packed]
        return pl.Series(nanoarrow.c_array_from_buffers(_STRING, rows, buffers))

    def others(self) -> None:
        """Any text may be there."""


def _nothing(rows: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, rows)


def _longer(array: npt.NDArray[T], size: int, fill: int) -> npt.NDArray[T]:
    longer = np.full(size, fill, array.dtype)
    longer[: len(array)] = array
    return longer

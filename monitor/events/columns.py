"""A batch of records at once: the fast reading, which only ever accepts.

Owns which column comes of which field, and what of a batch is left to ``monitor.events.strict``.
The loops over bytes are ``monitor.compiled.json_rows``; that both read every accepted record alike
is a property test (tests/events/test_agreement.py).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.compiled import json_rows
from monitor.compiled.json_rows import NO_TIME, SLACK, read_rows
from monitor.compiled.json_text import any_spelled, hash_of, utf8_rows
from monitor.events.catalogue import FieldType, Kind, polars_dtype
from monitor.events.phones import PHONE_FIELDS
from monitor.events.settings import RecordLimits
from monitor.events.texts import Names, TextColumn, Texts
from monitor.source.records import Records

ENVELOPE = {"id": pl.String, "type": pl.String, "time": pl.Int64}
"""The columns that every frame begins with."""
ROW = "__row"
BLOCK = 4_000
"""Rows whose bytes, some 1.4 MB, stay in the cache while each column is made of them."""

_KINDS: Mapping[Kind, int] = {
    Kind.STRING: json_rows.TEXT,
    Kind.ENUM: json_rows.TEXT,
    Kind.SECONDS: json_rows.NUMBER,
    Kind.NUMBER: json_rows.NUMBER,
    Kind.INT: json_rows.INTEGER,
    Kind.BOOL: json_rows.BOOLEAN,
    Kind.TIME: json_rows.TIME,
}
_TEXTS = (json_rows.TEXT, json_rows.KEY)
_GROUPS = (
    _TEXTS,
    (json_rows.NUMBER, json_rows.INTEGER, json_rows.BOOLEAN),
    (json_rows.TIME,),
)
"""Kinds of fields that share an array of columns."""
_ENVELOPE = (
    FieldType("id", Kind.STRING, "", is_key=True),
    FieldType("type", Kind.STRING, "", is_key=True),
    FieldType("time", Kind.TIME, ""),
)
_CLOUD = FieldType("specversion", Kind.STRING, "a CloudEvent gives itself away")
_UNIQUE = frozenset({"id", "customer", "call_id", "message_id", "conversation"})
"""Hardly two rows have the same, so there is nothing to remember."""

Int64 = npt.NDArray[np.int64]


class Read(NamedTuple):
    """What the fast reading makes of a batch."""

    frame: pl.DataFrame
    """``ROW`` Int64, each row's position in the batch; then the schema's columns. A row for every
    record: nothing counts of those that are left, whose places others may take."""
    left: Int64
    """Positions of the records that are left to the strict decoder."""
    spelled: bool
    """Some number or customer may be a telephone number that is not written as E.164."""


class _Table(NamedTuple):
    """Names found by their hash, as ``json_rows.field_of`` takes them."""

    slots: Int64
    places: Int64
    text: npt.NDArray[np.uint8]
    lengths: Int64

    @classmethod
    def of(cls, names: Sequence[str]) -> _Table:
        size = 1 << (4 * len(names)).bit_length()
        slots = np.full(size, -1, np.int64)
        lengths = np.array([len(name.encode()) for name in names], np.int64)
        places = np.cumsum(lengths) - lengths
        text = np.frombuffer("".join(names).encode() + bytes(8), np.uint8)
        for number, (at, length) in enumerate(zip(places, lengths, strict=True)):
            slot = int(hash_of(text, at, length)) & (size - 1)
            while slots[slot] >= 0:
                slot = (slot + 1) & (size - 1)
            slots[slot] = number
        return cls(slots, places, text, lengths)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows as one array of bytes, few enough for the processor's cache."""

    raw: npt.NDArray[np.uint8]
    starts: Int64
    ends: Int64

    @classmethod
    def of(cls, records: Sequence[bytes]) -> _Block:
        """A copy of our own, for escapes are resolved in place."""
        if isinstance(records, Records):
            first, last = int(records.starts[0]), int(records.ends[-1])
            raw = np.empty(last - first + SLACK, np.uint8)
            raw[: last - first] = np.frombuffer(records.memory, np.uint8, last - first, first)
            raw[last - first :] = 0
            return cls(raw, records.starts - first, records.ends - first)
        # Not by white space, or rows of nothing else would be gone through again and again.
        text = bytearray(b"\0").join((*records, bytes(SLACK)))
        lengths = np.fromiter(map(len, records), np.int64, len(records))
        ends = np.cumsum(lengths + 1) - 1
        return cls(np.frombuffer(text, np.uint8), ends - lengths, ends)


class _Found(NamedTuple):
    """What a block holds besides texts."""

    numbers: npt.NDArray[np.float64]
    """Shape (fields, rows), booleans among them; NaN for null."""
    times: Int64
    """Likewise; ``NO_TIME`` for null."""
    left: npt.NDArray[np.bool_]
    spelled: bool


class ColumnDecoder:
    """Reads what is plainly good out of a batch, for a given set of columns."""

    def __init__(
        self, columns: Sequence[FieldType], types: Collection[str], limits: RecordLimits
    ) -> None:
        self._limits = limits
        self._turn = threading.Lock()
        self.schema: dict[str, type[pl.DataType]] = {
            **ENVELOPE,
            **{field.name: polars_dtype(field.name) for field in columns},
        }
        self._wire = (*_ENVELOPE, *columns, _CLOUD)
        kinds = [_kind(field) for field in self._wire]
        self._slots = _slots(kinds)
        self._sizes = tuple(sum(kind in group for kind in kinds) for group in _GROUPS)
        self._table = tuple(_Table.of([field.name for field in self._wire]))
        self._heeded = tuple(_Table.of(sorted(types)))
        # Bytes, not characters: never fewer.
        mosts = [limits.key_chars if each.is_key else limits.string_chars for each in self._wire]
        self._fields = (
            np.array(kinds, np.int64),
            np.array([field.low for field in self._wire], np.float64),
            np.array([field.high for field in self._wire], np.float64),
            np.array(mosts, np.int64),
            np.array(self._slots, np.int64),
        )
        self._nothing = _Found(
            np.zeros((self._sizes[1], 0)),
            np.zeros((self._sizes[2], 0), np.int64),
            np.zeros(0, np.bool_),
            spelled=False,
        )
        self._phones = [
            slot
            for field, slot in zip(self._wire, self._slots, strict=True)
            if field.name in PHONE_FIELDS
        ]
        self._texts: list[TextColumn] = [
            Texts() if field.name in _UNIQUE else Names(field.values)
            for field, kind in zip(self._wire, kinds, strict=True)
            if kind in _TEXTS
        ]

    def decode(self, records: Sequence[bytes]) -> Read:
        """Read what is plainly good; one thread at a time."""
        with self._turn:
            return self._decode(records)

    def _decode(self, records: Sequence[bytes]) -> Read:
        rows = len(records)
        found = [
            self._read(records[first : first + BLOCK]) for first in range(0, max(rows, 1), BLOCK)
        ]
        numbers, times, lefts, spelled = zip(*found, strict=True)
        values, stamps = np.concatenate(numbers, axis=1), np.concatenate(times, axis=1)
        left = np.concatenate(lefts)
        columns = [pl.Series(ROW, np.arange(rows))]
        for field, slot in zip(self._wire[:-1], self._slots, strict=False):
            if field.is_text:
                text = self._texts[slot]
                columns.append(text.take().alias(field.name))
                others = text.others()
                if others is not None:
                    left |= others
            elif field.kind is Kind.TIME:
                columns.append(_times(field.name, stamps[slot]))
            else:
                number = pl.Series(field.name, values[slot], nan_to_null=True)
                columns.append(number.cast(polars_dtype(field.name)))
        return Read(pl.DataFrame(columns), np.flatnonzero(left), any(spelled))

    def _read(self, records: Sequence[bytes]) -> _Found:
        """One block; its texts go where their columns are made."""
        if not records:
            return self._nothing
        block, (texts, numbers, times) = _Block.of(records), self._sizes
        places = np.zeros((texts, len(records)), np.int64)
        lengths = np.full((texts, len(records)), -1, np.int32)
        values = np.full((numbers, len(records)), np.nan)
        stamps = np.full((times, len(records)), NO_TIME, np.int64)
        left = np.ones(len(records), np.bool_)
        # Nothing is parsed beyond a limit.
        too_large = block.ends - block.starts > self._limits.record_bytes
        ends = np.where(too_large, block.starts, block.ends)
        if block.raw.max() >= 0x80:
            not_utf8 = np.zeros(len(records), np.bool_)
            utf8_rows(block.raw, block.starts, block.ends, not_utf8)
            ends[not_utf8] = block.starts[not_utf8]
        read_rows(
            block.raw, block.starts, ends, self._table, self._heeded, self._fields,
            self._limits.depth, places, lengths, values, stamps, left,
        )  # fmt: skip
        lengths[:, left] = -1
        for text, at, length in zip(self._texts, places, lengths, strict=True):
            text.add(block.raw, at, length)
        spelled = any(any_spelled(block.raw, places[slot], lengths[slot]) for slot in self._phones)
        return _Found(values, stamps, left, spelled)


def _kind(field: FieldType) -> int:
    if field is _CLOUD:
        return json_rows.CLOUD
    return json_rows.KEY if field.is_key else _KINDS[field.kind]


def _slots(kinds: Sequence[int]) -> list[int]:
    """Where each field's values go among the columns of its kind."""
    counts = dict.fromkeys((*_GROUPS, (json_rows.CLOUD,)), 0)
    slots = []
    for kind in kinds:
        (group,) = (each for each in counts if kind in each)
        slots.append(counts[group])
        counts[group] += 1
    return slots


def _times(name: str, ms: Int64) -> pl.Series:
    times, absent = pl.Series(name, ms), ms == NO_TIME
    return times.set(pl.Series(absent), None) if absent.any() else times

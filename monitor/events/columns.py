"""A batch of records at once, by polars: the fast reading, which only ever accepts.

Owns the schema, the vectorised checks and the splitting around records that polars refuses.
Whatever is not plainly good is left to ``monitor.events.strict``; that both read every accepted
record alike is a property test (tests/events/test_agreement.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.events import guards
from monitor.events.catalogue import FieldType, Kind, polars_dtype
from monitor.events.settings import RecordLimits
from monitor.events.times import column_ms, in_range, looks_integer

ENVELOPE = {"id": pl.String, "type": pl.String, "time": pl.Int64}
"""The columns that every frame begins with."""
ROW = "__row"
_CLOUD = "specversion"
_NO_TIME = -1
"""Out of range: a time is there, and it is for the strict decoder to say what it is."""
_SPLIT = 8
_FEW = 128
"""So few records are not worth another try at once."""
_SIEVE: Mapping[Kind, type] = {
    Kind.SECONDS: float,
    Kind.NUMBER: float,
    Kind.INT: int,
    Kind.BOOL: bool,
}

Int64 = npt.NDArray[np.int64]
Read = tuple[pl.DataFrame, Int64]
_Block = tuple[pl.DataFrame, guards.Joined, Int64]


class ColumnDecoder:
    """Reads what is plainly good out of a batch, for a given set of columns."""

    def __init__(
        self, columns: Sequence[FieldType], types: Collection[str], limits: RecordLimits
    ) -> None:
        self._limits = limits
        self._fields = tuple(columns)
        self._text_keys = ("id", "type", *(field.name for field in columns if field.is_text))
        self.schema: dict[str, type[pl.DataType]] = {
            **ENVELOPE,
            **{field.name: polars_dtype(field.name) for field in columns},
        }
        # Times come as text or integers, so they are read as text; a CloudEvent gives itself away.
        self._times = ["time", *(field.name for field in columns if field.kind is Kind.TIME)]
        self._wire = self.schema | dict.fromkeys((*self._times, _CLOUD), pl.String)
        sieve = [
            (field.name, _SIEVE[field.kind] | None, None)
            for field in columns
            if field.kind in _SIEVE
        ]
        self._sieve = msgspec.json.Decoder(msgspec.defstruct("Sieve", sieve, gc=False))
        self._typed = self._typing(types)
        self._plain = self._checks()

    def decode(self, records: Sequence[bytes]) -> Read:
        """The rows read and the positions of the records that are left to the strict decoder.

        The frame has ``ROW`` Int64, each row's position in ``records``, ascending, then the columns
        of ``schema``.
        """
        limit = self._limits.record_bytes
        # A newline inside a record would shift all rows after it; nothing is parsed beyond a limit.
        fit = np.array([0 < len(one) <= limit and b"\n" not in one for one in records], np.bool_)
        blocks = list(self._blocks(records, np.flatnonzero(fit)))
        if len(blocks) == 1:
            return self._check(*blocks[0], len(records))
        rows = np.concatenate([rows for _, _, rows in blocks] or [np.empty(0, np.int64)])
        empty = pl.DataFrame(schema=self._wire)
        wire = pl.concat([empty, *(wire for wire, _, _ in blocks)])
        return self._check(wire, guards.Joined(_pick(records, rows)), rows, len(records))

    def _blocks(
        self, records: Sequence[bytes], rows: Int64, *, is_sifted: bool = False
    ) -> Iterator[_Block]:
        """Read ``rows`` at once; where polars refuses one, sift first, then split around it.

        Sifting finds what goes wrong in numbers, torn records and wrong types, in one pass;
        splitting finds the rest. Blocks come in the order of their rows.
        """
        if not rows.size:
            return
        picked = _pick(records, rows)
        joined = guards.Joined(picked)
        wire = self._parse(joined)
        if wire is not None:
            yield wire, joined, rows
        elif not is_sifted:
            good = rows[np.fromiter(map(self._passes, picked), np.bool_, len(picked))]
            yield from self._blocks(records, good, is_sifted=True)
        elif len(rows) > _FEW:
            for part in np.array_split(rows, _SPLIT):
                yield from self._blocks(records, part, is_sifted=True)

    def _parse(self, joined: guards.Joined) -> pl.DataFrame | None:
        try:
            wire = pl.read_ndjson(joined.text, schema=self._wire)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return None
        # A row for a line, or the rows cannot be told apart: white space alone has none.
        return wire if wire.height == joined.rows else None

    def _passes(self, record: bytes) -> bool:
        try:
            self._sieve.decode(record)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    def _check(self, wire: pl.DataFrame, joined: guards.Joined, rows: Int64, total: int) -> Read:
        """The plainly good rows of what was parsed; all others of the ``total`` are left."""
        typed = wire.select(self._typed)
        plain = typed.select(self._plain).to_series().to_numpy(writable=True)
        keys = guards.Keys(joined)
        plain &= ~keys.kindly_read(self._text_keys, self._limits.depth)
        for name in self._times:
            digits = typed[f"__{name}"]
            if digits.any():
                plain &= ~digits.to_numpy() | keys.integer(name)
        frame = typed.select(pl.Series(ROW, rows), *self.schema)
        left = np.ones(total, np.bool_)
        left[rows[plain]] = False
        return frame if plain.all() else frame.filter(plain), np.flatnonzero(left)

    def _typing(self, types: Collection[str]) -> list[pl.Expr]:
        """From the wire's columns to the schema's, and beside them what the checks look at."""
        heeded = pl.col("type").is_in(sorted(types))
        typed = [_said("id"), _said("type"), pl.col(_CLOUD)]
        for name in self._times:
            said = pl.col(name) if name == "time" else pl.when(heeded).then(_said(name))
            ms = pl.when(said.is_not_null()).then(column_ms(said).fill_null(_NO_TIME))
            typed += [ms.alias(name), looks_integer(said).fill_null(False).alias(f"__{name}")]
        for field in self._fields:
            if field.kind is not Kind.TIME:
                value = _said(field.name) if field.is_text else pl.col(field.name)
                typed.append(pl.when(heeded).then(value).alias(field.name))
        return typed

    def _checks(self) -> pl.Expr:
        """Whether a typed row is plainly good; false or null in doubt."""
        limits = self._limits
        checks = [
            pl.col("id").is_not_null(),
            pl.col("type").is_not_null(),
            in_range(pl.col("time")),
            pl.col(_CLOUD).is_null(),
            pl.col("id", "type").str.len_bytes() <= limits.key_chars,
        ]
        for field in self._fields:
            value = pl.col(field.name)
            if field.is_text:
                # Bytes, not characters: cheaper, and never fewer.
                most = limits.key_chars if field.is_key else limits.string_chars
                checks.append((value.str.len_bytes() <= most).fill_null(True))
            if field.values:
                checks.append(value.is_in(field.values).fill_null(True))
            if field.is_ranged:
                checks.append(value.is_between(field.low, field.high).fill_null(True))
            if field.kind is Kind.TIME:
                checks.append(in_range(value).fill_null(True))
        return pl.all_horizontal(checks).fill_null(False)


def _said(name: str) -> pl.Expr:
    """A text column, null where it is empty: an empty text says nothing."""
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def _pick(records: Sequence[bytes], rows: Int64) -> Sequence[bytes]:
    return records if len(rows) == len(records) else [records[row] for row in rows.tolist()]

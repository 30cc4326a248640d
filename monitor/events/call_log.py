"""What call rows said of a key, in the order they said it, and what was last known at any place.

Owns one append-only table in immutable chunks, so that a checkpoint writes only what is new and a
question touches few rows. What is learnt and who asks is ``monitor.events.enrich``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.sealed import Sealed, Stretches

UInt64 = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]

CHUNK_ROWS = 65_536
SEQ = "__seq"
"""Int64: a row's place among all call rows; a question's: the call rows before it."""
ROW = "__row"
"""Where a question stands in its frame, ascending."""
FOUND = "__found"
_SAID = "__said"


class _Chunk:
    """Immutable rows, found by the hash of their key."""

    def __init__(self, frame: pl.DataFrame, key: str, sealed: Sealed | None = None) -> None:
        self.frame = frame
        self.sealed = _sealed(frame) if sealed is None else sealed
        self._key = key
        self._index: tuple[UInt64, Int64] | None = None
        """Hashes, ascending, and their rows; made when somebody asks: feedback is rare."""

    def near(self, hashes: UInt64) -> pl.DataFrame | None:
        """The rows whose key has one of the ``hashes``, in order; None where there is none."""
        if self._index is None:
            own = self.frame[self._key].hash().to_numpy()
            order = np.argsort(own, kind="stable")
            self._index = own[order], order
        own, order = self._index
        first = np.searchsorted(own, hashes, side="left")
        count = np.searchsorted(own, hashes, side="right") - first
        hit = np.flatnonzero(count)
        if not hit.size:
            return None
        rows = np.concatenate([np.arange(first[i], first[i] + count[i]) for i in hit.tolist()])
        return self.frame[np.sort(order[rows])]


class CallLog:
    """The table for one key column.

    Args:
        key: Column the rows are found by.
        names: Columns remembered; ``key`` may be among them.
        keep_all: False: of each key only what was last known is ever asked for, so older rows
            may be folded together.
    """

    def __init__(self, key: str, names: Sequence[str], *, keep_all: bool) -> None:
        self._key = key
        self._names = [name for name in names if name != key]
        self._keep_all = keep_all
        columns = [key, SEQ, *self._names]
        self._schema = {name: pl.Int64 if name == SEQ else pl.String for name in columns}
        self._chunks: list[_Chunk] = []
        self._tail = pl.DataFrame(schema=self._schema)
        self._stretches = Stretches()
        """Of the tail."""
        self._folded = 0

    @property
    def rows(self) -> int:
        """Rows held: at least as many as there are keys."""
        return sum(chunk.frame.height for chunk in self._chunks) + self._tail.height

    def add(self, said: pl.DataFrame) -> None:
        """Append the rows that have a key; ``SEQ`` ascends."""
        rows = said[list(self._schema)]
        if rows[self._key].null_count():
            rows = rows.filter(pl.col(self._key).is_not_null())
        if rows.is_empty():
            return
        if not self._keep_all and self.rows > 2 * self._folded + CHUNK_ROWS:
            self._fold()  # before the new rows: questions may stand between them
        # Many rows at once are a chunk as they are, without a copy.
        self._tail = pl.concat([self._tail, rows]) if self._tail.height else rows
        if self._tail.height >= CHUNK_ROWS:
            self._chunks.append(_Chunk(self._tail.rechunk(), self._key))
            self._empty_tail()

    def last_known(self, asking: pl.DataFrame, since: pl.Expr) -> pl.DataFrame:
        """For each row of ``asking``, the last value there was of each name before it.

        ``asking`` has the key, ``SEQ`` and ``ROW``; rows said before place ``since`` do not count.
        Columns of the answer, in the order of ``asking``: ``FOUND`` Boolean (anything is known of
        the key), then the names, the key's own included.
        """
        asked = asking.select(self._key, SEQ, ROW, pl.lit(False).alias(_SAID))
        names = self._names
        wanted = asked[self._key].drop_nulls().unique()
        hashes = wanted.hash().to_numpy()
        near = [chunk.near(hashes) for chunk in self._chunks]
        said = (
            pl.concat([*(rows for rows in near if rows is not None), self._tail])
            .filter(pl.col(self._key).is_in(wanted.implode()))  # hashes may collide
            .with_columns(pl.lit(True).alias(_SAID))
        )
        # A question stands before the call row of the same place: that one comes after it.
        both = pl.concat([said, asked], how="diagonal").sort(self._key, SEQ, _SAID)
        said_at = pl.when(_SAID).then(SEQ)
        known = both.with_columns(
            pl.col(names).forward_fill().over(self._key),
            *(
                pl.when(pl.col(name).is_not_null())
                .then(said_at)
                .forward_fill()
                .over(self._key)
                .alias(f"__at_{name}")
                for name in names
            ),
            said_at.forward_fill().over(self._key).alias(FOUND),
        ).filter(~pl.col(_SAID) & pl.col(self._key).is_not_null())
        fresh = known.select(
            ROW,
            (pl.col(FOUND) >= since).alias(FOUND),
            *(pl.when(pl.col(f"__at_{name}") >= since).then(name).alias(name) for name in names),
        )
        return (
            asking.select(ROW, self._key)
            .join(fresh, on=ROW, how="left", maintain_order="left")
            .select(pl.col(FOUND).fill_null(False), self._key, *names)
        )

    def forget(self, before: int) -> None:
        """Drop what was said before place ``before``, as far as whole chunks go."""
        while self._chunks and self._chunks[0].frame[SEQ][-1] < before:
            del self._chunks[0]

    def trim(self, keys: int) -> None:
        """Keep the ``keys`` keys that were used last."""
        self._fold()
        self._replace(self._chunks[0].frame.tail(keys))

    def keys(self) -> pl.Series:
        """The key of each row there is."""
        return pl.concat([self._tail[self._key], *(each.frame[self._key] for each in self._chunks)])

    def snapshot(self) -> dict[str, list[Sealed]]:
        """The full chunks, and stretches of the rest, each an Arrow IPC blob where it is stored.

        Those that were there before are the same every time.
        """
        tail = self._tail
        stretches = self._stretches.upto(
            tail.height, lambda begin, end: _sealed(tail.slice(begin, end - begin))
        )
        return {"full": [chunk.sealed for chunk in self._chunks], "rest": stretches}

    def restore(self, state: Mapping[str, Sequence[Sealed]]) -> None:
        """Replace the table by one that :meth:`snapshot` gave."""
        full = [_read(part) for part in state["full"]]
        self._chunks = [
            _Chunk(frame, self._key, part.held_as(frame, _to_blob))
            for frame, part in zip(full, state["full"], strict=True)
        ]
        rest = [_read(part) for part in state["rest"]]
        self._tail = pl.concat([self._tail.clear(), *rest])
        self._stretches = Stretches(
            (frame.height, part.held_as(frame, _to_blob))
            for frame, part in zip(rest, state["rest"], strict=True)
        )

    def _fold(self) -> None:
        """One row a key: the last known values, at the place the key was last used."""
        rows = pl.concat([*(chunk.frame for chunk in self._chunks), self._tail])
        if any(0 < rows[name].null_count() < rows.height for name in self._names):
            names = [pl.col(name).last(ignore_nulls=True) for name in self._names]
            last = rows.group_by(self._key).agg(pl.col(SEQ).last(), *names).sort(SEQ)
        else:  # the last row says it all
            last = rows.unique(self._key, keep="last", maintain_order=True)
        self._replace(last)

    def _replace(self, frame: pl.DataFrame) -> None:
        self._chunks = [_Chunk(frame.select(*self._schema), self._key)]
        self._empty_tail()
        self._folded = frame.height

    def _empty_tail(self) -> None:
        self._tail, self._stretches = self._tail.clear(), Stretches()


def _sealed(frame: pl.DataFrame) -> Sealed:
    return Sealed(frame, _to_blob)


def _read(part: Sealed) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(part.content()))


def _to_blob(frame: pl.DataFrame) -> bytes:
    blob = io.BytesIO()
    frame.write_ipc(blob, compression="zstd")
    return blob.getvalue()

"""The records that came lately, as far as there is room: what a remark on an alert is made from.

Owns an even sample in bounded memory. Rows are held from when they were released, those that some
active rule looks at, for as long as the longest of their windows asks, four hours at most. Where
there are more than fit, only every second is held, then every fourth: a row's place in the log
decides, so what is left is a fair sample of rows whatever they say. One thread uses it.
"""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass
from typing import Final

import polars as pl

from monitor.events.batch import DIMENSIONS
from monitor.explain.question import Question, looked_at
from monitor.indicators.formula import window_specs
from monitor.site import Site

ROWS_MAX: Final = 200_000
"""Some 60 MB."""
HELD_MS: Final = 14_400_000
"""Of windows that are longer the last four hours are looked at."""
_STRIDE: Final = 0x9E3779B97F4A7C15
_ALWAYS = ("type", "time", "tick", "src", "offset", *DIMENSIONS)


@dataclass(slots=True)
class _Piece:
    rows: pl.DataFrame
    every: int
    """One row of so many is in it, a power of two."""
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of a question's window, in the order of their times."""

    rows: pl.DataFrame
    every: int


class Held:
    """The rows."""

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        """Nothing is held."""
        self._rows_max = rows_max
        self._pieces: deque[_Piece] = deque()
        self._every = 1
        self._site: Site | None = None
        self._types: list[str] = []
        self._fields: list[str] = []
        self._keep_ms = 0

    def __len__(self) -> int:
        return sum(piece.rows.height for piece in self._pieces)

    def look_at(self, site: Site) -> None:
        """Hold what the rules of ``site`` look at, from now on."""
        if site is self._site:
            return
        self._site, types, fields, longest = site, set[str](), set[str](), 0
        figures = {each.id: each for each in site.indicators}
        for rule in site.rules:
            seen = looked_at(rule, figures.get(rule.indicator or ""))
            if rule.status != "active" or seen is None:
                continue
            types |= seen[0]
            fields |= seen[1]
            if rule.event is not None:
                longest = HELD_MS
            else:
                specs = window_specs(figures[rule.indicator or ""], site.config.time.tick)
                longest = max(longest, *(spec.length_ms for spec in specs))
        self._types, self._fields = sorted(types), sorted(fields)
        self._keep_ms = min(HELD_MS, longest)

    def add(self, released: pl.DataFrame) -> None:
        """Take in rows in the order of their release."""
        names = [*_ALWAYS, *(name for name in self._fields if name in released.columns)]
        rows = released.select(names).filter(pl.col("type").is_in(self._types))
        newest_ms = int(released["tick"][-1])
        if rows.height:
            self._put(rows, newest_ms)
        while self._pieces and self._pieces[0].newest_ms < newest_ms - self._keep_ms:
            self._pieces.popleft()
        held = len(self)
        while held > self._rows_max:
            self._every *= 2
            for piece in self._pieces:
                if piece.every < self._every:
                    piece.rows = _thinned(piece.rows, self._every)
                    piece.every = self._every
            held = len(self)
        if self._every > 1 and held < self._rows_max // 4:
            self._every //= 2

    def of(self, question: Question) -> Sample | None:
        """The rows of a question, all at the same density; None where some column is missing."""
        lo_ms, tick = question.lo_ms, question.alert.at_ms
        pieces = [piece for piece in self._pieces if piece.newest_ms >= lo_ms]
        if not pieces:
            return None
        every = max(piece.every for piece in pieces)
        wanted = [*_ALWAYS, *sorted(question.needed)]
        if any(not set(wanted) <= set(piece.rows.columns) for piece in pieces):
            return None  # read for other rules, before a reload
        extra = [n for n in sorted(question.fields - question.needed) if _everywhere(n, pieces)]
        rows = pl.concat([piece.rows.select(*wanted, *extra) for piece in pieces]).filter(
            pl.col("type").is_in(sorted(question.types)),
            pl.col("time") >= lo_ms,
            pl.col("tick") <= tick,
        )
        if not question.everybody:
            rows = rows.filter(question.in_scope())
        if every > 1:
            rows = rows.filter(_kept(every))
        return Sample(rows.sort("time", "src", "offset"), every)

    def _put(self, rows: pl.DataFrame, newest_ms: int) -> None:
        if self._every > 1:
            rows = _thinned(rows, self._every)
        last = self._pieces[-1] if self._pieces else None
        # Few pieces: one of many small ones would cost more than its rows.
        if (
            last is not None
            and last.every == self._every
            and last.rows.columns == rows.columns
            and last.rows.height < self._rows_max // 64
        ):
            last.rows = pl.concat([last.rows, rows], rechunk=True)
            last.newest_ms = newest_ms
        elif rows.height:
            self._pieces.append(_Piece(rows, self._every, newest_ms))


def _everywhere(name: str, pieces: list[_Piece]) -> bool:
    return all(name in piece.rows.columns for piece in pieces)


def _kept(every: int) -> pl.Expr:
    """Whether a row is one of so many, by its place in the log."""
    place = pl.col("offset").cast(pl.UInt64) * 64 + pl.col("src").cast(pl.UInt64)
    return (place.hash(_STRIDE & 0xFFFF) & pl.lit(every - 1, pl.UInt64)) == 0


def _thinned(rows: pl.DataFrame, every: int) -> pl.DataFrame:
    """One of so many, in memory of their own: what is left out is let go."""
    blob = io.BytesIO()
    rows.filter(_kept(every)).write_ipc(blob)
    blob.seek(0)
    return pl.read_ipc(blob)

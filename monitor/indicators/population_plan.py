"""What a population is made of: an indicator's words as conditions and fields.

Owns the translation, no data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from monitor.decisions import derive_id
from monitor.events.catalogue import FIELDS, Kind
from monitor.indicators.expression import fields_of, parse_where
from monitor.indicators.formula import Rows, rows_of
from monitor.indicators.frame import Frame
from monitor.indicators.model import Indicator
from monitor.indicators.predicate import passes
from monitor.indicators.tree import Node
from monitor.windows.arrays import Bool, Int64
from monitor.windows.roll import Float64

_NUMERIC = {Kind.SECONDS, Kind.NUMBER, Kind.INT}


@dataclass(frozen=True, slots=True)
class Population:
    """What is counted: the entities, what tells of them, and which of them are hits."""

    entity: str
    tells: Rows
    leaves: Rows | None
    among: Node | None
    share: Node | None
    state: str | None
    unchanged_ms: int
    max_age_ms: int

    @property
    def values(self) -> tuple[str, ...]:
        """The fields whose last values are kept."""
        conditions = [each for each in (self.among, self.share) if each is not None]
        read = frozenset().union(*map(fields_of, conditions))
        return tuple(sorted(read if self.state is None else read | {self.state}))

    @property
    def conditions(self) -> tuple[Rows, ...]:
        """The events it looks at."""
        return (self.tells,) if self.leaves is None else (self.tells, self.leaves)

    @property
    def fields(self) -> frozenset[str]:
        """Fields it reads of events."""
        read = frozenset().union(*(rows.fields for rows in self.conditions))
        return read | {self.entity, *self.values}

    @property
    def types(self) -> frozenset[str]:
        """Event types it looks at."""
        return frozenset(name for rows in self.conditions for name in rows.types)

    @property
    def fingerprint(self) -> str:
        """Stands for all that is known of an entity, but whose it is."""
        return derive_id(repr(self))

    def rows(self, frame: Frame) -> tuple[Int64, Bool]:
        """Which rows of a load tell of somebody, and whether they leave with it."""
        leaves = frame.mask(self.leaves) if self.leaves is not None else None
        told = frame.mask(self.tells) if leaves is None else frame.mask(self.tells) | leaves
        chosen = np.flatnonzero(told & (frame.coded(self.entity).codes >= 0))
        if leaves is None:
            return chosen, np.zeros(len(chosen), dtype=np.bool_)
        return chosen, leaves[chosen]

    def chosen(self, held: Float64, text: Callable[[int], str]) -> tuple[Bool, Bool]:
        """Which entities, by their last values, are looked at, and which of them are hits.

        Args:
            held: shape (``values`` or more, entities), NaN for none.
            text: what a number in a field of text stands for.
        """
        every = np.ones(held.shape[1], dtype=np.bool_)
        if not self.values:
            return every, every
        values = pl.DataFrame(
            [_series(name, held[place], text) for place, name in enumerate(self.values)]
        )
        found = []
        for condition in (self.among, self.share):
            mask = every
            if condition is not None:
                mask = values.with_columns(passes(condition).alias(" "))[" "].to_numpy()
            found.append(mask)
        among, share = found
        return among, among & share


def _series(name: str, held: Float64, text: Callable[[int], str]) -> pl.Series:
    """Last values of a field as polars has them in events."""
    kind = FIELDS[name].kind
    if FIELDS[name].is_text:
        texts = [None if np.isnan(each) else text(int(each)) for each in held.tolist()]
        return pl.Series(name, texts, dtype=pl.String)
    series = pl.Series(name, held).fill_nan(None)
    if kind in _NUMERIC:
        return series
    return series.cast(pl.Int64 if kind is Kind.TIME else pl.Boolean)


def population(indicator: Indicator) -> Population:
    """What ``indicator``, of this kind, counts.

    Raises:
        ExpressionError: a condition is not in the language.
    """
    assert indicator.from_ is not None  # noqa: S101 - the model demands it
    tells = rows_of(indicator.from_)

    def condition(text: str | None) -> Node | None:
        return None if text is None else parse_where(text, tells.types)

    return Population(
        entity=indicator.entity or "",
        tells=tells,
        leaves=None if indicator.until is None else rows_of(indicator.until),
        among=condition(indicator.among),
        share=condition(indicator.share),
        state=indicator.state,
        unchanged_ms=indicator.unchanged_for or 0,
        max_age_ms=indicator.max_age or 0,
    )

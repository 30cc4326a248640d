"""What a population is made of: an indicator's words as conditions and fields.

Owns the translation, no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.decisions import derive_id
from monitor.indicators.expression import fields_of, parse_where
from monitor.indicators.formula import Rows, rows_of
from monitor.indicators.frame import Frame
from monitor.indicators.model import Indicator
from monitor.indicators.tree import Node
from monitor.windows.arrays import Bool, Int64


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

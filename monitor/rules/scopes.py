"""Which scopes a rule looks at: exceptions, and numbers that are out of service.

Owns the matching of scopes by their dimensions, and nothing about figures.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from monitor.decisions import Scope
from monitor.keys import KeyTable
from monitor.rules.model import Rule
from monitor.rules.ports import Bool, Int64

SEPARATOR = "\x1f"
"""Between the dimensions of a key, in the order of ``by``."""


class Exceptions:
    """The ``except`` list of a rule."""

    def __init__(self, rule: Rule) -> None:
        self._entries = [
            {dimension: frozenset(values) for dimension, values in entry.match.items()}
            for entry in rule.except_
        ]

    def match(self, scope: Scope) -> bool:
        """Some entry matches in all the dimensions it names."""
        values = dict(scope)
        return any(
            all(values.get(dimension) in wanted for dimension, wanted in entry.items())
            for entry in self._entries
        )


class NumberKeys:
    """The numbers behind the keys of a scope; empty-handed when the scope has no number."""

    def __init__(self, by: tuple[str, ...], keys: KeyTable) -> None:
        self._position = by.index("number") if "number" in by else None
        self._single = len(by) == 1
        self._keys = keys

    def held(self, ids: Int64, numbers: AbstractSet[str]) -> Bool:
        """Which of ``ids`` belong to ``numbers``."""
        if self._position is None or not numbers or not len(ids):
            return np.zeros(len(ids), dtype=np.bool_)
        if self._single:
            found = (self._keys.find(number) for number in numbers)
            return np.isin(ids, [key for key in found if key is not None])
        return np.array([self._number(key) in numbers for key in ids.tolist()], dtype=np.bool_)

    def of_scope(self, scope: Scope) -> str | None:
        """The number in a scope of these keys."""
        return None if self._position is None else scope[self._position][1]

    def _number(self, key: int) -> str:
        return self._keys.name(key).split(SEPARATOR)[self._position or 0]

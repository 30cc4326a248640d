"""Which scopes a rule looks at: exceptions, and numbers that are out of service.

Owns the matching of scopes by their dimensions, and nothing about figures.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import numpy as np

from monitor.decisions import Scope
from monitor.keys import KeyTable
from monitor.rules.model import Rule
from monitor.rules.ports import Bool, Int64

SEPARATOR = "\x1f"
"""Between the dimensions of a key, in the order of ``by``."""

PHONES = frozenset({"number", "customer"})
"""Dimensions whose values are telephone numbers, in one form in all events."""

_NONE: Int64 = np.empty(0, dtype=np.int64)


class Exceptions:
    """The ``except`` list of a rule."""

    def __init__(self, rule: Rule, normalise: Callable[[str], str] = str) -> None:
        """``normalise`` turns a number as people write it into the one that events carry."""

        def known(dimension: str, value: str) -> str:
            return normalise(value) if dimension in PHONES else value

        self._entries = [
            {
                dimension: frozenset(known(dimension, value) for value in values)
                for dimension, values in entry.match.items()
            }
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
    """The numbers behind the keys of a scope, and which of them are out of service.

    A scope without a number has none, and nothing of it is ever out of service.
    """

    def __init__(self, by: tuple[str, ...], keys: KeyTable) -> None:
        self._position = by.index("number") if "number" in by else None
        self._single = len(by) == 1
        self._keys = keys
        self._held: AbstractSet[str] = frozenset()
        self._out = np.zeros(0, dtype=np.bool_)
        """By id, for scopes of a number alone: it is out of service."""

    def hold(self, numbers: AbstractSet[str]) -> None:
        """From now on these are out of service."""
        self._held = numbers
        if numbers and self._position is not None and self._single:
            self._out = np.zeros(self._keys.size, dtype=np.bool_)
            self._out[self._find(numbers)] = True

    def in_service(self, ids: Int64) -> Bool | slice:
        """Which of ``ids`` are not out of service, as an index."""
        if self._position is None or not self._held:
            return slice(None)
        if self._single:
            return ~self._out[ids]
        return ~self._among(ids, self._held)

    def of_numbers(self, ids: Int64, numbers: AbstractSet[str]) -> Int64:
        """Those of ``ids`` that belong to ``numbers``."""
        if self._position is None:
            return _NONE
        if self._single:
            return np.intersect1d(ids, self._find(numbers))
        return ids[self._among(ids, numbers)]

    def of_scope(self, scope: Scope) -> str | None:
        """The number in a scope of these keys."""
        return None if self._position is None else scope[self._position][1]

    def _find(self, numbers: AbstractSet[str]) -> Int64:
        found = [self._keys.find(number) for number in numbers]
        return np.array([key for key in found if key is not None], dtype=np.int64)

    def _among(self, ids: Int64, numbers: AbstractSet[str]) -> Bool:
        position = self._position or 0
        names = (self._keys.name(key).split(SEPARATOR)[position] for key in ids.tolist())
        return np.fromiter((name in numbers for name in names), np.bool_, len(ids))

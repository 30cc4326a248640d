"""Values against thresholds, exactly.

Owns the comparison of a fixed-point figure with a fraction: by cross-multiplication of integers,
so that a value on the threshold is on it, on every machine.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from monitor.rules.levels import Level
from monitor.rules.ports import Bool, Int64

COUNT_MAX = 10**15
"""No window holds more events: at a million a second it would take thirty years."""

_INT64_MAX = 2**63 - 1
_Compare = Callable[[Any, Any], Any]
_WORSE: dict[tuple[int, bool], _Compare] = {
    (1, False): operator.gt,
    (1, True): operator.ge,
    (-1, False): operator.lt,
    (-1, True): operator.le,
}
"""By the side of the breach, and whether the bound itself is on it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A value against a bound, as ``hits · left`` against ``of · right``, all integers."""

    left: int
    right: int
    fits: bool = False
    """No figure can make a product too large for int64, so nobody has to look."""

    @classmethod
    def at(cls, bound: Fraction, *, scale_hits: int, scale_of: int) -> Limit:
        """The limit ``bound`` for figures in these fixed-point units."""
        left = scale_of * bound.denominator
        right = bound.numerator * scale_hits
        shared = math.gcd(left, right) or 1
        left, right = left // shared, right // shared
        counts = scale_hits == scale_of == 1
        return cls(left, right, counts and max(left, abs(right)) * COUNT_MAX <= _INT64_MAX)

    def sides(self, hits: Int64, of: Int64) -> tuple[Any, Any]:
        """``hits · left`` and ``of · right``: where the first is larger, the value is above.

        Python's own integers where int64 is too small. Without meaning where ``of`` is 0.
        """
        if not self.fits and self._overflows(hits, of):
            hits, of = hits.astype(object), of.astype(object)
        return hits * self.left, of * self.right

    def _overflows(self, hits: Int64, of: Int64) -> bool:
        if not len(hits):
            return False
        largest_hit = max(abs(int(hits.max())), abs(int(hits.min())))
        largest_of = max(abs(int(of.max())), abs(int(of.min())))
        return max(largest_hit * self.left, largest_of * abs(self.right)) > _INT64_MAX


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a level breaches and where it lets go."""

    limit: Limit
    clear: Limit
    sign: int
    """1: the breach lies above; -1: below."""
    inclusive: bool
    """The threshold itself breaches."""
    clear_inclusive: bool
    """The clear value itself lets go."""

    @classmethod
    def of(cls, level: Level, *, scale_hits: int, scale_of: int) -> Bounds:
        """Compile a level that has a threshold.

        Raises:
            ValueError: it has none.
        """
        bound = level.bound
        if bound is None:
            msg = "a level without a threshold has no bounds"
            raise ValueError(msg)
        clear = bound if level.fixed_clear is None else level.fixed_clear
        return cls(
            limit=Limit.at(bound, scale_hits=scale_hits, scale_of=scale_of),
            clear=Limit.at(clear, scale_hits=scale_hits, scale_of=scale_of),
            sign=1 if level.direction == "above" else -1,
            inclusive=level.inclusive,
            clear_inclusive=level.clear is not None or not level.inclusive,
        )

    def breached(self, hits: Int64, of: Int64) -> Bool:
        """The value lies on the bad side of the threshold."""
        found: Bool = _WORSE[self.sign, self.inclusive](*self.limit.sides(hits, of))
        return found

    def cleared(self, hits: Int64, of: Int64) -> Bool:
        """The value lies on the good side of ``clear``."""
        found: Bool = _WORSE[-self.sign, self.clear_inclusive](*self.clear.sides(hits, of))
        return found

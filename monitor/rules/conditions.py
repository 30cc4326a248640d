"""Values against thresholds, exactly.

Owns the comparison of a fixed-point figure with a fraction: by cross-multiplication of integers,
so that a value on the threshold is on it, on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from monitor.rules.levels import Level
from monitor.rules.ports import Bool, Int64

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """A value against a bound, as ``hits · left`` against ``of · right``, all integers."""

    left: int
    right: int

    @classmethod
    def at(cls, bound: Fraction, *, scale_hits: int, scale_of: int) -> Limit:
        """The limit ``bound`` for figures in these fixed-point units."""
        left = scale_of * bound.denominator
        right = bound.numerator * scale_hits
        shared = math.gcd(left, right) or 1
        return cls(left // shared, right // shared)

    def side(self, hits: Int64, of: Int64) -> npt.NDArray[np.int8]:
        """-1 where the value is below the bound, 0 on it, 1 above; without meaning at of = 0."""
        if self._overflows(hits, of):
            wide_left = [hit * self.left for hit in hits.tolist()]
            wide_right = [part * self.right for part in of.tolist()]
            pairs = zip(wide_left, wide_right, strict=True)
            return np.array([(a > b) - (a < b) for a, b in pairs], dtype=np.int8)
        a, b = hits * self.left, of * self.right
        return (a > b).astype(np.int8) - (a < b).astype(np.int8)

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
        clear = bound if level.clear is None else level.clear
        return cls(
            limit=Limit.at(bound, scale_hits=scale_hits, scale_of=scale_of),
            clear=Limit.at(clear, scale_hits=scale_hits, scale_of=scale_of),
            sign=1 if level.direction == "above" else -1,
            inclusive=level.inclusive,
            clear_inclusive=level.clear is not None or not level.inclusive,
        )

    def breached(self, hits: Int64, of: Int64) -> Bool:
        """The value lies on the bad side of the threshold."""
        side = self.limit.side(hits, of) * self.sign
        return side >= (0 if self.inclusive else 1)

    def cleared(self, hits: Int64, of: Int64) -> Bool:
        """The value lies on the good side of ``clear``."""
        side = self.clear.side(hits, of) * self.sign
        return side <= (0 if self.clear_inclusive else -1)

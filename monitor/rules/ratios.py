"""Likelihood ratios of groups of events, worked out once for many.

Owns the table of small groups, which nearly all are, and which of the others are alike. The formula
is ``monitor.rules.evidence``'s.
"""

from __future__ import annotations

import math

import numpy as np

from monitor.compiled.detectors import log_ratios
from monitor.events.hashed import numbered
from monitor.rules.ports import Float64, Int64

WIDTH_MAX = 128
"""Groups of fewer events are listed, where the detectors are few."""
BYTES_MAX = 2**18
"""What the list takes of memory at most."""
_LOG_MAX = 600.0
_ODD = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Of 2⁶⁴ the golden ratio's share, as Fibonacci hashing has it (Knuth, TAOCP 3, 6.4)."""


class Ratios:
    """The ratios of some detectors, by hits and events of a group."""

    def __init__(self, log_hit: Float64, log_miss: Float64) -> None:
        """Both by alternative and detector: the log of the ratio of one event."""
        self._log_hit, self._log_miss = log_hit, log_miss
        rows = BYTES_MAX // log_hit.nbytes
        # Of groups of fewer than w events there are w (w + 1) / 2.
        self.width = min(WIDTH_MAX, (math.isqrt(8 * rows + 1) - 1) // 2)
        """Groups of fewer events are listed."""
        of, hits = np.tril_indices(self.width)
        self.listed = self._of(hits, of - hits)
        """Shape (groups, alternatives, detectors), by :func:`monitor.compiled.detectors.cell`."""
        self.peaks = self.listed.max(axis=2)
        """The largest over the detectors, shape (groups, alternatives)."""

    def of(self, hits: Int64, of: Int64) -> tuple[Float64, Int64]:
        """The ratios of groups, and by group which of them are its own."""
        # By the hits alone, which are few, groups that are not alike would begin at the same slots;
        # times an odd number, none is taken for another.
        low, high = hits.astype(np.uint64) * _ODD + of.astype(np.uint64), of.astype(np.uint64)
        cells, first = numbered(low, high)
        hits, of = hits[first], of[first]
        return self._of(hits, of - hits), cells

    def _of(self, hits: Int64, misses: Int64) -> Float64:
        """The ratio of each group, shape (groups, alternatives, detectors)."""
        log_ratio = np.empty((len(hits), *self._log_hit.shape))
        log_ratios(hits, misses, self._log_hit, self._log_miss, _LOG_MAX, log_ratio)
        return np.exp(log_ratio, out=log_ratio)

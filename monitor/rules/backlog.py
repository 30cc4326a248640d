"""Groups of events that wait until detectors take them in.

Owns their arrays, by key; when they are taken in is ``monitor.compiled.detectors``'s.
"""

from __future__ import annotations

import numpy as np

from monitor.rules.evidence import ALTERNATIVES
from monitor.rules.ports import Float64
from monitor.windows.arrays import grown

GROUPS = 16
"""So many wait for a key at most: then its detectors are read once for all of them."""


class Backlog:
    """What waits for each key, and how far it can have brought the detectors."""

    def __init__(self) -> None:
        self.log = np.zeros((0, GROUPS), dtype=np.int64)
        """Of each group its active time in ms · 2³² + the row of its ratios."""
        self.waiting = np.zeros(0, dtype=np.int64)
        """How many groups."""
        self.bound = np.zeros((0, len(ALTERNATIVES)))
        """By alternative, what M of no detector exceeds, with all that waits."""
        self.warm = np.zeros(0, dtype=np.bool_)
        """Some detector may have what it needs; then nothing waits."""

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """As the compiled loops take them."""
        return self.log, self.waiting, self.bound, self.warm

    def grow(self, size: int) -> None:
        """Have room for so many keys."""
        self.log, self.waiting = grown(self.log, size), grown(self.waiting, size)
        self.bound, self.warm = grown(self.bound, size), grown(self.warm, size)

    def raise_to(self, m: Float64, least: float) -> None:
        """A detector has this state, by key and alternative; nothing waits."""
        self.bound = np.maximum(self.bound, m)
        self.warm = mean(self.bound) >= least


def mean(m: Float64) -> Float64:
    """Over the alternatives, axis 1; summed in the order in which the loop does."""
    return (m[:, 0] + m[:, 1] + m[:, 2] + m[:, 3]) / len(ALTERNATIVES)

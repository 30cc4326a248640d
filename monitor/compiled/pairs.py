"""What a tick changes about pairs, as machine code.

Owns the loops; what pairs are and which windows count them is ``monitor.windows.distinct``. A tick
brings a few rows, so what an operation on arrays costs is the call, and these make one of several.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled


@compiled
def see(slots: Any, grains: Any, last: Any, later: Any) -> int:
    """Note when pairs were last seen; returns how many were seen later than before.

    Args:
        slots: of different pairs.
        grains: by slot of these, when they are seen.
        last: by pair, when it was last seen; shape (pairs, 1).
        later: is written: slot, before, after of those that were seen later; shape (3, slots).
    """
    count = 0
    for row in range(len(slots)):
        slot, grain = slots[row], grains[row]
        before = last[slot, 0]
        if grain > before:
            last[slot, 0] = grain
            later[0, count], later[1, count], later[2, count] = slot, before, grain
            count += 1
    return count


@compiled
def count_entered(slots: Any, before: Any, lo: int, key: Any, counts: Any) -> None:
    """Count the pairs that were not in a window from ``lo`` on, and are now.

    Args:
        before: by slot of these, when the pair was seen before.
        key: by pair, whose it is.
        counts: by key, its pairs in the window.
    """
    for row in range(len(slots)):
        if before[row] < lo:
            counts[key[slots[row]]] += 1

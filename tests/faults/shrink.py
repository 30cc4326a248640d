"""The shortest way to a failure.

Owns the search for a small set of faults that still makes a seed fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.faults.chance import Fault
from tests.faults.seeds import Report


def shrink(
    report: Report, again: Callable[[frozenset[Fault]], Report], *, tries: int = 80
) -> Report:
    """The failing run with the fewest faults found in so many ``tries``.

    ``again`` plays the seed without the faults given. Halves of what is left are taken away, then
    quarters, and so on (delta debugging, Zeller and Hildebrandt, 2002). A fault that never strikes
    in a smaller run is gone with it.
    """
    best, away = report, frozenset[Fault]()
    size = max(1, len(best.faults) // 2)
    while tries > 0 and best.faults:
        smaller = None
        for part in _parts(best.faults, size):
            tries -= 1
            found = again(away | frozenset(part))
            if found.violations and len(found.faults) < len(best.faults):
                smaller, away = found, away | frozenset(part)
                break
            if tries <= 0:
                break
        if smaller is not None:
            best = smaller
            size = max(1, min(size, len(best.faults) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return best


def _parts(faults: Sequence[Fault], size: int) -> list[Sequence[Fault]]:
    return [faults[start : start + size] for start in range(0, len(faults), size)]

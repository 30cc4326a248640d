"""When a failed attempt is worth another.

Owns the arithmetic of pauses, pure. What an HTTP outcome amounts to is ``monitor.posting``'s.
"""

from __future__ import annotations


def pause_ms(failures: int, *, base_ms: int, max_ms: int, draw: float) -> int:
    """The pause after the ``failures``-th failure in a row (from 1), with full jitter.

    ``draw`` is uniform in [0, 1). Formula: draw × min(max, base × 2^(failures − 1)), of M. Brooker,
    "Exponential backoff and jitter", AWS Architecture Blog, 2015.
    """
    doubled = base_ms * 2 ** min(failures - 1, 40)
    return int(draw * min(max_ms, doubled))

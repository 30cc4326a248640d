"""Lines in a block of bytes, the loop of ``monitor.source.lines``."""

from __future__ import annotations

from typing import Any, Final

from monitor.compiled import compiled
from monitor.compiled.memory import STRIDE, byte, line_stops

_LINE_FEED: Final = 10


@compiled
def line_ends(raw: Any, ends: Any) -> int:
    """Where line feeds stand in ``raw``, the first ``len(ends)`` of them; returns how many."""
    at, count = 0, 0
    while count < len(ends):
        while at + STRIDE <= len(raw):
            far = line_stops(raw, at)
            at += far
            if far < STRIDE:
                break
        while at < len(raw) and byte(raw, at) != _LINE_FEED:  # the last bytes
            at += 1
        if at == len(raw):
            return count
        ends[count] = at
        count += 1
        at += 1
    return count

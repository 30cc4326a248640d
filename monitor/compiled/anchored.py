"""Rows counted from the first one of their key on, as machine code.

Owns the loop; what a window of this kind is, is the business of ``monitor.windows.anchored``.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled

NONE = -(2**62)
"""In place of a begin: the key's window is not open."""


@compiled
def count_on(
    keys: Any,
    times: Any,
    values: Any,
    source: Any,
    begins: Any,
    length: int,
    sums: Any,
    opened: Any,
) -> int:
    """Take in rows, by key ascending, then by time; returns how many windows were opened.

    Args:
        keys, times: by row, its key, and when it happened, ms.
        values: shape (rows, columns of the scope).
        source: by column of ``sums`` from 1 on, the column of ``values`` it sums.
        begins: by key, when its window began, ms, or ``NONE``.
        length: of a window, ms.
        sums: shape (1 + source, keys); the first counts rows that add something.
        opened: is written: the keys whose windows were opened, in the order they were.
    """
    count = 0
    for row in range(len(keys)):
        adds = False
        for column in source:
            if values[row, column] != 0:
                adds = True
        if not adds:
            continue
        key = keys[row]
        if begins[key] == NONE or times[row] >= begins[key] + length:
            begins[key] = times[row]
            sums[:, key] = 0
            opened[count] = key
            count += 1
        sums[0, key] += 1
        for place in range(len(source)):
            sums[1 + place, key] += values[row, source[place]]
    return count

"""What events tell of entities, applied one after the other, as machine code.

Owns the loop; what a roll is, is the business of ``monitor.windows.roll``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.compiled import compiled

NEVER = -(2**62)
"""In place of a time: nothing was told."""


@compiled
def tell(
    ids: Any,
    times: Any,
    leaves: Any,
    values: Any,
    held: Any,
    told: Any,
    heard: Any,
    left: Any,
    since: Any,
    state: int,
    max_age: int,
) -> None:
    """Apply rows in their order.

    Args:
        ids, times, leaves: by row, its entity (-1 for none), when it happened, ms, and whether
            the entity leaves with it.
        values: shape (fields, rows), NaN where a row does not have the field.
        held, told: shape (fields, entities), each field's last value, and when it was told.
        heard, left, since: by entity, when it was last told of, when it last left, and since when
            its state is what it is, ms, or ``NEVER``.
        state: the field whose changes ``since`` tells, -1 for none.
        max_age: an entity not told of for so long has left, ms.
    """
    for row in range(len(ids)):
        entity, time = ids[row], times[row]
        if entity < 0:
            continue
        if leaves[row]:
            left[entity] = max(left[entity], time)
            for field in range(len(held)):
                if told[field, entity] <= time:
                    held[field, entity] = np.nan
                    told[field, entity] = NEVER
                    if field == state:
                        since[entity] = NEVER
            if heard[entity] <= time:
                heard[entity] = NEVER
            continue
        if time < left[entity]:
            continue
        if heard[entity] != NEVER and time - heard[entity] >= max_age:
            held[:, entity] = np.nan
            told[:, entity] = NEVER
            since[entity] = NEVER
        heard[entity] = max(heard[entity], time)
        for field in range(len(held)):
            value = values[field, row]
            if np.isnan(value) or time < told[field, entity]:
                continue
            if field == state and held[field, entity] != value:  # NaN is unlike any value
                since[entity] = time
            held[field, entity] = value
            told[field, entity] = time

"""Tables that find many texts at once, as machine code.

Owns open addressing over 128 bits of each text; whose ids they are is the business of
``monitor.windows.lookup``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.compiled import compiled


@compiled
def find_ids(low: Any, high: Any, slots: Any, own: Any, found: Any) -> None:
    """Say by row of ``found`` which id a text has, -1 where none.

    Args:
        low, high: the two halves of each text's 128 bits.
        slots: ids by hash, -1 where free; a power of two of them, some free.
        own: by id, the two halves of its text, shape ``(ids, 2)``.
    """
    mask = np.uint64(len(slots) - 1)
    for row in range(len(low)):
        slot = low[row] & mask
        key = slots[slot]
        while key >= 0 and (own[key, 0] != low[row] or own[key, 1] != high[row]):
            slot = (slot + np.uint64(1)) & mask
            key = slots[slot]
        found[row] = key


@compiled
def put_ids(ids: Any, low: Any, high: Any, slots: Any, own: Any) -> int:
    """Enter the texts of ``ids``, negative ones left out; returns how many were not there."""
    mask = np.uint64(len(slots) - 1)
    added = 0
    for row in range(len(ids)):
        key = ids[row]
        if key < 0:
            continue
        slot = low[row] & mask
        while slots[slot] >= 0 and slots[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = key
            added += 1
        own[key, 0], own[key, 1] = low[row], high[row]
    return added


@compiled
def drop_ids(ids: Any, slots: Any, own: Any) -> int:
    """Take ``ids`` out, as far as they are there; returns how many were.

    What stands behind one is moved up, so that no search ends before it.
    """
    mask = np.uint64(len(slots) - 1)
    one = np.uint64(1)
    dropped = 0
    for row in range(len(ids)):
        slot = own[ids[row], 0] & mask
        while slots[slot] >= 0 and slots[slot] != ids[row]:
            slot = (slot + one) & mask
        if slots[slot] < 0:
            continue
        dropped += 1
        behind = (slot + one) & mask
        while slots[behind] >= 0:
            home = own[slots[behind], 0] & mask
            if ((behind - home) & mask) >= ((behind - slot) & mask):
                slots[slot] = slots[behind]
                slot = behind
            behind = (behind + one) & mask
        slots[slot] = -1
    return dropped


@compiled
def move_slots(old: Any, slots: Any, own: Any) -> None:
    """Put all ids of a table into a larger one."""
    mask = np.uint64(len(slots) - 1)
    for row in range(len(old)):
        if old[row] < 0:
            continue
        slot = own[old[row], 0] & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = old[row]

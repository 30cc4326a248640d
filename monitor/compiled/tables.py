"""Tables of texts and of ids, as machine code.

Owns open addressing over arrays; which texts and ids they are is the business of
``monitor.events.texts``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.compiled import compiled
from monitor.compiled.json_text import hash_of, same
from monitor.compiled.memory import put_word, word


@compiled
def number_texts(
    raw: Any, places: Any, lengths: Any, slots: Any, known: Any, sizes: Any, arena: Any,
    held: Any, found: Any,
) -> int:  # fmt: skip
    """Give every text a number, the same text the same; returns the rows done.

    Fewer than there are: the table has no room for the next one's text.

    Args:
        places: where each text stands in ``raw``; ``lengths`` how long it is, negative for null.
        slots: numbers by hash, -1 where free; a power of two of them, at most half of them taken.
        known: by number, where its text stands in ``arena``; ``sizes`` how long it is.
        held: ``[numbers given, bytes of the arena used]``.
        found: by row, the number; 0 for null.
    """
    mask = np.uint64(len(slots) - 1)
    for row in range(len(places)):
        length = lengths[row]
        if length < 0:
            found[row] = 0
            continue
        at = places[row]
        slot = hash_of(raw, at, length) & mask
        while True:
            number = slots[slot]
            if number < 0:
                number = held[0]
                if 2 * number > len(slots) or number >= len(known):
                    return row
                if held[1] + length + 8 > len(arena):
                    return row
                slots[slot] = number
                known[number], sizes[number] = held[1], length
                arena[held[1] : held[1] + length] = raw[at : at + length]
                held[0] += 1
                held[1] += length
                break
            if sizes[number] == length and same(raw, at, arena, known[number], length):
                break
            slot = (slot + np.uint64(1)) & mask
        found[row] = number
    return len(places)


@compiled
def place_again(slots: Any, known: Any, sizes: Any, arena: Any, first: int, last: int) -> None:
    """Put the texts of numbers ``first`` … ``last - 1`` into ``slots``, where they are not yet."""
    mask = np.uint64(len(slots) - 1)
    for number in range(first, last):
        slot = hash_of(arena, known[number], sizes[number]) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = number


@compiled
def pack(raw: Any, places: Any, lengths: Any, packed: Any, to: int) -> int:
    """Copy texts side by side, the first to ``to``; returns where the last one ends.

    Eight bytes at a time: so many must be there after the texts, in ``raw`` and in ``packed``.
    """
    for row in range(len(places)):
        at = places[row]
        for offset in range(0, lengths[row], 8):
            put_word(packed, to + offset, word(raw, at + offset))
        to += max(lengths[row], 0)
    return to


@compiled
def add_ids(
    low: Any, high: Any, slots: Any, before: Any, room: int, first: Any, found_no_room: Any
) -> int:
    """Remember ids that are in neither table; returns how many were new and found room.

    Args:
        low, high: the two halves of each id's 128 bits, never both 0.
        slots: the table, shape ``(size, 2)``, a power of two; zeros where free.
        before: another one, which is only looked at.
        room: how many more may be remembered.
        first: by row, whether the id was in neither; of two new rows alike the first alone.
        found_no_room: by row, that it was new and is not remembered.
    """
    added = 0
    mask = np.uint64(len(slots) - 1)
    mask_before = np.uint64(len(before) - 1)
    for row in range(len(low)):
        one, two = low[row], high[row]
        slot = one & mask_before
        while before[slot, 0] != 0 or before[slot, 1] != 0:
            if before[slot, 0] == one and before[slot, 1] == two:
                break
            slot = (slot + np.uint64(1)) & mask_before
        known = before[slot, 0] != 0 or before[slot, 1] != 0
        if not known:
            slot = one & mask
            while slots[slot, 0] != 0 or slots[slot, 1] != 0:
                if slots[slot, 0] == one and slots[slot, 1] == two:
                    known = True
                    break
                slot = (slot + np.uint64(1)) & mask
        first[row] = not known
        if known:
            continue
        if added < room:
            slots[slot, 0], slots[slot, 1] = one, two
            added += 1
        else:
            found_no_room[row] = True
    return added


@compiled
def move_ids(old: Any, slots: Any) -> None:
    """Put all ids of a table into a larger one."""
    mask = np.uint64(len(slots) - 1)
    for row in range(len(old)):
        one, two = old[row, 0], old[row, 1]
        if one == 0 and two == 0:
            continue
        slot = one & mask
        while slots[slot, 0] != 0 or slots[slot, 1] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot, 0], slots[slot, 1] = one, two


@compiled
def number_ids(low: Any, high: Any, slots: Any, found: Any, first: Any) -> int:
    """Give every id a number, in the order they come; returns how many there are.

    Args:
        low, high: the two halves of each id's 128 bits.
        slots: numbers by hash, -1 where free; a power of two, and more than there are rows.
        found: by row, its number.
        first: by number, the first of its rows.
    """
    mask = np.uint64(len(slots) - 1)
    given = 0
    for row in range(len(low)):
        slot = low[row] & mask
        while True:
            number = slots[slot]
            if number < 0:
                number = given
                slots[slot] = number
                first[number] = row
                given += 1
                break
            if low[first[number]] == low[row] and high[first[number]] == high[row]:
                break
            slot = (slot + np.uint64(1)) & mask
        found[row] = number
    return given

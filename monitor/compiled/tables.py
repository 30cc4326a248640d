"""Tables of texts and of ids, as machine code.

Owns open addressing over arrays; which texts and ids they are is the business of
``monitor.events.texts``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.compiled import compiled
from monitor.compiled.json_text import hash_of, same


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
def pack(raw: Any, places: Any, sizes: Any, packed: Any) -> None:
    """Copy texts side by side."""
    to = 0
    for row in range(len(places)):
        at = places[row]
        for offset in range(sizes[row]):
            packed[to + offset] = raw[at + offset]
        to += sizes[row]

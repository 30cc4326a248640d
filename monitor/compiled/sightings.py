"""Numbers noted as seen, as machine code.

Owns the loop; what is kept of a number is the business of ``monitor.numbers.members``.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled


@compiled
def note_seen(
    codes: Any, campaigns: Any, ids: Any, pools: Any, pool: Any, seen: Any, changed: Any,
    when: int, rest: Any, first: Any,
) -> int:  # fmt: skip
    """Note rows of numbers that are where they were; returns how many rows are another's to note.

    Args:
        codes: by row, the number's code; ``campaigns`` the campaign's, -1 for none.
        ids: by code of a number, its id, -1 where it has none; less from now on where one of its
            rows was left: the others come after that one.
        pools: by code of a campaign, the pool's place; negative where it has none.
        pool: by id, the place of the one pool the number is in, or something negative.
        seen: by id, when it was last seen there, ms; ``changed`` whether that is new.
        when: ms, of all rows.
        rest: the rows that are left, ascending.
        first: by row of ``rest``, whether it is the first of a number without an id.
    """
    left = 0
    for row in range(len(codes)):
        key = ids[codes[row]]
        place = -1 if campaigns[row] < 0 else pools[campaigns[row]]
        if key < 0 or place < 0 or pool[key] != place:
            rest[left], first[left] = row, key == -1
            left += 1
            ids[codes[row]] = -2
        elif seen[key] != when:
            seen[key] = when
            changed[key] = True
    return left

"""Questions and their answers, one row after the other, as machine code.

Owns the loop; what a response is, is the business of ``monitor.windows.waits``.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled

NEVER = -(2**62)
"""In place of a time: there was none."""


@compiled
def answer(
    ids: Any,
    times: Any,
    asks: Any,
    replies: Any,
    keys: Any,
    asked: Any,
    replied: Any,
    asker: Any,
    known: Any,
    told: Any,
    max_age: int,
    rows: Any,
    since: Any,
    under: Any,
) -> int:
    """Apply rows in their order; returns how many questions were answered.

    Args:
        ids, times: by row, its conversation (-1 for none), and when it happened, ms.
        asks, replies: by row, whether it asks and whether it answers; it may do both.
        keys: shape (scopes, rows), the key of each row, -1 for none.
        asked, replied: by conversation, when its open question was asked and when it was last
            answered, ms, or ``NEVER``.
        asker: shape (scopes, conversations), the key of the open question, -1 for none.
        known, told: likewise, the key that was last told, and when.
        max_age: after so long a question is given up, and a key is no longer known, ms.
        rows, since: are written: of each answer, its row and when the question was asked.
        under: is written, shape (scopes, answers): its key, -1 for none.
    """
    count = 0
    for row in range(len(ids)):
        talk, time = ids[row], times[row]
        if talk < 0:
            continue
        for scope in range(len(keys)):
            key = keys[scope, row]
            if key >= 0 and time >= told[scope, talk]:
                known[scope, talk] = key
                told[scope, talk] = time
        if replies[row]:
            if asked[talk] != NEVER and asked[talk] <= time:
                if time - asked[talk] < max_age:
                    rows[count], since[count] = row, asked[talk]
                    for scope in range(len(keys)):
                        key = keys[scope, row]
                        under[scope, count] = key if key >= 0 else asker[scope, talk]
                    count += 1
                asked[talk] = NEVER
            replied[talk] = max(replied[talk], time)
        if asks[row] and time >= replied[talk]:
            first = asked[talk] == NEVER or time < asked[talk] or time - asked[talk] >= max_age
            if first:
                asked[talk] = time
                for scope in range(len(keys)):
                    asker[scope, talk] = keys[scope, row]
        if asked[talk] != NEVER:
            for scope in range(len(keys)):
                here = time - told[scope, talk] < max_age
                if asker[scope, talk] < 0 and known[scope, talk] >= 0 and here:
                    asker[scope, talk] = known[scope, talk]
    return count

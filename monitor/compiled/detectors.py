"""Evidence fed to many detectors at once, as machine code.

Owns the loop over groups of events, alternatives and detectors; the formula and its source are
``monitor.rules.evidence``'s, the arrays ``monitor.rules.detector``'s.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled, inlined

NEVER = -1
"""In place of a tick: no group yet."""


@compiled
def feed(
    m: Any,
    last: Any,
    over: Any,
    needed: Any,
    table: Any,
    cells: Any,
    ids: Any,
    times: Any,
    most: Any,
) -> None:
    """Take in a group of events for each of ``ids``.

    Args:
        m: shape (keys, 4 alternatives, detectors).
        last: by key, the tick of its last group.
        over: by detector, how many keys have a mean of ``m`` of at least ``needed``.
        table: likelihood ratios, shape (any, 4, detectors).
        cells: by group, where its ratios stand in the table.
        ids: by group, its key.
        times: the tick, ms; what counts as active time where there is no group before, or none
            for as long as the next says; active time of a day.
        most: bound of ``m``.
    """
    for group in range(len(ids)):
        take(m, last, over, needed, table[cells[group]], ids[group], times, most)


@compiled
def feed_listed(
    m: Any,
    last: Any,
    over: Any,
    needed: Any,
    table: Any,
    listed: int,
    ids: Any,
    hits: Any,
    of: Any,
    times: Any,
    most: Any,
) -> int:
    """As :func:`feed`, of groups of fewer than ``listed`` events; returns how many have more.

    Args:
        table: ratios by hits · ``listed`` + misses.
        hits: by group, how many events are hits, ``of`` how many there are; of 0 nothing happens.
    """
    more = 0
    for group in range(len(ids)):
        if of[group] >= listed:
            more += 1
        elif of[group] > 0:
            cell = hits[group] * listed + of[group] - hits[group]
            take(m, last, over, needed, table[cell], ids[group], times, most)
    return more


@inlined
def take(
    m: Any, last: Any, over: Any, needed: Any, ratio: Any, key: int, times: Any, most: Any
) -> None:
    """Take in one group.

    Detectors lie side by side in memory, so the inner loops become vector instructions.
    """
    tick, tick_ms, break_ms, scope_day_ms = times
    gap = tick - last[key]
    if last[key] == NEVER or gap > break_ms:
        gap = tick_ms
    last[key] = tick
    watched = gap / scope_day_ms
    here = m[key]
    for each in range(len(needed)):
        was = (here[0, each] + here[1, each] + here[2, each] + here[3, each]) / 4
        for index in range(4):
            grown = (here[index, each] + watched) * ratio[index, each]
            # Not min(): its way with NaN keeps the loop from becoming vector instructions.
            here[index, each] = grown if grown < most else most  # noqa: FURB136
        now = (here[0, each] + here[1, each] + here[2, each] + here[3, each]) / 4
        over[each] += int(now >= needed[each]) - int(was >= needed[each])

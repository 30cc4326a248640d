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
    # By name, and not over an index: with a loop within the loop half of the speed is gone. Not
    # min(): its way with NaN keeps the loop from becoming vector instructions.
    m0, m1, m2, m3 = m[key, 0], m[key, 1], m[key, 2], m[key, 3]
    r0, r1, r2, r3 = ratio[0], ratio[1], ratio[2], ratio[3]
    for each in range(len(needed)):
        was = (m0[each] + m1[each] + m2[each] + m3[each]) / 4
        g0, g1 = (m0[each] + watched) * r0[each], (m1[each] + watched) * r1[each]
        g2, g3 = (m2[each] + watched) * r2[each], (m3[each] + watched) * r3[each]
        m0[each] = g0 = g0 if g0 < most else most  # noqa: FURB136
        m1[each] = g1 = g1 if g1 < most else most  # noqa: FURB136
        m2[each] = g2 = g2 if g2 < most else most  # noqa: FURB136
        m3[each] = g3 = g3 if g3 < most else most  # noqa: FURB136
        now = (g0 + g1 + g2 + g3) / 4
        over[each] += int(now >= needed[each]) - int(was >= needed[each])

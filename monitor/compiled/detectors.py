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
    width: Any,
    ids: Any,
    hits: Any,
    of: Any,
    large: Any,
    times: Any,
    most: Any,
) -> int:
    """As :func:`feed`, of groups of fewer than ``width`` events; returns how many others there are.

    Args:
        table: ratios by :func:`cell`.
        hits: by group, how many events are hits, ``of`` how many there are; of 0 nothing happens.
        large: receives which groups the others are.
    """
    more = 0
    for group in range(len(ids)):
        if of[group] == 0:
            continue
        if of[group] >= width:
            large[more] = group
            more += 1
        else:
            ratio = table[cell(hits[group], of[group])]
            take(m, last, over, needed, ratio, ids[group], times, most)
    return more


@compiled
def put_off(
    m: Any,
    last: Any,
    over: Any,
    needed: Any,
    backlog: Any,
    table: Any,
    peaks: Any,
    width: Any,
    ids: Any,
    hits: Any,
    of: Any,
    large: Any,
    times: Any,
    bounds: Any,
) -> int:
    """As :func:`feed_listed`, but a group is taken in when it can matter, or many wait.

    Args:
        backlog: by key, the groups that wait, each its time since the one before · 2³² + its
            cell; how many they are; what no detector's M exceeds, shape (keys, 4); whether the
            mean of that reached the least that any detector needs, so that some may count.
        peaks: of ``table``, the largest ratio over the detectors, shape (any, 4).
        bounds: the least that any detector needs; bound of ``m``.
    """
    log, waiting, bound, warm = backlog
    least, most = bounds
    more = 0
    for group in range(len(ids)):
        if of[group] == 0:
            continue
        if of[group] >= width:
            large[more] = group
            more += 1
            continue
        key, row = ids[group], cell(hits[group], of[group])
        gap = since(last, key, times)
        watched = gap / times[3]
        total = 0.0
        for each in range(4):
            # Rounding keeps order: what is larger before each operation is not smaller after it.
            value = (bound[key, each] + watched) * peaks[row, each]
            bound[key, each] = value = value if value < most else most
            total += value
        log[key, waiting[key]] = (gap << 32) | row
        waiting[key] += 1
        if warm[key] or total / 4 >= least or waiting[key] == log.shape[1]:
            settle(m, over, needed, backlog, table, key, times[3], bounds)
    return more


@compiled
def take_at_once(
    m: Any,
    last: Any,
    over: Any,
    needed: Any,
    backlog: Any,
    table: Any,
    others: Any,
    cells: Any,
    ids: Any,
    times: Any,
    bounds: Any,
) -> None:
    """Take in a group for each of ``ids``, and before it those that wait.

    Args:
        table: the ratios of those that wait.
        others: those of the groups given, ``cells`` by group where they stand.
    """
    log, waiting, _, _ = backlog
    for group in range(len(ids)):
        key = ids[group]
        settle(m, over, needed, backlog, table, key, times[3], bounds)
        log[key, 0] = (since(last, key, times) << 32) | cells[group]
        waiting[key] = 1
        settle(m, over, needed, backlog, others, key, times[3], bounds)


@compiled
def take_waiting(
    m: Any, over: Any, needed: Any, backlog: Any, table: Any, ids: Any, day_ms: int, bounds: Any
) -> None:
    """Take in what waits for ``ids``."""
    waiting = backlog[1]
    for place in range(len(ids)):
        if waiting[ids[place]] > 0:
            settle(m, over, needed, backlog, table, ids[place], day_ms, bounds)


@compiled
def log_ratios(hits: Any, misses: Any, log_hit: Any, log_miss: Any, most: Any, logs: Any) -> None:
    """Of each group the log of its likelihood ratios, at most ``most`` and at least ``-most``.

    Args:
        hits: by group, how many of its events are hits, ``misses`` how many are not.
        log_hit: shape (4, detectors), of one event, finite; ``log_miss`` likewise.
        logs: is written, shape (groups, 4, detectors).
    """
    for group in range(len(hits)):
        hit, miss = float(hits[group]), float(misses[group])
        for row in range(4):
            of_hit, of_miss, out = log_hit[row], log_miss[row], logs[group, row]
            for each in range(len(of_hit)):
                ratio = hit * of_hit[each] + miss * of_miss[each]
                ratio = ratio if ratio < most else most
                out[each] = ratio if ratio > -most else -most


@inlined
def cell(hits: int, of: int) -> int:
    """Where the ratios of a group stand in the table."""
    return of * (of + 1) // 2 + hits


@inlined
def since(last: Any, key: int, times: Any) -> int:
    """Active time since the key's last group, which is now."""
    tick, tick_ms, break_ms, _ = times
    gap: int = tick - last[key]
    if last[key] == NEVER or gap > break_ms:
        gap = tick_ms
    last[key] = tick
    return gap


@compiled
def settle(
    m: Any, over: Any, needed: Any, backlog: Any, table: Any, key: int, day_ms: int, bounds: Any
) -> None:
    """Take in all that waits for a key, one after the other, while its detectors are at hand.

    Before it a key that is not warm counts for no detector, and neither does it after each group
    but the last, as it was not warm then.
    """
    log, waiting, bound, warm = backlog
    least, most = bounds
    m0, m1, m2, m3 = m[key, 0], m[key, 1], m[key, 2], m[key, 3]
    if warm[key]:
        for each in range(len(needed)):
            over[each] -= int((m0[each] + m1[each] + m2[each] + m3[each]) / 4 >= needed[each])
    for row in range(4):
        here = m[key, row]
        for number in range(waiting[key]):
            watched = (log[key, number] >> 32) / day_ms
            ratio = table[log[key, number] & 0xFFFFFFFF, row]
            for each in range(len(needed)):
                now = (here[each] + watched) * ratio[each]
                here[each] = now if now < most else most
    waiting[key] = 0
    total = 0.0
    for row in range(4):
        largest = 0.0
        for each in range(len(needed)):
            largest = max(largest, m[key, row, each])
        bound[key, row] = largest
        total += largest
    warm[key] = total / 4 >= least
    if warm[key]:
        for each in range(len(needed)):
            over[each] += int((m0[each] + m1[each] + m2[each] + m3[each]) / 4 >= needed[each])


@inlined
def take(
    m: Any, last: Any, over: Any, needed: Any, ratio: Any, key: int, times: Any, most: Any
) -> None:
    """Take in one group.

    Detectors lie side by side in memory, so the inner loops become vector instructions.
    """
    watched = since(last, key, times) / times[3]
    # By name, and not over an index: with a loop within the loop half of the speed is gone. Not
    # min(): its way with NaN keeps the loop from becoming vector instructions.
    m0, m1, m2, m3 = m[key, 0], m[key, 1], m[key, 2], m[key, 3]
    r0, r1, r2, r3 = ratio[0], ratio[1], ratio[2], ratio[3]
    for each in range(len(needed)):
        was = (m0[each] + m1[each] + m2[each] + m3[each]) / 4
        g0, g1 = (m0[each] + watched) * r0[each], (m1[each] + watched) * r1[each]
        g2, g3 = (m2[each] + watched) * r2[each], (m3[each] + watched) * r3[each]
        m0[each] = g0 = g0 if g0 < most else most
        m1[each] = g1 = g1 if g1 < most else most
        m2[each] = g2 = g2 if g2 < most else most
        m3[each] = g3 = g3 if g3 < most else most
        now = (g0 + g1 + g2 + g3) / 4
        over[each] += int(now >= needed[each]) - int(was >= needed[each])

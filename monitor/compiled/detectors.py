"""Evidence fed to many detectors at once, as machine code.

Owns the loop over groups of events, detectors and alternatives; the formula and its source are
``monitor.rules.evidence``'s, the arrays ``monitor.rules.detector``'s.
"""

from __future__ import annotations

import math
from typing import Any

from monitor.compiled import compiled

LISTED = 8
"""Groups of fewer events have their likelihood ratios in a table: to work one out takes longer."""
NEVER = -1
"""In place of a tick: no group yet."""


@compiled
def feed(state: Any, ratios: Any, groups: Any, times: Any, bounds: Any) -> None:
    """Take in groups of events, one for each of so many keys.

    Args:
        state: ``m``, shape (keys, detectors, alternatives); the mean of its last axis and the tick
            of the last group, both (keys, detectors); by detector, how many keys have a mean of
            at least what is needed, and what that is.
        ratios: of likelihood: a table of shape (LISTED², detectors, alternatives), by
            hits · LISTED + misses; the logarithms for a hit and for a miss,
            (detectors, alternatives).
        groups: the detectors that are fed; by group its key, hits and events.
        times: the tick, ms; what counts as active time where there is no group before, or none
            for as long as the next says; active time of a day.
        bounds: of a logarithm, and of ``m``.
    """
    m, mean, last, over, needed = state
    table, log_hit, log_miss = ratios
    columns, ids, hits, of = groups
    tick, tick_ms, break_ms, scope_day_ms = times
    log_max, score_max = bounds
    alternatives = m.shape[2]
    for group in range(len(ids)):
        total = of[group]
        if total <= 0:
            continue
        key, hit = ids[group], hits[group]
        miss = total - hit
        listed = total < LISTED and 0 <= hit <= total
        cell = hit * LISTED + miss if listed else 0
        for place in range(len(columns)):
            column = columns[place]
            before = last[key, column]
            gap = tick - before
            if before == NEVER or gap > break_ms:
                gap = tick_ms
            watched = gap / scope_day_ms
            total_m = 0.0
            for index in range(alternatives):
                if listed:
                    ratio = table[cell, column, index]
                else:
                    log = hit * log_hit[column, index] + miss * log_miss[column, index]
                    ratio = math.exp(min(max(log, -log_max), log_max))
                grown = min((m[key, column, index] + watched) * ratio, score_max)
                m[key, column, index] = grown
                total_m += grown
            now, bound = total_m / alternatives, needed[column]
            if now >= bound:
                if mean[key, column] < bound:
                    over[column] += 1
            elif mean[key, column] >= bound:
                over[column] -= 1
            mean[key, column] = now
            last[key, column] = tick

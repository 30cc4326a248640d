"""Rows added up by group, as machine code.

Owns the loop; what the groups are is the business of ``monitor.indicators.grouping``.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled


@compiled
def add_up(
    chosen: Any, group: Any, added: Any, most: Any, sums: Any, tops: Any, first: Any
) -> None:
    """Add up the chosen rows of each group.

    Args:
        chosen: by row, whether it counts.
        group: by row, the group it belongs to.
        added: by figure, then row: what is summed.
        most: likewise, of what the greatest is kept.
        sums: zeros, shape (groups, at least 1 + figures summed); the first counts rows.
        tops: shape (groups, figures), filled with what is less than any.
        first: by group, the first of its rows; untouched where there is none.
    """
    figures, greatest = len(added), len(most)
    for row in range(len(chosen)):
        if not chosen[row]:
            continue
        place = group[row]
        if sums[place, 0] == 0:
            first[place] = row
        sums[place, 0] += 1
        for figure in range(figures):
            sums[place, 1 + figure] += added[figure, row]
        for figure in range(greatest):
            tops[place, figure] = max(tops[place, figure], most[figure, row])

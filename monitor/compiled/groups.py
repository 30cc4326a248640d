"""Rows added up by group, as machine code.

Owns the loop; what the groups are is the business of ``monitor.indicators.grouping``.
"""

from __future__ import annotations

from typing import Any

from monitor.compiled import compiled, inlined


@inlined
def count_up(number: Any) -> int:
    """Number what is marked, from 1 on, ascending; returns how many there are."""
    count = 0
    for place in range(len(number)):
        if number[place]:
            count += 1
            number[place] = count
    return count


@compiled
def number_keys(keys: Any, number: Any) -> int:
    """Give each of ``keys`` its number, from 1 on, ascending; returns how many there are.

    ``number``: by key, zeros; 0 is left where there is none.
    """
    for row in range(len(keys)):
        number[keys[row]] = 1
    return count_up(number)


@compiled
def number_groups(
    chosen: Any, tick: Any, key: Any, lag: Any, keys: int, lags: int, group: Any, number: Any
) -> int:  # fmt: skip
    """Number the groups of rows that are alike in all three; returns how many there are.

    Args:
        chosen: by row, whether it counts.
        tick, key, lag: by row; keys and lags are below ``keys`` and ``lags``.
        group: is written: by chosen row, the place of its group among all that could be, in the
            order of tick, key, lag.
        number: by group, zeros; as :func:`number_keys` leaves it.
    """
    for row in range(len(chosen)):
        if chosen[row]:
            place = (tick[row] * keys + key[row]) * lags + lag[row]
            group[row] = place
            number[place] = 1
    return count_up(number)


@compiled
def add_up(
    chosen: Any, group: Any, number: Any, added: Any, most: Any, sums: Any, tops: Any, first: Any
) -> None:
    """Add up the chosen rows of each group.

    Args:
        chosen: by row, whether it counts.
        group: by row, the group it belongs to.
        number: by group, as :func:`number_keys` gave it to those of the chosen rows.
        added: shape (rows, figures): what is summed.
        most: likewise, of what the greatest is kept.
        sums: zeros, shape (groups numbered, at least 1 + figures summed); the first counts rows.
        tops: shape (groups numbered, figures), filled with what is less than any.
        first: by group numbered, the first of its rows.
    """
    figures, greatest = added.shape[1], most.shape[1]
    for row in range(len(chosen)):
        if not chosen[row]:
            continue
        place = number[group[row]] - 1
        if sums[place, 0] == 0:
            first[place] = row
        sums[place, 0] += 1
        for figure in range(figures):
            sums[place, 1 + figure] += added[row, figure]
        for figure in range(greatest):
            tops[place, figure] = max(tops[place, figure], most[row, figure])


@compiled
def add_by_key(keys: Any, number: Any, values: Any, own: Any, sums: Any) -> None:
    """Add up the rows of ``values`` of each key.

    Args:
        number: by key, as :func:`number_keys` gave it.
        own: by number, its key.
        sums: zeros, shape (numbers, columns).
    """
    for row in range(len(keys)):
        place = number[keys[row]] - 1
        own[place] = keys[row]
        for column in range(values.shape[1]):
            sums[place, column] += values[row, column]


@compiled
def order_in(bounds: Any, ids: Any, counts: Any, by_id: Any, order: Any) -> None:
    """Which row comes first, second, … by id in each stretch of rows.

    By counting, twice: by id over all rows, and then each to its stretch, which keeps that order.

    Args:
        bounds: where each stretch begins, and at last where the last one ends.
        ids: by row; none is negative.
        counts: zeros, one more than the ids there may be.
        by_id: as long as ``ids``, of which nothing is read; gets the stretch beside the row.
        order: is written.
    """
    for row in range(len(ids)):
        counts[ids[row] + 1] += 1
    for number in range(1, len(counts)):
        counts[number] += counts[number - 1]
    for stretch in range(len(bounds) - 1):
        for row in range(bounds[stretch], bounds[stretch + 1]):
            place = counts[ids[row]]
            by_id[place, 0], by_id[place, 1] = row, stretch
            counts[ids[row]] = place + 1
    following = bounds[:-1].copy()
    for place in range(len(by_id)):
        row, stretch = by_id[place, 0], by_id[place, 1]
        order[following[stretch]] = row
        following[stretch] += 1


@compiled
def turn_each(values: Any, order: Any, bounds: Any, turned: Any) -> None:
    """Rows in another order, beside each other by column, stretch by stretch.

    Args:
        values: shape (rows, columns).
        order: which row comes first, second, …; those of a stretch stay in it.
        bounds: where each stretch begins, and at last where the last one ends.
        turned: is written: stretch after stretch, each of the shape (columns, its rows).
    """
    at = 0
    for stretch in range(len(bounds) - 1):
        for column in range(values.shape[1]):
            for place in range(bounds[stretch], bounds[stretch + 1]):
                turned[at] = values[order[place], column]
                at += 1


@compiled
def add_columns(
    flat: Any, opened: Any, firsts: Any, source: Any, into: Any, ids: Any, values: Any, added: Any
) -> None:
    """Add what came to sums that lie in one array, a stretch for each column.

    Args:
        flat: the sums.
        opened: others of the same layout, for the columns that are ``into`` them.
        firsts: by column, where its stretch begins, in which each id has its place.
        source: by column, the row of ``values`` that it sums.
        into: by column, whether it is added to ``opened`` too.
        ids: distinct.
        values: shape (sources, ids).
        added: is written: what each of the other columns took, shape (columns, ids).
    """
    for column in range(len(firsts)):
        first, row = firsts[column], source[column]
        for place in range(len(ids)):
            more = values[row, place]
            flat[first + ids[place]] += more
            if into[column]:
                opened[first + ids[place]] += more
            else:
                added[column, place] = more


@compiled
def keep_news(ids: Any, hits: Any, of: Any, other: int, kept: Any) -> int:
    """Keep the ids to which something was added, without ``other``; returns how many they are.

    Args:
        ids, hits, of: what was added to each id; shape (rows,).
        kept: is written: ids, hits and of of those kept, shape (3, rows).
    """
    count = 0
    for row in range(len(ids)):
        if (hits[row] != 0 or of[row] != 0) and ids[row] != other:
            kept[0, count], kept[1, count], kept[2, count] = ids[row], hits[row], of[row]
            count += 1
    return count

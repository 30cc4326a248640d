"""Rows of one load, tick by tick or made ahead."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from monitor.indicators.groups import Groups, RowsAhead, sums_of
from monitor.windows.arrays import column
from monitor.windows.rows import TickRows

PLACES = 6

drawn = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, PLACES - 1), st.integers(0, 3), st.integers(-9, 9)),
    min_size=1,
    max_size=40,
)
"""Tick, place, grain, what is added."""


def groups(rows: list[tuple[int, int, int, int]]) -> Groups:
    """Rows by tick, place and grain, as grouping gives them: no two alike."""
    known = {(tick, place, grain): added for tick, place, grain, added in rows}
    ordered = [(*key, known[key]) for key in sorted(known)]
    ticks, places, grains, added = (column(each) for each in zip(*ordered, strict=True))
    values = np.stack([np.ones(len(ticks), np.int64), added], axis=1)
    columns = {"place": places, "grain": grains * 30, "values": values, "extremes": values[:, :1]}
    return Groups.of(ticks * 5, columns)


def plain(rows: TickRows) -> dict[str, Any]:
    assert rows.sums.flags.c_contiguous, "compiled loops know no other"
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name in TickRows.__slots__
        for value in [getattr(rows, name)]
    }


@given(drawn, st.permutations(range(PLACES)), st.integers(0, 3), st.sampled_from([7, 1_000_003]))
def test_rows_made_ahead_are_those_of_each_tick(
    rows: list[tuple[int, int, int, int]], order: list[int], taken: int, apart: int
) -> None:
    ids = column(order) * apart  # in another order than the places, with gaps
    of_rows, of_sums = groups(rows), sums_of(groups(rows))
    of_rows.position = of_sums.position = min(taken, len(of_rows.ticks) - 1)
    first = of_rows.position
    ahead = RowsAhead(of_rows, of_sums, lambda places: ids[places])
    for position in range(first, len(of_rows.ticks)):
        tick = of_rows.ticks[position]
        each, by_key = of_rows.take(tick), of_sums.take(tick)
        assert each is not None
        assert by_key is not None
        expected = TickRows.of(
            ids[each["place"]], each["grain"], each["values"], each["extremes"],
            ids[by_key["place"]], by_key["sums"],
        )  # fmt: skip
        found = ahead.at(position)
        assert plain(found) == plain(expected)
        assert found.ids.base is found.keys.base is None, "or panes would keep the whole load"
        assert sorted(expected.ids.tolist()) == expected.ids.tolist()
        assert expected.sums.sum() == each["values"].sum()


def test_ticks_are_taken_once_and_in_turn() -> None:
    taken: list[list[int]] = []
    of_rows = groups([(0, 1, 0, 5), (2, 1, 0, 7), (2, 0, 0, 1)])
    assert of_rows.take(5) is None
    for tick in (0, 10):
        found = of_rows.take(tick)
        assert found is not None
        taken.append(found["place"].tolist())
    assert taken == [[1], [0, 1]]
    assert (of_rows.take(10), of_rows.next_tick) == (None, None)

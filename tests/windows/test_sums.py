"""Running sums and their open panes against all rows kept, and added up anew at every tick."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from monitor.windows import sum_table
from monitor.windows.arrays import column
from monitor.windows.calendar import CalendarWindow
from monitor.windows.rows import TickRows
from monitor.windows.spec import SlidingWindow, WindowSpec
from monitor.windows.sum_table import SumTable
from monitor.windows.sums import RunningSums

TICK_MS = 5
SPECS: tuple[WindowSpec, ...] = (
    SlidingWindow("30ms", 30, 10, TICK_MS),
    SlidingWindow("60ms", 60, 20, TICK_MS),
    SlidingWindow("5ms", 5, 5, TICK_MS),
    CalendarWindow("day", "UTC", TICK_MS),
)
FIRST_MS = 86_400_000 - 60
"""Soon a day is over."""
Row = tuple[int, int, int]
"""Key, age in ticks, amount."""

ticks = st.lists(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0, 0, 0, 0, 1, 2, 3, 9]), st.integers(0, 9)),
        max_size=4,
    ),
    min_size=1,
    max_size=40,
)


class Windows:
    """Windows over one table, as a scope has them."""

    def __init__(self) -> None:
        self.table = SumTable([0, 1] * len(SPECS))
        self.sums = [
            RunningSums(spec, self.table, slice(2 * place, 2 * place + 2), 0)
            for place, spec in enumerate(SPECS)
        ]

    def step(self, tick: int, rows: list[Row]) -> None:
        self.table.room(1 + max((key for key, _, _ in rows), default=0))
        for sums in self.sums:
            sums.begin(tick, sums.spec.lo(tick))
        if rows:
            taken = tick_rows(tick, rows)
            inside = all(taken.first_grain >= sums.spec.lo(tick) for sums in self.sums)
            added = self.table.enter(taken) if inside else None
            for sums in self.sums:
                if added is None:
                    sums.enter(taken, sums.spec.lo(tick))
                else:
                    sums.entered(taken, added)

    def figures(self, keys: int) -> list[list[list[int]]]:
        self.table.room(keys)
        ids = np.arange(keys)
        return [[sums.at(ids, index).tolist() for index in (0, 1)] for sums in self.sums]

    def again(self) -> Windows:
        """As after a restart from a checkpoint."""
        others = Windows()
        others.table.room(6)
        for mine, theirs in zip(self.sums, others.sums, strict=True):
            theirs.restore(mine.snapshot(), [0, 1])
        return others


def grain_of(tick: int, age: int) -> int:
    return tick - (age + 1) * TICK_MS


def tick_rows(tick: int, rows: list[Row]) -> TickRows:
    found: dict[tuple[int, int], list[int]] = {}
    for key, age, amount in rows:
        of_key = found.setdefault((key, grain_of(tick, age)), [0, 0])
        of_key[0] += 1
        of_key[1] += amount
    keys, grains = (column(each) for each in zip(*sorted(found), strict=True))
    values = column([found[each] for each in sorted(found)])
    ids = np.unique(keys)
    sums = column([values[keys == key].sum(axis=0) for key in ids.tolist()])
    return TickRows.of(keys, grains, values, np.zeros((len(keys), 0), np.int64), ids, sums)


def brute(seen: list[tuple[int, list[Row]]], now: int, keys: int) -> list[list[list[int]]]:
    figures = []
    for spec in SPECS:
        counts, amounts = [0] * keys, [0] * keys
        for tick, rows in seen:
            for key, age, amount in rows:
                if spec.pane_of(grain_of(tick, age)) >= spec.lo(now):
                    counts[key] += 1
                    amounts[key] += amount
        figures.append([counts, amounts])
    return figures


@settings(deadline=None, max_examples=200)
@given(ticks, st.sampled_from([0, 1, 2, 4, 2**14]), st.sets(st.integers(0, 39)))
def test_windows_hold_what_is_in_them(
    given_ticks: list[list[Row]], open_max: int, restarts: set[int]
) -> None:
    windows, seen = Windows(), list[tuple[int, list[Row]]]()
    with patch.object(sum_table, "OPEN_IDS_MAX", open_max):
        for number, rows in enumerate(given_ticks):
            tick = FIRST_MS + TICK_MS * number
            windows.step(tick, rows)
            seen.append((tick, rows))
            assert windows.figures(6) == brute(seen, tick, 6)
            if number in restarts:
                windows = windows.again()
        for later in [*range(tick + TICK_MS, tick + 100, TICK_MS), 3 * 86_400_000]:
            windows.step(later, [])
            assert windows.figures(6) == brute(seen, later, 6)
    assert windows.figures(6) == [[[0] * 6] * 2] * len(SPECS)


@settings(deadline=None, max_examples=100)
@given(ticks, st.sets(st.integers(0, 39)))
def test_a_snapshot_is_the_same_with_open_panes_and_without(
    given_ticks: list[list[Row]], looks: set[int]
) -> None:
    stored: list[list[Any]] = []
    for open_max in (0, 2**14):
        windows = Windows()
        with patch.object(sum_table, "OPEN_IDS_MAX", open_max):
            for number, rows in enumerate(given_ticks):
                windows.step(FIRST_MS + TICK_MS * number, rows)
                if number in looks:  # a pane that was closed for it is opened again
                    for sums in windows.sums:
                        sums.snapshot()
            stored.append([plain(sums.snapshot()) for sums in windows.sums])
    assert stored[0] == stored[1]


def plain(snapshot: dict[str, Any]) -> list[tuple[int, dict[int, list[int]]]]:
    """What stands in each pane, in however many parts."""
    panes = []
    for pane in snapshot["panes"]:
        rows: dict[int, list[int]] = {}
        for part in pane["parts"]:
            content = part.content()
            pairs = zip(content["keys"].tolist(), content["values"].tolist(), strict=True)
            for key, (count, amount) in pairs:
                before = rows.get(key, [0, 0])
                rows[key] = [before[0] + count, before[1] + amount]
        panes.append((pane["start"], rows))
    return panes


def test_a_pane_gets_its_rows_once_it_is_over() -> None:
    """While it is open nothing is put aside for it; many ids are too many for that."""
    windows = Windows()
    one_pane = windows.sums[1]
    for tick in (1_005, 1_010, 1_015):
        windows.step(tick, [(1, 0, 3)])
        assert one_pane._open.start == 1_000
        assert next(one_pane._panes.tables())[1]._fresh == []
        assert windows.sums[2]._open.start is None, "it would be over with the tick"
    windows.step(1_025, [(1, 0, 3)])
    (start, table), (newest, _) = one_pane._panes.tables()
    assert (start, newest, one_pane._open.start) == (1_000, 1_020, 1_020)
    assert [part.tolist() for part in table.total()] == [[1], [[3, 9]]]
    windows.table.room(2**14 + 1)
    assert one_pane._open.start is None
    assert windows.table.open.shape == (2 * len(SPECS), 0)
    windows.step(1_030, [(1, 0, 3)])
    assert one_pane._open.start is None
    assert windows.figures(2)[1] == [[0, 5], [0, 15]]


@pytest.mark.parametrize("size", [1, 100])
def test_rows_of_no_open_pane_are_told(size: int) -> None:
    with patch.object(sum_table, "OPEN_IDS_MAX", 0):
        windows = Windows()
        windows.table.room(size)
        added = windows.table.enter(tick_rows(1_005, [(0, 0, 3), (0, 0, 4)]))
    assert added.tolist() == [[2], [7]] * len(SPECS)

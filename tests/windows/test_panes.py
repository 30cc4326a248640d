"""Pane tables against a dictionary; grouping of rows by key."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from monitor.windows.arrays import (
    ROOMY_MAX,
    Combine,
    column,
    distinct_of,
    grown,
    reduce_by_key,
    roomy,
)
from monitor.windows.extremes import NONE
from monitor.windows.panes import NARROW_FROM, Panes, PaneTable, pane_rows

parts = st.lists(
    st.lists(st.tuples(st.integers(0, 8), st.integers(-5, 5), st.integers(0, 3)), min_size=1),
    min_size=1,
    max_size=70,
)
combines = st.sampled_from(["add", "maximum"])


def folded(rows: list[tuple[int, int, int]], combine: Combine) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for key, one, two in rows:
        before = found.get(key)
        if before is None:
            found[key] = one, two
        elif combine == "add":
            found[key] = before[0] + one, before[1] + two
        else:
            found[key] = max(before[0], one), max(before[1], two)
    return dict(sorted(found.items()))


def columns(rows: list[tuple[int, int, int]]) -> tuple[Any, Any]:
    return column([key for key, _, _ in rows]), column([row[1:] for row in rows]).reshape(-1, 2)


@given(parts, combines)
def test_a_pane_holds_one_row_a_key_however_rows_came(
    given_parts: list[list[tuple[int, int, int]]], combine: Combine
) -> None:
    table = PaneTable(combine)
    for number, part in enumerate(given_parts):
        table.add(*columns(part))
        if number % 5 == 4:
            table.total()
    keys, values = table.total()
    every = [row for part in given_parts for row in part]
    expected = folded(every, combine)
    assert dict(zip(keys.tolist(), map(tuple, values.tolist()), strict=True)) == expected
    assert keys.tolist() == list(expected)
    asked = column(range(10))
    found = [list(expected.get(key, (-9, -9))) for key in range(10)]
    assert table.lookup(asked, -9).tolist() == found


keys_near_and_far = st.integers(0, 5) | st.integers(0, 2**40)
figures = st.integers(-9, 9), st.integers(0, 1)


@given(st.lists(st.tuples(keys_near_and_far, *figures)), combines)
def test_reduce_by_key_is_a_fold(rows: list[tuple[int, int, int]], combine: Combine) -> None:
    keys, values = reduce_by_key(*columns(rows), combine)
    expected = folded(rows, combine)
    assert keys.tolist() == list(expected)
    assert [tuple(each) for each in values.tolist()] == list(expected.values())


@given(st.lists(keys_near_and_far))
def test_distinct_keys_ascend(keys: list[int]) -> None:
    assert distinct_of(column(keys)).tolist() == sorted(set(keys))


def test_panes_leave_oldest_first() -> None:
    panes = Panes("add")
    starts = column([60, 0, 30, 60, 0])
    panes.add(starts, column([1, 1, 2, 3, 1]), column([[1], [2], [4], [8], [16]]))
    assert len(panes) == 3
    assert panes.oldest == 0
    assert [len(table.total()[0]) for _, table in panes.tables()] == [1, 1, 2]
    left = list(panes.pop_before(60))
    assert [start for start, _ in left] == [0, 30]
    assert [table.total()[1].tolist() for _, table in left] == [[[18]], [[4]]]
    assert panes.oldest == 60
    assert list(panes.pop_before(60)) == []
    assert [start for start, _ in panes.pop_before(61)] == [60]
    assert list(panes.tables()) == []


def test_a_pane_keeps_no_hold_on_the_load_it_came_from() -> None:
    panes = Panes("add")
    whole = np.ones((1_000, 1), dtype=np.int64)
    for start in range(0, 50, 10):
        panes.add_to(start, column([1]), whole[start : start + 1])
    held = [table for _, table in panes.tables()]
    assert [table.total()[1].base is whole for table in held[:3]] == [False] * 3


@pytest.mark.parametrize("large", [1, 2**31 - 1, 2**31, -(2**31), 2**62])
def test_a_settled_pane_is_narrow_where_its_figures_are_and_says_the_same(large: int) -> None:
    """Later rows join it, and a snapshot of it is one of the same figures."""
    table = PaneTable("add")
    others = np.arange(10, 10 + NARROW_FROM)
    table.add(column([5, 2, 5]), column([[1, large], [2, 0], [3, 0]]))
    table.add(column(others), np.zeros((len(others), 2), np.int64))
    table.settle()
    (part,) = table.snapshot()
    narrow = part.content()["values"].dtype == np.int32
    assert narrow == (-(2**31) < large < 2**31)
    for each in (table, restored(table)):
        keys, values = each.total()
        assert {keys.dtype.name, values.dtype.name} == {"int64"}
        assert keys.tolist() == [2, 5, *others]
        assert values[:2].tolist() == [[2, 0], [4, large]]
        assert not values[2:].any()
        assert each.lookup(column([2, 3]), NONE).tolist() == [[2, 0], [NONE, NONE]]
        each.add(column([2]), column([[2**40, 1]]))
        assert each.total()[1][:2].tolist() == [[2**40 + 2, 1], [4, large]]


def test_a_settled_pane_of_few_keys_stays_as_it_is() -> None:
    """To look whether it could be narrow would take longer than it is worth."""
    table = PaneTable("add")
    table.add(column([5, 2]), column([[1], [2]]))
    table.settle()
    (part,) = table.snapshot()
    assert part.content()["values"].dtype == np.int64
    assert table.total()[1].tolist() == [[2], [1]]


def test_a_pane_of_keys_beyond_32_bits_stays_wide() -> None:
    table = PaneTable("add")
    table.add(column([1, 2**31 + 5]), column([[1], [2]]))
    table.settle()
    assert table.total()[0].tolist() == [1, 2**31 + 5]
    assert table.lookup(column([2**31 + 5]), 0).tolist() == [[2]]


def restored(table: PaneTable) -> PaneTable:
    again = PaneTable("add")
    again.restore(table.snapshot(), [0, 1], 0)
    return again


def test_stored_columns_are_put_in_their_new_places() -> None:
    pane = {"keys": [3, 5], "values": [[1, 2], [3, 4]]}
    keys, values = pane_rows(pane, [1, -1, 0], 7)
    assert keys.tolist() == [3, 5]
    assert values.tolist() == [[2, 7, 1], [4, 7, 3]]


def test_long_arrays_grow_by_a_quarter() -> None:
    assert roomy(ROOMY_MAX, ROOMY_MAX - 1) == 2 * (ROOMY_MAX - 1)
    assert roomy(ROOMY_MAX + 1, ROOMY_MAX) == ROOMY_MAX * 5 // 4
    assert roomy(10 * ROOMY_MAX, ROOMY_MAX) == 10 * ROOMY_MAX


@pytest.mark.parametrize("rows", [0, 3, 4, 9])
def test_grown_arrays_at_least_double(rows: int) -> None:
    array = np.array([1, 2, 3])
    larger = grown(array, rows, -1)
    if rows <= 3:
        assert larger is array
    else:
        assert larger.tolist() == [1, 2, 3] + [-1] * (max(rows, 6) - 3)

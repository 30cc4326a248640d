"""Windows that begin with a key's first event: what each row counts in, and when they are over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monitor.windows.anchored import AnchoredSums, AnchoredWindow
from monitor.windows.arrays import column, reduce_by_key
from monitor.windows.rows import TickRows

TICK, MINUTE = 5_000, 60_000
WINDOW = AnchoredWindow("1m@first", MINUTE, TICK, "calls")


class Table:
    """One window, driven as a scope does it."""

    def __init__(self) -> None:
        self.sums = AnchoredSums(WINDOW, [1], 0)

    def step(self, tick: int, *rows: tuple[int, int, int]) -> dict[int, int]:
        """``rows``: key, time, what it adds. The sums of the keys that have any."""
        self.sums.room(8)
        self.sums.begin(tick, WINDOW.lo(tick))
        if rows:
            keys, times, adds = (column(each) for each in zip(*rows, strict=True))
            values = np.stack([np.ones_like(adds), adds], axis=1)
            ids, sums = reduce_by_key(keys, values, "add")
            none = np.zeros((len(keys), 0), np.int64)
            self.sums.enter(TickRows.of(keys, times, values, none, ids, sums))
        self.sums.end(tick)
        found = self.sums.at(np.arange(8), 1).tolist()
        return {key: value for key, value in enumerate(found) if value}


def test_it_goes_all_at_once_and_begins_with_the_next_event() -> None:
    table = Table()
    assert table.step(5_000, (0, 1_000, 1)) == {0: 1}
    assert table.sums.due == 65_000
    assert table.step(60_000, (0, 59_000, 1)) == {0: 2}
    # The last millisecond of the first minute counts; at 61 s another window begins.
    assert table.step(65_000, (0, 60_999, 1), (0, 61_000, 1)) == {0: 1}
    assert table.step(120_000) == {0: 1}
    assert table.step(125_000) == {}
    assert table.sums.touched().tolist() == [0]
    assert table.sums.due is None


def test_what_adds_nothing_begins_nothing() -> None:
    table = Table()
    assert table.step(5_000, (0, 1_000, 0)) == {}
    assert table.sums.due is None
    assert table.step(10_000, (0, 6_000, 1)) == {0: 1}
    assert table.step(65_000) == {0: 1}
    assert table.step(70_000) == {}


def test_keys_have_windows_of_their_own() -> None:
    table = Table()
    assert table.step(5_000, (0, 1_000, 1), (3, 4_000, 2)) == {0: 1, 3: 2}
    assert table.step(60_000) == {0: 1, 3: 2}
    assert table.step(65_000, (0, 63_000, 1)) == {0: 1}, "the other's is over"
    assert table.sums.touched().tolist() == [0, 3]


def test_a_late_row_counts_in_the_window_that_is_open() -> None:
    table = Table()
    assert table.step(30_000, (0, 29_000, 1)) == {0: 1}
    assert table.step(35_000, (0, 2_000, 1)) == {0: 2}
    # And begins one, at its own time, where none is.
    assert table.step(95_000) == {}
    assert table.step(100_000, (0, 50_000, 1)) == {0: 1}
    assert table.step(115_000) == {}


def test_rows_of_a_tick_apply_by_time() -> None:
    table = Table()
    assert table.step(5_000, (0, 4_000, 1), (0, 1_000, 1)) == {0: 2}
    assert table.step(65_000) == {}, "it began at the earlier of the two"


@pytest.mark.parametrize("columns", [[0, 1], [0, -1]])
def test_a_restart_goes_on(columns: list[int]) -> None:
    table, other = Table(), Table()
    table.step(5_000, (0, 1_000, 1), (5, 4_000, 2))
    state: dict[str, Any] = table.sums.snapshot()
    table.step(10_000, (0, 9_000, 7))
    other.sums.restore(state, columns)
    kept = columns[1] == 1
    assert other.sums.due == 65_000
    assert other.step(10_000) == ({0: 1, 5: 2} if kept else {})
    alive = np.zeros(8, np.bool_)
    other.sums.mark_alive(10_000, alive)
    assert np.flatnonzero(alive).tolist() == [0, 5]
    assert other.step(65_000, (0, 61_000, 1)) == {0: 1}
    assert other.step(125_000) == {}


def test_its_geometry() -> None:
    assert WINDOW.lo(100_000) == 40_000
    assert WINDOW.first_tick(1) == 65_000
    assert WINDOW.lo(WINDOW.first_tick(40_000)) == 40_000
    assert WINDOW.identity != AnchoredWindow("1m@first", MINUTE, TICK, "others").identity
    with pytest.raises(ValueError, match="not a multiple"):
        AnchoredWindow("7s@first", 7_000, TICK, "calls")

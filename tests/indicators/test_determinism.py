"""State is a function of the rows and the ticks: not of loads, restarts, or luck.

The streams are those of the oracle test; here whole snapshots are compared, to the bit, ids
included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.indicators import grouping, loaded
from monitor.indicators.compile import IndicatorSet
from monitor.indicators.groups import RowsAhead
from monitor.windows.limits import WindowLimits
from monitor.windows.rows import TickRows
from tests.indicators.made import T0, TICK, Row, beyond, load, made, row, shown
from tests.indicators.test_oracle import (
    LATENESS,
    LIMITS,
    YAML,
    Choices,
    batches,
    choices,
    snapshot,
    streams,
)
from tests.whole import whole

pytestmark = pytest.mark.untraced


def same(one: Any, other: Any) -> bool:
    """Equal to the bit, types included."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and list(one) == list(other)
            and all(same(one[key], other[key]) for key in one)
        )
    if isinstance(one, list):
        return (
            isinstance(other, list)
            and len(one) == len(other)
            and all(same(*pair) for pair in zip(one, other, strict=True))
        )
    return type(one) is type(other) and bool(one == other)


def run(rows: list[Row], split: frozenset[int], chosen: Choices, limits: WindowLimits) -> Any:
    """The state after all rows, with evictions as in ``chosen``."""
    figures = made(YAML, limits=limits)
    tick, number = rows[0]["tick"] - TICK, 0
    for batch in batches(rows, split):
        load(figures, batch)
        while waiting := [each["tick"] for each in batch if each["tick"] > tick]:
            tick = min(figures.next_event_tick(tick) or waiting[0], *waiting)
            number += 1
            figures.step(tick)
            if number % 41 in chosen.evict:
                figures.evict({})
        if number % 41 in chosen.restart:
            state = snapshot(figures)
            figures = made(YAML, limits=limits)
            figures.restore(state)
    return whole(figures.snapshot())


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices, choices)
def test_loads_and_restarts_do_not_matter(rows: list[Row], one: Choices, other: Choices) -> None:
    calm = Choices(frozenset(), frozenset(), one.evict)
    restarted = Choices(frozenset(), other.restart, one.evict)
    whole = run(rows, frozenset(), calm, LIMITS)
    assert same(whole, run(rows, one.split, calm, LIMITS))
    assert same(whole, run(rows, other.split, restarted, LIMITS))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices, choices)
def test_full_tables_refuse_the_same_keys(rows: list[Row], one: Choices, other: Choices) -> None:
    tight = WindowLimits(keys_max=1, pairs_max=2, entities_max=2, lateness_ms=LATENESS)
    calm = Choices(frozenset(), frozenset(), one.evict)
    whole = run(rows, frozenset(), calm, tight)
    assert same(whole, run(rows, one.split, calm, tight))
    assert same(
        whole, run(rows, other.split, Choices(frozenset(), other.restart, one.evict), tight)
    )


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_rows_made_ahead_for_all_ticks_are_those_made_tick_by_tick(
    rows: list[Row], one: Choices
) -> None:
    tight = WindowLimits(keys_max=2, pairs_max=3, entities_max=2, lateness_ms=LATENESS)
    for limits in (LIMITS, tight):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(loaded, "AHEAD_FROM", 1)
            ahead = run(rows, one.split, one, limits)
            patched.setattr(loaded, "AHEAD_FROM", 10**9)
            assert same(ahead, run(rows, one.split, one, limits))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_groups_are_the_same_whether_there_is_a_place_for_each_that_could_be(
    rows: list[Row], one: Choices
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(grouping, "is_dense", lambda _spread, _rows: True)
        dense = run(rows, one.split, one, LIMITS)
        patched.setattr(grouping, "is_dense", lambda _spread, _rows: False)
        assert same(dense, run(rows, one.split, one, LIMITS))


COUNT = """
  - id: calls
    kind: count
    value: {count: call.ended}
    by: [number]
    windows: [1m]
"""


def counts(figures: IndicatorSet) -> dict[tuple[str, ...], tuple[int, int]]:
    return dict(shown(figures, "calls", "number", "1m"))


def test_a_full_table_counts_what_it_leaves_out_and_takes_new_keys_after_eviction() -> None:
    figures = made(COUNT, limits=WindowLimits(keys_max=2))
    numbers = ["+3", "+1", "+2", "+2", "+3"]
    load(figures, [row(T0 + place, number=number) for place, number in enumerate(numbers)])
    figures.step(T0 + TICK)
    # Names of one tick get their ids in their order, whichever row came first.
    assert counts(figures) == {("+1",): (1, 1), ("+2",): (2, 1)}
    assert beyond(figures) == {(("number",), "keys"): 2}, "rows, not keys"

    #  T0        +5 s  …  +60 s  +65 s: lo = +5 s, the pane [T0, +5 s) has left
    load(figures, [row(T0 + 61_000, number="+3")])
    figures.step(T0 + 60_000)
    assert figures.evict({}) == {}
    figures.step(T0 + 65_000)
    assert counts(figures) == {}
    assert beyond(figures) == {(("number",), "keys"): 3}, "the pane left at the tick that was full"
    assert figures.evict({("number",): {1}}) == {("number",): [0]}
    load(figures, [row(T0 + 66_000, number="+3")])
    figures.step(T0 + 70_000)
    assert counts(figures) == {("+3",): (1, 1)}
    assert figures.view("calls", ("number",), "1m").keys.find("+2") == 1, "pinned"


def test_an_id_is_not_confused_when_its_name_is_loaded_ahead_of_an_eviction() -> None:
    figures = made(COUNT)
    #  one load:  T0 '+1'                       T0 + 10 min '+2', '+1'
    #  between:        step … evict: '+1' is freed though later rows of it are loaded
    load(
        figures,
        [
            row(T0, number="+1"),
            row(T0 + 600_000, number="+2"),
            row(T0 + 600_001, number="+1"),
            row(T0 + 600_002, number="+1"),
        ],
    )
    figures.step(T0 + TICK)
    figures.step(T0 + 300_000)
    assert figures.evict({}) == {("number",): [0]}
    figures.step(T0 + 605_000)
    assert counts(figures) == {("+1",): (2, 1), ("+2",): (1, 1)}


def test_rows_made_ahead_are_not_those_of_an_id_that_was_freed_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made_ahead: list[int] = []
    take = RowsAhead.at

    def taken(self: RowsAhead, position: int) -> TickRows:
        made_ahead.append(position)
        return take(self, position)

    monkeypatch.setattr(RowsAhead, "at", taken)
    figures = made(COUNT)
    load(figures, [row(T0, number="+1"), row(T0 + 1, number="+2"), row(T0 + 2, number="+3")])
    figures.step(T0 + TICK)
    #  one load:  + 10 s '+3'  + 200 s '+3'  + 300 s '+2' '+3'  + 305 s '+1'  + 310 s '+3'
    #  between:                  evict: '+1' (0) and '+2' (1) are freed; '+2' gets 0, '+1' gets 1
    times = [(10_000, "+3"), (200_000, "+3"), (300_000, "+2"), (300_001, "+3"), (305_000, "+1")]
    load(figures, [row(T0 + at, number=name) for at, name in [*times, (310_000, "+3")]])
    figures.step(T0 + 15_000)
    figures.step(T0 + 65_000)
    figures.step(T0 + 75_000)
    figures.step(T0 + 205_000)
    assert made_ahead == [0, 1], "all names were known"
    assert figures.evict({}) == {("number",): [0, 1]}
    for at in (260_000, 265_000, 305_000, 310_000):
        figures.step(T0 + at)
    keys = figures.view("calls", ("number",), "1m").keys
    assert {name: keys.find(name) for name in ("+1", "+2", "+3")} == {"+1": 1, "+2": 0, "+3": 2}
    assert counts(figures) == {("+1",): (1, 1), ("+2",): (1, 1), ("+3",): (1, 1)}
    assert made_ahead == [0, 1], "of names that were freed nothing is known ahead"
    figures.step(T0 + 315_000)
    assert counts(figures) == {("+1",): (1, 1), ("+2",): (1, 1), ("+3",): (2, 1)}


def test_a_name_that_was_refused_may_find_room_later_in_the_same_load() -> None:
    figures = made(COUNT, limits=WindowLimits(keys_max=1))
    load(
        figures,
        [row(T0, number="+1"), row(T0 + 1, number="+2"), row(T0 + 600_000, number="+2")],
    )
    figures.step(T0 + TICK)
    figures.step(T0 + 300_000)
    assert figures.evict({}) == {("number",): [0, 1]}, "and the bucket"
    figures.step(T0 + 605_000)
    assert counts(figures) == {("+2",): (1, 1)}
    assert beyond(figures) == {(("number",), "keys"): 1}

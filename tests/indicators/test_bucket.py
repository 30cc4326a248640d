"""The bucket of all keys that found a scope's table full, beside those that did not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.indicators.compile import IndicatorSet
from monitor.indicators.now_view import AnyView
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, beyond, bucket, load, made, row, run, shown
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

MINUTE, DAY = 60_000, 86_400_000

CALLS = """
  - id: calls
    kind: count
    value: {count: call.ended}
    by: [number, [number, customer]]
    windows: [1m, {calendar: day, tz: UTC}]
  - id: short
    kind: ratio
    hits: {count: call.ended, where: talk_s < 30}
    of: {count: call.ended}
    by: [number]
    windows: [1m]
  - id: longest
    kind: mean
    value: {max: talk_s, on: call.ended}
    by: [number]
    windows: [1m]
  - id: customers
    kind: ratio
    hits: {distinct: customer, on: call.ended}
    of: {count: call.ended}
    by: [number]
    windows: [1m]
"""
TWO = WindowLimits(keys_max=2, pairs_max=3, lateness_ms=LATENESS)


def call(time: int, number: str, talk_s: float = 60.0, customer: str = "k") -> Row:
    return row(time, number=number, talk_s=talk_s, customer=customer)


@pytest.fixture
def full() -> IndicatorSet:
    """Two numbers known, three calls of two more."""
    figures = made(CALLS, limits=TWO)
    calls = [("+1", 60.0), ("+2", 10.0), ("+3", 5.0), ("+4", 80.0), ("+3", 90.0)]
    load(figures, [call(T0 + i, number, talk) for i, (number, talk) in enumerate(calls)])
    figures.step(T0 + TICK)
    return figures


def test_keys_beyond_the_limit_count_together(full: IndicatorSet) -> None:
    assert shown(full, "calls", "number", "1m") == {("+1",): (1, 1), ("+2",): (1, 1)}
    assert bucket(full, "calls", "number", "1m") == (3, 1)
    assert bucket(full, "short", "number", "1m") == (1, 3)
    assert bucket(full, "longest", "number", "1m") == (90_000, 1)
    assert bucket(full, "calls", "number", "day@UTC") == (3, 1)
    assert len(full.key_tables()["number",]) == 2, "it is no key"
    assert beyond(full)[("number",), "keys"] == 3


def test_it_leaves_a_window_as_keys_do(full: IndicatorSet) -> None:
    #  T0 +3 +4 +3      +30 s +5           +65 s            +95 s
    load(full, [call(T0 + 30_000, "+5", 1.0)])
    run(full, T0 + 60_000)
    assert bucket(full, "short", "number", "1m") == (2, 4)
    run(full, T0 + 65_000)
    assert bucket(full, "short", "number", "1m") == (1, 1)
    assert bucket(full, "longest", "number", "1m") == (1_000, 1)
    run(full, T0 + 95_000)
    assert bucket(full, "short", "number", "1m") == (0, 0)
    assert bucket(full, "calls", "number", "day@UTC") == (4, 1)


def test_it_is_let_go_when_nothing_holds_it_and_comes_back_when_needed(full: IndicatorSet) -> None:
    run(full, T0 + DAY + LATENESS + TICK)
    assert full.evict({("number",): {0, 1}})["number",] == [2], "the keys are pinned"
    assert bucket(full, "calls", "number", "1m") is None
    load(full, [call(T0 + 2 * DAY, "+5")])
    run(full, T0 + 2 * DAY + TICK)
    assert bucket(full, "calls", "number", "1m") == (1, 1)
    assert full.evict({("number",): {0, 1}}) == {}


def test_a_key_that_finds_room_later_is_one_of_its_own_from_then_on(full: IndicatorSet) -> None:
    table = full.key_tables()["number",]
    run(full, T0 + 70_000)
    #  The day still holds +1 and +2; they go with it, and +3 is the first to come then.
    run(full, T0 + DAY + LATENESS + TICK)
    full.evict({})
    load(full, [call(T0 + 2 * DAY, "+3"), call(T0 + 2 * DAY + 6_000, "+3")])
    run(full, T0 + 2 * DAY + 2 * TICK)
    assert shown(full, "calls", "number", "1m") == {("+3",): (2, 1)}
    assert (bucket(full, "calls", "number", "1m"), table.other) == (None, None)


def test_rows_of_one_load_may_find_room_after_an_eviction(full: IndicatorSet) -> None:
    later = T0 + 2 * DAY
    load(full, [call(T0 + MINUTE, "+9"), call(later, "+9")])
    run(full, T0 + MINUTE + TICK)
    assert bucket(full, "calls", "number", "day@UTC") == (4, 1)
    run(full, T0 + DAY + LATENESS + TICK)
    full.evict({})
    run(full, later + TICK)
    assert shown(full, "calls", "number", "1m") == {("+9",): (1, 1)}
    assert bucket(full, "calls", "number", "1m") is None


def test_a_real_key_of_that_name_is_another() -> None:
    figures = made(CALLS, limits=TWO)
    load(figures, [call(T0, "other"), call(T0 + 1, "+1")])
    figures.step(T0 + TICK)
    load(figures, [call(T0 + 6_000, "+2"), call(T0 + 7_000, "+2")])
    figures.step(T0 + 2 * TICK)
    assert shown(figures, "calls", "number", "1m") == {("+1",): (1, 1), ("other",): (1, 1)}
    assert bucket(figures, "calls", "number", "1m") == (2, 1)


def test_nobody_judges_it(full: IndicatorSet) -> None:
    """What rules read names known keys alone: what changed, what is new, what has closed."""
    for name, window in (("calls", "1m"), ("short", "1m"), ("calls", "day@UTC")):
        view = full.view(name, ("number",), window)
        assert view.keys.names(view.touched()) == ["+1", "+2"]
        assert view.keys.names(view.fresh()[0]) == ["+1", "+2"]
    run(full, T0 + DAY)
    closed = full.view("calls", ("number",), "day@UTC").closed(T0 + DAY + TICK)
    assert closed is None, "not before the step"
    run(full, T0 + DAY + TICK)
    closed = full.view("calls", ("number",), "day@UTC").closed(T0 + DAY + TICK)
    assert closed is not None
    assert (closed.ids.tolist(), closed.hits.tolist()) == ([0, 1], [1, 1])


def test_different_values_are_not_counted_for_it(full: IndicatorSet) -> None:
    """They would fill the table of pairs, which the known keys need."""
    assert bucket(full, "customers", "number", "1m") is None
    load(full, [call(T0 + 6_000 + i, f"+5{i}", customer=f"k{i}") for i in range(50)])
    load(full, [call(T0 + 11_000, "+1", customer="k2")])
    run(full, T0 + 15_000)
    assert shown(full, "customers", "number", "1m")["+1",] == (2, 2)
    assert ("number",) not in {scope for scope, table in beyond(full) if table == "pairs"}


def test_what_the_configuration_lists_always_finds_room() -> None:
    """However many strangers came first: ours are judged."""
    tight = TWO.model_copy(update={"listed": {"number": frozenset({"+8", "+9"})}})
    figures = made(CALLS, limits=tight)
    load(figures, [call(T0 + i, f"+{i}") for i in range(8)])
    figures.step(T0 + TICK)
    load(figures, [call(T0 + 6_000, "+7"), call(T0 + 6_001, "+8"), call(T0 + 6_002, "+9")])
    figures.step(T0 + 2 * TICK)
    assert shown(figures, "calls", "number", "1m") == {
        ("+0",): (1, 1),
        ("+1",): (1, 1),
        ("+8",): (1, 1),
        ("+9",): (1, 1),
    }
    assert bucket(figures, "calls", "number", "1m") == (7, 1)
    again = made(CALLS, limits=tight)
    again.restore(snapshot(figures))
    assert len(again.key_tables()["number",]) == 4


def test_pairs_have_none(full: IndicatorSet) -> None:
    assert len(shown(full, "calls", ["number", "customer"], "1m")) == 3
    assert full.view("calls", ("number", "customer"), "1m").other is None
    assert beyond(full)[("number", "customer"), "keys"] == 1


def test_customers_alone_have_none_and_as_much_room_as_pairs() -> None:
    figures = made(CALLS.replace("[number, [number, customer]]", "[customer]"), limits=TWO)
    load(figures, [call(T0 + i, "+1", customer=f"c-{i}") for i in range(5)])
    figures.step(T0 + TICK)
    assert len(shown(figures, "calls", "customer", "1m")) == TWO.pairs_max == 3
    assert bucket(figures, "calls", "customer", "1m") is None


SIGNED_IN = """
  - id: signed_in
    kind: count
    value: {seconds_in: agent.state, where: state != 'offline', max_age: 1h}
    by: [agent]
    windows: [30m]
"""


def test_time_in_a_state_goes_to_it_too() -> None:
    figures = made(SIGNED_IN, limits=WindowLimits(keys_max=1))

    def state(time: int, agent: str, now: str) -> Row:
        return row(time, "agent.state", agent=agent, state=now)

    load(figures, [state(T0 + i, agent, "ready") for i, agent in enumerate("abc")])
    load_later = [state(T0 + 12_000, "c", "offline")]
    figures.step(T0 + TICK)
    load(figures, load_later)
    run(figures, T0 + 20_000)
    assert shown(figures, "signed_in", "agent", "30m") == {("a",): (20_000, 1)}
    assert bucket(figures, "signed_in", "agent", "30m") == (19_999 + 11_998, 1)
    assert beyond(figures) == {(("agent",), "keys"): 2}


def totals(figures: IndicatorSet) -> dict[str, tuple[int, int]]:
    """Hits and of over all keys and the bucket, of what can be summed."""
    found = {}
    for view in figures.views():
        # An anchored window begins with a key's own first event: the bucket has none to sum.
        if view.window.endswith("@first"):
            assert view.other is None
        elif len(view.by) == 1 and view.indicator.id in {"answered", "csat", "busy"}:
            name = f"{view.indicator.id} by {view.by} over {view.window}"
            found[name] = _total(view)
    return found


def _total(view: AnyView) -> tuple[int, int]:
    ids = view.keys.living().tolist()
    ids += [] if view.other is None else [view.other]
    hits, of = view.figures(np.array(ids, dtype=np.int64))
    return int(hits.sum()), int(of.sum())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_nothing_is_lost_and_nothing_counts_twice(rows: list[Row], chosen: Choices) -> None:
    """The sums over all keys are those of a table that is never full, at every tick."""
    tight = WindowLimits(keys_max=1, lateness_ms=LATENESS)
    roomy, full = made(YAML, limits=LIMITS), made(YAML, limits=tight)
    tick, number = rows[0]["tick"] - TICK, 0
    for batch in batches(rows, chosen.split):
        load(roomy, batch)
        load(full, batch)
        while waiting := [each["tick"] for each in batch if each["tick"] > tick]:
            dues = [roomy.next_event_tick(tick), full.next_event_tick(tick), *waiting]
            tick, number = min(due for due in dues if due is not None), number + 1
            roomy.step(tick)
            full.step(tick)
            assert totals(full) == totals(roomy)
            if number in chosen.evict:
                full.evict({})
                assert totals(full) == totals(roomy)
        if number % 41 in chosen.restart:
            state = snapshot(full)
            full = made(YAML, limits=tight)
            full.restore(state)
            assert totals(full) == totals(roomy)

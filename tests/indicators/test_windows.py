"""Timelines drawn by hand: what is in a window at its very edges. T0 is a midnight in UTC."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.indicators.compile import IndicatorSet
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, beyond, load, made, row, run, shown

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def count(window: str, extra: str = "") -> str:
    return f"""
  - id: calls
    kind: count
    value: {{count: call.ended}}
    by: [number]
    windows: [{window}]
    {extra}
"""


def at(figures: IndicatorSet, tick: int, window: str) -> int:
    run(figures, tick)
    return shown(figures, "calls", "number", window).get(("+1",), (0, 0))[0]


def calls(figures: IndicatorSet, *times: int) -> None:
    load(figures, [row(time, number="+1") for time in times])


def test_a_row_is_seen_from_the_first_tick_after_its_time() -> None:
    #   T0                T0+5s              T0+10s
    #   |-----------------|------------------|
    #   a                b c
    figures = made(count("30m"))
    calls(figures, T0, T0 + 4_999, T0 + 5_000)
    assert at(figures, T0 + 5_000, "30m") == 2, "the row at exactly T is not before it"
    assert at(figures, T0 + 10_000, "30m") == 3


def test_a_row_leaves_with_its_pane() -> None:
    #   pane 30 s, window 30 m
    #   T0                 T0+30s          …      T0+30m             T0+30m30s
    #   [------ pane ------)                      |                  |
    #   a                 b                       lo = T0: both in   lo = T0 + 30 s: both out
    figures = made(count("30m"))
    calls(figures, T0, T0 + 29_999)
    assert at(figures, T0 + 30 * MINUTE, "30m") == 2, "exactly at lo is in"
    assert at(figures, T0 + 30 * MINUTE + TICK, "30m") == 0, "never longer than the window"
    assert figures.next_event_tick(T0 + 30 * MINUTE + TICK) is None


def test_a_limit_is_exact() -> None:
    #   window 10 m, pane = tick = 5 s
    #   T0            T0+5s              …     T0+10m     T0+10m5s
    #   |-a----------b|c                       |a b c     |c
    figures = made(count("10m", "exact: true"))
    calls(figures, T0 + 1, T0 + 4_999, T0 + 5_000)
    assert at(figures, T0 + 10 * MINUTE, "10m") == 3
    assert at(figures, T0 + 10 * MINUTE + TICK, "10m") == 1, "T0 + 5 s is exactly T - W"
    assert at(figures, T0 + 10 * MINUTE + 2 * TICK, "10m") == 0


def test_a_pane_can_be_set() -> None:
    figures = made(count("10m", "pane: 5m"))
    calls(figures, T0 + 5 * MINUTE - 1, T0 + 5 * MINUTE)
    assert at(figures, T0 + 10 * MINUTE, "10m") == 2
    assert at(figures, T0 + 10 * MINUTE + TICK, "10m") == 1
    assert at(figures, T0 + 15 * MINUTE, "10m") == 1
    assert at(figures, T0 + 15 * MINUTE + TICK, "10m") == 0


def test_a_late_row_is_placed_by_its_time_and_seen_by_its_effective_time() -> None:
    #   window 1 m, pane 5 s
    #   T0          T0+5s      …     T0+58s  T0+60s    T0+65s
    #   |--x (time)-|                 x (eff) |x in     |x out: its pane left
    figures = made(count("1m"))
    load(figures, [row(T0 + 1, eff=T0 + 58_000, number="+1")])
    assert at(figures, T0 + 55_000, "1m") == 0
    assert at(figures, T0 + 60_000, "1m") == 1
    assert at(figures, T0 + 65_000, "1m") == 0


def test_a_row_older_than_the_window_never_enters_but_is_news() -> None:
    figures = made(count("1m"))
    load(
        figures,
        [row(T0, eff=T0 + 65_000, number="+1"), row(T0 + 65_001, eff=T0 + 65_001, number="+2")],
    )
    figures.step(T0 + 70_000)
    assert shown(figures, "calls", "number", "1m") == {("+2",): (1, 1)}
    ids, hits, _ = figures.view("calls", ("number",), "1m").fresh()
    assert figures.view("calls", ("number",), "1m").keys.names(ids) == ["+1", "+2"]
    assert hits.tolist() == [1, 1]


def test_a_window_empties_by_time_alone() -> None:
    figures = made(count("30m"))
    calls(figures, T0)
    figures.step(T0 + TICK)
    # Nothing more comes, and only one tick matters.
    assert figures.next_event_tick(T0 + TICK) == T0 + 30 * MINUTE + TICK
    assert at(figures, T0 + 30 * MINUTE + TICK, "30m") == 0


def midnight(zone: str, year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("Asia/Shanghai", midnight("Asia/Shanghai", 2026, 11, 30), 24),
        ("Asia/Kathmandu", midnight("Asia/Kathmandu", 2026, 11, 30), 24),
        ("Europe/Berlin", midnight("Europe/Berlin", 2026, 3, 29), 23),
        ("America/New_York", midnight("America/New_York", 2026, 11, 1), 25),
    ],
)
def test_a_calendar_day_holds_its_own_rows_whatever_its_length(
    zone: str, start: int, hours: int
) -> None:
    #      start               …                end
    #   y | a                                 b | c          (y yesterday, c tomorrow)
    #     |              T = end: a and b are in; T = end + 5 s: only c
    end = start + hours * HOUR
    figures = made(count(f"{{calendar: day, tz: {zone}}}"))
    key = f"day@{zone}"
    calls(figures, start - 1, start, end - 1, end)
    assert at(figures, start, key) == 1, "yesterday is judged once more at its end"
    assert at(figures, start + TICK, key) == 1
    assert at(figures, end, key) == 2
    assert at(figures, end + TICK, key) == 1
    assert at(figures, end + DAY, key) == 1
    assert at(figures, end + DAY + 2 * HOUR, key) == 0


def test_a_closed_day_takes_late_rows_until_its_figure_is_final() -> None:
    #   lateness 10 min
    #        T0 (midnight)   +5 s          +9 min 59.999      +10 min       +10 min 5 s
    #   a b |                |             c (time: before T0) |             |
    #       T: 2 today       closed: 2                         closed: 3     gone
    figures = made(count("{calendar: day, tz: UTC}"), limits=WindowLimits(lateness_ms=10 * MINUTE))
    view = figures.view("calls", ("number",), "day@UTC")
    late = row(T0 - 1, eff=T0 + 10 * MINUTE - 1, number="+1")
    load(figures, [row(T0 - 2, number="+1"), row(T0 - 1, number="+2"), late])
    figures.step(T0)
    assert view.closed(T0) is None
    figures.step(T0 + TICK)
    closed = view.closed(T0 + TICK)
    assert closed is not None
    assert (closed.start_ms, closed.end_ms) == (T0 - DAY, T0)
    assert view.keys.names(closed.ids) == ["+1", "+2"]
    assert closed.hits.tolist() == [1, 1]
    assert shown(figures, "calls", "number", "day@UTC") == {}
    assert figures.evict({}) == {}, "a closing period holds its keys"
    figures.step(T0 + 10 * MINUTE)
    closed = view.closed(T0 + 10 * MINUTE)
    assert closed is not None
    assert closed.hits.tolist() == [2, 1]
    assert shown(figures, "calls", "number", "day@UTC") == {}
    assert view.closed(T0 + 10 * MINUTE + TICK) is None
    figures.step(T0 + 10 * MINUTE + TICK)
    assert figures.evict({}) == {("number",): [0, 1]}


def test_a_late_row_opens_a_closed_day_that_had_none() -> None:
    figures = made(count("{calendar: day, tz: UTC}"))
    calls(figures, T0 + 1)
    load(figures, [row(T0 - 1, eff=T0 + 7_000, number="+2")])
    figures.step(T0 + TICK)
    figures.step(T0 + 2 * TICK)
    closed = figures.view("calls", ("number",), "day@UTC").closed(T0 + 2 * TICK)
    assert closed is not None
    assert closed.hits.tolist() == [1]
    assert shown(figures, "calls", "number", "day@UTC") == {("+1",): (1, 1)}


# --- states ---------------------------------------------------------------------------------------

SIGNED_IN = """
  - id: signed_in
    kind: count
    value: {seconds_in: agent.state, where: state != 'offline', max_age: 1h}
    by: [agent, team]
    windows: [30m, {calendar: day, tz: UTC}]
"""


def state(time: int, now: str, agent: str = "a", team: str = "x", eff: int | None = None) -> Row:
    return row(time, "agent.state", eff=eff, agent=agent, team=team, state=now)


def seconds(
    figures: IndicatorSet, tick: int, by: str = "agent", window: str = "30m"
) -> dict[str, float]:
    run(figures, tick)
    found = shown(figures, "signed_in", by, window)
    return {key: hits / 1_000 for (key,), (hits, _) in found.items()}


def test_an_open_state_counts_up_to_the_tick() -> None:
    #   T0   +1 s                    +10 s      +13 s
    #        ready ................. T          offline
    figures = made(SIGNED_IN)
    load(figures, [state(T0 + 1_000, "ready"), state(T0 + 13_000, "offline")])
    assert seconds(figures, T0 + 5_000) == {"a": 4.0}
    assert figures.next_event_tick(T0 + 5_000) == T0 + 10_000
    assert seconds(figures, T0 + 10_000) == {"a": 9.0}
    assert seconds(figures, T0 + 15_000) == {"a": 12.0}
    assert seconds(figures, T0 + 20_000) == {"a": 12.0}
    # Panes of 30 s: [T0, T0 + 30 s) leaves after T0 + 30 min.
    assert figures.next_event_tick(T0 + 20_000) == T0 + 30 * MINUTE + TICK
    assert seconds(figures, T0 + 30 * MINUTE + TICK) == {}


def test_a_state_from_before_the_window_counts_from_where_the_window_begins() -> None:
    figures = made(SIGNED_IN)
    load(figures, [state(T0, "ready")])
    for tick in range(T0 + TICK, T0 + 40 * MINUTE, TICK):
        figures.step(tick)
    assert seconds(figures, T0 + 40 * MINUTE) == {"a": 30 * 60.0}
    assert seconds(figures, T0 + 40 * MINUTE + TICK) == {"a": 30 * 60.0 - 25.0}, "lo is 25 s on"


def test_a_lost_sign_out_ends_at_max_age() -> None:
    figures = made(SIGNED_IN)
    load(figures, [state(T0, "ready")])
    tick = T0
    while (due := figures.next_event_tick(tick)) is not None and due <= T0 + HOUR:
        tick = due
        figures.step(tick)
    assert tick == T0 + HOUR
    assert shown(figures, "signed_in", "agent", "day@UTC") == {("a",): (HOUR, 1)}
    assert figures.next_event_tick(tick) == T0 + HOUR + TICK, "a pane of the short window leaves"
    assert seconds(figures, T0 + 2 * HOUR, window="day@UTC") == {"a": 3_600.0}
    # Hours later the agent signs in again.
    load(figures, [state(T0 + 5 * HOUR, "ready")])
    assert seconds(figures, T0 + 5 * HOUR + TICK, window="day@UTC") == {"a": 3_605.0}


@pytest.mark.parametrize(
    ("max_age", "due", "whole"), [("10s", HOUR + TICK, 10.0), ("10001ms", 3 * TICK, 10.001)]
)
def test_nothing_is_due_once_the_age_is_over(max_age: str, due: int, whole: float) -> None:
    figures = made(SIGNED_IN.replace("max_age: 1h", f"max_age: {max_age}").replace("30m", "1h"))
    load(figures, [state(T0, "ready")])
    assert seconds(figures, T0 + 2 * TICK, window="1h") == {"a": 10.0}
    assert figures.next_event_tick(T0 + 2 * TICK) == T0 + due
    assert seconds(figures, T0 + 4 * TICK, window="1h") == {"a": whole}
    # A sign-out after the end of its age takes nothing back.
    late = state(T0 + 3 * TICK, "offline", eff=T0 + 4 * TICK)
    load(figures, [late])
    assert seconds(figures, T0 + 5 * TICK, window="1h") == {"a": whole}


def test_a_late_sign_out_takes_back_what_had_accrued() -> None:
    #   T0        +7 s         +10 s            +11 s (eff)
    #   ready ....|............| T: 10 s        a sign-out at +7 s arrives: 7 s at the next tick
    figures = made(SIGNED_IN)
    load(figures, [state(T0, "ready"), state(T0 + 7_000, "offline", eff=T0 + 11_000)])
    assert seconds(figures, T0 + 10_000) == {"a": 10.0}
    assert seconds(figures, T0 + 15_000) == {"a": 7.0}


def test_a_late_change_of_team_moves_the_time_since() -> None:
    figures = made(SIGNED_IN)
    load(
        figures,
        [state(T0, "ready"), state(T0 + 2_000, "talking", team="y", eff=T0 + 11_000)],
    )
    assert seconds(figures, T0 + 10_000, by="team") == {"x": 10.0}
    assert seconds(figures, T0 + 15_000, by="team") == {"x": 2.0, "y": 13.0}


def test_an_event_older_than_the_current_state_is_ignored() -> None:
    figures = made(SIGNED_IN)
    load(
        figures,
        [state(T0 + 5_000, "ready"), state(T0 + 4_999, "offline", eff=T0 + 6_000)],
    )
    assert seconds(figures, T0 + 10_000) == {"a": 5.0}
    load(figures, [state(T0 + 5_000, "offline", eff=T0 + 11_000)])
    assert seconds(figures, T0 + 15_000) == {}, "one of the same time takes its place"


def test_events_of_one_tick_apply_in_order() -> None:
    figures = made(SIGNED_IN)
    load(
        figures,
        [
            state(T0, "ready"),
            state(T0 + 1_000, "offline"),
            state(T0 + 3_000, "talking"),
            state(T0 + 2_000, "offline", eff=T0 + 3_500),  # older than talking: ignored
            state(T0 + 4_000, "wrap"),
            state(T0 + 500, "ready", agent="b"),
        ],
    )
    assert seconds(figures, T0 + TICK) == {"a": 3.0, "b": 4.5}


def test_time_is_cut_at_midnight() -> None:
    #   T0 - 3 s   T0 (midnight)   +4 s
    #   ready .....|...............|
    figures = made(SIGNED_IN)
    load(figures, [state(T0 - 3_000, "ready"), state(T0 + 4_000, "offline")])
    assert seconds(figures, T0, window="day@UTC") == {"a": 3.0}
    assert seconds(figures, T0 + TICK, window="day@UTC") == {"a": 4.0}
    view = figures.view("signed_in", ("agent",), "day@UTC")
    closed = view.closed(T0 + TICK)
    assert closed is not None
    assert closed.hits.tolist() == [3_000]


def test_a_late_sign_out_before_midnight_mends_the_closed_day_too() -> None:
    figures = made(SIGNED_IN)
    load(figures, [state(T0 - 10_000, "ready"), state(T0 - 8_000, "offline", eff=T0 + 6_000)])
    assert seconds(figures, T0 + TICK, window="day@UTC") == {"a": 5.0}
    closed = figures.view("signed_in", ("agent",), "day@UTC").closed(T0 + TICK)
    assert closed is not None
    assert closed.hits.tolist() == [10_000]
    assert seconds(figures, T0 + 2 * TICK, window="day@UTC") == {}
    closed = figures.view("signed_in", ("agent",), "day@UTC").closed(T0 + 2 * TICK)
    assert closed is not None
    assert closed.hits.tolist() == [2_000]


def test_states_that_are_over_are_forgotten_and_open_ones_hold_their_keys() -> None:
    figures = made(SIGNED_IN, limits=WindowLimits(lateness_ms=0, entities_max=1))
    load(figures, [state(T0, "ready"), state(T0 + 1, "ready", agent="b")])
    assert seconds(figures, T0 + TICK) == {"a": 5.0}
    assert beyond(figures) == {(("agent",), "entities"): 1, (("team",), "entities"): 1}
    assert figures.evict({}) == {("agent",): [1]}, "b was left out, a is open"
    run(figures, T0 + DAY)
    assert figures.evict({}) == {}, "the day is not over"
    run(figures, T0 + DAY + TICK)
    assert figures.evict({}) == {("agent",): [0], ("team",): [0]}
    load(figures, [state(T0 + 2 * DAY, "ready", agent="b")])
    assert seconds(figures, T0 + 2 * DAY + TICK) == {"b": 5.0}
    assert beyond(figures) == {(("agent",), "entities"): 1, (("team",), "entities"): 1}


# --- the smallest, the largest, the different -----------------------------------------------------

OTHERS = """
  - id: shortest
    kind: mean
    value: {min: talk_s, on: call.ended}
    by: [number]
    windows: [1m]
  - id: longest
    kind: mean
    value: {max: talk_s, on: call.ended}
    by: [number]
    windows: [1m]
  - id: customers
    kind: count
    value: {distinct: customer, on: call.ended}
    by: [number]
    windows: [1m]
"""


def test_extremes_and_distinct_values_leave_with_their_panes() -> None:
    #   T0   +1 s  a: 3.5 s k1    +6 s  b: 1.25 s k2    +11 s  c: 2 s k1
    figures = made(OTHERS)
    talks = [(T0 + 1_000, 3.5, "k1"), (T0 + 6_000, 1.25, "k2"), (T0 + 11_000, 2.0, "k1")]
    load(
        figures,
        [row(time, number="+1", talk_s=talk, customer=who) for time, talk, who in talks],
    )
    seen = []
    for tick in (5_000, 10_000, 15_000, 60_000, 65_000, 70_000, 75_000):
        figures.step(T0 + tick)
        seen.append(
            [
                shown(figures, name, "number", "1m").get(("+1",))
                for name in ("shortest", "longest", "customers")
            ]
        )
    assert seen == [
        [(3_500, 1), (3_500, 1), (1, 1)],
        [(1_250, 1), (3_500, 1), (2, 1)],
        [(1_250, 1), (3_500, 1), (2, 1)],
        [(1_250, 1), (3_500, 1), (2, 1)],
        [(1_250, 1), (2_000, 1), (2, 1)],  # a is out; k1 stays by c
        [(2_000, 1), (2_000, 1), (1, 1)],
        [None, None, None],
    ]


def test_a_pair_beyond_the_limit_is_counted_and_left_out() -> None:
    figures = made(OTHERS, limits=WindowLimits(pairs_max=2))
    load(
        figures,
        [row(T0 + place, number="+1", customer=who) for place, who in enumerate("cbaa")],
    )
    figures.step(T0 + TICK)
    assert shown(figures, "customers", "number", "1m") == {("+1",): (2, 1)}
    assert beyond(figures) == {(("number",), "pairs"): 1}
    figures.step(T0 + 65_000)
    figures.evict({})
    load(figures, [row(T0 + 66_000, number="+1", customer="c")])
    figures.step(T0 + 70_000)
    assert shown(figures, "customers", "number", "1m") == {("+1",): (1, 1)}


def test_a_closed_day_keeps_a_late_value_that_the_new_day_has_in_the_same_tick() -> None:
    #   T0 (midnight)   +5 s
    #        |  k today |
    #        |  k late: | its time is before T0. One tick, one pair, two periods.
    figures = made("""
  - id: customers
    kind: count
    value: {distinct: customer, on: call.ended}
    by: [number]
    windows: [{calendar: day, tz: UTC}]
""")
    load(
        figures,
        [
            row(T0 - 60_000, number="+1", customer="before"),
            row(T0 + 1, number="+1", customer="k"),
            row(T0 - 1, eff=T0 + 2, number="+1", customer="k"),
        ],
    )
    run(figures, T0 + TICK)
    assert shown(figures, "customers", "number", "day@UTC") == {("+1",): (1, 1)}
    closed = figures.view("customers", ("number",), "day@UTC").closed(T0 + TICK)
    assert closed is not None
    assert closed.hits.tolist() == [2]

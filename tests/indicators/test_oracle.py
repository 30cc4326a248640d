"""Random streams, every figure at every tick against brute force.

What is random: types, keys, nulls, disorder (effective time after time), gaps of minutes and hours,
where loads are split, where state goes through a snapshot, where keys are evicted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.indicators.compile import IndicatorSet
from monitor.indicators.now_view import AnyView
from monitor.units import parse_duration
from monitor.windows.limits import WindowLimits
from tests.indicators import oracle
from tests.indicators.made import TICK, Row, load, made, row
from tests.indicators.oracle import Figure, First, Local, Rolling, Sliding

pytestmark = pytest.mark.untraced

MINUTE, HOUR = 60_000, 3_600_000
LATENESS = 600_000

YAML = """
  - id: answered
    kind: ratio
    hits: {count: call.ended, where: "outcome == 'answered' and talk_s < 30"}
    of: {count: call.ended, where: outcome == 'answered'}
    by: [number, agent, [number, customer]]
    windows: [30m, 1m, {calendar: day, tz: Europe/Berlin}, {anchored: 7m}]
  - id: limit
    kind: count
    value: {count: [call.ended, message.sent]}
    exact: true
    by: [[number, customer]]
    windows: [10m, {anchored: 10m}, {anchored: 5s}]
  - id: csat
    kind: mean
    value: {mean: score, on: call.rated}
    pane: 1m
    by: [agent]
    windows: [10m, {calendar: week, tz: America/New_York}, {days: 2, tz: America/New_York}]
  - id: shortest
    kind: mean
    value: {min: talk_s, on: call.ended}
    by: [number]
    windows: [15m, {calendar: day, tz: America/New_York}, {days: 3, tz: Europe/Berlin}]
  - id: longest
    kind: mean
    value: {max: talk_s, on: call.ended}
    by: [number]
    windows: [15m, {calendar: month, tz: Asia/Shanghai}]
  - id: reached
    kind: ratio
    hits:
      distinct: customer
      all: [{on: message.sent}, {on: call.ended, where: outcome == 'answered'}]
    of: {distinct: customer, on: [message.sent, call.ended]}
    by: [agent, team]
    windows: [20m, {calendar: day, tz: Asia/Kathmandu}, {days: 2, tz: Asia/Kathmandu}]
  - id: path
    kind: funnel
    entity: customer
    within: 8m
    steps:
      written: {on: message.sent}
      spoken: {on: call.ended, where: outcome == 'answered'}
      again: {on: [call.ended, call.rated]}
    by: [agent, team]
    windows: [20m, {calendar: day, tz: Asia/Kathmandu}, {days: 2, tz: America/New_York}]
  - id: busy
    kind: ratio
    hits: {sum: talk_s, on: call.ended}
    of: {seconds_in: agent.state, where: state != 'offline', max_age: 3m}
    by: [agent, team]
    windows: [5m, 1h, {calendar: day, tz: Europe/Berlin}, {days: 2, tz: Europe/Berlin}]
"""


def is_answered(row: oracle.Row) -> bool:
    return bool(row["type"] == "call.ended" and row["outcome"] == "answered")


def is_call(row: oracle.Row) -> bool:
    return bool(row["type"] == "call.ended")


def is_message(row: oracle.Row) -> bool:
    return bool(row["type"] == "message.sent")


def is_short(row: oracle.Row) -> bool:
    return is_answered(row) and row["talk_s"] is not None and row["talk_s"] < 30


def is_contact(row: oracle.Row) -> bool:
    return is_call(row) or is_message(row)


def is_rated(row: oracle.Row) -> bool:
    return bool(row["type"] == "call.rated" and row["score"] is not None)


def is_spoken(row: oracle.Row) -> bool:
    return bool(row["type"] in {"call.ended", "call.rated"})


def is_on(row: oracle.Row) -> bool:
    return bool(row["type"] == "agent.state" and row["state"] not in {None, "offline"})


FIGURES: dict[str, tuple[Figure, Figure | None]] = {
    "answered": (Figure("count", is_short), Figure("count", is_answered)),
    "limit": (Figure("count", is_contact), None),
    "csat": (Figure("sum", is_rated, "score"), Figure("count", is_rated)),
    "shortest": (Figure("values", is_call, "talk_s"), None),
    "longest": (Figure("values", is_call, "talk_s"), None),
    "reached": (
        Figure("distinct", is_message, "customer", (is_answered,)),
        Figure("distinct", is_contact, "customer"),
    ),
    "path_spoken": (
        Figure("reached", is_message, "customer", (is_answered,), within=8 * MINUTE),
        Figure("distinct", is_message, "customer"),
    ),
    "path_again": (
        Figure("reached", is_message, "customer", (is_answered, is_spoken), within=8 * MINUTE),
        Figure("reached", is_message, "customer", (is_answered,), within=8 * MINUTE),
    ),
    "busy": (Figure("sum", is_call, "talk_s"), Figure("seconds", is_on, max_age=3 * MINUTE)),
}
WINDOWS: dict[tuple[str, str], oracle.Window] = {
    ("answered", "30m"): Sliding(30 * MINUTE, 30_000),
    ("answered", "1m"): Sliding(MINUTE, 5_000),
    ("limit", "10m"): Sliding(10 * MINUTE, 5_000),
    ("csat", "10m"): Sliding(10 * MINUTE, MINUTE),
    ("shortest", "15m"): Sliding(15 * MINUTE, 15_000),
    ("longest", "15m"): Sliding(15 * MINUTE, 15_000),
    ("reached", "20m"): Sliding(20 * MINUTE, 15_000),
    ("path_spoken", "20m"): Sliding(20 * MINUTE, 15_000),
    ("path_again", "20m"): Sliding(20 * MINUTE, 15_000),
    ("busy", "5m"): Sliding(5 * MINUTE, 5_000),
    ("busy", "1h"): Sliding(HOUR, MINUTE),
}


def window_of(view: AnyView) -> oracle.Window:
    period, _, zone = view.window.partition("@")
    if zone == "first":
        return First(parse_duration(period), TICK)
    if zone and period.endswith("d"):
        return Rolling(int(period[:-1]), zone)
    return Local(period, zone) if zone else WINDOWS[view.indicator.id, view.window]


def midnight(zone: str, year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000


# An hour before something that a calendar does. Gaps of 25 hours lead to the next midnight too.
STARTS = tuple(
    at - HOUR
    for at in (
        midnight("Europe/Berlin", 2026, 3, 29),  # a day of 23 hours begins
        midnight("Europe/Berlin", 2026, 10, 25),  # a day of 25 hours begins
        midnight("America/New_York", 2026, 3, 8),  # clocks go forward in two hours
        midnight("America/New_York", 2026, 11, 2),  # a Monday, after a Sunday of 25 hours
        midnight("Asia/Kathmandu", 2026, 11, 30),  # UTC+5:45
        midnight("Asia/Shanghai", 2026, 12, 1),  # a month begins
    )
)


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    clock = draw(st.sampled_from(STARTS))
    rows = []
    for _ in range(draw(st.integers(1, 30))):
        gap = draw(st.sampled_from([0, 0, 1, 999, 2_500, 5_000, 31_000, MINUTE, 7 * MINUTE, HOUR]))
        gap *= draw(st.sampled_from([1, 1, 1, 1, 4, 25])) if gap == HOUR else 1
        clock += gap
        late = draw(st.sampled_from([0, 0, 0, 1, 900, 5_000, 29_999, 3 * MINUTE, LATENESS]))
        agent, team = draw(
            st.sampled_from([("a", "x"), ("b", "x"), ("c", "y"), ("c", None), (None, "y")])
        )
        rows.append(
            row(
                clock - late,
                draw(
                    st.sampled_from(
                        [*["call.ended"] * 3, "message.sent", "call.rated", "agent.state", "spend"]
                    )
                ),
                eff=clock,
                number=draw(st.sampled_from(["+861", "+862", None])),
                customer=draw(st.sampled_from(["k1", "k2", "k3", None])),
                agent=agent,
                team=team,
                outcome=draw(st.sampled_from(["answered", "answered", "busy", None])),
                talk_s=draw(st.sampled_from([0.0, 29.9995, 30.0, 0.0005, 0.0015, 125.25, None])),
                score=draw(st.sampled_from([1.0, 4.2, 5.0, None])),
                state=draw(st.sampled_from(["ready", "talking", "offline", None])),
            )
        )
    return sorted(rows, key=lambda each: (each["eff"], each["time"]))


@dataclass
class Choices:
    """What must not matter."""

    split: frozenset[int]
    restart: frozenset[int]
    evict: frozenset[int]


choices = st.builds(
    Choices,
    st.frozensets(st.integers(0, 40)),
    st.frozensets(st.integers(0, 40), max_size=6),
    st.frozensets(st.integers(0, 40), max_size=6),
)


def batches(rows: list[Row], split: frozenset[int]) -> Iterator[list[Row]]:
    """Whole ticks, cut after the ticks whose number is in ``split``."""
    batch: list[Row] = []
    ticks = sorted({each["tick"] for each in rows})
    for number, tick in enumerate(ticks):
        batch += [each for each in rows if each["tick"] == tick]
        if number in split or tick == ticks[-1]:
            yield batch
            batch = []


def expected(
    view: AnyView, rows: list[Row], tick: int, span: tuple[int, int] | None = None
) -> dict[tuple[str, ...], tuple[int, int]]:
    """(hits, of) of every key that has either, over ``span`` or the window."""
    hits_of, of_of = FIGURES[view.indicator.id]
    window = window_of(view)
    if isinstance(window, First):
        known = [each for each in rows if each["eff"] < tick]
        inside = oracle.since_first((hits_of, of_of), known, view.by, window, tick)
        return {
            key: (hits_of.rows(own), 1 if of_of is None else of_of.rows(own))
            for key, own in inside.items()
        }
    low, high = span or (window_of(view).lo(tick), tick)
    known = [each for each in rows if each["eff"] < tick]
    hits = oracle.between(hits_of, known, view.by, low, high, tick)
    if view.indicator.id in {"shortest", "longest"}:
        best = min if view.indicator.id == "shortest" else max
        return {key: (round(best(found) * 1000), 1) for key, found in hits.items() if found}
    if of_of is None:
        return {key: (value, 1) for key, value in hits.items() if value}
    of = oracle.between(of_of, known, view.by, low, high, tick)
    both = {key: (hits.get(key, 0), of.get(key, 0)) for key in {*hits, *of}}
    return {key: pair for key, pair in both.items() if pair != (0, 0)}


def actual(view: AnyView, ids: Any, hits: Any, of: Any) -> dict[tuple[str, ...], tuple[int, int]]:
    alone = FIGURES[view.indicator.id][1] is None and view.kind == "count"
    return {
        tuple(value for _, value in view.scope(key)): (one, other)
        for key, one, other in zip(ids.tolist(), hits.tolist(), of.tolist(), strict=True)
        if one or (other and not alone)
    }


def compare(figures: IndicatorSet, rows: list[Row], tick: int) -> None:
    for view in figures.views():
        ids = view.keys.living()
        where = f"{view.indicator.id} by {view.by} over {view.window} at {tick}"
        assert actual(view, ids, *view.figures(ids)) == expected(view, rows, tick), where
        window = window_of(view)
        closed = view.closed(tick)
        if isinstance(window, Local):
            end = window.lo(tick)
            if tick > -(-(end + LATENESS) // TICK) * TICK:
                assert closed is None, where
                continue
            start = window.lo(end)
            final = expected(view, rows, tick, (start, end))
            found = {} if closed is None else actual(view, closed.ids, closed.hits, closed.of)
            assert found == final, f"closed period of {where}"
            if closed is not None:
                assert (closed.start_ms, closed.end_ms) == (start, end), where
        else:
            assert closed is None, where


def snapshot(figures: IndicatorSet) -> dict[str, Any]:
    return copy.deepcopy(figures.snapshot())


LIMITS = WindowLimits(lateness_ms=LATENESS)


Shown = dict[str, dict[tuple[str, ...], tuple[int, int]]]


def everything(figures: IndicatorSet) -> Shown:
    """All figures that are not nothing, by view and key."""
    found: Shown = {}
    for view in figures.views():
        ids = view.keys.living()
        name = f"{view.indicator.id} by {view.by} over {view.window}"
        found[name] = actual(view, ids, *view.figures(ids))
    return found


def assert_touched(figures: IndicatorSet, before: Shown) -> None:
    """What is not the same as before is among what the views call touched."""
    for view, (name, now) in zip(figures.views(), everything(figures).items(), strict=True):
        ids = view.touched()
        assert ids.tolist() == sorted(set(ids.tolist()))
        touched = {tuple(value for _, value in view.scope(key)) for key in ids.tolist()}
        changed = {key for key in {*now, *before[name]} if now.get(key) != before[name].get(key)}
        assert changed <= touched, name


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_every_figure_at_every_tick_equals_brute_force(rows: list[Row], chosen: Choices) -> None:
    figures = made(YAML, limits=LIMITS)
    tick, number = rows[0]["tick"] - TICK, 0
    for batch in batches(rows, chosen.split):
        load(figures, batch)
        while waiting := [each["tick"] for each in batch if each["tick"] > tick]:
            due = min(figures.next_event_tick(tick) or waiting[0], *waiting)
            assert due > tick
            if due > tick + TICK:  # nothing changed in the ticks that are skipped
                compare(figures, rows, due - TICK)
            tick, number = due, number + 1
            before = everything(figures)
            figures.step(tick)
            assert_touched(figures, before)
            if tick in waiting or number % 7 == 0:
                compare(figures, rows, tick)
            if number in chosen.evict:
                figures.evict({})
                compare(figures, rows, tick)
        if number % 41 in chosen.restart:
            state = snapshot(figures)
            figures = made(YAML, limits=LIMITS)
            figures.restore(state)
            compare(figures, rows, tick)
    while (last := figures.next_event_tick(tick)) is not None:
        if last - tick > TICK:
            compare(figures, rows, last - TICK)
        tick = last
        figures.step(tick)
    assert not any(everything(figures).values())
    figures.step(tick + LATENESS + TICK)
    figures.evict({})
    assert all(len(table) == 0 for table in figures.key_tables().values())

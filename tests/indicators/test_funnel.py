"""Funnels: steps in order by the same entity, drawn timelines and dense random streams."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.indicators.compile import IndicatorSet
from monitor.indicators.formula import formula
from monitor.indicators.view import ClosedPeriod, View
from monitor.rules.load import loads_rules
from monitor.windows import funnel
from monitor.windows.limits import WindowLimits
from tests.indicators import oracle
from tests.indicators.made import T0, TICK, Row, beyond, indicators, load, made, row, run, shown
from tests.indicators.oracle import Figure, Local, Sliding
from tests.indicators.test_oracle import Choices, batches, choices

MINUTE = 60_000
LATENESS = 60_000
LIMITS = WindowLimits(lateness_ms=LATENESS)

YAML = """
  - id: path
    title: {en: Path, zh: 路径}
    kind: funnel
    entity: customer
    within: 20s
    steps:
      sent: {on: [sms.sent, sms.opened]}
      opened: {on: sms.opened, target: 30%}
      answered: {on: call.ended, where: outcome == 'answered'}
      deal: {on: [deal.won, call.ended]}
    by: [team]
    windows: [1m]
"""


def path(*events: tuple[float, str] | tuple[float, str, float], until: float = 60) -> list[int]:
    """How many reached each of the four steps; events are seconds, type, and when it came."""
    figures = made(YAML, limits=LIMITS)
    rows = [step(*event) for event in events]
    for tick in sorted({each["tick"] for each in rows}):
        load(figures, [each for each in rows if each["tick"] == tick])
        run(figures, tick)
    end = T0 + round(until * 1_000)
    if figures.tick is None or figures.tick < end:
        run(figures, end)
    return reached(figures)


def step(at_s: float, what: str, came_s: float | None = None, who: str = "c", **more: Any) -> Row:
    at = T0 + round(at_s * 1_000)
    eff = None if came_s is None else T0 + round(came_s * 1_000)
    return row(at, what, eff=eff, customer=who, team="x", **{"outcome": "answered"} | more)


def reached(figures: IndicatorSet) -> list[int]:
    steps = [
        shown(figures, f"path_{name}", "team", "1m").get(("x",), (0, 0))
        for name in ("opened", "answered", "deal")
    ]
    return [steps[0][1], *(hits for hits, _ in steps)]


def test_each_step_is_a_ratio_of_those_that_reached_the_one_before() -> None:
    found = made(YAML).views()
    assert [(view.indicator.id, view.kind) for view in found] == [
        ("path_opened", "ratio"),
        ("path_answered", "ratio"),
        ("path_deal", "ratio"),
    ]
    first = next(iter(made(YAML).views())).indicator
    assert first.title == {"en": "Path: opened ÷ sent", "zh": "路径: opened ÷ sent"}
    assert (first.better, float(first.target or 0)) == ("higher", 0.3)
    assert not formula(first).countable


def test_steps_in_order() -> None:
    # s          1       5          9        14
    # ───────────┼───────┼──────────┼────────┼─── T = 60
    #            sent    opened     answered deal
    assert path((1, "sms.sent"), (5, "sms.opened"), (9, "call.ended"), (14, "deal.won")) == [
        *[1, 1, 1, 1]
    ]


def test_one_event_serves_all_the_steps_it_qualifies_for() -> None:
    # Opened is sent as well, and the answered call is what is asked of the last step too.
    assert path((5, "sms.opened"), (9, "call.ended")) == [1, 1, 1, 1]


def test_a_step_before_the_one_before_it_does_not_count() -> None:
    assert path((5, "call.ended"), (9, "sms.opened")) == [1, 1, 0, 0]


def test_the_same_millisecond_is_in_order() -> None:
    assert path((5, "call.ended"), (5, "sms.opened")) == [1, 1, 1, 1]


@pytest.mark.parametrize(("last", "expected"), [(21.0, [1, 1, 1, 1]), (21.001, [1, 1, 0, 0])])
def test_within_reaches_from_the_first_step_to_the_last(last: float, expected: list[int]) -> None:
    assert path((1, "sms.sent"), (2, "sms.opened"), (last, "call.ended")) == (
        # Opened at 2 s is a chain of its own, for it was sent then at the latest.
        [1, 1, 1, 1]
    )
    assert path((1, "sms.opened"), (last, "call.ended")) == expected


def test_a_late_step_counts_where_it_belongs() -> None:
    # comes    5 call          20 opened of 3
    # ─────────┼───────────────┼───
    assert path((5, "call.ended"), (3, "sms.opened", 20)) == [1, 1, 1, 1]
    assert path((5, "call.ended"), (6, "sms.opened", 20)) == [1, 1, 0, 0]


def test_a_chain_leaves_with_its_first_event() -> None:
    # The pane of a minute is a tick. At T = 65 the first event, 4 s, has left; the call has not.
    chain = (4, "sms.opened"), (9, "call.ended")
    assert path(*chain, until=60) == [1, 1, 1, 1]
    assert path(*chain, until=65) == [0, 0, 0, 0]
    # A later beginning of the same chain holds it.
    assert path(*chain, (8, "sms.opened"), until=65) == [1, 1, 1, 1]


def test_the_same_again_changes_nothing() -> None:
    once = [(1, "sms.opened"), (9, "call.ended"), (12, "sms.sent")]
    assert path(*once) == path(*once, *once, *((at, what, 30) for at, what in once))


def test_entities_are_apart_and_those_without_a_name_left_out() -> None:
    figures = made(YAML, limits=LIMITS)
    load(
        figures,
        [
            step(1, "sms.opened", who="a"),
            step(2, "call.ended", who="b"),
            step(3, "sms.opened") | {"customer": None},
        ],
    )
    run(figures, T0 + TICK)
    assert reached(figures) == [1, 1, 0, 0]


def test_pairs_are_bounded() -> None:
    figures = made(YAML, limits=WindowLimits(pairs_max=2, lateness_ms=LATENESS))
    load(figures, [step(1, "sms.opened", who=who) for who in "abcd"])
    run(figures, T0 + TICK)
    assert reached(figures) == [2, 2, 0, 0]
    assert beyond(figures) == {(("team",), "pairs"): 2}
    assert figures.fullest()["pairs"] == (2, 2)


def test_the_events_of_a_pair_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funnel, "EVENTS_MAX", 2)
    figures = made(YAML, limits=LIMITS)
    load(figures, [step(at, "sms.opened") for at in (1, 2, 3, 4)])
    run(figures, T0 + TICK)
    load(figures, [step(1.5, "call.ended", 6), step(3.5, "call.ended", 6)])
    run(figures, T0 + 2 * TICK)
    # 1 and 2 are no longer in order with what comes late: that is left out, and said.
    assert reached(figures) == [1, 1, 1, 1]
    assert beyond(figures) == {(("team",), "pairs"): 1}


def test_another_time_is_another_figure() -> None:
    def fingerprints(text: str) -> list[str]:
        views = made(text).views()
        return [view.hits.fingerprint for view in views if isinstance(view, View)]

    assert len({*fingerprints(YAML), *fingerprints(YAML.replace("20s", "30s"))}) == 6


def test_a_checkpoint_that_knows_no_funnels_leaves_them_fresh() -> None:
    figures = made(YAML, limits=LIMITS)
    load(figures, [step(1, "sms.opened")])
    run(figures, T0 + TICK)
    state = copy.deepcopy(figures.snapshot())
    del state["scopes"]["team"]["funnels"]
    later = made(YAML, limits=LIMITS)
    later.restore(state)
    assert reached(later) == [0, 0, 0, 0]


def test_a_funnel_that_nobody_entered_survives_a_restart() -> None:
    figures = made(YAML, limits=LIMITS)
    load(figures, [step(1, "sms.opened") | {"customer": None}])
    run(figures, T0 + TICK)
    later = made(YAML, limits=LIMITS)
    later.restore(copy.deepcopy(figures.snapshot()))
    assert reached(later) == [0, 0, 0, 0]


def test_rules_name_the_steps() -> None:
    text = """version: 1
rules:
  - {id: few-answer, indicator: path_answered, by: team, window: 1m, levels: {warn: {below: 20%}},
     evidence: {method: raw, min_of: 5}, no_data: hold, notify: {route: r}}
"""
    figures = [view.indicator for view in made(YAML).views()]
    assert loads_rules(text, Path("rules.yaml"), figures).value.rules[0].indicator
    assert [each.id for each in indicators(YAML)] == ["path"]


# --- against brute force --------------------------------------------------------------------------

DENSE = """
  - id: path
    kind: funnel
    entity: customer
    within: 12s
    steps:
      sent: {on: sms.sent}
      opened: {on: [sms.opened, sms.consented]}
      answered: {on: call.ended, where: outcome == 'answered'}
      deal: {on: [deal.won, sms.consented]}
    by: [team, [team, campaign]]
    windows: [15s, 1m, {calendar: day, tz: UTC}]
  - id: exact
    kind: funnel
    entity: customer
    within: 1m
    exact: true
    steps: {opened: {on: sms.opened}, again: {on: sms.opened}, called: {on: call.ended}}
    by: [team]
    windows: [2m]
  - {id: seconds, kind: count, value: {count: call.ended}, by: [team], windows: [{anchored: 1m}]}
"""
TYPES = {
    "sent": ("sms.sent",),
    "opened": ("sms.opened", "sms.consented"),
    "answered": ("call.ended",),
    "deal": ("deal.won", "sms.consented"),
    "o": ("sms.opened",),
    "c": ("call.ended",),
}


def serves(name: str) -> oracle.Test:
    def test(each: oracle.Row) -> bool:
        return each["type"] in TYPES[name] and (name != "answered" or each["outcome"] == "answered")

    return test


def chain(within: int, *names: str) -> Figure:
    first, *others = map(serves, names)
    return Figure("reached", first, "customer", tuple(others), within=within)


PATH = ("sent", "opened", "answered", "deal")
FIGURES = {
    f"path_{PATH[k]}": (chain(12_000, *PATH[: k + 1]), chain(12_000, *PATH[:k])) for k in (1, 2, 3)
} | {
    "exact_again": (chain(MINUTE, "o", "o"), chain(MINUTE, "o")),
    "exact_called": (chain(MINUTE, "o", "o", "c"), chain(MINUTE, "o", "o")),
}
WINDOWS: dict[str, oracle.Window] = {
    "15s": Sliding(15_000, TICK),
    "1m": Sliding(MINUTE, TICK),
    "2m": Sliding(2 * MINUTE, TICK),
    "day@UTC": Local("day", "UTC"),
}


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    clock = T0 + 86_400_000 - draw(st.sampled_from([1_000, 20_000, 90_000]))
    rows: list[Row] = []
    for _ in range(draw(st.integers(1, 40))):
        clock += draw(st.sampled_from([0, 0, 1, 400, 2_000, 5_000, 11_000, 70_000]))
        if rows and draw(st.integers(0, 5)) == 0:  # the same again, as it comes
            again = draw(st.sampled_from(rows))
            if clock - again["time"] <= LATENESS:
                rows.append(again | {"eff": clock, "tick": clock - clock % TICK + TICK})
            continue
        late = draw(st.sampled_from([0, 0, 0, 1, 900, 5_000, 12_000, 29_999, LATENESS]))
        rows.append(
            row(
                clock - late,
                draw(
                    st.sampled_from(
                        ["sms.sent", "sms.opened", "sms.consented", "call.ended", "deal.won"]
                    )
                ),
                eff=clock,
                customer=draw(st.sampled_from(["k1", "k1", "k2", None])),
                team=draw(st.sampled_from(["x", "x", "y", None])),
                campaign=draw(st.sampled_from(["p", "q"])),
                outcome=draw(st.sampled_from(["answered", "answered", "busy", None])),
            )
        )
    return sorted(rows, key=lambda each: (each["eff"], each["time"]))


def told(view: View, closed: ClosedPeriod | None) -> dict[tuple[str, ...], tuple[int, int]]:
    if closed is None:
        return {}
    columns = (closed.ids.tolist(), closed.hits.tolist(), closed.of.tolist())
    return {
        tuple(value for _, value in view.scope(key)): (hits, of)
        for key, hits, of in zip(*columns, strict=True)
        if hits or of
    }


def compare(figures: IndicatorSet, rows: list[Row], tick: int) -> None:
    known = [each for each in rows if each["eff"] < tick]
    for view in figures.views():
        if view.indicator.id == "seconds" or not isinstance(view, View):
            continue
        window, where = WINDOWS[view.window], (view.indicator.id, view.by, view.window, tick)
        hits, of = FIGURES[view.indicator.id]

        def between(low: int, high: int) -> dict[tuple[str, ...], tuple[int, int]]:
            parts = [
                oracle.between(each, known, view.by, low, high, tick)  # noqa: B023
                for each in (hits, of)  # noqa: B023
            ]
            both = {key: (parts[0].get(key, 0), parts[1].get(key, 0)) for key in parts[1]}
            return {key: pair for key, pair in both.items() if pair != (0, 0)}

        lo = window.lo(tick)
        found = shown(figures, view.indicator.id, view.by, view.window)
        assert found == between(lo, tick), where
        closed = view.closed(tick)
        if isinstance(window, Local) and tick <= -(-(lo + LATENESS) // TICK) * TICK:
            final = between(window.lo(lo), lo)
            assert told(view, closed) == final, where


@pytest.mark.untraced
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), choices)
def test_every_step_at_every_tick_equals_brute_force(rows: list[Row], chosen: Choices) -> None:
    figures = made(DENSE, limits=LIMITS)
    tick, number = rows[0]["tick"] - TICK, 0
    for batch in batches(rows, chosen.split):
        load(figures, batch)
        while waiting := [each["tick"] for each in batch if each["tick"] > tick]:
            tick = min(figures.next_event_tick(tick) or waiting[0], *waiting)
            number += 1
            figures.step(tick)
            compare(figures, rows, tick)
            if number in chosen.evict:
                figures.evict({})
                compare(figures, rows, tick)
        if number % 41 in chosen.restart:
            state = copy.deepcopy(figures.snapshot())
            figures = made(DENSE, limits=LIMITS)
            figures.restore(state)
            compare(figures, rows, tick)
    figures.step(tick + 2 * 86_400_000)
    figures.evict({})
    assert all(len(table) == 0 for table in figures.key_tables().values())
    assert figures.fullest()["pairs"][0] == 0


def test_a_window_of_a_funnel_is_covered_by_itself() -> None:
    # What lies before the window makes no chain in it, however long `within` is.
    figures = made(YAML.replace("20s", "7d"), covered_from=T0, limits=LIMITS)
    view = figures.view("path_deal", ("team",), "1m")
    assert (view.horizon_ms, view.covered_at()) == (MINUTE, T0 + MINUTE)
    assert not view.covered(T0 + MINUTE - TICK)
    assert view.covered(T0 + MINUTE)

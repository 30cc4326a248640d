"""The set as the engine and the rules use it: views, skipping, coverage, eviction, reload."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from monitor.events.batch import DIMENSIONS
from monitor.indicators.compile import BEGINNING, IndicatorSet
from monitor.indicators.grouping import _pack
from monitor.windows.limits import WindowLimits
from tests.indicators.made import T0, TICK, Row, frame, indicators, load, made, row, run, shown
from tests.indicators.test_determinism import same
from tests.whole import whole

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

ANSWERED = """
  - id: answered
    kind: ratio
    hits: {count: call.ended, where: outcome == 'answered'}
    of: {count: call.ended}
    by: [number, team, [number, customer]]
    windows: [10m, 1h]
"""
SCORE = """
  - id: csat
    kind: mean
    value: {mean: score, on: call.rated}
    by: [agent]
    windows: [24h]
"""
SPENT = """
  - id: cost_per_deal
    kind: ratio
    hits: {sum: amount, on: spend}
    of: {count: deal.won}
    by: [campaign]
    windows: [24h]
"""
SIGNED_IN = """
  - id: signed_in
    kind: count
    value: {seconds_in: agent.state, where: state != 'offline', max_age: 2h}
    by: [agent]
    windows: [1h]
"""
REACHED = """
  - id: reached
    kind: count
    value: {distinct: customer, on: call.ended}
    by: [team]
    windows: [10m]
"""
LONGEST = """
  - id: longest
    kind: mean
    value: {max: talk_s, on: call.ended}
    by: [number]
    windows: [10m]
"""
ALL = ANSWERED + SCORE + SPENT + SIGNED_IN + REACHED + LONGEST


def call(time: int, number: str | None = "+1", **fields: Any) -> Row:
    given = {"team": "x", "customer": "k", "outcome": "answered", **fields}
    return row(time, number=number, **given)


def test_what_must_be_decoded() -> None:
    figures = made(ALL)
    assert figures.fields == {"outcome", "score", "amount", "state", "customer", "talk_s"}
    assert figures.types == {"call.ended", "call.rated", "spend", "deal.won", "agent.state"}
    assert figures.horizon_ms == DAY
    assert made(SIGNED_IN).horizon_ms == 3 * HOUR
    assert made(ANSWERED.replace("10m, 1h", "{calendar: day, tz: UTC}")).horizon_ms >= 25 * HOUR


def test_a_view_says_what_its_figures_are() -> None:
    figures = made(ALL)
    ratio = figures.view("answered", ("number", "customer"), "10m")
    assert (ratio.kind, ratio.countable, ratio.scale_hits, ratio.scale_of) == ("ratio", True, 1, 1)
    assert (ratio.by, ratio.window, ratio.indicator.id) == (
        ("number", "customer"),
        "10m",
        "answered",
    )
    mean = figures.view("csat", ("agent",), "24h")
    assert (mean.kind, mean.countable, mean.scale_hits, mean.scale_of) == ("mean", False, 1000, 1)
    money = figures.view("cost_per_deal", ("campaign",), "24h")
    assert (money.countable, money.scale_hits, money.scale_of) == (False, 1000, 1)
    seconds = figures.view("signed_in", ("agent",), "1h")
    assert (seconds.kind, seconds.countable, seconds.scale_hits) == ("count", False, 1000)
    assert len(list(figures.views())) == 6 + 5
    assert figures.view("longest", ("number",), "10m").keys is ratio_keys(figures)
    with pytest.raises(KeyError):
        figures.view("answered", ("number",), "30m")


def ratio_keys(figures: IndicatorSet) -> object:
    """All windows and indicators of one scope share one key table."""
    return figures.view("answered", ("number",), "1h").keys


@pytest.mark.parametrize(
    ("hits", "of", "countable"),
    [
        ("count: call.ended, where: talk_s < 3", "count: call.ended", True),
        ("count: call.ended", "count: [call.rated, call.ended]", True),
        ("count: call.ended", "count: call.ended, where: talk_s < 3", False),
        ("count: complaint.filed", "count: call.ended", False),
        ("count: [call.ended, call.rated]", "count: call.ended", False),
        (
            "count: call.ended, where: talk_s < 3 and (ring_s > 1 and need_captured)",
            "count: call.ended, where: need_captured and talk_s < 3",
            True,
        ),
        (
            "count: call.ended, where: talk_s < 3 or ring_s > 1",
            "count: call.ended, where: talk_s < 3",
            False,
        ),
        ("sum: talk_s, on: call.ended", "count: call.ended", False),
        ("count: call.ended", "sum: talk_s, on: call.ended", False),
        ("distinct: customer, on: call.ended", "distinct: customer, on: call.ended", False),
    ],
)
def test_hits_are_countable_when_they_are_surely_among_of(
    hits: str, of: str, countable: bool
) -> None:
    yaml = f"""
  - id: a
    kind: ratio
    hits: {{{hits}}}
    of: {{{of}}}
    by: [number]
    windows: [10m]
"""
    assert made(yaml).view("a", ("number",), "10m").countable is countable


def test_the_same_measure_is_computed_once() -> None:
    twice = ANSWERED + ANSWERED.replace("id: answered", "id: again").replace(
        "where: outcome == 'answered'", "where: \"outcome  ==  ('answered')\""
    )
    figures = made(twice)
    (counters,) = {
        len(window.counters)
        for scope in figures._scopes.values()
        for window in scope.windows.values()
    }
    assert counters == 2


def test_scopes_by_name_and_pairs() -> None:
    figures = made(ANSWERED)
    load(figures, [call(T0, "+2", customer="k1"), call(T0, "+1", customer="k2", outcome="busy")])
    figures.step(T0 + TICK)
    pairs = figures.view("answered", ("number", "customer"), "10m")
    assert [pairs.scope(key) for key in pairs.keys.living().tolist()] == [
        (("number", "+1"), ("customer", "k2")),
        (("number", "+2"), ("customer", "k1")),
    ]
    assert pairs.keys.find("+2\x1fk1") == 1
    assert shown(figures, "answered", "team", "1h") == {("x",): (1, 2)}


def test_rows_without_a_dimension_are_left_out_of_that_scope_and_counted() -> None:
    figures = made(ANSWERED + SIGNED_IN)
    load(
        figures,
        [
            call(T0, team=None),
            call(T0, customer=None),
            call(T0, number=None),
            row(T0, "spend"),
            row(T0, "agent.state", state="ready"),
            row(T0, "agent.state", state="offline"),
        ],
    )
    figures.step(T0 + TICK)
    assert figures.unattributed() == {
        ("number",): 1,
        ("team",): 1,
        ("number", "customer"): 2,
        ("agent",): 2,
    }
    assert shown(figures, "answered", "number", "10m") == {("+1",): (2, 2)}
    assert [len(table) for table in figures.key_tables().values()] == [1, 1, 1, 0]


def test_fresh_is_this_ticks_rows_alone() -> None:
    figures = made(ANSWERED + SPENT)
    view = figures.view("answered", ("number",), "10m")
    money = figures.view("cost_per_deal", ("campaign",), "24h")
    load(
        figures,
        [
            call(T0),
            call(T0 + 1, outcome="busy"),
            call(T0 + 2, "+2", outcome="busy"),
            call(T0 + TICK, "+2"),
            row(T0 + TICK, "spend", campaign="c", amount=0.0),
            row(T0 + TICK, "spend", campaign="d", amount=2.5),
        ],
    )
    assert [each.tolist() for each in view.fresh()] == [[], [], []]
    figures.step(T0 + TICK)
    assert [each.tolist() for each in view.fresh()] == [[0, 1], [1, 0], [2, 1]]
    figures.step(T0 + 2 * TICK)
    assert [each.tolist() for each in view.fresh()] == [[1], [1], [1]]
    assert [each.tolist() for each in view.entered()] == [[1], [1], [1]]
    assert [each.tolist() for each in money.entered()] == [[0, 1], [0, 2_500], [0, 0]], "c as well"
    ids, hits, of = money.fresh()
    assert (money.keys.names(ids), hits.tolist(), of.tolist()) == (["d"], [2_500], [0])
    figures.step(T0 + 3 * TICK)
    assert [each.tolist() for each in view.fresh()] == [[], [], []]
    assert view.touched().tolist() == []


def test_fresh_of_a_count_has_hits_alone() -> None:
    figures = made(
        ANSWERED.replace("kind: ratio", "kind: count")
        .replace("hits:", "value:")
        .replace("    of: {count: call.ended}\n", "")
    )
    load(figures, [call(T0), call(T0, "+2", outcome="busy")])
    figures.step(T0 + TICK)
    view = figures.view("answered", ("number",), "10m")
    assert [each.tolist() for each in view.fresh()] == [[0], [1], [1]]
    assert [each.tolist() for each in view.entered()] == [[0], [1], [1]]


def test_who_found_the_table_full_has_not_entered_as_anybody() -> None:
    figures = made(ANSWERED, limits=WindowLimits(keys_max=1))
    load(figures, [call(T0, "+1"), call(T0, "+2"), call(T0, "+3")])
    figures.step(T0 + TICK)
    view = figures.view("answered", ("number",), "10m")
    assert view.other == 1
    assert [each.tolist() for each in view.entered()] == [[0], [1], [1]]


def test_before_the_first_tick_nothing_has_entered() -> None:
    view = made(ANSWERED).view("answered", ("number",), "10m")
    assert [each.tolist() for each in view.entered()] == [[], [], []]


@pytest.mark.parametrize(
    ("indicator", "by", "window"),
    [("signed_in", "agent", "1h"), ("reached", "team", "10m"), ("longest", "number", "10m")],
)
def test_fresh_makes_no_sense_without_counts(indicator: str, by: str, window: str) -> None:
    view = made(ALL).view(indicator, (by,), window)
    with pytest.raises(ValueError, match="not made of counts"):
        view.fresh()
    with pytest.raises(ValueError, match="not made of counts"):
        view.entered()


def test_touched_are_those_that_entered_or_left() -> None:
    figures = made(ANSWERED)
    short, long = (figures.view("answered", ("number",), window) for window in ("10m", "1h"))
    load(figures, [call(T0), call(T0 + TICK, "+2"), call(T0 + 10 * MINUTE + TICK, "+3")])
    seen = []
    for tick in (T0 + TICK, T0 + 2 * TICK, T0 + 3 * TICK, T0 + 10 * MINUTE + 2 * TICK):
        run(figures, tick)
        seen.append((short.touched().tolist(), long.touched().tolist()))
    # Panes of the short window are 10 s: +1 and +2 leave together.
    assert seen == [([0], [0]), ([1], [1]), ([], []), ([2], [2])]
    assert shown(figures, "answered", "number", "10m") == {("+3",): (1, 1)}


def test_what_leaves_is_touched() -> None:
    figures = made(ANSWERED)
    short, long = (figures.view("answered", ("number",), window) for window in ("10m", "1h"))
    load(figures, [call(T0), call(T0 + TICK, "+2")])
    run(figures, T0 + 10 * MINUTE)
    assert short.touched().tolist() == []
    run(figures, T0 + 10 * MINUTE + TICK)
    assert (short.touched().tolist(), long.touched().tolist()) == ([0, 1], [])


@pytest.mark.parametrize(
    ("yaml", "key", "tick"),
    [
        # The first tick with lo(T) >= covered_from; lo is rounded inward, to a pane.
        (ANSWERED, ("answered", ("number",), "10m"), T0 + 10 * MINUTE - TICK),
        (ANSWERED, ("answered", ("number",), "1h"), T0 + HOUR - MINUTE + TICK),
        (SIGNED_IN, ("signed_in", ("agent",), "1h"), T0 + 3 * HOUR - MINUTE + TICK),
        (
            ANSWERED.replace("10m, 1h", "{calendar: day, tz: UTC}"),
            ("answered", ("number",), "day@UTC"),
            T0 + TICK,
        ),
        (
            ANSWERED.replace("10m, 1h", "{calendar: day, tz: Asia/Kathmandu}"),
            ("answered", ("number",), "day@Asia/Kathmandu"),
            T0 + 18 * HOUR + 15 * MINUTE + TICK,
        ),
    ],
)
def test_a_window_is_warming_until_the_log_covers_it(
    yaml: str, key: tuple[str, tuple[str, ...], str], tick: int
) -> None:
    figures = made(yaml, covered_from=T0)
    view = figures.view(*key)
    assert not view.covered(tick - TICK)
    assert view.covered(tick)
    assert view.covered(tick + DAY)
    # The tick at which a window becomes covered matters, though no row comes.
    ticks, after = [], T0
    while (due := figures.next_event_tick(after)) is not None:
        ticks.append(due)
        after = due
        figures.step(due)
    assert tick in ticks


def test_a_window_that_starts_off_a_pane_is_covered_from_the_next_one() -> None:
    figures = made(ANSWERED, covered_from=T0 + 1)
    view = figures.view("answered", ("number",), "10m")  # panes of 10 s
    assert not view.covered(T0 + 10 * MINUTE)
    assert view.covered(T0 + 10 * MINUTE + TICK)
    assert view.covered_at() == T0 + 10 * MINUTE + TICK


def test_a_complete_log_covers_everything() -> None:
    figures = made(ALL, covered_from=BEGINNING)
    assert all(view.covered(T0) for view in figures.views())
    assert figures.next_event_tick(T0) is None


def test_quiet_ticks_are_skipped() -> None:
    figures = made(ANSWERED)
    load(figures, [call(T0), call(T0 + 3 * HOUR, "+2")])
    ticks, after = [], T0 - DAY
    while (due := figures.next_event_tick(after)) is not None:
        ticks.append(due - T0)
        after = due
        figures.step(due)
    first = [TICK, 10 * MINUTE + TICK, HOUR + TICK]
    assert ticks == first + [3 * HOUR + each for each in first]


def test_ticks_ascend_and_no_row_is_stepped_over() -> None:
    figures = made(ANSWERED)
    load(figures, [call(T0)])
    with pytest.raises(ValueError, match="wait at tick"):
        figures.step(T0 + 2 * TICK)
    with pytest.raises(ValueError, match="loaded rows wait"):
        figures.snapshot()
    with pytest.raises(ValueError, match="was loaded or stepped"):
        load(figures, [call(T0 + 1)])
    figures.step(T0 + TICK)
    with pytest.raises(ValueError, match="is not after"):
        figures.step(T0 + TICK)
    with pytest.raises(ValueError, match="was loaded or stepped"):
        load(figures, [call(T0)])
    load(figures, [])
    assert figures.tick == T0 + TICK


def test_a_released_frame_may_hold_more_than_is_needed() -> None:
    figures = made(ANSWERED)
    more = frame([call(T0)], {*figures.fields, "talk_s"}).with_columns(src=pl.lit(1))
    figures.load(more)
    figures.step(T0 + TICK)
    assert shown(figures, "answered", "team", "10m") == {("x",): (1, 1)}
    assert set(DIMENSIONS) <= set(more.columns)


def test_nothing_is_evicted_before_the_first_tick() -> None:
    assert made(ANSWERED).evict({}) == {}


# --- reload ---------------------------------------------------------------------------------------


def filled(yaml: str) -> IndicatorSet:
    figures = made(yaml)
    load(
        figures,
        [
            call(T0, talk_s=3.0),
            call(T0 + 1, "+2", outcome="busy", talk_s=4.0),
            row(T0, "call.rated", agent="a", score=4.0),
            row(T0, "agent.state", agent="a", state="ready"),
        ],
    )
    run(figures, T0 + 2 * TICK)
    return figures


def reloaded(yaml: str, old: IndicatorSet) -> IndicatorSet:
    new = made(yaml, covered_from=T0 + 2 * TICK)
    new.restore(old.snapshot())
    return new


def test_an_unchanged_set_goes_on_as_if_nothing_had_been() -> None:
    old = filled(ALL)
    new = reloaded(ALL, old)
    assert same(whole(old.snapshot()), whole(new.snapshot()))
    assert all(view.covered(T0 + 2 * TICK) for view in new.views())


def test_a_new_indicator_starts_fresh_beside_the_old_ones() -> None:
    more = ANSWERED.replace("id: answered", "id: short").replace(
        "outcome == 'answered'", "talk_s < 4"
    )
    new = reloaded(ANSWERED + more + SCORE, filled(ANSWERED + SCORE))
    assert shown(new, "answered", "number", "10m") == {("+1",): (1, 1), ("+2",): (0, 1)}
    assert shown(new, "csat", "agent", "24h") == {("a",): (4_000, 1)}
    assert shown(new, "short", "number", "10m") == {("+1",): (0, 1), ("+2",): (0, 1)}
    tick = T0 + 2 * TICK
    assert new.view("answered", ("number",), "10m").covered(tick)
    assert not new.view("short", ("number",), "10m").covered(tick), "its hits are not known"
    assert new.view("short", ("number",), "10m").covered(tick + 10 * MINUTE)
    load(new, [call(tick, talk_s=1.0)])
    run(new, tick + TICK)
    assert shown(new, "short", "number", "10m") == {("+1",): (1, 2), ("+2",): (0, 1)}
    run(new, tick + DAY + HOUR)
    assert not any(shown(new, "short", "number", window) for window in ("10m", "1h"))


def test_a_changed_condition_scope_or_window_starts_fresh() -> None:
    old = filled(ANSWERED)
    tick = T0 + 2 * TICK
    changed = reloaded(ANSWERED.replace("'answered'", "'busy'"), old)
    assert not changed.view("answered", ("number",), "10m").covered(tick)
    other = reloaded(ANSWERED.replace("[number, team,", "[campaign, team,"), old)
    assert not other.view("answered", ("campaign",), "10m").covered(tick)
    assert other.view("answered", ("team",), "10m").covered(tick)
    longer = reloaded(ANSWERED.replace("10m, 1h", "20m, 1h"), old)
    assert not longer.view("answered", ("number",), "20m").covered(tick)
    assert longer.view("answered", ("number",), "1h").covered(tick)
    finer = reloaded(ANSWERED.replace("by:", "pane: 5s\n    by:"), old)
    assert not finer.view("answered", ("number",), "10m").covered(tick)


def test_another_tick_length_starts_over() -> None:
    new = IndicatorSet(
        indicators(ANSWERED, 1_000), tick_ms=1_000, limits=WindowLimits(), covered_from=T0
    )
    new.restore(filled(ANSWERED).snapshot())
    assert new.tick is None
    assert not new.view("answered", ("number",), "1h").covered(T0 + TICK)


def test_a_set_that_never_stepped_restores_to_nothing() -> None:
    new = made(ANSWERED)
    new.restore(made(ANSWERED).snapshot())
    assert new.tick is None


def test_a_new_window_over_known_states_takes_nothing_back_that_it_never_had() -> None:
    #   T0        +10 s (reload)    +11 s: a sign-out at +7 s arrives late
    #   ready ....|...
    new = reloaded(SIGNED_IN.replace("[1h]", "[1h, 30m]"), filled(SIGNED_IN))
    load(new, [row(T0 + 7_000, "agent.state", eff=T0 + 11_000, agent="a", state="offline")])
    run(new, T0 + 3 * TICK)
    assert shown(new, "signed_in", "agent", "1h") == {("a",): (7_000, 1)}
    assert shown(new, "signed_in", "agent", "30m") == {}


def test_a_new_window_over_known_pairs_counts_them_once() -> None:
    new = reloaded(REACHED.replace("[10m]", "[10m, 20m]"), filled(REACHED))
    load(new, [call(T0 + 2 * TICK), call(T0 + 2 * TICK, customer="k2")])
    run(new, T0 + 3 * TICK)
    assert shown(new, "reached", "team", "10m") == {("x",): (2, 1)}
    assert shown(new, "reached", "team", "20m") == {("x",): (2, 1)}
    run(new, T0 + HOUR)
    assert shown(new, "reached", "team", "20m") == {}


def test_a_new_count_of_different_values_can_be_read_before_the_next_event() -> None:
    more = """
  - {id: customers, kind: count, value: {distinct: customer, on: call.ended}, by: [number],
     windows: [10m]}
"""
    new = reloaded(ANSWERED + more, filled(ANSWERED))
    assert shown(new, "customers", "number", "10m") == {}


DAILY = """
  - id: calls
    kind: ratio
    hits: {count: call.ended, where: outcome == 'answered'}
    of: {seconds_in: agent.state, where: state != 'offline'}
    by: [agent]
    windows: [{calendar: day, tz: UTC}]
  - id: longest
    kind: mean
    value: {max: talk_s, on: call.ended}
    by: [agent]
    windows: [{calendar: day, tz: UTC}]
  - id: customers
    kind: count
    value: {distinct: customer, on: call.ended}
    by: [agent]
    windows: [{calendar: day, tz: UTC}]
"""


def test_a_closing_day_survives_a_restart() -> None:
    #   T0 (midnight)   +5 s: closed, snapshot        +6 s: a late call and a late sign-out
    figures = made(DAILY)
    load(
        figures,
        [
            call(T0 - 20_000, agent="a", talk_s=1.0, customer="k1"),
            row(T0 - 20_000, "agent.state", agent="a", state="ready"),
            call(T0 + 1, agent="a", talk_s=9.0, customer="k9"),
        ],
    )
    run(figures, T0 + TICK)
    restored = made(DAILY)
    restored.restore(figures.snapshot())
    late = [
        call(T0 - 3_000, eff=T0 + 6_000, agent="a", talk_s=2.0, customer="k2"),
        row(T0 - 4_000, "agent.state", eff=T0 + 6_000, agent="a", state="offline"),
    ]
    for each in (figures, restored):
        load(each, late)
        run(each, T0 + 2 * TICK)
        found = []
        for view in each.views():
            closed = view.closed(T0 + 2 * TICK)
            assert closed is not None
            found.append((view.indicator.id, closed.hits.tolist(), closed.of.tolist()))
        assert found == [
            ("calls", [2], [16_000]),
            ("longest", [2_000], [1]),
            ("customers", [2], [1]),
        ]
        assert shown(each, "customers", "agent", "day@UTC") == {("a",): (1, 1)}
    assert same(whole(figures.snapshot()), whole(restored.snapshot()))


def test_numbers_and_truth_values_can_be_distinct_too() -> None:
    one = (
        "  - {{id: {0}, kind: count, value: {{distinct: {1}, on: {2}}},"
        " by: [agent], windows: [10m]}}"
    )
    figures = made(
        "\n".join(
            one.format(*each)
            for each in (
                ("levels", "level", "customer.level"),
                ("kinds", "auto", "message.sent"),
                ("prices", "amount", "deal.won"),
            )
        )
    )
    given: list[tuple[str, dict[str, Any]]] = [
        *(("customer.level", {"level": level}) for level in (1, 5, 1, None)),
        *(("message.sent", {"auto": auto}) for auto in (True, False, True)),
        *(("deal.won", {"amount": amount}) for amount in (1.5, 1.5, 2.0)),
    ]
    load(figures, [row(T0, type_, agent="a", **fields) for type_, fields in given])
    figures.step(T0 + TICK)
    for name in ("levels", "kinds", "prices"):
        assert shown(figures, name, "agent", "10m") == {("a",): (2, 1)}


def test_codes_too_large_to_pack_are_made_dense_first() -> None:
    major, minor = np.array([2**40, 0, 2**40, 7]), np.array([2**40, 3, 0, 2**41])
    packed = _pack(major, minor)
    pairs = list(zip(major.tolist(), minor.tolist(), strict=True))
    order = sorted(range(4), key=pairs.__getitem__)
    assert np.argsort(packed).tolist() == order
    assert len(set(packed.tolist())) == 4
    assert packed.max() < 2**62


def test_what_has_not_stepped_hands_on_since_when_it_is_covered() -> None:
    """A reload before the first tick: rows were read, and nothing was judged."""
    old, new = made(ANSWERED), made(ANSWERED, covered_from=T0 + HOUR)
    new.restore(old.snapshot())
    load(new, [row(T0, number="1", team="a", outcome="answered")])
    run(new, T0 + TICK)
    assert new.view("answered", ("number",), "1h").covered(T0 + TICK)

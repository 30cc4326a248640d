"""The rule book on figures set by hand: timelines, levels, evidence, numbers out of service."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decisions import Alert, derive_id
from monitor.rules.episodes import Row
from monitor.rules.evaluate import RuleBook, RuleStep
from monitor.rules.figure_rule import HELD_ENDS_MS
from monitor.rules.model import Rule
from monitor.sealed import plain
from tests.rules.fakes import T0, TICK, FakeSource, FakeView, rule

N = "+862150000007"
Figures = dict[str, tuple[int, int]]


class Bench:
    """A book over one view; ``at`` moves to a tick counted from T0."""

    def __init__(self, *rules: Rule, **source: Any) -> None:
        self.source = FakeSource(**source)
        self.book = RuleBook(rules, self.source, tick_ms=TICK)
        self.view = next(iter(self.source.views.values()))

    def at(
        self,
        n: int,
        figures: Figures | None = None,
        fresh: Figures | None = None,
        held: frozenset[str] = frozenset(),
    ) -> RuleStep:
        self.view.set(figures or {}, fresh)
        return self.book.step(T0 + n * TICK, held)


def said(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    return [(alert.state, alert.level, alert.reason) for alert in alerts]


@pytest.mark.parametrize(
    ("hits", "of", "fires"),
    [
        (3, 10, False),  # 30 %: on the threshold, `above` does not breach
        (4, 10, True),
        (4, 9, False),  # one below min_of
        (300_000_000_001, 1_000_000_000_000, True),
        (300_000_000_000, 1_000_000_000_000, False),
    ],
)
def test_raw_fires_exactly_beyond_the_threshold(hits: int, of: int, fires: bool) -> None:
    bench = Bench(rule())
    assert bool(bench.at(1, {N: (hits, of)}).alerts) is fires


@pytest.mark.parametrize(("hits", "fires"), [(2, False), (3, True), (4, True)])
def test_at_least_includes_the_threshold(hits: int, fires: bool) -> None:
    bench = Bench(rule(levels={"crit": {"at_least": "30%"}}))
    assert bool(bench.at(1, {N: (hits, 10)}).alerts) is fires


@pytest.mark.parametrize(("hits", "fires"), [(2, True), (3, False), (4, False)])
def test_below_points_down(hits: int, fires: bool) -> None:
    bench = Bench(rule(levels={"warn": {"below": "30%"}}))
    assert bool(bench.at(1, {N: (hits, 10)}).alerts) is fires


def test_fixed_point_figures_are_compared_in_their_own_units() -> None:
    # talk seconds in thousandths over signed-in seconds in thousandths; below 40 %
    view = FakeView(countable=False, scale_hits=1000, scale_of=1000)
    level = {"warn": {"below": "40%"}}
    bench = Bench(rule(levels=level, evidence={"method": "raw", "min_of": 60}), views={"30m": view})
    assert not bench.at(1, {N: (24_000, 60_000)}).alerts
    assert not bench.at(2, {N: (1_000, 59_999)}).alerts
    [alert] = bench.at(3, {N: (23_999, 60_000)}).alerts
    assert (alert.figures.hits, alert.figures.of) == (23.999, 60)
    assert alert.figures.value == pytest.approx(23.999 / 60)


def test_pending_recovering_and_back() -> None:
    # tick      1   2   3 … 12  13      14     15  16 … 26   27
    # value     .5  .2  .5 ──────      .25    .5  .25 ────────
    # state     pen ok  pend    firing  recov  fir recov       ok
    bench = Bench(rule(pending={"for": "50s"}, recovering={"for": "60s", "min_of": 20}))
    bad, good = {N: (10, 20)}, {N: (5, 20)}
    assert not bench.at(1, bad).alerts
    assert not bench.at(2, good).alerts
    for n in range(3, 13):
        assert not bench.at(n, bad).alerts, n
    [fired] = bench.at(13, bad).alerts
    assert said([fired]) == [("firing", "crit", "breach")]
    assert fired.since_ms == fired.at_ms == T0 + 13 * TICK
    assert fired.episode == derive_id("number-hangup", f"number={N}", T0 + 13 * TICK)
    assert not bench.at(14, good).alerts
    assert bench.book.states().rules[0].states["recovering"] == 1
    assert not bench.at(15, bad).alerts
    for n in range(16, 28):
        assert not bench.at(n, good).alerts, n
    [over] = bench.at(28, good).alerts
    assert said([over]) == [("resolved", "crit", "recovered")]
    assert over.episode == fired.episode
    assert over.id != fired.id
    assert bench.book.states().rules[0].states["ok"] == 1


def test_recovery_waits_for_enough_below_the_line() -> None:
    bench = Bench(rule(recovering={"for": "5s", "min_of": 20}))
    bench.at(1, {N: (10, 20)})
    assert not bench.at(2, {N: (0, 19)}).alerts
    assert not bench.at(9, {}).alerts
    assert said(bench.at(10, {N: (0, 20)}).alerts) == [("resolved", "crit", "recovered")]


def test_between_clear_and_threshold_nothing_changes() -> None:
    bench = Bench(rule())
    bench.at(1, {N: (31, 100)})
    assert not bench.at(2, {N: (26, 100)}).alerts
    assert said(bench.at(3, {N: (25, 100)}).alerts) == [("resolved", "crit", "recovered")]


def test_levels_escalate_and_relax_within_one_episode() -> None:
    levels = {"warn": {"above": "25%", "clear": "20%"}, "crit": {"above": "30%", "clear": "25%"}}
    bench = Bench(rule(levels=levels, action={"suspend": {"ttl": "30m"}}))
    first = bench.at(1, {N: (26, 100)})
    assert said(first.alerts) == [("firing", "warn", "breach")]
    assert not first.wants
    second = bench.at(2, {N: (31, 100)})
    assert said(second.alerts) == [("firing", "crit", "escalated")]
    assert [want.level for want in second.wants] == ["crit"]
    third = bench.at(3, {N: (25, 100)})
    assert said(third.alerts) == [("firing", "warn", "relaxed")]
    assert not third.wants
    fourth = bench.at(4, {N: (20, 100)})
    assert said(fourth.alerts) == [("resolved", "warn", "recovered")]
    steps = [first, second, third, fourth]
    assert len({step.alerts[0].episode for step in steps}) == 1
    assert len({step.alerts[0].id for step in steps}) == 4


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("hold", []), ("alert", []), ("resolve", [("resolved", "crit", "no_data")])],
)
def test_no_data_on_a_firing_rule(policy: str, expected: list[tuple[str, str, str]]) -> None:
    bench = Bench(rule(no_data=policy, action={"suspend": {"ttl": "30m"}}))
    bench.at(1, {N: (10, 20)})
    step = bench.at(2, {N: (0, 0)})
    assert said(step.alerts) == expected
    assert bool(step.wants) is (policy != "resolve")


def test_missing_data_itself_alerts_and_does_not_act() -> None:
    bench = Bench(rule(no_data="alert", pending={"for": "10s"}, action={"suspend": {"ttl": "30m"}}))
    assert not bench.at(1, {N: (1, 20)}).alerts
    assert not bench.at(2, {N: (0, 0)}).alerts
    step = bench.at(4)
    assert said(step.alerts) == [("firing", "crit", "no_data")]
    assert not step.wants
    # Data comes back bad: now it is a breach by value, and the rule acts.
    for n in (5, 6):
        assert not bench.at(n, {N: (10, 20)}).wants
    step = bench.at(7)
    assert said(step.alerts) == [("firing", "crit", "escalated")]
    assert len(step.wants) == 1
    assert said(bench.at(8, {N: (1, 20)}).alerts) == [("resolved", "crit", "recovered")]


def test_a_scope_never_seen_does_not_alert_for_missing_data() -> None:
    bench = Bench(rule(no_data="alert"))
    assert not bench.at(1, {N: (0, 0)}).alerts


def test_repeats_double_up_to_their_limit_and_stop_while_recovering() -> None:
    notify = {"route": "r", "repeat": "10s", "repeat_max": "40s"}
    bench = Bench(rule(notify=notify, recovering={"for": "1h"}))
    bench.at(0, {N: (10, 20)})
    repeated = [n for n in range(1, 40) if said(bench.at(n).alerts)]
    assert repeated == [2, 6, 14, 22, 30, 38]
    bench.at(40, {N: (0, 20)})
    assert not any(bench.at(n).alerts for n in range(41, 60))
    assert said(bench.at(60, {N: (10, 20)}).alerts) == [("firing", "crit", "repeat")]


def test_a_held_number_is_not_judged_and_its_evidence_starts_again() -> None:
    bench = Bench(rule(evidence={"method": "sequential", "false_alarms": "1 per 1 scope-days"}))
    held = frozenset({N})
    for n in range(1, 400):
        step = bench.at(n, {N: (n, n)}, {N: (1, 1)}, held)
        assert not step.alerts
    fired = next(n for n in range(400, 500) if bench.at(n, {N: (n, n)}, {N: (1, 1)}).alerts)
    fresh = Bench(rule(evidence={"method": "sequential", "false_alarms": "1 per 1 scope-days"}))
    alone = next(n for n in range(400, 500) if fresh.at(n, {N: (n, n)}, {N: (1, 1)}).alerts)
    assert fired == alone


def test_the_desk_ends_the_episode_and_a_new_breach_is_a_new_one() -> None:
    bench = Bench(rule(action={"suspend": {"ttl": "30m"}}))
    [fired] = bench.at(1, {N: (10, 20)}).alerts
    closed = bench.book.close(fired.episode, T0 + TICK, "suspended")
    assert closed is not None
    assert said([closed]) == [("resolved", "crit", "suspended")]
    assert bench.book.close(fired.episode, T0 + TICK, "suspended") is None
    assert not bench.at(2, {N: (11, 20)}, held=frozenset({N})).alerts
    [again] = bench.at(3, {N: (12, 20)}).alerts
    assert again.episode != fired.episode


def test_other_episodes_of_a_number_out_of_service_wait_and_then_end() -> None:
    bench = Bench(rule(notify={"route": "r", "repeat": "5s"}))
    held = frozenset({N})
    bench.at(1, {N: (10, 20)})
    last = 2 + HELD_ENDS_MS // TICK
    for n in range(2, last):
        assert not bench.at(n, {N: (0, 20)}, held=held).alerts
    assert bench.book.next_event_tick(T0 + 3 * TICK) == T0 + last * TICK
    assert said(bench.at(last, held=held).alerts) == [("resolved", "crit", "suspended")]


def test_a_frozen_episode_goes_on_when_the_number_was_not_taken_out_after_all() -> None:
    bench = Bench(rule(action={"suspend": {"ttl": "30m"}}))
    [first] = bench.at(1, {N: (10, 20)}).wants
    assert not bench.at(2, held=frozenset({N})).wants
    [again] = bench.at(3).wants
    assert again.episode == first.episode


def test_a_pending_breach_of_a_held_number_is_dropped() -> None:
    bench = Bench(rule(pending={"for": "20s"}))
    bench.at(1, {N: (10, 20)})
    bench.at(2, held=frozenset({N}))
    bench.at(3, {N: (11, 20)})
    assert not bench.at(6).alerts
    assert bench.at(7).alerts


def test_exceptions_match_on_all_the_dimensions_they_name() -> None:
    entries = [{"name": "hotline", "number": [N]}]
    bench = Bench(rule(**{"except": entries}))
    step = bench.at(1, {N: (10, 10), "+862150000008": (10, 10)})
    assert [dict(alert.scope)["number"] for alert in step.alerts] == ["+862150000008"]


def test_a_rule_on_a_figure_is_judged_in_its_term_alone() -> None:
    bench = Bench(rule(effective_from=T0 + 2 * TICK, effective_to=T0 + 4 * TICK))
    assert bench.at(1, {N: (10, 20)}).alerts == []
    began = bench.at(2)
    assert [alert.reason for alert in began.alerts] == ["breach"], "what is bad already counts"
    over = bench.at(4)
    assert [(alert.state, alert.reason) for alert in over.alerts] == [("resolved", "rule_over")]
    assert bench.at(5, {N: (10, 20)}).alerts == []


def test_shadow_decides_the_same_and_says_so() -> None:
    acting = {"suspend": {"ttl": "30m", "backoff": "double", "ttl_max": "24h"}}
    bench = Bench(rule(status="shadow", action=acting))
    step = bench.at(1, {N: (10, 20)})
    assert [alert.shadow for alert in step.alerts] == [True]
    [want] = step.wants
    assert (want.shadow, want.ttl_ms, want.backoff, want.ttl_max_ms) == (
        True,
        1_800_000,
        "double",
        86_400_000,
    )


def test_a_rule_that_is_off_does_nothing_and_is_still_shown() -> None:
    bench = Bench(rule(), rule(id="other", status="off"))
    step = bench.at(1, {N: (10, 20)})
    assert [alert.rule for alert in step.alerts] == ["number-hangup"]
    assert [standing.status for standing in bench.book.states().rules] == ["active", "off"]


def test_decisions_come_by_severity_then_scope() -> None:
    warn = rule(id="a-warn", levels={"warn": {"above": "10%"}})
    crit = rule(id="z-crit", action={"suspend": {"ttl": "30m"}})
    bench = Bench(warn, crit)
    step = bench.at(1, {"+3": (9, 10), "+1": (9, 10), "+2": (9, 10)})
    assert [(alert.rule, dict(alert.scope)["number"]) for alert in step.alerts] == [
        ("z-crit", "+1"),
        ("z-crit", "+2"),
        ("z-crit", "+3"),
        ("a-warn", "+1"),
        ("a-warn", "+2"),
        ("a-warn", "+3"),
    ]
    assert [want.number for want in step.wants] == ["+1", "+2", "+3"]


def test_a_window_is_judged_from_the_tick_that_the_log_covers_it() -> None:
    # covered from tick 5 on; the figures came before and do not change at 5
    bench = Bench(rule(), views={"30m": FakeView(covered_from=T0 + 5 * TICK)})
    for n in range(1, 5):
        assert not bench.at(n, {N: (10, 20)}).alerts
    assert bench.book.states().rules[0].states["warming"] == 1
    assert bench.book.next_event_tick(T0 + TICK) == T0 + 5 * TICK
    assert bench.at(5).alerts


def test_a_long_window_joins_in_when_it_is_covered() -> None:
    short = FakeView(window="30m")
    long = FakeView(window="4h", keys=short.keys, covered_from=T0 + 3 * TICK)
    bench = Bench(rule(window=None, windows=["30m", "4h"]), views={"30m": short, "4h": long})
    long.set({N: (40, 100)})
    assert not bench.at(1, {N: (3, 9)}).alerts
    assert not bench.at(2).alerts
    assert [alert.figures.window for alert in bench.at(3).alerts] == ["4h"]


def test_the_shortest_window_with_enough_is_judged_and_shown() -> None:
    short = FakeView(window="30m")
    views = {"30m": short, "4h": FakeView(window="4h", keys=short.keys)}
    bench = Bench(rule(window=None, windows=["30m", "4h"]), views=views)
    views["4h"].set({N: (40, 100)})
    [alert] = bench.at(1, {N: (3, 9)}).alerts  # 30m is one short of min_of
    assert (alert.figures.window, alert.figures.hits) == ("4h", 40)
    # Now the short window has enough and is good: it settles it, whatever 4h says.
    views["4h"].set({N: (41, 101)})
    assert said(bench.at(2, {N: (2, 10)}).alerts) == [("resolved", "crit", "recovered")]


def test_messages_are_filled_with_what_is_known() -> None:
    message = {"en": "{number} {value:%} ({hits}/{of}) in {window}: {level}", "zh": "{value:.2f}"}
    bench = Bench(rule(message=message))
    [alert] = bench.at(1, {N: (1, 3 * 10**0), "+1": (20, 60)}).alerts
    assert alert.message == {"en": "+1 33.33% (20/60) in 30m: crit", "zh": "0.33"}


def test_eviction_unpins_what_is_over_and_forgets_the_rest() -> None:
    bench = Bench(rule())
    bench.at(1, {N: (10, 20), "+1": (0, 20)})
    assert bench.book.pinned() == {("number",): {0}}
    bench.view.keys.release([1])
    bench.book.forget({("number",): [1]})
    assert bench.book.states().rules[0].states == {
        "warming": 0,
        "ok": 0,
        "insufficient": 0,
        "pending": 0,
        "firing": 1,
        "recovering": 0,
    }


def test_a_changed_rule_ends_its_episodes_and_an_unchanged_one_goes_on() -> None:
    kept, changed = rule(id="kept"), rule(id="changed")
    bench = Bench(kept, changed)
    bench.at(1, {N: (10, 20)})
    state = bench.book.snapshot()
    reworded = rule(id="kept", message={"en": "new words"}, notify={"route": "elsewhere"})
    book = RuleBook(
        [reworded, rule(id="changed", levels={"crit": {"above": "60%", "clear": "25%"}})],
        bench.source,
        tick_ms=TICK,
    )
    book.restore(state)
    assert book.next_event_tick(T0 + TICK) == T0 + 2 * TICK
    bench.view.set({})
    first = book.step(T0 + 2 * TICK, set())
    assert [(alert.rule, alert.reason) for alert in first.alerts] == [("changed", "rule_changed")]
    assert [alert.rule for alert in book.states().alerts] == ["kept"]


def test_an_orphan_survives_a_second_restart() -> None:
    bench = Bench(rule())
    bench.at(1, {N: (10, 20)})
    middle = RuleBook([], bench.source, tick_ms=TICK)
    middle.restore(bench.book.snapshot())
    last = RuleBook([], bench.source, tick_ms=TICK)
    last.restore(middle.snapshot())
    assert said(last.step(T0 + 2 * TICK, set()).alerts) == [("resolved", "crit", "rule_changed")]
    assert not last.step(T0 + 3 * TICK, set()).alerts


SEQUENTIAL = {"method": "sequential", "false_alarms": "1 per 1 scope-days"}


def test_at_least_goes_on_while_the_value_is_on_the_threshold() -> None:
    bench = Bench(rule(levels={"crit": {"at_least": "30%"}}))
    bench.at(1, {N: (3, 10)})
    assert not bench.at(2, {N: (6, 20)}).alerts
    assert said(bench.at(3, {N: (5, 20)}).alerts) == [("resolved", "crit", "recovered")]


def test_evidence_does_not_fire_on_a_value_that_has_let_go() -> None:
    bench = Bench(rule(evidence=SEQUENTIAL))
    for n in range(1, 60):
        assert not bench.at(n, {N: (25, 100 + n)}, {N: (1, 1)}).alerts
    [alert] = bench.at(60, {N: (260, 1000)}, {N: (1, 1)}).alerts
    assert alert.evidence.method == "sequential"
    assert alert.evidence.score >= alert.evidence.needed == 1


def test_after_an_episode_the_evidence_starts_again() -> None:
    bench = Bench(rule(evidence=SEQUENTIAL))
    for n in range(1, 50):
        bench.at(n, {N: (n, n)}, {N: (1, 1)})
    # The window lets go although the last 49 groups were all bad: the episode is over.
    assert bench.at(50, {N: (0, 200)}).alerts
    assert not bench.at(51, {N: (90, 100)}, {N: (1, 1)}).alerts
    assert next(n for n in range(52, 99) if bench.at(n, {N: (90, n)}, {N: (1, 1)}).alerts) > 56


def test_what_relaxes_must_be_proven_again_to_escalate() -> None:
    levels = {
        "warn": {"above": "20%", "evidence": {"method": "raw"}},
        "crit": {"above": "30%", "clear": "28%"},
    }
    bench = Bench(rule(levels=levels, evidence=SEQUENTIAL))
    told = [said(bench.at(n, {N: (90 + n, 200)}, {N: (1, 1)}).alerts) for n in range(1, 60)]
    assert [alerts for alerts in told if alerts] == [
        [("firing", "warn", "breach")],
        [("firing", "crit", "escalated")],
    ]
    assert said(bench.at(60, {N: (50, 200)}).alerts) == [("firing", "warn", "relaxed")]
    assert not bench.at(61, {N: (90, 200)}).alerts


def test_each_level_recovers_for_its_own_time() -> None:
    # value    .50   .22 ───────────  .10 ──────────
    # state    crit  recovering  warn recovering     ok
    # tick     1     2   3   4        5    6    7
    levels = {"warn": {"above": "20%", "clear": "15%"}, "crit": {"above": "30%", "clear": "25%"}}
    bench = Bench(rule(levels=levels, recovering={"for": "10s"}))
    values = {1: 50, 2: 22, 5: 10}
    told = [
        said(bench.at(n, {N: (values[n], 100)} if n in values else {}).alerts) for n in range(9)
    ]
    assert told[4] == [("firing", "warn", "relaxed")]
    assert told[5] == told[6] == []
    assert told[7] == [("resolved", "warn", "recovered")]


def test_what_a_calm_row_shows_is_of_now_and_of_the_level_that_fires() -> None:
    levels = {
        "warn": {"above": "20%", "evidence": {"method": "raw", "min_of": 10}},
        "crit": {"above": "30%", "clear": "28%", "evidence": {"method": "raw", "min_of": 20}},
    }
    bench = Bench(rule(levels=levels))

    def shown() -> tuple[float | None, float, float]:
        [state] = bench.book.snapshot()["rules"].values()
        [entry] = plain(state["state"]["rows"])
        row = Row.restore(entry["row"])
        return row.figures.value, row.evidence.score, row.evidence.needed

    bench.at(1, {N: (50, 100)})
    assert shown() == (0.5, 100, 20)
    bench.at(2, {N: (51, 102)})
    bench.at(3, {N: (60, 150)})  # its state is what it was; what it shows is not
    assert shown() == (0.4, 150, 20)
    assert said(bench.at(4, {N: (50, 200)}).alerts) == [("firing", "warn", "relaxed")]
    bench.at(5, {N: (55, 250)})
    bench.at(6, {N: (56, 250)})
    assert shown() == (0.224, 250, 10)


def test_wilson_fires_when_its_bound_is_beyond_and_hits_are_enough() -> None:
    wilson = {"method": "wilson", "confidence": "99%", "min_hits": 3}
    bench = Bench(rule(evidence=wilson))
    assert not bench.at(1, {N: (2, 2)}).alerts  # the bound is 27 %; two hits are not three anyway
    assert bench.book.states().rules[0].states["insufficient"] == 1
    [alert] = bench.at(2, {N: (4, 5)}).alerts
    assert alert.evidence.score == pytest.approx(0.31622, abs=1e-4)
    assert alert.evidence.needed == pytest.approx(0.3)


def test_wilson_below_counts_the_misses() -> None:
    wilson = {"method": "wilson", "confidence": "99%", "min_hits": 3}
    bench = Bench(rule(levels={"crit": {"below": "30%"}}, evidence=wilson))
    assert not bench.at(1, {N: (0, 2)}).alerts
    [alert] = bench.at(2, {N: (0, 30)}).alerts
    assert alert.evidence.score == pytest.approx(0.153, abs=1e-3)


def test_pairs_are_held_by_their_number() -> None:
    by = ("number", "customer")
    view = FakeView(by=by, window="24h", kind="count", countable=False)
    bench = Bench(
        rule(by=list(by), window="24h", levels={"warn": {"above": 2}}, evidence=None, no_data=None),
        views={"24h": view},
        by=by,
    )
    pairs: Figures = {"+1\x1fc": (3, 1), "+2\x1fc": (3, 1)}
    [alert] = bench.at(1, pairs, held=frozenset({"+1"})).alerts
    assert alert.scope == (("number", "+2"), ("customer", "c"))
    assert alert.figures.value == 3
    assert alert.evidence.method == "raw"


def test_an_agents_rule_does_not_care_which_numbers_are_held() -> None:
    view = FakeView(by=("agent",))
    bench = Bench(rule(by="agent"), views={"30m": view}, by=("agent",))
    assert bench.at(1, {"a": (10, 20)}, held=frozenset({"a"})).alerts
    assert bench.book.next_event_tick(T0 + TICK) is None

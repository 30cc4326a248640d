"""The rule book against an interpreter of the same rules, one scope and tick at a time.

The interpreter is written from the description, with exact fractions and plain dicts, without the
table and without arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decisions import Alert
from monitor.rules.evaluate import RuleBook
from monitor.rules.model import Rule
from tests.rules.fakes import T0, TICK, FakeSource, FakeView, rule

pytestmark = pytest.mark.untraced

KEYS = ("+1", "+2")
Tick = tuple[dict[str, tuple[int, int]], frozenset[str]]
Heard = tuple[int, str, str, str, str]


@dataclass
class Scope:
    """One number, as the interpreter remembers it."""

    figures: tuple[int, int] = (0, 0)
    level: int | None = None
    since: dict[str, int] = field(default_factory=dict)
    clear: int | None = None
    held: int | None = None
    seen: bool = False
    by_value: bool = True
    recovering: bool = False


class Interpreter:
    """Raw evidence, one window, two levels above."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.levels = list(rule.levels.items())
        self.scopes = {key: Scope() for key in KEYS}

    def step(
        self, n: int, figures: dict[str, tuple[int, int]], held: frozenset[str]
    ) -> list[Heard]:
        heard: list[Heard] = []
        for key in KEYS:
            scope = self.scopes[key]
            changed = key in figures and figures[key] != scope.figures
            scope.figures = figures.get(key, scope.figures)
            busy = scope.level is not None or bool(scope.since)
            if key in held:
                heard += self.out_of_service(n, key, scope)
                continue
            scope.held = None
            if changed or busy:
                heard += self.judge(n, key, scope)
        return heard

    def out_of_service(self, n: int, key: str, scope: Scope) -> list[Heard]:
        if scope.level is None:
            scope.since = {}
            return []
        scope.held = n if scope.held is None else scope.held
        if (n - scope.held) * TICK < 300_000:
            return []
        return [self.over(n, key, scope, "suspended")]

    def over(self, n: int, key: str, scope: Scope, reason: str) -> Heard:
        level = self.levels[scope.level or 0][0]
        self.scopes[key] = Scope(figures=scope.figures, seen=True)
        return (n, key, "resolved", level, reason)

    def judge(self, n: int, key: str, scope: Scope) -> list[Heard]:  # noqa: C901, PLR0911 - told in one go
        hits, of = scope.figures
        policy = self.rule.no_data
        conditions = self.conditions(scope)
        for name in list(scope.since):
            if not conditions.get(name):
                del scope.since[name]
        for name, holds in conditions.items():
            if holds:
                scope.since.setdefault(name, n)
        wait = self.rule.pending.for_ms
        due = {name for name, began in scope.since.items() if (n - began) * TICK >= wait}
        worst = max((i for i, (name, _) in enumerate(self.levels) if name in due), default=None)
        scope.seen = scope.seen or of > 0
        if scope.level is None:
            if worst is None and "no_data" not in due:
                return []
            scope.level, scope.by_value = worst or 0, of > 0
            return [(n, key, "firing", self.levels[scope.level][0], "breach" if of else "no_data")]
        if of == 0:
            return [self.over(n, key, scope, "no_data")] if policy == "resolve" else []
        value = Fraction(hits, of)
        let_go = [value <= (level.fixed_clear or level.bound or 0) for _, level in self.levels]
        scope.clear = (n if scope.clear is None else scope.clear) if let_go[scope.level] else None
        if worst is not None and (worst > scope.level or not scope.by_value):
            scope.level, scope.by_value, scope.recovering = worst, True, False
            return [(n, key, "firing", self.levels[worst][0], "escalated")]
        recovering = self.rule.recovering
        if scope.clear is None or of < recovering.min_of:
            return []
        if (n - scope.clear) * TICK < recovering.for_ms:
            return []
        if scope.level == 1 and not let_go[0]:
            scope.level, scope.clear = 0, None
            return [(n, key, "firing", self.levels[0][0], "relaxed")]
        return [self.over(n, key, scope, "recovered")]

    def conditions(self, scope: Scope) -> dict[str, bool]:
        hits, of = scope.figures
        least = getattr(self.rule.evidence, "min_of", 1)
        missing = of == 0 and self.rule.no_data == "alert" and scope.level is None
        found = {"no_data": missing and (scope.seen or "no_data" in scope.since)}
        for name, level in self.levels:
            found[name] = of >= max(least, 1) and Fraction(hits, of) > (level.bound or 0)
        return found


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    warn = {"above": "20%", **draw(st.sampled_from([{}, {"clear": "10%"}]))}
    crit = {"above": "40%", **draw(st.sampled_from([{}, {"clear": "30%"}]))}
    levels: dict[str, Any] = {"warn": warn, "crit": crit}
    if draw(st.booleans()):
        del levels[draw(st.sampled_from(["warn", "crit"]))]
    return rule(
        levels=levels,
        evidence={"method": "raw", "min_of": draw(st.integers(1, 4))},
        pending={"for": draw(st.sampled_from(["0s", "5s", "12s"]))},
        recovering={
            "for": draw(st.sampled_from(["0s", "5s", "12s"])),
            "min_of": draw(st.integers(1, 5)),
        },
        no_data=draw(st.sampled_from(["hold", "resolve", "alert"])),
    )


figures = st.integers(0, 10).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
ticks = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(KEYS), figures, max_size=2),
        st.frozensets(st.sampled_from(KEYS), max_size=2) | st.just(frozenset[str]()),
    ),
    max_size=60,
)


def heard(alerts: list[Alert]) -> list[Heard]:
    return sorted(
        ((a.at_ms - T0) // TICK, a.scope[0][1], a.state, a.level, a.reason) for a in alerts
    )


@given(made=rules(), story=ticks)
@settings(max_examples=100, deadline=None)
def test_the_book_decides_as_the_description_says(made: Rule, story: list[Tick]) -> None:
    source = FakeSource({"30m": FakeView()})
    book, oracle = RuleBook([made], source, tick_ms=TICK), Interpreter(made)
    for n, (seen, held) in enumerate(story):
        source.views["30m"].set(seen)
        step = book.step(T0 + n * TICK, held)
        assert heard(step.alerts) == sorted(oracle.step(n, seen, held)), n


sequences = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(KEYS), figures, max_size=2),
        st.dictionaries(st.sampled_from(KEYS), figures, max_size=2),
        st.frozensets(st.sampled_from(KEYS), max_size=1),
    ),
    max_size=50,
)


def everything(**changes: Any) -> list[Rule]:
    """Rules that use all the state there is."""
    sequential = {"method": "sequential", "false_alarms": "20 per 1 scope-days"}
    levels = {
        "warn": {"above": "20%", "clear": "10%", "evidence": {"method": "wilson", "min_hits": 1}},
        "crit": {"above": "30%", "clear": "25%"},
    }
    acting = {"suspend": {"ttl": "30m"}}
    notify = {"route": "r", "repeat": "10s", "repeat_max": "20s"}
    return [
        rule(id="one", levels=levels, evidence=sequential, action=acting, **changes),
        rule(id="two", pending={"for": "7s"}, recovering={"for": "11s"}, notify=notify),
        rule(id="three", no_data="alert", levels={"warn": {"below": "10%"}}),
    ]


@given(story=sequences, cut=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_a_restart_in_between_changes_nothing(
    story: list[tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]], frozenset[str]]],
    cut: int,
) -> None:
    source = FakeSource({"30m": FakeView(covered_from=T0 + 2 * TICK)})
    whole = RuleBook(everything(), source, tick_ms=TICK)
    parted = RuleBook(everything(), source, tick_ms=TICK)
    for n, (seen, fresh, held) in enumerate(story):
        if n == cut:
            state = parted.snapshot()
            parted = RuleBook(everything(), source, tick_ms=TICK)
            parted.restore(state)
        source.views["30m"].set(seen, fresh)
        one, two = (book.step(T0 + n * TICK, held) for book in (whole, parted))
        assert one == two
        after = T0 + n * TICK
        assert whole.next_event_tick(after) == parted.next_event_tick(after)
        if n % 7 == 3:
            for episode in sorted(alert.episode for alert in one.alerts):
                closed = [book.close(episode, after, "suspended") for book in (whole, parted)]
                assert closed[0] == closed[1]
    assert whole.states() == parted.states()


@given(made=rules(), story=ticks)
@settings(max_examples=40, deadline=None)
def test_quiet_ticks_can_be_left_out(made: Rule, story: list[Tick]) -> None:
    # One book judges every tick; the other those with news, and those it asked for itself.
    source = FakeSource({"30m": FakeView(covered_from=T0 + 3 * TICK)})
    every = RuleBook([made], source, tick_ms=TICK)
    some = RuleBook([made], source, tick_ms=TICK)
    told: list[list[Heard]] = [[], []]
    due: int | None = None
    for n in range(5 * len(story)):
        now = T0 + n * TICK
        news, held = story[n // 5] if n % 5 == 0 else ({}, frozenset[str]())
        held = story[n // 5][1]
        source.views["30m"].set(news)
        told[0] += heard(every.step(now, held).alerts)
        if n % 5 == 0 or (due is not None and due <= now):
            told[1] += heard(some.step(now, held).alerts)
        due = some.next_event_tick(now)
    assert told[0] == told[1]

"""Many rules in one book do as each does in a book of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monitor.rules.episodes import order_alert, order_want
from monitor.rules.evaluate import RuleBook
from monitor.rules.model import Rule
from monitor.sealed import plain
from tests.rules.fakes import T0, TICK, FakeSource, FakeView, rule

pytestmark = pytest.mark.untraced

TICKS = 150
KEYS = [f"+86215000{n:04}" for n in range(30)]
BAD = 3
"""So many keys are bad, some of the time."""


def rules() -> list[Rule]:
    """So many with evidence that groups wait, and of the other kinds a few."""
    sequential = {"method": "sequential", "false_alarms": "500 per 1 scope-days"}
    notify = {"route": "r", "repeat": "30s", "repeat_max": "60s"}
    made = [
        rule(
            id=f"rate-{n}",
            levels={"crit": {"above": f"{30 + n}%", "clear": f"{20 + n}%"}},
            evidence={**sequential, "false_alarms": f"{1 + n % 3} per 1000 scope-days"},
            pending={"for": f"{n % 4 * 5}s"},
            recovering={"for": f"{n % 5 * 10}s", "min_of": 1 + n % 2},
            no_data=["hold", "resolve", "alert"][n % 3 if n % 7 == 0 else 0],
            **({"notify": notify} if n % 2 else {}),
            **({"action": {"suspend": {"ttl": "30m"}}} if n % 5 == 0 else {}),
        )
        for n in range(24)
    ]
    both = {"warn": {"above": "20%"}, "crit": {"above": "45%", "clear": "40%"}}
    below = {"crit": {"below": "20%", "clear": "30%"}}
    made += [
        rule(id="two-levels", levels=both, evidence=sequential),
        rule(id="below", levels=below, evidence=sequential, no_data="resolve"),
        rule(id="windows", windows=["30m", "24h"], window=None, evidence=sequential),
        rule(id="raw", levels=both),
        rule(id="wilson", evidence={"method": "wilson"}, notify=notify),
        rule(id="excepted", evidence=sequential, except_=[{"number": KEYS[0]}]),
    ]
    terms = {"effective_from": T0 + 20 * TICK, "effective_to": T0 + 90 * TICK}
    return [*made, rule(id="for-a-while", evidence=sequential, **terms)]


class Story:
    """Traffic of some keys, tick by tick, over two windows of a few ticks."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.source = FakeSource(
            {name: FakeView(window=name, covered_from=T0 + at * TICK) for name, at in COVERED}
        )
        keys = self.source.views["30m"].keys
        for view in self.source.views.values():
            view.keys = keys
        self.rows: list[dict[str, tuple[int, int]]] = []
        self.held: frozenset[str] = frozenset()

    def tick(self) -> None:
        """One further."""
        n = len(self.rows)
        row: dict[str, tuple[int, int]] = {}
        quiet = n % 40 > 34
        for place, key in enumerate(KEYS):
            if not quiet and self.random.random() < 0.4:
                of = int(self.random.integers(1, 60 if n % 11 == 0 else 6))
                bad = place < BAD and n % 50 < 30
                row[key] = int(self.random.binomial(of, 0.8 if bad else 0.15)), of
        self.rows.append(row)
        for (name, _), length in zip(COVERED, (12, 40), strict=True):
            held = [each.get(key, (0, 0)) for key in KEYS for each in self.rows[-length:]]
            table = np.array(held).reshape(len(KEYS), -1, 2).sum(axis=1)
            pairs = {key: (int(h), int(o)) for key, (h, o) in zip(KEYS, table, strict=True)}
            self.source.views[name].set(pairs, row)
        if n % 13 == 0:
            self.held = frozenset(self.random.choice(KEYS[:6], 2)) if n % 26 else frozenset()


COVERED = (("30m", 3), ("24h", 9))
"""Windows, and the tick from which on they are covered."""


def evidence(book: RuleBook) -> dict[str, Any]:
    """All that the rules of a book remember, by rule."""
    saved = book.snapshot()["rules"].values()
    return {
        each["id"]: [
            plain(each["state"]["rows"]),
            each["state"]["resting"],
            {level: one["m"].tobytes() for level, one in each["state"]["evidence"].items()},
        ]
        for each in saved
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("looks", [True, False], ids=["looked at", "left alone"])
def test_the_book_of_all_decides_as_the_books_of_one(seed: int, *, looks: bool) -> None:
    story, made = Story(seed), rules()
    one = RuleBook(made, story.source, tick_ms=TICK)
    alone = [RuleBook([each], story.source, tick_ms=TICK) for each in made]
    heard = 0
    for n in range(TICKS):
        story.tick()
        now = T0 + n * TICK
        if looks and n % 33 == 32:  # a restart
            state, one = one.snapshot(), RuleBook(made, story.source, tick_ms=TICK)
            one.restore(state)
        step, steps = one.step(now, story.held), [book.step(now, story.held) for book in alone]
        assert step.alerts == sorted((a for each in steps for a in each.alerts), key=order_alert)
        assert step.wants == sorted((w for each in steps for w in each.wants), key=order_want)
        heard += len(step.alerts)
        ticks = [book.next_event_tick(now) for book in alone]
        assert one.next_event_tick(now) == min((at for at in ticks if at is not None), default=None)
        if n % 17 == 16:
            for alert in step.alerts[:2]:
                ended = [book.close(alert.episode, now, "cleared") for book in alone]
                assert one.close(alert.episode, now, "cleared") == next(filter(None, ended), None)
        if n % 60 == 59:
            gone: dict[tuple[str, ...], list[int]] = {("number",): [0, 7, 20]}
            for book in (one, *alone):
                book.forget(gone)
        if looks:
            states = {s.rule: s for book in alone for s in book.states().rules}
            assert {s.rule: s for s in one.states().rules} == states
    assert heard > 100
    assert evidence(one) == {k: v for book in alone for k, v in evidence(book).items()}

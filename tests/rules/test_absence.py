"""Rules on absence: idle agents, customers nobody called."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.decisions import Alert
from monitor.rules import waits
from monitor.rules.evaluate import RuleBook
from monitor.rules.model import Rule
from tests.rules.fakes import T0, TICK, FakeSource, rule

pytestmark = pytest.mark.untraced

IDLE: dict[str, Any] = {
    "id": "idle-agent",
    "indicator": None,
    "window": None,
    "evidence": None,
    "by": "agent",
    "absent": {"count": "call.ended", "where": "talk_s >= 120"},
    "for": "20s",
    "while": "state != 'offline'",
    "no_data": "resolve",
    "levels": {"warn": {}},
    "message": {"en": "waits {waited}"},
}
CLAIM = {
    "id": "claimed",
    "by": ["agent", "customer"],
    "while": {"on": "customer.claimed", "until": ["customer.released", "deal.won"]},
}
SCHEMA = {
    "type": pl.String,
    "tick": pl.Int64,
    "time": pl.Int64,
    "agent": pl.String,
    "customer": pl.String,
    "number": pl.String,
    "talk_s": pl.Float64,
    "state": pl.String,
}
Event = dict[str, Any]


def idle(**changes: Any) -> Rule:
    return rule(**{**IDLE, **changes})


def state(time: int, state: str, agent: str | None = "a", tick: int | None = None) -> Event:
    """Event at ``time`` seconds after T0; it comes with the tick after, or with ``tick``."""
    return event(time, "agent.state", tick, agent=agent, state=state)


def call(time: int, agent: str = "a", tick: int | None = None, talk_s: float = 120.0) -> Event:
    return event(time, "call.ended", tick, agent=agent, talk_s=talk_s)


def call_of(time: int) -> Event:
    return event(time, "call.ended", agent="a", customer="k", talk_s=120.0)


def event(time: int, kind: str, tick: int | None = None, **fields: Any) -> Event:
    at = T0 + time * 1000
    known = {"agent": None, "customer": None, "number": None, "talk_s": None, "state": None}
    due = at - at % TICK + TICK if tick is None else T0 + tick * 1000
    return {**known, "type": kind, "time": at, "tick": due, **fields}


def rows(events: list[Event]) -> pl.DataFrame:
    ordered = sorted(events, key=lambda each: (each["tick"], each["time"]))
    return pl.DataFrame(ordered, schema=SCHEMA)


def book(*rules: Rule) -> RuleBook:
    return RuleBook(rules, FakeSource(), tick_ms=TICK)


Told = tuple[int, str, str, str]
"""Seconds after T0, the scope's last value, state, reason."""


def told(alerts: list[Alert]) -> list[Told]:
    return [
        (
            (each.at_ms - T0) // 1000,
            each.scope[-1][1] if each.scope else "",
            each.state,
            each.reason,
        )
        for each in alerts
    ]


def played(
    mine: RuleBook,
    events: list[Event],
    until: int,
    *,
    held: frozenset[str] = frozenset(),
    every: bool = False,
) -> list[Told]:
    """All alerts up to ``until`` seconds, at the ticks the book asks for and those with rows."""
    mine.load(rows(events))
    due = {each["tick"] for each in events}
    tick = T0
    heard: list[Told] = []
    while True:
        asked = [tick for tick in [mine.next_event_tick(tick)] if tick is not None]
        later = [*asked, *(each for each in due if each > tick), *([tick + TICK] if every else [])]
        if not later or min(later) > T0 + until * 1000:
            return heard
        tick = min(later)
        heard += told(mine.step(tick, held).alerts)


def test_an_agent_who_takes_no_call_is_idle() -> None:
    events = [state(1, "ready"), call(3), state(60, "offline")]
    assert played(book(idle()), events, 100) == [
        (25, "a", "firing", "breach"),
        (65, "a", "resolved", "cleared"),
    ]


def test_just_in_time_is_in_time() -> None:
    """At the tick of 20 s nothing had come for 19.999 s; at that of 25 s the call had."""
    late = event(0, "agent.state", agent="a", state="ready") | {"time": T0 + 1, "tick": T0 + TICK}
    assert played(book(idle()), [late, call(21)], 40) == []
    assert played(book(idle()), [late, call(20, tick=30)], 28) == [(25, "a", "firing", "breach")]


def test_the_call_that_was_missed_ends_it() -> None:
    events = [state(0, "ready"), call(31), call(42)]
    assert played(book(idle()), events, 70) == [
        (20, "a", "firing", "breach"),
        (35, "a", "resolved", "recovered"),
        (65, "a", "firing", "breach"),
    ]


def test_a_late_call_that_was_long_ago_ends_nothing() -> None:
    events = [state(0, "ready"), call(2, tick=35)]
    assert played(book(idle()), events, 40) == [(20, "a", "firing", "breach")]


def test_a_late_word_of_the_state_does_not_undo_a_newer_one() -> None:
    events = [state(10, "ready"), state(4, "offline", tick=20)]
    assert played(book(idle()), events, 35) == [(30, "a", "firing", "breach")]


def test_a_late_word_of_what_has_ended_begins_nothing() -> None:
    events = [state(1, "ready"), state(10, "offline"), state(5, "break", tick=20)]
    assert played(book(idle()), events, 60) == []


def test_a_claim_that_comes_after_its_deal_takes_nobody_back() -> None:
    def crm(time: int, kind: str, tick: int | None = None) -> Event:
        return event(time, kind, tick, agent="a", customer="k")

    mine = book(idle(**CLAIM, order="customer.release"))
    late = crm(55, "customer.claimed", tick=70)
    mine.load(rows([crm(50, "customer.claimed"), crm(60, "deal.won"), late]))
    steps = [mine.step(T0 + second * 1000, frozenset()) for second in range(5, 121, 5)]
    assert [order for each in steps for order in each.orders] == []


def test_who_was_heard_of_no_more_before_the_term_does_not_wait_in_it() -> None:
    lasting = {"on": "agent.state", "where": "state != 'offline'", "max_age": "45s"}
    mine = book(idle(**{"while": lasting, "effective_from": "2027-01-15T08:01:40Z"}))
    assert played(mine, [state(1, "ready")], 95) == []
    assert mine.marks() == (0, 0)


def test_states_that_come_and_go_leave_nothing_behind() -> None:
    kept = waits.Waits(20_000, None)
    for turn in range(20_000):
        kept.hold(("a",), T0 + turn * 1000)
        kept.over(("a",), T0 + turn * 1000 + 500)
    assert len(kept._heap) < 3_000


def test_a_call_that_does_not_count_is_none() -> None:
    events = [state(0, "ready"), call(10, talk_s=119.9)]
    assert played(book(idle()), events, 25) == [(20, "a", "firing", "breach")]


def test_nobody_is_idle_who_is_not_there() -> None:
    assert played(book(idle()), [call(1), state(2, "offline"), state(3, "ready", None)], 90) == []


def test_a_break_and_back_waits_from_the_return() -> None:
    events = [state(0, "ready"), state(11, "offline"), state(12, "ready")]
    assert played(book(idle()), events, 50) == [(35, "a", "firing", "breach")]


def test_a_state_goes_on_through_others_that_pass() -> None:
    events = [state(0, "ready"), state(11, "break"), state(12, "wrap")]
    assert played(book(idle()), events, 50) == [(20, "a", "firing", "breach")]


def test_pairs_begin_and_end_with_events() -> None:
    def crm(time: int, kind: str) -> Event:
        return event(time, kind, agent="a", customer="k")

    events = [crm(0, "customer.claimed"), crm(31, "deal.won"), crm(40, "customer.claimed")]
    mine = book(idle(**CLAIM))
    assert mine.fields == {"agent", "customer", "talk_s"}
    assert mine.types == {"call.ended", "customer.claimed", "customer.released", "deal.won"}
    assert played(mine, events, 60) == [
        (20, "k", "firing", "breach"),
        (35, "k", "resolved", "cleared"),
        (60, "k", "firing", "breach"),
    ]


def test_what_was_not_called_is_taken_back() -> None:
    def claim(time: int) -> Event:
        return event(time, "customer.claimed", agent="a", customer="k")

    mine = book(idle(**CLAIM, order="customer.release"))
    mine.load(rows([claim(0), call_of(30), claim(40)]))
    orders = [mine.step(T0 + second * 1000, frozenset()).orders for second in range(5, 66, 5)]
    [first, second] = [order for each in orders for order in each]
    assert (first.action, first.customer, first.at_ms) == ("customer.release", "k", T0 + 20_000)
    assert (second.at_ms, second.shadow) == (T0 + 50_000, False)
    assert first.id != second.id
    wire = first.to_wire()
    assert (wire["agent"], wire["customer"], wire["command_id"]) == ("a", "k", first.id)


def test_a_wave_takes_nobody_back() -> None:
    mine = book(idle(**CLAIM, order="customer.release", wave="2/1m"))
    claims = [event(0, "customer.claimed", agent="a", customer=name) for name in "klm"]
    mine.load(rows(claims))
    steps = [mine.step(T0 + second * 1000, frozenset()) for second in (5, 20)]
    assert len(steps[1].alerts) == 1
    assert steps[1].orders == []


def test_only_a_rule_by_customer_may_order() -> None:
    with pytest.raises(ValidationError, match="must be by customer"):
        idle(order="customer.release")


def test_nothing_heard_for_the_longest_time_ends_it() -> None:
    lasting = {"on": "agent.state", "where": "state != 'offline'", "max_age": "1m"}
    mine = book(idle(**{"while": lasting}))
    assert played(mine, [state(0, "ready")], 200) == [
        (20, "a", "firing", "breach"),
        (60, "a", "resolved", "no_data"),
    ]
    assert mine.marks() == (0, 0)


def test_who_holds_waits_on_until_something_is_heard() -> None:
    lasting = {"on": "agent.state", "where": "state != 'offline'", "max_age": "1m"}
    mine = book(idle(**{"while": lasting, "no_data": "hold"}))
    assert played(mine, [state(0, "ready"), call(100)], 200) == [
        (20, "a", "firing", "breach"),
        (105, "a", "resolved", "recovered"),
    ]


def test_it_says_how_long_each_time_it_says_it() -> None:
    mine = book(idle(notify={"route": "r", "repeat": "1m"}))
    mine.load(rows([state(1, "ready")]))
    said = [mine.step(T0 + second * 1000, frozenset()).alerts for second in (5, 25, 85)]
    assert [[alert.message["en"] for alert in alerts] for alerts in said] == [
        [],
        ["waits 24s"],
        ["waits 1m 24s"],
    ]
    assert said[1][0].figures.value == 24
    assert (said[1][0].evidence.method, said[1][0].evidence.needed) == ("absence", 20)


def test_a_number_out_of_service_is_not_awaited() -> None:
    held = frozenset({"+1"})
    seen = {"on": "call.started", "max_age": "1h"}
    mine = book(idle(by="number", **{"while": seen}))
    mine.load(rows([event(0, "call.started", number="+1")]))
    heard = [
        told(mine.step(T0 + second * 1000, held if 25 <= second < 45 else frozenset()).alerts)
        for second in range(5, 80, 5)
    ]
    assert [each for alerts in heard for each in alerts] == [
        (20, "+1", "firing", "breach"),
        (25, "+1", "resolved", "suspended"),
        (65, "+1", "firing", "breach"),
    ], "it is back at 45"


def test_many_at_once_are_one_wave_and_end_with_it() -> None:
    mine = book(idle(wave="2/1m"))
    events = [state(0, "ready", agent) for agent in "abc"]
    events += [state(50, "offline", agent) for agent in "abc"]
    heard = played(mine, events, 100)
    assert [each[2:] for each in heard] == [("firing", "breach"), ("resolved", "recovered")]
    assert mine.folded()["idle-agent"] == 3


def test_what_people_close_waits_anew() -> None:
    mine = book(idle())
    mine.load(rows([state(0, "ready")]))
    mine.step(T0 + 5_000, frozenset())
    [alert] = mine.step(T0 + 20_000, frozenset()).alerts
    assert mine.close(alert.episode, T0 + 20_000, "closed") is not None
    assert mine.next_event_tick(T0 + 20_000) == T0 + 40_000
    assert told(mine.step(T0 + 40_000, frozenset()).alerts) == [(40, "a", "firing", "breach")]


def test_out_of_its_term_it_listens_and_says_nothing() -> None:
    iso = ["2027-01-15T08:00:30Z", "2027-01-15T08:00:50Z"]  # T0 + 30 s, T0 + 50 s
    mine = book(idle(effective_from=iso[0], effective_to=iso[1]))
    assert played(mine, [state(0, "ready")], 90) == [
        (30, "a", "firing", "breach"),
        (50, "a", "resolved", "rule_over"),
    ]


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "WAITS_MAX", 2)
    mine = book(idle())
    heard = played(mine, [state(0, "ready", agent) for agent in "abc"], 30)
    assert [each[1] for each in heard] == ["a", "b"]
    assert mine.marks() == (2, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"for": None}, "say how long nothing may come"),
        ({"while": None}, "say while what"),
        ({"while": {"on": "customer.claimed"}}, "never end"),
        ({"while": {"on": "deal.won", "until": "deal.won"}}, "end what it begins"),
        ({"while": {"on": "agent.state", "max_age": "20s"}}, "never fire"),
        ({"while": {"on": "agent.state", "max_age": "0s"}}, "longer than nothing"),
        ({"recovering": {"for": "1m"}}, "leave `recovering` out"),
        ({"pending": {"for": "1m"}}, "leave `pending` out"),
        ({"window": "30m"}, "no window"),
        ({"levels": {"warn": {"above": 3}}}, "no threshold"),
        ({"levels": {"warn": {}, "crit": {}}}, "one level"),
        ({"event": {"on": "number.flagged"}}, "one of them"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        idle(**changes)


def test_for_and_while_are_for_absence_alone() -> None:
    with pytest.raises(ValidationError, match="go with `absent` only"):
        rule(**{"for": "30m"})


# --- against the definition, scope by scope and tick by tick --------------------------------------


class Interpreter:
    """One agent, as the description says: every tick, every event told by then, the newest word."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.told: int | None = None
        self.ended: int | None = None
        self.since = 0
        """Of what waits, or of what came last before it ended."""
        self.fires = False
        self.heard: list[Told] = []

    def step(self, tick: int, events: list[Event]) -> None:
        for each in events:
            if each["type"] == "agent.state":
                self.hear(tick, each["time"], on=each["state"] != "offline")
        calls = [each["time"] for each in events if each["type"] == "call.ended"]
        self.since = max([self.since, *calls])
        if self.told is None:
            return
        too_long = tick - self.since >= 20_000
        if self.fires and not too_long:
            self.end(tick, "recovered")
        if tick - self.told >= 45_000:
            self.told = None
            self.end(tick, "no_data")
        elif too_long and not self.fires:
            self.fires = True
            self.heard.append(((tick - T0) // 1000, self.agent, "firing", "breach"))

    def hear(self, tick: int, time: int, *, on: bool) -> None:
        if on and self.told is not None:
            self.told = max(self.told, time)
        elif on and (self.ended is None or time >= self.ended):
            # What came before is known of a scope that waited before.
            self.since = time if self.ended is None else max(self.since, time)
            self.told, self.ended = time, None
        elif not on and self.told is not None and time >= self.told:
            self.told, self.ended = None, time
            self.end(tick, "cleared")
        elif not on and self.told is None and self.ended is not None:
            self.ended = max(self.ended, time)

    def end(self, tick: int, reason: str) -> None:
        if self.fires:
            self.fires = False
            self.heard.append(((tick - T0) // 1000, self.agent, "resolved", reason))


def expected(events: list[Event], until: int) -> list[Told]:
    heard: list[Told] = []
    for agent in ("a", "b"):
        mine = sorted(
            (each for each in events if each["agent"] == agent),
            key=lambda each: (each["tick"], each["time"]),
        )
        one = Interpreter(agent)
        for tick in range(T0 + TICK, T0 + until * 1000 + 1, TICK):
            one.step(tick, [each for each in mine if each["tick"] == tick])
        heard += one.heard
    return heard


seconds = st.integers(0, 120)
agents = st.sampled_from(["a", "b"])
delays = st.sampled_from([0, 0, 0, 10, 30])
some_events = st.lists(
    st.tuples(seconds, agents, st.sampled_from(["ready", "offline", "call"]), delays),
    max_size=14,
    unique_by=lambda each: (each[0], each[1]),
)


@settings(max_examples=300, deadline=None)
@given(some_events, st.integers(0, 150), st.booleans(), st.booleans())
def test_it_is_what_the_description_says(
    drawn: list[tuple[int, str, str, int]], cut: int, every: bool, restart: bool
) -> None:
    events = []
    for second, agent, what, delay in drawn:
        tick = (second + delay) // 5 * 5 + 5
        made = call(second, agent, tick) if what == "call" else state(second, what, agent, tick)
        events.append(made)
    lasting = {"on": "agent.state", "where": "state != 'offline'", "max_age": "45s"}
    mine = book(idle(**{"while": lasting, "wave": "1000/1m"}))
    boundary = T0 + cut // 5 * 5_000
    first = [each for each in events if each["tick"] <= boundary]
    heard = played(mine, first, (boundary - T0) // 1000, every=every)
    if restart:
        saved = mine.snapshot()
        mine = book(idle(**{"while": lasting, "wave": "1000/1m"}))
        mine.restore(saved)
    later = [each for each in events if each["tick"] > boundary]
    mine.load(rows(later))
    for tick in range(boundary + TICK, T0 + 301_000, TICK):
        if (
            every
            or tick in {each["tick"] for each in later}
            or mine.next_event_tick(tick - TICK) == tick
        ):
            heard += told(mine.step(tick, frozenset()).alerts)
    assert sorted(heard) == sorted(expected(events, 300))

"""Rules on other rules: all of them, or any."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.decisions import Alert, Evidence
from monitor.rules.check import check_rules
from monitor.rules.evaluate import RuleBook
from monitor.rules.model import Rule
from tests.rules.fakes import T0, TICK, FakeSource, FakeView, rule

pytestmark = pytest.mark.untraced

FLAG: dict[str, Any] = {
    "indicator": None,
    "window": None,
    "evidence": None,
    "levels": {"crit": {}},
}


def flagged(name: str, by: str, what: str) -> Rule:
    """Fires from one event to another of the same kind, for what it is by."""
    return rule(**{**FLAG, "id": name, "by": by, "event": {"on": what, "until": "number.cleared"}})


def both(*parts: str, **changes: Any) -> Rule:
    made = {**FLAG, "id": "both", "by": "number", "all_of": list(parts or ("a", "b"))}
    return rule(**{**made, **changes})


A, B = flagged("a", "number", "number.flagged"), flagged("b", "number", "complaint.filed")
C = flagged("c", "campaign", "channel.quality")
Event = tuple[int, str, str | None, str | None]
"""Tick, type, number, campaign."""


def rows(*events: Event) -> pl.DataFrame:
    schema = {"tick": pl.Int64, "type": pl.String, "number": pl.String, "campaign": pl.String}
    made = pl.DataFrame(
        [(T0 + n * TICK, *rest) for n, *rest in events], schema=schema, orient="row"
    )
    return made.sort("tick", maintain_order=True)


def book(*rules: Rule) -> RuleBook:
    return RuleBook(rules, FakeSource(), tick_ms=TICK)


def heard(mine: RuleBook, until: int, held: frozenset[str] = frozenset()) -> list[Any]:
    found = []
    for n in range(1, until + 1):
        alerts = mine.step(T0 + n * TICK, held).alerts
        found += [(n, *each) for each in told(alerts)]
    return found


def told(alerts: list[Alert], name: str = "both") -> list[tuple[str, str, str]]:
    mine = [each for each in alerts if each.rule == name]
    return [(each.scope[0][1], each.state, each.reason) for each in mine]


def test_it_fires_where_all_of_them_do_and_ends_with_the_first() -> None:
    mine = book(A, B, both())
    mine.load(
        rows(
            (1, "number.flagged", "1", None),
            (1, "number.flagged", "2", None),
            (3, "complaint.filed", "1", None),
            (6, "number.cleared", "1", None),
        )
    )
    assert heard(mine, 8) == [(3, "1", "firing", "breach"), (6, "1", "resolved", "recovered")]
    assert mine.folded()["both"] == 0


def test_one_is_enough_for_any() -> None:
    mine = book(A, B, both(all_of=None, any_of=["a", "b"]))
    mine.load(rows((1, "number.flagged", "1", None), (2, "complaint.filed", "1", None)))
    mine.load(rows((4, "complaint.filed", "2", None)))
    assert heard(mine, 5) == [(1, "1", "firing", "breach"), (4, "2", "firing", "breach")]


def test_a_campaigns_rule_holds_for_each_of_its_numbers() -> None:
    mine = book(A, C, both("a", "c"))
    mine.load(
        rows(
            (1, "call.ended", "1", "x"),
            (1, "call.ended", "2", "x"),
            (1, "call.ended", "3", "y"),
            (2, "number.flagged", "1", None),
            (2, "number.flagged", "3", None),
            (2, "number.flagged", "4", None),
            (3, "channel.quality", None, "x"),
            (5, "call.ended", "3", "x"),
            (7, "call.ended", "1", "y"),
        )
    )
    assert heard(mine, 8) == [
        (3, "1", "firing", "breach"),
        (5, "3", "firing", "breach"),
        (7, "1", "resolved", "recovered"),
    ]


def test_it_shows_the_first_parts_figures_and_suspends() -> None:
    source = FakeSource()
    action = {"suspend": {"ttl": "1h"}}
    mine = RuleBook([rule(), A, both("number-hangup", "a", action=action)], source, tick_ms=TICK)
    view: FakeView = source.views["30m"]
    view.set({"1": (8, 10)})
    mine.load(rows((1, "number.flagged", "1", None)))
    step = mine.step(T0 + TICK, frozenset())
    [alert] = [each for each in step.alerts if each.rule == "both"]
    assert (alert.figures.hits, alert.figures.of) == (8, 10)
    assert alert.evidence == Evidence("combined", 2, 2)
    assert [(want.rule, want.number) for want in step.wants] == [("both", "1")]


def test_what_ends_from_outside_is_seen_at_the_next_tick() -> None:
    mine = book(A, B, both())
    mine.load(rows((1, "number.flagged", "1", None), (1, "complaint.filed", "1", None)))
    [episode] = [
        each.episode for each in mine.step(T0 + TICK, frozenset()).alerts if each.rule == "a"
    ]
    assert mine.next_event_tick(T0 + TICK) is None
    assert mine.close(episode, T0 + TICK, "suspended") is not None
    assert mine.next_event_tick(T0 + TICK) == T0 + 2 * TICK
    assert told(mine.step(T0 + 2 * TICK, frozenset()).alerts) == [("1", "resolved", "recovered")]


def test_people_may_close_it() -> None:
    mine = book(A, B, both())
    mine.load(rows((1, "number.flagged", "1", None), (1, "complaint.filed", "1", None)))
    [mine_alert] = [
        each for each in mine.step(T0 + TICK, frozenset()).alerts if each.rule == "both"
    ]
    closed = mine.close(mine_alert.episode, T0 + TICK, "closed")
    assert closed is not None
    assert closed.reason == "closed"


def test_a_number_out_of_service_begins_nothing() -> None:
    mine = book(A, B, both())
    mine.load(rows((1, "number.flagged", "1", None), (1, "complaint.filed", "1", None)))
    assert heard(mine, 3, held=frozenset({"1"})) == []


def test_exceptions_are_left_alone() -> None:
    spared = both(**{"except": [{"name": "hotline", "number": ["1"]}]})
    mine = book(A, B, spared)
    mine.load(rows((1, "number.flagged", "1", None), (1, "complaint.filed", "1", None)))
    assert heard(mine, 3) == []


def test_out_of_its_term_it_says_nothing() -> None:
    mine = book(A, B, both(effective_to="2027-01-15T08:00:15Z"))
    mine.load(rows((1, "number.flagged", "1", None), (1, "complaint.filed", "1", None)))
    assert heard(mine, 5) == [(1, "1", "firing", "breach"), (3, "1", "resolved", "rule_over")]


def test_many_at_once_are_a_wave() -> None:
    mine = book(A, B, both(wave="2/1m"))
    numbers = [str(number) for number in range(3)]
    mine.load(rows(*((1, "number.flagged", number, None) for number in numbers)))
    mine.load(rows(*((2, "complaint.filed", number, None) for number in numbers)))
    alerts = [mine.step(T0 + n * TICK, frozenset()).alerts for n in (1, 2)]
    assert ["a wave, 3 at once" in each.message["en"] for each in alerts[1] if each.rule == "both"]
    assert mine.folded()["both"] == 3


def test_a_restart_changes_nothing() -> None:
    events = rows((1, "number.flagged", "1", None), (1, "complaint.filed", "1", None))
    mine = book(A, B, both())
    mine.load(events)
    heard(mine, 2)
    again = book(A, B, both())
    again.restore(mine.snapshot())
    assert heard(again, 3) == []
    again.load(rows((4, "number.cleared", "1", None)))
    assert told(again.step(T0 + 4 * TICK, frozenset()).alerts) == [("1", "resolved", "recovered")]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (both("a", "z"), "no rule 'z'"),
        (both("a", "other"), "made of other rules itself"),
        (both("a", "off"), "is off"),
        (both("b", "c", all_of=None, any_of=["a", "c"]), "'c' is by campaign"),
        (both("c", "c2"), "none of its parts is by number"),
        (both("a", "c", by=["number", "customer"]), "no pair belongs there"),
    ],
)
def test_parts_that_cannot_be_joined_are_named(made: Rule, said: str) -> None:
    off = rule(id="off", status="off")
    others = [A, B, C, flagged("c2", "campaign", "spend"), off, both(id="other")]
    found = [fault.message for fault in check_rules([*others, made], []) if "both" not in fault.loc]
    assert any(said in message for message in found), found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"all_of": ["a"]}, "at least 2"),
        ({"all_of": ["a", "a"]}, "stands twice"),
        ({"any_of": ["a", "b"]}, "one of"),
        ({"window": "30m"}, "no window"),
        ({"levels": {"crit": {"above": 3}}}, "no threshold"),
        ({"recovering": {"for": "1m"}}, "leave `recovering` out"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        both(**changes)


what = st.sampled_from(["number.flagged", "complaint.filed", "number.cleared", "call.ended"])
events = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.one_of(what, st.just("channel.quality")),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["x", "y"]),
    ),
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(events, st.integers(0, 12))
def test_it_is_the_meeting_of_the_parts(drawn: list[Event], restart: int) -> None:
    """At every tick it fires exactly where the rows of its parts meet, as last seen."""
    rules = (A, B, C, both("a", "b", "c"))
    mine = book(*rules)
    mine.load(rows(*drawn))
    places: dict[str, str] = {}
    for n in range(1, 14):
        mine.step(T0 + n * TICK, frozenset())
        places |= {number or "": campaign or "" for at, _, number, campaign in drawn if at == n}
        standing: dict[str, set[str]] = {name: set() for name in ("a", "b", "c", "both")}
        for alert in mine.states().alerts:
            standing[alert.rule].add(alert.scope[0][1])
        meet = standing["a"] & standing["b"]
        assert standing["both"] == {each for each in meet if places.get(each) in standing["c"]}
        if n == restart:
            state = mine.snapshot()
            mine = book(*rules)
            mine.restore(state)

"""Bounds that move: their language, the past they come from, the peers they come from."""

from __future__ import annotations

import statistics
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from monitor.decisions import Alert
from monitor.rules import belonging, past
from monitor.rules.belonging import Belonging
from monitor.rules.evaluate import RuleBook
from monitor.rules.model import Rule
from monitor.rules.past import History
from monitor.rules.peers import Peers
from monitor.rules.relative import Past, PeerQuantile, Relative
from tests.rules.fakes import TICK, FakeSource, FakeView, rule

pytestmark = pytest.mark.untraced

HOUR, DAY = 3_600_000, 86_400_000
MONDAY = int(datetime(2026, 11, 2, tzinfo=ZoneInfo("UTC")).timestamp()) * 1000
NO_EVIDENCE = {"method": "raw"}


def surge(bound: str = "3 * baseline(7d, same_hour)", **changes: Any) -> Rule:
    plain: dict[str, Any] = {
        "id": "surge",
        "indicator": "interactions",
        "by": "agent",
        "levels": {"warn": {"above": bound}},
        "window": "1h",
        "evidence": NO_EVIDENCE,
        "message": {"en": "{value:d} where {bound:d} is the bound"},
    }
    return rule(**{**plain, **changes})


# --- the language ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("baseline(7d, same_hour)", [(1, Past("baseline", 7, "UTC"))]),
        ("3 * baseline(7d, same_hour)", [(3, Past("baseline", 7, "UTC"))]),
        (
            "baseline(14d,same_hour,Asia/Shanghai)*1.3",
            [(Fraction(13, 10), Past("baseline", 14, "Asia/Shanghai"))],
        ),
        (
            "baseline(7d, same_hour) - 4 * spread(7d, same_hour)",
            [(1, Past("baseline", 7, "UTC")), (-4, Past("spread", 7, "UTC"))],
        ),
        ("1.3 * ago(7d)", [(Fraction(13, 10), Past("ago", 7, "UTC"))]),
        ("-ago(1d)", [(-1, Past("ago", 1, "UTC"))]),
        ("peer_quantile(group, 20%)", [(1, PeerQuantile("group", Fraction(1, 5)))]),
    ],
)
def test_what_a_bound_may_say(text: str, terms: list[Any]) -> None:
    made = Relative.parse(text)
    assert list(made.terms) == terms
    assert str(made) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("baseline()", "other arguments"),
        ("baseline(7d)", "other arguments"),
        ("baseline(7d, same_day)", "other arguments"),
        ("baseline(4d, same_hour)", "from 5 to 60"),
        ("baseline(61d, same_hour)", "from 5 to 60"),
        ("baseline(7h, same_hour)", "from 5 to 60"),
        ("baseline(7d, same_hour, Mars)", "no time zone"),
        ("ago(0d)", "from 1 to 60"),
        ("peer_quantile(gruop, 20%)", "no dimension"),
        ("peer_quantile(group, 0%)", "not a quantile"),
        ("peer_quantile(group, 100%)", "not a quantile"),
        ("peer_quantile(group, 1)", "not a threshold"),
        ("basline(7d, same_hour)", "not known"),
        ("2 * ago(7d) * 2", "not a bound"),
        ("ago(7d) ago(7d)", "expected"),
        ("ago(7d) +", "not a bound"),
        ("ago(7d) / 2", "expected"),
        ("(ago(7d))", "not a bound"),
        (" + ".join(["ago(7d)"] * 7), "not a bound"),
    ],
)
def test_what_it_may_not(text: str, said: str) -> None:
    with pytest.raises(PydanticCustomError, match=said):
        Relative.parse(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evidence": {"method": "sequential"}}, "raw evidence"),
        ({"evidence": None}, "raw evidence"),
        ({"window": None, "windows": ["1h", "4h"]}, "one window"),
        ({"levels": {"warn": {"below": "peer_quantile(group, 20%)"}}}, "needs a gap"),
        ({"levels": {"warn": {"above": 3, "gap": 1}}}, "gap goes with"),
        ({"levels": {"warn": {"above": 3, "clear": "ago(7d)"}}}, "clear moves"),
        (
            {"levels": {"warn": {"above": "ago(7d)"}, "crit": {"below": "ago(7d)"}}},
            "different directions",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        surge(**changes)


def test_it_is_written_out_as_it_was_read() -> None:
    made = surge("1.5 * ago(7d)")
    assert '"above":"1.5 * ago(7d)"' in made.model_dump_json()
    assert Rule.model_validate_json(made.model_dump_json(exclude_none=True, by_alias=True)) == made


# --- the past -------------------------------------------------------------------------------------


def view(kind: Any = "count") -> FakeView:
    return FakeView(by=("agent",), window="1h", kind=kind)


def ids(of: FakeView, *names: str) -> Any:
    return np.array([of.keys.intern([name])[0] for name in names], dtype=np.int64)


def lived(history: History, of: FakeView, values: dict[int, dict[str, int]], until: int) -> None:
    """Hour by hour from MONDAY on: the values in force from the start of each hour."""
    for hour in range(until + 1):
        of.set({name: (value, 1) for name, value in values.get(hour, {}).items()})
        history.step(MONDAY + hour * HOUR + TICK)
        history.step(MONDAY + (hour + 1) * HOUR)


def test_the_median_of_the_same_hour_of_past_days() -> None:
    of = view()
    history = History(of, "UTC", tick_ms=TICK)
    history.days = 7
    made = {day * 24 + 9: {"a": 10 + day} for day in range(6)} | {9 + 6 * 24: {"a": 0}}
    made |= {day * 24 + 10: {"a": 0} for day in range(7)}
    lived(history, of, made, 6 * 24 + 8)
    history.step(MONDAY + (6 * 24 + 9) * HOUR + TICK)
    call = Past("baseline", 7, "UTC")
    assert history.at(call, ids(of, "a", "b")).tolist()[:1] == [12.5]
    assert np.isnan(history.at(call, ids(of, "b"))).all()
    assert history.at(Past("spread", 7, "UTC"), ids(of, "a")).tolist() == [1.5]
    assert history.at(Past("ago", 6, "UTC"), ids(of, "a")).tolist() == [10]
    assert np.isnan(history.at(Past("ago", 7, "UTC"), ids(of, "a"))).all()


def test_five_days_are_needed_and_four_are_silent() -> None:
    for days, silent in ((4, True), (5, False)):
        of = view()
        history = History(of, "UTC", tick_ms=TICK)
        history.days = 7
        made = {day * 24 + 9: {"a": 10} for day in range(days)}
        made |= {day * 24 + 10: {"a": 0} for day in range(days)}
        lived(history, of, made, 6 * 24 + 8)
        history.step(MONDAY + (6 * 24 + 9) * HOUR + TICK)
        assert np.isnan(history.at(Past("baseline", 7, "UTC"), ids(of, "a")))[0] == silent


def test_hours_are_local_and_summer_time_does_not_shift_them() -> None:
    """Paris leaves summer time on 25 October 2026: nine o'clock is 7:00 UTC before, 8:00 after."""
    zone = ZoneInfo("Europe/Paris")
    of = view()
    history = History(of, "Europe/Paris", tick_ms=TICK)
    history.days = 7
    start = int(datetime(2026, 10, 20, tzinfo=zone).timestamp()) * 1000
    for hour in range(7 * 24 + 3):
        at = start + hour * HOUR
        local = datetime.fromtimestamp(at / 1000, tz=zone).hour
        of.set({"a": (90 if local == 9 else 1, 1)})
        history.step(at + TICK)
        history.step(at + HOUR)
    nine = int(datetime(2026, 10, 27, 9, 30, tzinfo=zone).timestamp()) * 1000
    history.step(nine)
    assert history.at(Past("baseline", 7, "Europe/Paris"), ids(of, "a")).tolist() == [90]
    history.step(nine + HOUR)
    assert history.at(Past("baseline", 7, "Europe/Paris"), ids(of, "a")).tolist() == [1]


def test_a_window_that_is_not_covered_has_no_samples() -> None:
    of = view()
    of.covered_from = MONDAY + 10 * DAY
    history = History(of, "UTC", tick_ms=TICK)
    history.days = 7
    lived(history, of, {hour: {"a": 5} for hour in range(200)}, 190)
    assert history.snapshot()["days"] == []


def test_days_that_nobody_asks_for_go_and_scopes_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past, "SCOPES_MAX", 2)
    of = view()
    history = History(of, "UTC", tick_ms=TICK)
    history.days = 5
    lived(history, of, {0: {"a": 1, "b": 2, "c": 3}}, 12 * 24)
    kept = history.snapshot()["days"]
    assert [day for day, _ in kept] == sorted(day for day, _ in kept)
    assert len(kept) == 6
    assert history.dropped == 12 * 24 + 1
    assert kept[-1][1]["names"] == ["a", "b"]


samples = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.sampled_from("ab"), st.integers(0, 9)),
    max_size=60,
    unique_by=lambda each: each[:3],
)


@settings(max_examples=80, deadline=None)
@given(samples, st.integers(0, 220), st.integers(5, 8))
def test_it_is_the_median_of_a_plain_list(
    drawn: list[tuple[int, int, str, int]], restart: int, days: int
) -> None:
    of = view()
    history = History(of, "UTC", tick_ms=TICK)
    history.days = 8
    found: dict[tuple[str, int, int], int] = {(n, d, h): v for d, h, n, v in drawn}
    for hour in range(10 * 24 + 3):
        day, local = divmod(hour, 24)
        of.set({name: (found.get((name, day, local), 0), 1) for name in "ab"})
        history.step(MONDAY + hour * HOUR + TICK)
        for name in "ab":
            before = [found.get((name, day - back, local), 0) for back in range(1, days + 1)]
            known = [value for value in before if value]
            got = history.at(Past("baseline", days, "UTC"), ids(of, name))[0]
            spread = history.at(Past("spread", days, "UTC"), ids(of, name))[0]
            ago = history.at(Past("ago", days, "UTC"), ids(of, name))[0]
            assert ago == before[-1] if before[-1] else np.isnan(ago)
            if len(known) < 5:
                assert np.isnan(got)
                continue
            middle = statistics.median(known)
            assert got == middle
            assert spread == statistics.median(abs(value - middle) for value in known)
        history.step(MONDAY + (hour + 1) * HOUR)
        if hour == restart:
            state = history.snapshot()
            history = History(of, "UTC", tick_ms=TICK)
            history.days = 8
            history.restore(state)
        if hour % 7 == 0:
            history.forget(np.arange(2))


# --- peers ----------------------------------------------------------------------------------------


def rows(*said: tuple[str, str | None], tick: int = MONDAY) -> pl.DataFrame:
    schema = {"tick": pl.Int64, "agent": pl.String, "group": pl.String}
    return pl.DataFrame([(tick, *pair) for pair in said], schema=schema, orient="row")


def together(table: Belonging, *members: str) -> list[tuple[str, ...]]:
    """Members by the group they are in, in the order of the groups' numbers; no group, nobody."""
    places = {member: table.place(member) for member in members}
    codes = {member: int(table.codes[place]) for member, place in places.items()}
    return [
        tuple(member for member in members if codes[member] == code) for code in range(table.count)
    ]


def test_who_belongs_where_is_what_was_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Belonging("agent", "group")
    table.load(rows(("a", "g1"), ("a", "g2"), ("b", None), ("c", "g1"), ("d", "g2")))
    table.load(rows(("a", "g3"), tick=MONDAY + TICK))
    table.step(MONDAY)
    assert sorted(together(table, *"abcd")) == [("a", "d"), ("c",)]
    saved, era = table.snapshot(), table.era
    table.restore(saved)
    assert table.era > era
    assert sorted(together(table, *"abcd")) == [("a", "d"), ("c",)]
    version = table.version
    table.step(MONDAY + TICK)
    assert sorted(together(table, *"abcd")) == [("a",), ("c",), ("d",)]
    assert table.version == version + 1
    monkeypatch.setattr(belonging, "MEMBERS_MAX", 1)
    table.step(MONDAY + 2 * TICK)
    assert sorted(filter(None, together(table, *"abcd"))) == [("a",)]
    assert len(table) == 1


def test_places_are_given_anew_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Belonging("agent", "group")
    table.load(rows(("a", "g1"), ("b", "g1")))
    table.step(MONDAY)
    for number in range(6):
        table.place(f"never-seen-{number}")
    era = table.era
    monkeypatch.setattr(belonging, "PLACES_MAX", 5)
    table.step(MONDAY + TICK)
    assert table.era == era + 1
    assert together(table, "a", "b", "never-seen-1") == [("a", "b")]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 12)), max_size=40),
    st.sampled_from(["20%", "50%", "1%", "99%", "33.3%"]),
    st.integers(1, 8),
)
def test_quantiles_are_numpys(drawn: list[tuple[int, int, int]], share: str, least: int) -> None:
    of = view("ratio")
    table = Belonging("agent", "group")
    names = [f"a{place}" for place in range(len(drawn))]
    said = [(name, f"g{each[0]}") for name, each in zip(names, drawn, strict=True)]
    table.load(rows(*said))
    table.step(MONDAY)
    of.set(
        {name: (min(each[1], each[2]), each[2]) for name, each in zip(names, drawn, strict=True)}
    )
    peers = Peers(of, ("agent",), "group", table)
    peers.step()
    call = Relative.parse(f"peer_quantile(group, {share})").terms[0][1]
    assert isinstance(call, PeerQuantile)
    got = peers.at(call, ids(of, *names), least).tolist() if names else []
    for (group, _, _), bound in zip(drawn, got, strict=True):
        mine = [min(h, o) / o for g, h, o in drawn if g == group and o >= least and o]
        if len(mine) < 5:
            assert np.isnan(bound)
        else:
            assert bound == pytest.approx(np.quantile(mine, float(call.share)), rel=1e-12)


def test_a_scope_that_names_the_group_needs_no_table() -> None:
    of = FakeView(by=("group", "agent"), kind="ratio")
    of.set({f"g\x1f{place}": (place, 10) for place in range(6)} | {"h\x1f1": (1, 10)})
    peers = Peers(of, ("group", "agent"), "group", None)
    peers.step()
    call = PeerQuantile("group", Fraction(1, 2))
    assert peers.at(call, ids(of, "g\x1f0"), 1).tolist() == [0.25]
    assert np.isnan(peers.at(call, ids(of, "h\x1f1"), 1)).all()


# --- rules ----------------------------------------------------------------------------------------


def told(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    return [(each.scope[0][1], each.state, each.reason) for each in alerts]


def book(*rules: Rule, source: FakeSource) -> RuleBook:
    return RuleBook(rules, source, tick_ms=TICK)


def busy(mine: RuleBook, of: FakeView, values: dict[int, dict[str, int]], hours: int) -> list[Any]:
    """Hours of MONDAY's week, each with its values, at the ticks the book asks for."""
    heard, tick = [], MONDAY
    for hour in range(hours):
        of.set({name: (value, 1) for name, value in values.get(hour, {}).items()})
        changed = MONDAY + hour * HOUR + TICK
        ticks = {changed}
        while (due := mine.next_event_tick(tick)) is not None and due <= MONDAY + (hour + 1) * HOUR:
            ticks.add(due)
            tick = due
        for at in sorted(ticks):
            heard += [(hour, *each) for each in told(mine.step(at, frozenset()).alerts)]
            of.set({})
            tick = at
    return heard


def test_three_times_ones_own_past_is_a_surge() -> None:
    source = FakeSource(by=("agent",))
    mine = book(surge(), source=source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    steady = {day * 24 + 9: {"a": 10, "b": 10} for day in range(5)}
    steady |= {day * 24 + 10: {"a": 0, "b": 0} for day in range(6)}
    values = steady | {5 * 24 + 9: {"a": 31, "b": 30}}
    assert busy(mine, of, values, 5 * 24 + 12) == [
        (5 * 24 + 9, "a", "firing", "breach"),
        (5 * 24 + 10, "a", "resolved", "recovered"),
    ]


def test_the_alert_says_what_the_bound_was() -> None:
    source = FakeSource(by=("agent",))
    mine = book(surge(), source=source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    steady = {day * 24 + 9: {"a": 10} for day in range(5)}
    busy(mine, of, steady | {day * 24 + 10: {"a": 0} for day in range(5)}, 5 * 24 + 9)
    of.set({"a": (40, 1)})
    [alert] = mine.step(MONDAY + (5 * 24 + 9) * HOUR + TICK, frozenset()).alerts
    assert alert.message["en"] == "40 where 30 is the bound"
    assert (alert.evidence.method, alert.evidence.score, alert.evidence.needed) == (
        "relative",
        40,
        30,
    )


def test_the_bound_falls_by_time_alone() -> None:
    """At nine ten are usual and at ten two: ten calls an hour become too many at ten."""
    source = FakeSource(by=("agent",))
    mine = book(surge(), source=source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    values: dict[int, dict[str, int]] = {}
    for day in range(5):
        values |= {day * 24 + 9: {"a": 10}, day * 24 + 10: {"a": 2}, day * 24 + 11: {"a": 0}}
    values |= {5 * 24 + 9: {"a": 10}}
    assert busy(mine, of, values, 5 * 24 + 11) == [(5 * 24 + 10, "a", "firing", "breach")]


def laggard(**changes: Any) -> Rule:
    level = {"below": "peer_quantile(group, 20%)", "gap": "10%"}
    plain = {
        "id": "laggard",
        "levels": {"warn": level},
        "evidence": {"method": "raw", "min_of": 10},
        "message": {"en": "{value:%} {bound:%}"},
    }
    return surge(**{**plain, **changes})


def test_one_far_behind_the_others_is_named_and_comes_back_with_them() -> None:
    source = FakeSource(by=("agent",))
    mine = book(laggard(), source=source)
    of = source.views["1h"]
    of.by = ("agent",)
    of.set({f"a{place}": (50, 100) for place in range(6)} | {"slow": (39, 100), "near": (40, 100)})
    said = [(name, "g") for name in ["slow", "near", *(f"a{place}" for place in range(6))]]
    mine.load(rows(*said, ("lone", "h"), tick=MONDAY))
    fired = mine.step(MONDAY, frozenset()).alerts
    # The quantile is 0.44: 39, 40, 50 …: 40 + 0.4 * 10; a tenth below is 0.34.
    assert told(fired) == []
    of.set({"slow": (33, 100)})
    fired = mine.step(MONDAY + TICK, frozenset()).alerts
    assert told(fired) == [("slow", "firing", "breach")]
    assert fired[0].message["en"] == "33% 34%"
    # The others fall, and with them the bound: nobody is behind, though nothing of slow's changed.
    of.set({f"a{place}": (34, 100) for place in range(6)} | {"near": (34, 100)})
    assert told(mine.step(MONDAY + 2 * TICK, frozenset()).alerts) == []
    of.set({"slow": (35, 100)})
    over = mine.step(MONDAY + 3 * TICK, frozenset()).alerts
    assert told(over) == [("slow", "resolved", "recovered")]


def test_others_may_make_one_a_laggard() -> None:
    source = FakeSource(by=("agent",))
    mine = book(laggard(), source=source)
    of = source.views["1h"]
    of.by = ("agent",)
    of.set({f"a{place}": (50, 100) for place in range(6)})
    mine.load(rows(*((f"a{place}", "g") for place in range(6)), tick=MONDAY))
    assert told(mine.step(MONDAY, frozenset()).alerts) == []
    of.set({f"a{place}": (80, 100) for place in range(5)})
    assert told(mine.step(MONDAY + TICK, frozenset()).alerts) == [("a5", "firing", "breach")]


def test_a_restart_keeps_the_past_and_who_belongs_where() -> None:
    source = FakeSource(by=("agent",))
    rules = (surge(), laggard(id="lag", indicator="interactions"))
    mine = book(*rules, source=source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    steady = {day * 24 + 9: {"a": 10} for day in range(5)}
    mine.load(rows(("a", "g"), tick=MONDAY + TICK))
    busy(mine, of, steady | {day * 24 + 10: {"a": 0} for day in range(5)}, 5 * 24 + 9)
    again = book(*rules, source=source)
    again.restore(mine.snapshot())
    of.set({"a": (31, 1)})
    at = MONDAY + (5 * 24 + 9) * HOUR + TICK
    assert told(again.step(at, frozenset()).alerts) == [("a", "firing", "breach")]


def test_a_book_of_before_knows_no_past() -> None:
    source = FakeSource(by=("agent",))
    saved = book(rule(), source=FakeSource()).snapshot()
    del saved["references"]
    book(surge(), source=source).restore(saved)


def test_a_restart_moves_no_bound() -> None:
    """A number that breached while it was out of service, and is back and quiet since."""
    source = FakeSource()
    bound = {"levels": {"warn": {"above": "2 * baseline(7d, same_hour)"}}}
    rules = (rule(**{"evidence": NO_EVIDENCE, "window": "1h", **bound}),)
    mine = book(*rules, source=source)
    of = source.views["1h"]
    of.kind = "count"
    steady = {day * 24 + 9: {"1": 10} for day in range(5)}
    busy(mine, of, steady | {day * 24 + 10: {"1": 0} for day in range(5)}, 5 * 24 + 9)
    at, held = MONDAY + (5 * 24 + 9) * HOUR + TICK, frozenset({"1"})
    of.set({"1": (40, 1)})
    assert told(mine.step(at, held).alerts) == []
    of.set({})
    again = book(*rules, source=source)
    again.restore(mine.snapshot())
    went_on = told(mine.step(at + TICK, frozenset()).alerts)
    assert told(again.step(at + TICK, frozenset()).alerts) == went_on


def test_who_changes_the_group_is_judged_there() -> None:
    source = FakeSource(by=("agent",))
    mine = book(laggard(), source=source)
    of = source.views["1h"]
    of.by = ("agent",)
    of.set({f"a{place}": (50, 100) for place in range(6)} | {"slow": (30, 100)})
    said = [(f"a{place}", "g") for place in range(6)]
    mine.load(rows(*said, ("slow", "h"), tick=MONDAY))
    assert told(mine.step(MONDAY, frozenset()).alerts) == []
    of.set({})
    mine.load(rows(("slow", "g"), tick=MONDAY + TICK))
    assert told(mine.step(MONDAY + TICK, frozenset()).alerts) == [("slow", "firing", "breach")]


@pytest.mark.parametrize(
    ("level", "over"),
    [
        ({"at_least": "ago(1d)"}, False),
        ({"above": "ago(1d)"}, True),
        ({"at_least": "ago(1d)", "clear": "ago(1d)"}, True),
    ],
)
def test_the_bound_itself_lets_go_only_where_it_does_not_breach(
    level: dict[str, Any], *, over: bool
) -> None:
    source = FakeSource(by=("agent",))
    mine = book(surge(levels={"warn": level}), source=source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    busy(mine, of, {9: {"a": 10}, 10: {"a": 0}}, 24 + 9)
    at = MONDAY + (24 + 9) * HOUR + TICK
    of.set({"a": (11, 1)})
    assert told(mine.step(at, frozenset()).alerts) == [("a", "firing", "breach")]
    of.set({"a": (10, 1)})
    assert bool(mine.step(at + TICK, frozenset()).alerts) == over


def test_a_bound_that_falls_silent_lets_go_whatever_clear_says() -> None:
    source = FakeSource(by=("agent",))
    mine = book(surge(levels={"warn": {"above": "ago(1d)", "clear": 5}}), source=source)
    of = source.views["1h"]
    of.by, of.kind = ("agent",), "count"
    values = {9: {"a": 10}, 10: {"a": 0}, 24 + 9: {"a": 30}}
    assert busy(mine, of, values, 24 + 11) == [
        (24 + 9, "a", "firing", "breach"),
        (24 + 10, "a", "resolved", "recovered"),
    ]

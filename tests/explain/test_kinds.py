"""What is compared, for each kind of rule: the figures worked out anew are the alert's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from monitor.errors import UsageError
from monitor.explain.explain import Explanation, explain
from monitor.explain.gather import gather, replayed
from monitor.explain.question import ask
from monitor.replay import Past
from monitor.source.bounded import BoundedSource
from tests.explain.made import T0, Event, explained, site, source, with_rules

AGENTS = [f"a{n}" for n in range(6)]
ANSWERED = "outcome == 'answered'"


def calls(count: int = 300, *, bad: str = "a2", every_s: float = 1.0) -> Iterator[Event]:
    """Answered calls of six agents on four numbers; all of ``bad``'s and a tenth are hung up on."""
    random = Random(7)
    for n in range(count):
        agent = random.choice(AGENTS)
        yield {
            "at": n * every_s,
            "type": "call.ended",
            "agent": agent,
            "number": f"+86215000000{random.randrange(4)}",
            "customer": f"+86139123456{random.randrange(97):02}",
            "campaign": "spring",
            "team": "t",
            "direction": "outbound",
            "outcome": "answered",
            "hangup_by": "customer" if agent == bad or random.random() < 0.1 else "agent",
            "talk_s": 20 if agent == bad else 100 + n % 7,
            "sms_preheated": random.random() < 0.5,
        }


def in_order(*events: Event) -> list[Event]:
    return sorted(events, key=lambda event: event["at"])


def names(told: Explanation) -> list[tuple[str, str]]:
    return [(each.dimension, each.value) for each in told.comparison.named]


def rule(**more: object) -> dict[str, object]:
    return {
        "indicator": "i",
        "by": "campaign",
        "window": "10m",
        "no_data": "hold",
        "evidence": {"method": "raw", "min_of": 100},
    } | more


def indicator(kind: str, **more: object) -> dict[str, object]:
    return {"id": "i", "kind": kind, "by": ["campaign"], "windows": ["10m"]} | more


HANGUPS = indicator(
    "ratio",
    hits={"count": "call.ended", "where": f"{ANSWERED} and hangup_by == 'customer'"},
    of={"count": "call.ended", "where": ANSWERED},
)


def test_a_share_names_the_agent_of_the_hits(tmp_path: Path) -> None:
    told = explained(site(tmp_path, HANGUPS, rule(levels={"warn": {"above": "20%"}})), [*calls()])
    assert told.complete
    assert names(told) == [("agent", "a2")]
    assert "campaign" not in {each.dimension for each in told.comparison.common}, "it is the scope"
    assert told.sides.bad.height == told.alert.figures.hits
    assert told.sides.bad.height + told.sides.rest.height == told.alert.figures.of


def test_nobody_is_named_where_nobody_differs(tmp_path: Path) -> None:
    same = [
        each | {"hangup_by": "agent" if n % 7 else "customer"} for n, each in enumerate(calls())
    ]
    told = explained(site(tmp_path, HANGUPS, rule(levels={"warn": {"above": "10%"}})), same)
    assert told.complete
    assert names(told) == []


def test_too_small_a_share_names_who_misses(tmp_path: Path) -> None:
    kept = indicator(
        "ratio",
        hits={"count": "call.ended", "where": f"{ANSWERED} and talk_s >= 60"},
        of={"count": "call.ended", "where": ANSWERED},
    )
    told = explained(site(tmp_path, kept, rule(levels={"warn": {"below": "90%"}})), [*calls()])
    assert told.complete
    assert names(told) == [("agent", "a2")]
    assert told.sides.bad["talk_s"].max() == 20


def test_figures_divided_are_two_samples(tmp_path: Path) -> None:
    complaints = indicator(
        "ratio", hits={"count": "complaint.filed"}, of={"count": "call.ended"}, by=["campaign"]
    )
    story = [
        *calls(),
        *(
            {"at": 200 + n, "type": "complaint.filed", "agent": "a4" if n else "a1",
             "campaign": "spring", "category": "content", "number": f"+86215000000{n % 4}"}
            for n in range(12)
        ),
    ]  # fmt: skip
    tested = rule(levels={"warn": {"above": "5%"}})
    told = explained(site(tmp_path, complaints, tested), in_order(*story))
    assert told.complete
    assert not told.sides.nested
    assert names(told) == [("agent", "a4")]


def test_sums_are_worked_out_anew(tmp_path: Path) -> None:
    talk = indicator(
        "ratio",
        hits={"sum": "talk_s", "on": "call.ended", "where": "talk_s < 60"},
        of={"sum": "talk_s", "on": "call.ended"},
    )
    tested = rule(levels={"warn": {"above": "3%"}}, evidence={"method": "raw", "min_of": 9_000})
    told = explained(site(tmp_path, talk, tested), [*calls()])
    assert told.complete
    assert names(told) == [("agent", "a2")]


def test_fields_that_are_added_up_are_one_value(tmp_path: Path) -> None:
    story = [
        each | {"hold_s": 1.5} | ({"talk_s": None} if n % 9 == 0 else {})
        for n, each in enumerate(calls())
    ]
    mean = indicator("mean", value={"mean": "talk_s + hold_s", "on": "call.ended"})
    told = explained(site(tmp_path, mean, rule(levels={"warn": {"below": 95}})), story)
    assert told.complete


def test_what_is_known_of_customers_from_before_is_read_too(tmp_path: Path) -> None:
    after = indicator(
        "ratio",
        hits={"count": "call.ended", "where": f"{ANSWERED} and opted_out_at is not null"},
        of={"count": "call.ended", "where": ANSWERED},
    )
    out: list[Event] = [
        {"at": -7_200, "type": "sms.opted_out", "customer": f"+86139123456{n:02}"}
        for n in range(0, 97, 2)
    ]
    told = explained(
        site(tmp_path, after, rule(levels={"warn": {"above": "20%"}})), [*out, *calls()]
    )
    assert told.complete


def test_a_mean_names_who_is_on_the_bad_side(tmp_path: Path) -> None:
    mean = indicator("mean", value={"mean": "talk_s", "on": "call.ended"})
    told = explained(site(tmp_path, mean, rule(levels={"warn": {"below": 95}})), [*calls()])
    assert told.complete
    assert names(told) == [("agent", "a2")]
    assert told.sides.bad["talk_s"].max() == 20


def test_time_in_states_has_no_records_to_compare_with(tmp_path: Path) -> None:
    talk = indicator(
        "ratio",
        hits={"sum": "talk_s", "on": "call.ended"},
        of={"seconds_in": "agent.state", "where": "state != 'offline'"},
    )
    ready = [
        {"at": -60, "type": "agent.state", "state": "ready", "agent": each, "campaign": "spring"}
        for each in AGENTS
    ]
    tested = rule(levels={"warn": {"above": "1000%"}})
    told = explained(site(tmp_path, talk, tested), [*ready, *calls()])
    assert (told.complete, told.sides.of) == (True, None)


def test_different_values_count_once(tmp_path: Path) -> None:
    customers = indicator(
        "ratio",
        hits={"distinct": "customer", "on": "call.ended", "where": "hangup_by == 'customer'"},
        of={"distinct": "customer", "on": "call.ended"},
    )
    tested = rule(levels={"warn": {"above": "30%"}}, evidence={"method": "raw", "min_of": 50})
    told = explained(site(tmp_path, customers, tested), [*calls()])
    assert told.complete
    assert told.sides.bad["customer"].n_unique() == told.sides.bad.height


def test_a_count_is_compared_with_everybody_s(tmp_path: Path) -> None:
    count = indicator(
        "count", value={"count": "call.ended"}, by=[["number", "customer"]],
        windows=[{"calendar": "day", "tz": "Asia/Shanghai"}],
    )  # fmt: skip
    pestered = {"number": "+862150000009", "customer": "+8613900000001", "agent": "a5"}
    story = [*calls(), *(each | pestered | {"at": 301 + n} for n, each in enumerate(calls(9)))]
    tested = {
        "indicator": "i", "by": ["number", "customer"], "window": "day@Asia/Shanghai",
        "levels": {"warn": {"above": 8}}, "no_data": "hold",
    }  # fmt: skip
    told = explained(site(tmp_path, count, tested), story)
    assert told.complete
    assert names(told) == [("agent", "a5")]
    assert (told.sides.bad.height, told.sides.rest.height) == (9, 300)
    assert {each["customer"] for each in told.records} == {"+8613…01"}


def test_a_step_of_a_funnel_names_those_who_went_no_further(tmp_path: Path) -> None:
    funnel = indicator(
        "funnel", entity="customer", within="1h",
        steps={"sent": {"on": "sms.sent"}, "answered": {"on": "call.ended", "where": ANSWERED}},
    )  # fmt: skip
    sent: list[Event] = [
        {"at": n, "type": "sms.sent", "customer": f"c{n}", "campaign": "spring", "agent": "a0",
         "customer_tag": "new" if n % 3 else "old"}
        for n in range(150)
    ]  # fmt: skip
    called = [
        each | {"at": n + 0.5, "customer": f"c{n}", "customer_tag": "old"}
        for n, each in enumerate(calls(150))
        if n % 3 == 0
    ]
    tested = rule(indicator="i_answered", levels={"warn": {"below": "40%"}})
    told = explained(site(tmp_path, funnel, tested), in_order(*sent, *called))
    assert told.complete
    assert ("customer_tag", "new") in names(told)
    assert told.sides.bad["customer"].n_unique() == told.sides.bad.height


def test_a_rule_on_events_shows_them_against_everybody_s(tmp_path: Path) -> None:
    story: list[Event] = [
        {"at": n, "type": "number.flagged", "number": f"+86215000000{n % 4}", "by": "carrier",
         "campaign": "spring" if n % 4 == 1 else "autumn"}
        for n in range(40)
    ]  # fmt: skip
    tested = {"event": {"on": "number.flagged"}, "by": "number", "levels": {"crit": {}},
              "recovering": {"for": "3h"}, "no_data": "hold"}  # fmt: skip
    told = explained(site(tmp_path, HANGUPS, tested), story)
    assert told.complete is None
    assert {each["number"] for each in told.records} == {"+862150000000"}


def test_hours_are_those_of_the_window_s_zone(tmp_path: Path) -> None:
    day = HANGUPS | {"windows": [{"calendar": "day", "tz": "Asia/Kathmandu"}]}
    late = [each | {"at": each["at"] + 40 * 60} for each in calls(bad="none")]
    bad = [each | {"at": each["at"] + 90 * 60, "hangup_by": "customer"} for each in calls(60)]
    tested = rule(levels={"warn": {"above": "20%"}}, window="day@Asia/Kathmandu")
    told = explained(site(tmp_path, day, tested), [*late, *bad])
    assert told.complete
    # 01:00 UTC and 90 min: 02:30, which is 08:15 in Kathmandu.
    assert ("hour", "08:00") in names(told)


def test_copies_and_what_came_too_late_do_not_count(tmp_path: Path) -> None:
    story = [*calls()]
    tested = rule(levels={"warn": {"above": "20%"}})
    twice = [each | {"id": f"e{n}"} for n, each in enumerate(story)]
    too_late = [each | {"at": -3_600, "id": f"old{n}"} for n, each in enumerate(calls(20))]
    told = explained(
        site(tmp_path, HANGUPS, tested), [*twice[:90], *twice[:90], *too_late, *twice[90:]]
    )
    assert told.complete


def test_records_are_the_newest_and_say_where_they_stand(tmp_path: Path) -> None:
    made = site(tmp_path, HANGUPS, rule(levels={"warn": {"above": "20%"}}))
    told = explained(made, [*calls()], show=3)
    assert [each["time"] for each in told.records] == sorted(
        (each["time"] for each in told.records), reverse=True
    )
    assert len(told.records) == 3
    newest = told.records[0]
    assert (newest["topic"], newest["partition"]) == ("calls", 0)
    assert newest["time"] == f"2026-11-22T01:0{newest['offset'] // 60}:{newest['offset'] % 60:02}Z"
    assert (newest["customer"][:5], newest["hangup_by"]) == ("+8613", "customer")


def test_a_log_that_begins_later_is_said_to(tmp_path: Path) -> None:
    made = site(tmp_path, HANGUPS, rule(levels={"warn": {"above": "20%"}}))
    whole = explained(made, [*calls()])
    question = ask(made, whole.alert)
    story = [each | {"id": f"e{n}"} for n, each in enumerate(calls())]
    cut = gather(made, question, source(story[50:]), Past())
    told = explain(question, cut, records=5)
    assert told.complete is False
    assert told.begins_ms == 1_795_309_250_000
    assert told.to_json()["log_begins"] == "2026-11-22T01:00:50Z"
    nothing = explain(question, gather(made, question, source([]), Past()), records=5)
    assert (nothing.sides.bad.height, nothing.complete, nothing.comparison.common) == (0, False, ())


def test_of_a_log_that_goes_on_only_what_is_needed_is_read(tmp_path: Path) -> None:
    made = site(tmp_path, HANGUPS, rule(levels={"warn": {"above": "20%"}}))
    whole = explained(made, [*calls()])
    question = ask(made, whole.alert)
    story = [each | {"id": f"e{n}"} for n, each in enumerate(calls(2_000))]
    early = [each | {"at": n - 5_000, "id": f"old{n}"} for n, each in enumerate(calls(50))]
    live = BoundedSource(source([*early, *story], finished=False))
    found = gather(made, question, live, Past())
    told = explain(question, found, records=1_000, zone=ZoneInfo("Asia/Shanghai"))
    assert told.complete
    assert found.earliest_ms == T0, "what lies before the window and the lateness is not read"
    assert [{**each, "offset": each["offset"] - 50} for each in told.records] == [*whole.records]


def test_what_cannot_be_explained_says_why(tmp_path: Path) -> None:
    made = site(tmp_path, HANGUPS, rule(levels={"warn": {"above": "20%"}}))
    (alert, *_) = replayed(made, source([*calls()]), lambda _alert: True)
    with pytest.raises(UsageError, match="rule gone is not in the configuration"):
        ask(made, replace(alert, rule="gone"))
    with pytest.raises(UsageError, match="i has no window 5m any more"):
        ask(made, replace(alert, figures=replace(alert.figures, window="5m")))
    part = rule(levels={"warn": {"above": "20%"}})
    whole = {"any_of": ["p", "q"], "by": "campaign", "levels": {"warn": {}}}
    with pytest.raises(UsageError, match="rule r is about other rules: explain theirs"):
        ask(with_rules(tmp_path, HANGUPS, {"p": part, "q": part, "r": whole}), alert)


# --- entities, questions, silence, other rules ----------------------------------------------------

DEALS = {
    "id": "i", "kind": "population", "entity": "customer", "by": ["agent"],
    "from": ["customer.level"], "max_age": "2h",
}  # fmt: skip


def stages(count: int = 90) -> list[Event]:
    """Customers of six agents who reach a stage; a2's stand where they are, the others move on."""
    first: list[Event] = [
        {"at": n, "type": "customer.level", "customer": f"c{n:03}",
         "agent": "a9", "team": "t", "level": 2,
         "customer_tag": "old" if n % 3 else "new"}
        for n in range(count)
    ]  # fmt: skip
    moved = [each | {"at": 900 + n, "level": 3} for n, each in enumerate(first) if n % 3]
    return [*first, *moved]


def test_a_population_names_who_stands_still(tmp_path: Path) -> None:
    stalled = DEALS | {"state": "level", "unchanged_for": "40m", "share": "level == 2"}
    tested = rule(by="agent", window="now", levels={"warn": {"above": "30%"}})
    tested["evidence"] = {"method": "raw", "min_of": 20}
    later: list[Event] = [
        {"at": 60.0 * n, "type": "call.ended", "agent": "x", "number": "+862150000001",
         "outcome": "no_answer"}
        for n in range(1, 180)
    ]  # fmt: skip
    told = explained(site(tmp_path, stalled, tested), in_order(*stages(), *later))
    assert told.complete
    assert told.sides.of == 90
    assert ("customer_tag", "new") in names(told)
    assert {each["level"] for each in told.records} == {2}
    assert told.sides.bad["customer"].n_unique() == told.alert.figures.hits > 27

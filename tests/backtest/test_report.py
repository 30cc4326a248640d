"""Figures of a report, against ones that are worked out by hand."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.backtest import tally as module
from monitor.backtest.build import build
from monitor.backtest.labels import Case
from monitor.backtest.report import Read, RuleLine, steps
from monitor.backtest.words import headline
from monitor.decisions import Decision
from tests.backtest.made import (
    START_MS,
    alert,
    at,
    refusal,
    reported,
    resume,
    suspend,
    tallied,
)

ONE = (("number", "+861"),)
TWO = (("number", "+862"),)
#   day 1, 22 Nov                                       day 2, 23 Nov
#   1h        2h       3h              22h                 24h        2h
#   e1 warn   e1 crit  e1 resolved     +861 out ─────────────┼──────────┤ back
DECISIONS: list[Decision] = [
    alert("1h", "e1"),
    alert("2h", "e1", level="crit"),
    alert("3h", "e1", level="crit", over="recovered"),
    alert("4h", "s1", rule="quiet", shadow=True),
    suspend("5h", "+869", "6h", shadow=True),
    alert("22h", "e2", scope=TWO, level="crit", route="nowhere"),
    suspend("22h", "+861", "26h"),
    refusal("23h", "+863"),
    resume("26h", "+861"),
]


def line(lines: list[RuleLine], rule: str) -> RuleLine:
    return next(each for each in lines if each.rule == rule)


def test_in_total() -> None:
    report = reported(DECISIONS)
    total = report.to_json()["total"]
    assert total["alerts"] == 2
    assert total["alerts_a_day"] == 1.0
    assert total["shadow_alerts"] == 1
    assert total["suspensions"] == 1
    assert total["out_h"] == 4.0
    assert total["out_share"] == pytest.approx(4 / (10 * 48), abs=1e-6)
    assert total["out_at_once"] == 1
    assert total["refused"] == 1
    assert total["pages"] == 3 + 1 + 1 + 2, "e1, e2, the refusal, out and back; nothing of shadow"


def test_by_rule() -> None:
    report = reported(DECISIONS)
    hangup = line(report.rules, "hangup")
    assert (hangup.alerts, hangup.critical, hangup.scopes) == (2, 2, 2)
    assert hangup.firing_h == 2 + 26, "the second is still on at the end"
    assert (hangup.suspensions, hangup.refused) == (2, 1)
    assert hangup.unexplained is None
    quiet = [each for each in report.rules if not each.alerts]
    assert [each.title["en"] for each in quiet if each.rule == "number-flagged"]
    assert line(report.rules, "quiet").pages == 0


def test_by_day_in_a_zone_of_its_own() -> None:
    days = reported(DECISIONS).days
    first, second = days
    assert (first.day, first.warn, first.crit, first.suspensions) == ("2026-11-22", 0, 2, 1)
    assert (first.out_h, first.pages) == (2.0, 6)
    assert (second.crit, second.out_h, second.pages) == (0, 2.0, 1)
    tally = tallied(DECISIONS)
    span = START_MS, at("2d")
    east = build(tally, Read(1), (), span=span, zone=ZoneInfo("Asia/Shanghai")).days
    assert [(day.day, day.crit, day.whole) for day in east] == [
        ("2026-11-22", 1, False),
        ("2026-11-23", 1, True),
        ("2026-11-24", 0, False),
    ]
    assert sum(day.out_h for day in east) == 4.0


def test_by_route_and_receiver() -> None:
    report = reported(DECISIONS)
    routes = {each.name: each for each in report.routes}
    assert {name: each.pages for name, each in routes.items()} == {
        "people": 3, "(default)": 1, "(commands)": 2, "night": 1,
    }  # fmt: skip
    assert routes["people"].a_day == 1.5
    assert routes["people"].busiest_pages == 3
    assert routes["people"].quarter_most == 1
    assert [(each.name, each.pages) for each in report.receivers] == [("log", 7)]


def test_only_what_lies_within_counts() -> None:
    """A number that was out before still is; an alert that was over before is none."""
    report = reported(DECISIONS, since="23h", until="25h")
    assert report.alerts == 1, "the one that is on"
    assert report.days[0].crit == 0, "it began before"
    assert report.out_h == 2.0
    assert report.pages == 1, "the refusal"
    assert report.suspensions == 1


def test_terms_that_change_are_one_time_out() -> None:
    report = reported(
        [suspend("1h", "+861", "2h"), suspend("90m", "+861", "5h"), resume("3h", "+861")]
    )
    assert (report.suspensions, report.out_h) == (1, 2.0)
    assert report.outages[0].planned_ms == at("5h")


def test_how_many_are_out_at_once() -> None:
    told = tallied([suspend("1h", "a", "9h"), suspend("2h", "b", "9h"), resume("3h", "a")])
    assert steps(told.outages, START_MS, at("1d")) == [
        (START_MS, 0), (at("1h"), 1), (at("2h"), 2), (at("3h"), 1),
    ]  # fmt: skip


def test_an_end_without_a_beginning_is_nothing() -> None:
    told = tallied([alert("1h", "e", over="recovered"), resume("1h", "+861")])
    assert (told.episodes, told.outages) == ([], [])


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 2)
    told = tallied(
        [alert(f"{hour}h", f"e{hour}", over=over) for hour in range(1, 6) for over in ("", "x")]
        + [suspend(f"{hour}h", f"+86{hour}", "9h") for hour in range(3)]
    )
    assert (len(told.episodes), len(told.outages), told.beyond) == (2, 2, 3 + 1)


def case(scope: str, begin: str, end: str | None = None, rule: str | None = None) -> Case:
    def moment(text: str) -> str:
        return datetime.fromtimestamp(at(text) / 1000, tz=ZoneInfo("UTC")).isoformat()

    until = None if end is None else moment(end)
    return Case.model_validate(
        {"scope": {"number": scope}, "from": moment(begin), "to": until, "rule": rule}
    )


def test_cases() -> None:
    cases = [
        case("+861", "30m", "4h"),
        case("+862", "23h"),  # e2 has begun an hour earlier
        case("+861", "10h", "20h"),
        case("+861", "21h", "30h", rule="other"),
        case("+861", "21h", "30h"),
    ]
    report = reported(DECISIONS, cases=cases)
    told = [(each.outcome, each.after_ms, each.suspended_after_ms) for each in report.cases]
    assert told == [
        ("found", 1_800_000, None),
        ("standing", 0, None),
        ("missed", None, None),
        ("missed", None, None),
        ("missed", None, 3_600_000),
    ]
    assert report.to_json()["total"]["cases_found"] == 2
    hangup = line(report.rules, "hangup")
    assert (hangup.found, hangup.unexplained) == (2, 0)
    assert line(report.rules, "quiet").unexplained == 0, "the third case is of that number, too"
    assert report.median_after_ms == 1_800_000, "of those that it had to find"


def test_sentences() -> None:
    told = headline(reported(DECISIONS, cases=[case("+861", "30m")]))
    assert [each.en for each in told] == [
        "2 alerts from 1 rule in 2.0 days, 1 a day; 2 rules stayed quiet.",
        (
            "1 number went out of service 1 time: 4.0 number-hours lost (0.83% of dialling"
            " capacity), at most 1 at once; guards kept 1 more in service."
        ),
        "People get 3.5 messages a day; the busiest day, 2026-11-22, had 6.",
        "1 of 1 known case was found, half of them within 30 min; 1 alert is about none of them.",
        "Rules in shadow would have raised 1 more alert, of which nobody heard.",
    ]
    assert all(each.zh.endswith("。") for each in told)
    quiet = headline(reported([]))
    assert [each.en for each in quiet] == [
        "0 alerts from 0 rules in 2.0 days, 0 a day; 2 rules stayed quiet.",
        "No number went out of service.",
        "Nobody would have been paged.",
    ]

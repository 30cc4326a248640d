"""Who hears how much in a back-test: by hand, and against the daemon's own dispatcher."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from monitor.backtest.build import build
from monitor.backtest.page import page_of
from monitor.backtest.report import PersonLine, Read, Report
from monitor.backtest.tally import Tally
from monitor.backtest.text import show
from monitor.clock import ManualClock
from monitor.decisions import Alert, Decision
from monitor.delivery.routes import Router
from monitor.delivery.settings import DeliverySettings
from monitor.store.settings import StoreSettings
from monitor.store.store import Store
from tests.backtest.made import START_MS, alert, at, refusal, reported, resume, suspend
from tests.backtest.test_page import checked
from tests.delivery.routing.scene import settings_of
from tests.delivery.routing.test_dispatcher import Desk


def told(decisions: Sequence[Decision], since: str = "0s", until: str = "2d", **d: Any) -> Report:
    return told_by(settings_of(**d), decisions, since, until)


def told_by(
    settings: DeliverySettings, decisions: Sequence[Decision], since: str, until: str
) -> Report:
    tally = Tally(Router(settings, telephony=False), at(since), at(until))
    tally.route_by(lambda _: "red")
    for decision in decisions:
        tally.tell(decision)
    tally.finish(at(until))
    return build(tally, Read(1), (), span=(at(since), at(until)), zone=UTC)


def person(report: Report, name: str) -> PersonLine:
    assert report.people is not None
    return next(line for line in report.people if line.name == name)


#   1h       1h30      2h        3h                 25h         26h
#   e1 warn            e1 over   e2 crit            e3 warn     e3 over
#   zhang    zhang     zhang     zhang, then at     li: the     li
#            (repeat)            3h20 li            rotation's
#                                                   second day
def test_by_hand() -> None:
    rotation = {
        "tz": "UTC", "begins": "2026-11-22", "handover": "00:00", "every": "day",
        "people": ["zhang", "li"],
    }  # fmt: skip
    desk = {
        "name": "desk", "to": ["desk"], "repeat": {"every": "30m", "factor": 10, "max": "5h"},
        "escalate": [{"after": "20m", "to": ["wang"]}],
    }  # fmt: skip
    report = told(
        [
            alert("1h", "e1"),
            alert("2h", "e1", over="recovered"),
            alert("3h", "e2", level="crit"),
            alert("3h 10m", "e2", level="crit", over="recovered"),
            alert("4h", "quiet", shadow=True),
            alert("25h", "e3"),
            alert("25h 10m", "e3", over="recovered"),
        ],
        rotations={"desk": rotation},
        routing=[desk],
    )
    zhang, li, wang = (person(report, name) for name in ("zhang", "li", "wang"))
    assert (zhang.pages, zhang.repeats, zhang.escalations) == (5, 1, 0)
    assert zhang.by_day == {"2026-11-22": 5}
    assert (li.pages, li.by_day, li.a_day) == (2, {"2026-11-23": 2}, 1.0)
    assert (wang.pages, wang.escalations) == (2, 1), "the escalation, and the end of that"
    assert [line.name for line in report.people or ()] == ["zhang", "li", "wang"]
    assert {line.name: line.pages for line in report.routes} == {"desk": 8}
    receivers = {line.name: line.pages for line in report.receivers}
    assert receivers == {"ding-zhang": 5, "sms-zhang": 2, "ding-li": 2, "ding-wang": 2}
    assert report.pages == 8


def test_a_cap_makes_digests_and_direct_messages_count_too() -> None:
    storm: list[Decision] = [
        alert(f"1h {n}s", f"e{n}", scope=(("number", f"+{n}"),)) for n in range(60)
    ]
    more: list[Decision] = [suspend("5h", "+869", "6h"), resume("6h", "+869"), refusal("7h", "+1")]
    report = told(
        [*storm, *more],
        at_most="5/1h",
        routing=[{"name": "all", "to": ["zhang"]}],
        commands=["sms-zhang", "ding-zhang", "ops"],
        routes={"night": {"receivers": ["ding-li"]}},
    )
    zhang = person(report, "zhang")
    assert zhang.digests == 1
    assert zhang.pages == 4 + 1 + 2 + 1, "four alerts, the rest in one, out and back, a refusal"
    assert person(report, "li").pages == 0, "with routing, refusals take it too"
    assert person(report, "wang").pages == 0
    routes = {line.name: line.pages for line in report.routes}
    assert routes == {"all": 5, "(digest)": 1, "(commands)": 2}


def test_only_what_is_said_within_the_range_counts() -> None:
    desk = {"name": "desk", "to": ["zhang"], "repeat": {"every": "1h", "factor": 1, "max": "1h"}}
    one = [alert("30m", "e1")]
    assert person(told(one, routing=[desk]), "zhang").pages == 48
    inside = person(told(one, "10h", "15h", routing=[desk]), "zhang")
    assert (inside.pages, inside.repeats) == (5, 5), "half past ten to half past two"


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_daemons_dispatcher_sends(tmp_path: Path, seed: int) -> None:
    """The same alerts through the store, a step of the dispatcher after the other."""
    rng = random.Random(seed)
    routing = [
        {"name": "crit", "match": {"level": ["crit"]}, "to": ["zhang", "li"], "continue": True,
         "repeat": {"every": "10m", "factor": 2, "max": "1h"},
         "escalate": [{"after": "7m", "to": ["wang"]}]},
        {"name": "rest", "to": ["li"], "group_by": ["rule"], "group_wait": "1m",
         "group_interval": "5m"},
    ]  # fmt: skip
    settings = settings_of(routing=routing, at_most="6/30m", flapping=None)
    alerts = _alerts(rng)
    clock = ManualClock(START_MS)
    sent: Counter[tuple[str, int]] = Counter()
    with Store.open(StoreSettings(path=tmp_path / "s.db"), clock, daemon=True) as store:
        desk = Desk(store, clock, routing=routing, at_most="6/30m", flapping=None)
        for each in alerts:
            if each.at_ms > clock.now_ms():
                desk.run(each.at_ms - 1 - clock.now_ms())
                clock.advance(1)  # what is due by then is told with the alert, in one step
            desk.record(each)
        desk.run(at("6h") - clock.now_ms())
        for name, channel in desk.channels.items():
            sent[name, 0] += len(channel.sent) + len(channel.digests)
    report = told_by(settings, alerts, "0s", "6h 1ms")
    mine = {line.name: line.pages for line in report.receivers}
    assert mine == {name: count for (name, _), count in sent.items() if count}
    assert sum(line.digests for line in report.people or ()) > 0
    assert sum(line.escalations for line in report.people or ()) > 0
    assert sum(line.repeats for line in report.people or ()) > 0


def _alerts(rng: random.Random) -> list[Alert]:
    found = []
    for n in range(40):
        begin = rng.randrange(4 * 3_600)
        long = rng.randrange(30, 3_600)
        level: Any = rng.choice(["warn", "crit"])
        scope = (("number", f"+86{n}"),)
        rule = rng.choice(["hangup", "flags"])
        made = alert(f"{begin}s", f"e{n}", rule=rule, scope=scope, level=level)
        found += [made, replace(alert(f"{begin + long}s", f"e{n}", rule=rule, scope=scope,
                                      level=level, over="recovered"))]  # fmt: skip
    return sorted(found, key=lambda each: each.at_ms)


def test_without_routing_it_is_said_so() -> None:
    report = reported([alert("1h", "e1")])
    assert report.people is None
    assert report.to_json()["people"] is None
    text = StringIO()
    show(report, Console(file=text, width=200), UTC)
    assert "Not by person: this configuration has no delivery.routing" in text.getvalue()
    page = checked(page_of(report, language="en", zone=UTC, now_ms=at("2d")))
    assert "Not by person" in page
    assert "没有按人统计" in page


def test_it_is_shown_everywhere() -> None:
    desk = {"name": "desk", "to": ["zhang"]}
    report = told([alert("1h", "e1"), alert("26h", "e2")], routing=[desk])
    lines = report.to_json()["people"]
    assert lines[0] == {
        "name": "zhang", "pages": 2, "a_day": 1.0, "busiest_day": "2026-11-23", "busiest_pages": 1,
        "quarter_most": 1, "repeats": 0, "escalations": 0, "digests": 0,
        "by_day": {"2026-11-22": 1, "2026-11-23": 1},
    }  # fmt: skip
    text = StringIO()
    show(report, Console(file=text, width=80), UTC)  # as where nobody has told how wide it is
    _, _, table = text.getvalue().partition("By person")
    _, heads, zhang = (" ".join(line.split()) for line in table.splitlines()[:3])
    assert heads == "name in all a day busiest day of it in 15 min again escalated digests"
    assert zhang == "zhang 2 1 2026-11-23 1 1 · · ·"
    assert "Nobody acknowledges here" in " ".join(text.getvalue().split())
    page = checked(page_of(report, language="zh", zone=UTC, now_ms=at("2d")))
    assert "按人" in page
    assert "此处无人确认告警" in page

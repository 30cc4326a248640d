"""Who hears what and when, in scenes on a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decisions import Alert
from tests.delivery.routing.scene import Scene, at

ONE = {"name": "all", "to": ["zhang"]}


def test_an_alert_is_told_at_once_and_its_end_to_whoever_heard() -> None:
    scene = Scene(routing=[ONE])
    first = scene.fire()
    scene.until("09:10")
    over = scene.end(first)
    scene.until("09:20")
    assert scene.heard() == ["09:00 zhang alerts 1", "09:10 zhang alerts 1"]
    (_, begun), (_, ended) = scene.sent
    assert (begun.id, begun.plain, begun.receivers) == (first.id, True, ("ding-zhang", "sms-zhang"))
    assert (begun.language, begun.level) == ("zh", "crit")
    assert ended.id == over.id
    assert scene.said(first) == ["all: told"]
    assert scene.left() == []  # nothing is remembered of it


def test_a_warning_goes_by_fewer_ways() -> None:
    scene = Scene(routing=[ONE])
    warn = scene.fire(level="warn")
    scene.until("09:05")
    crit = scene.change(warn, level="crit", reason="escalated")
    scene.until("09:06")
    relaxed = scene.change(crit, level="warn", reason="relaxed")
    scene.until("09:07")
    scene.end(relaxed)
    scene.until("09:08")
    assert [m.receivers for _, m in scene.sent] == [
        ("ding-zhang",),
        ("ding-zhang", "sms-zhang"),
        ("ding-zhang",),
        ("ding-zhang", "sms-zhang"),  # all ways by which anything was heard of it
    ]


def test_a_group_is_told_together_then_in_intervals_but_what_gets_critical_at_once() -> None:
    route = {"name": "g", "to": ["ops"], "group_by": ["team"]}
    scene = Scene(routing=[route])
    made = [scene.fire(f"r{n}", level="warn") for n in range(3)]
    other = scene.fire("r1", "team=t2")
    scene.until("09:01")
    assert scene.heard() == ["09:00 ops alerts 3", "09:00 ops alerts 1"]
    scene.fire("r9", level="warn")
    scene.until("09:04")
    assert len(scene.sent) == 2
    scene.change(made[0], level="crit", reason="escalated")
    scene.until("09:05")
    assert scene.heard()[2:] == ["09:04 ops alerts 2"]
    scene.end(other)
    scene.until("09:20")
    assert scene.heard()[3:] == ["09:05 ops alerts 1"]
    assert all(scene.said(alert) == ["g: told"] for alert in made)


def test_what_is_over_before_it_is_told_is_not() -> None:
    scene = Scene(routing=[{"name": "g", "to": ["ops"], "group_by": ["team"]}])
    first = scene.fire()
    over = scene.end(first)
    scene.until("09:05")
    assert scene.heard() == []
    assert scene.said(first) == scene.said(over) == ["g: over_before_told"]
    assert scene.left() == []


def test_what_comes_back_to_the_level_that_was_told_is_no_news() -> None:
    scene = Scene(routing=[{"name": "g", "to": ["ops"], "group_by": ["team"]}])
    warn = scene.fire(level="warn")
    scene.until("09:01")
    crit = scene.change(warn, level="crit")
    back = scene.change(crit, level="warn")
    scene.until("09:10")
    assert scene.heard() == ["09:00 ops alerts 1"]
    assert scene.said(crit) == scene.said(back) == ["g: unchanged"]


def test_routes_are_taken_in_order_and_go_on_where_they_say() -> None:
    scene = Scene(
        packs={"r1": "lines"},
        routes={"coaches": {"receivers": ["night"]}},
        routing=[
            {"name": "log", "match": {"pack": "lines"}, "to": ["ops"], "continue": True},
            {"name": "t1", "match": {"team": ["t1", "t3"], "level": "crit"}, "to": ["zhang"]},
            {"name": "rest", "match": {"team": "!t9"}, "to": ["li"]},
        ],
    )
    scene.fire("r1", "team=t1")
    scene.fire("r2", "team=t1", level="warn")
    scene.fire("r2", "team=t9", route="coaches")
    scene.fire("r2", "team=t9,agent=a1", route="gone")
    scene.until("09:01")
    assert sorted(scene.heard()) == [
        "09:00 li alerts 1",
        "09:00 log alerts 1",  # the default receiver
        "09:00 night alerts 1",  # by the rule's own route
        "09:00 ops alerts 1",
        "09:00 zhang alerts 1",
    ]


def test_what_gets_worse_takes_the_routes_of_that_level() -> None:
    scene = Scene(
        routing=[
            {"name": "crit", "match": {"level": "crit"}, "to": ["zhang"]},
            {"name": "warn", "to": ["li"], "repeat": {"every": "10m"}},
        ]
    )
    warn = scene.fire(level="warn")
    scene.until("09:05")
    crit = scene.change(warn, level="crit")
    scene.until("09:30")
    scene.end(crit)
    scene.until("09:31")
    assert scene.heard() == [
        "09:00 li alerts 1",
        "09:05 zhang alerts 1",
        "09:30 li alerts 1",
        "09:30 zhang alerts 1",
    ]
    assert sorted(scene.said(crit)) == ["crit: told", "warn: moved"]


ESCALATE = {
    "name": "all",
    "to": ["zhang"],
    "escalate": [{"after": "15m", "to": ["li"]}, {"after": "30m", "to": ["wang", "ops"]}],
}


@pytest.mark.parametrize(
    ("acknowledged", "heard"),
    [
        (
            None,
            "09:00 zhang,09:15 li,09:30 wang,09:30 ops,10:00 zhang,10:00 li,10:00 wang,10:00 ops",
        ),
        ("09:10", "09:00 zhang,10:00 zhang"),
        ("09:20", "09:00 zhang,09:15 li,10:00 zhang,10:00 li"),
    ],
)
@pytest.mark.parametrize("killed", [False, True])
def test_nobody_acknowledges_so_the_next_ones_hear(
    acknowledged: str | None, heard: str, *, killed: bool
) -> None:
    scene = Scene(routing=[ESCALATE])
    first = scene.fire()
    for moment in ("09:05", "09:10", "09:14", "09:15", "09:20", "09:29", "09:40"):
        scene.until(moment)
        if moment == acknowledged:
            scene.acknowledge(first)
        if killed:
            scene.restart()
    scene.until("10:00")
    scene.end(first)
    scene.until("10:01")
    assert ",".join(" ".join(line.split()[:2]) for line in scene.heard()) == heard


def test_a_level_that_nobody_acknowledged_escalates_anew() -> None:
    scene = Scene(routing=[ESCALATE])
    warn = scene.fire(level="warn")
    scene.until("09:10")
    scene.acknowledge(warn)
    scene.until("09:50")
    crit = scene.change(warn, level="crit")
    scene.until("10:06")
    assert scene.heard() == [
        "09:00 zhang alerts 1",
        "09:50 zhang alerts 1",
        "10:05 li escalation 1",
    ]
    assert scene.said(crit) == ["all: told"]


def test_repeats_come_ever_more_rarely_until_somebody_knows() -> None:
    repeat = {"every": "10m", "max": "40m"}
    scene = Scene(routing=[ONE | {"repeat": repeat}])
    first = scene.fire()
    scene.until("11:25")
    assert scene.heard() == [
        "09:00 zhang alerts 1",
        "09:10 zhang repeat 1",
        "09:30 zhang repeat 1",
        "10:10 zhang repeat 1",
        "10:50 zhang repeat 1",
    ]
    scene.acknowledge(first)
    scene.until("15:00")
    assert len(scene.sent) == 5
    assert len({m.id for _, m in scene.sent}) == 5


def test_a_rule_that_asks_for_it_is_told_again_unless_somebody_knows() -> None:
    scene = Scene(routing=[ESCALATE])
    first = scene.fire()
    scene.until("09:10")
    scene.change(first, reason="repeat")
    scene.until("09:16")  # the escalation goes by the first telling
    scene.acknowledge(first)
    last = scene.change(first, reason="repeat")
    scene.until("09:50")
    assert [line[:11] for line in scene.heard()] == ["09:00 zhang", "09:10 zhang", "09:15 li es"]
    assert scene.said(last) == ["all: acknowledged"]


def test_what_somebody_knows_before_it_is_told_is_told_to_nobody() -> None:
    scene = Scene(routing=[{"name": "g", "to": ["ops"], "group_by": ["team"]}])
    first = scene.fire()
    scene.acknowledge(first)
    scene.until("09:05")
    over = scene.end(first)
    scene.until("09:20")
    assert scene.heard() == []
    assert scene.said(first) == scene.said(over) == ["g: acknowledged"]


# --- silences -------------------------------------------------------------------------------------


def test_a_silence_holds_and_what_still_fires_at_its_end_is_told() -> None:
    scene = Scene(routing=[ONE])
    scene.silence("2026-11-30 10:00", rule="r*", team="t1")
    stays, goes, other = scene.fire("r1"), scene.fire("r2"), scene.fire("r1", "team=t2")
    scene.until("09:30")
    assert scene.heard() == ["09:00 zhang alerts 1"]
    assert scene.said(stays) == ["all: silenced"]
    ended = scene.end(goes)
    scene.until("09:59")
    assert scene.said(ended) == ["all: silenced"]
    assert scene.said(other) == ["all: told"]
    scene.until("10:01")
    assert scene.heard()[1:] == ["10:00 zhang alerts 1"]
    assert scene.said(stays) == ["all: told"]


def test_people_end_a_silence_early_and_escalation_waits_for_its_end() -> None:
    scene = Scene(routing=[ESCALATE])
    scene.fire("r1")
    scene.until("09:10")
    made = scene.silence("2026-11-30 12:00", rule="r1")
    scene.until("09:40")
    assert len(scene.sent) == 1
    scene.silences.remove(made)
    scene.until("09:41")
    assert [line[:8] for line in scene.heard()[1:]] == ["09:40 li", "09:40 wa", "09:40 op"]


def test_of_an_end_within_a_silence_nobody_hears() -> None:
    scene = Scene(routing=[ONE])
    first = scene.fire()
    scene.until("09:05")
    scene.silence("2026-11-30 12:00", team="t1")
    over = scene.end(first)
    scene.until("13:00")
    assert len(scene.sent) == 1
    assert scene.said(over) == ["all: silenced"]


# --- inhibition -----------------------------------------------------------------------------------

INHIBIT = [{"source": {"rule": "company-*"}, "target": {"rule": "team-*"}, "equal": ["campaign"]}]


@pytest.mark.parametrize("first", ["source", "target"])
def test_a_source_mutes_its_targets_and_what_still_fires_is_told_after_it(first: str) -> None:
    scene = Scene(routing=[ONE], inhibit=INHIBIT)
    made = {}
    for which in ("source", "target") if first == "source" else ("target", "source"):
        rule = "company-down" if which == "source" else "team-down"
        made[which] = scene.fire(rule, "campaign=c1")
    scene.fire("team-down", "campaign=c2")
    lonely = scene.fire("team-down", "team=t5")  # of no campaign
    scene.until("09:30")
    assert scene.heard() == ["09:00 zhang alerts 1"] * 3
    assert scene.said(made["target"]) == ["all: inhibited"]
    assert scene.said(lonely) == ["all: told"]
    scene.end(made["source"])
    scene.until("09:31")
    assert scene.heard()[3:] == ["09:30 zhang alerts 1"] * 2
    assert scene.said(made["target"]) == ["all: told"]


MUTUAL = [{"source": {"level": "crit"}, "target": {"rule": "number-*"}, "equal": ["campaign"]}]


@pytest.mark.parametrize(
    ("fired", "inhibited"),
    [
        ([("number-a", "crit"), ("number-b", "crit")], set()),  # both are source and target
        ([("number-a", "crit"), ("number-b", "warn")], {"number-b"}),
        ([("down", "crit"), ("number-a", "crit"), ("number-b", "warn")], {"number-a", "number-b"}),
        ([("down", "warn"), ("number-a", "crit")], set()),
        ([("down", "crit"), ("other", "crit")], set()),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_two_that_are_both_source_and_target_do_not_mute_each_other(
    fired: list[tuple[str, str]], inhibited: set[str], *, turned: bool
) -> None:
    scene = Scene(routing=[ONE], inhibit=MUTUAL)
    made = {
        rule: scene.fire(rule, f"campaign=c1,number={rule}", level)
        for rule, level in (reversed(fired) if turned else fired)
    }
    scene.until("09:30")
    said = {rule: scene.said(each) for rule, each in made.items()}
    expected = {rule: ["all: inhibited" if rule in inhibited else "all: told"] for rule in made}
    assert said == expected


def test_what_becomes_a_target_too_mutes_no_longer_what_is_a_source_as_well() -> None:
    target = {"rule": "number-*", "state": "bad"}
    scene = Scene(routing=[ONE], inhibit=[MUTUAL[0] | {"target": target}])
    first = scene.fire("number-a", "campaign=c1,state=good")
    held = scene.fire("number-b", "campaign=c1,state=bad")
    scene.until("09:10")
    assert scene.said(held) == ["all: inhibited"]
    scene.change(first, scope=(("campaign", "c1"), ("state", "bad")))
    scene.until("09:11")
    assert scene.said(held) == ["all: told"]


# --- flapping -------------------------------------------------------------------------------------


def test_what_comes_and_goes_is_told_once_as_such_and_then_when_it_is_calm() -> None:
    scene = Scene(routing=[ONE], flapping={"count": 3, "within": "30m"})
    made: list[Alert] = []
    for minute in range(0, 40, 5):
        scene.until(f"09:{minute:02}")
        made.append(scene.fire() if minute % 10 == 0 else scene.end(made[-1]))
    scene.until("11:00")
    assert scene.heard() == [
        "09:00 zhang alerts 1",
        "09:05 zhang alerts 1",
        "09:10 zhang alerts 1",
        "09:15 zhang alerts 1",
        "09:20 zhang flapping 1",
        "10:05 zhang alerts 1",  # the one it was told of is over; the one after it never told
    ]
    assert scene.said(made[6]) == ["all: flapping"]
    assert scene.said(made[7]) == ["all: flapping"]
    assert scene.left() == []


def test_what_fires_on_when_it_is_calm_is_told() -> None:
    scene = Scene(routing=[ONE], flapping={"count": 2, "within": "30m"})
    for minute in (0, 10, 20):
        scene.until(f"09:{minute:02}")
        made = scene.fire()
        if minute < 20:
            scene.until(f"09:{minute + 5:02}")
            scene.end(made)
    scene.until("10:00")
    assert scene.heard()[2:] == [
        "09:10 zhang flapping 1",
        "09:50 zhang alerts 1",
        "09:50 zhang alerts 1",
    ]
    assert scene.said(made) == ["all: told"]


FLAPS = {"count": 3, "within": "60m"}


def flapping(scene: Scene, level: str) -> Alert:
    """It began three times by 09:08, and fires on; the last was told as flapping."""
    for minute in (0, 4, 8):
        scene.until(f"09:{minute:02}")
        made = scene.fire(level=level)
        scene.until(f"09:{minute + 1:02}")
        if minute < 8:
            scene.end(made)
            scene.until(f"09:{minute + 2:02}")
    assert scene.heard()[-1] == "09:08 zhang flapping 1"
    return made


@pytest.mark.parametrize("begins", ["2026-11-30 13:00", "2026-12-02 09:00"])
def test_what_flapped_and_ended_in_a_silence_is_news_when_it_comes_again(begins: str) -> None:
    scene = Scene(routing=[ONE], flapping=FLAPS)
    last = flapping(scene, "crit")
    scene.silence("2026-11-30 12:00", rule="r1")
    scene.until("09:20")
    scene.end(last)
    scene.until(begins)
    assert [key for key in scene.rows if key[0] == "flap"] == []
    told = len(scene.sent)
    again = scene.fire()
    scene.step()
    assert len(scene.sent) == told + 1
    assert scene.said(again) == ["all: told"]


def test_a_flap_that_is_over_is_over_for_what_begins_at_that_moment() -> None:
    scene = Scene(routing=[ONE], flapping=FLAPS)
    last = flapping(scene, "crit")
    scene.silence("2026-11-30 12:00", rule="r1")
    scene.until("09:20")
    scene.end(last)
    scene.step()
    scene.now_ms += 3_600_000  # nothing was looked at in between
    again = scene.fire()
    scene.silences.clear()
    scene.step()
    assert scene.said(again) == ["all: told"]


def test_what_is_only_said_again_is_calm() -> None:
    scene = Scene(routing=[ONE], flapping=FLAPS)
    last = flapping(scene, "warn")
    told = len(scene.sent)
    for moment in ("09:30", "10:00", "10:30", "11:00"):
        scene.until(moment)
        last = scene.change(last, reason="repeat")
    scene.until("11:01")
    # It last began at 09:08; what the rule said again meanwhile is told once.
    assert [line[:5] for line in scene.heard()[told:]] == ["10:08", "10:30", "11:00"]
    assert scene.said(last) == ["all: told"]


@pytest.mark.parametrize("anew", [False, True])
def test_what_flaps_and_gets_critical_is_told_once_as_that(*, anew: bool) -> None:
    scene = Scene(routing=[ONE], flapping=FLAPS)
    last = flapping(scene, "warn")
    told = len(scene.sent)
    if anew:  # another episode, of which nobody was told
        scene.end(last)
        scene.until("09:12")
        last = scene.fire(level="warn")
        scene.until("09:13")
    worse = scene.change(last, level="crit", reason="escalated")
    scene.until("09:20")
    assert [(m.why, m.level, m.receivers) for _, m in scene.sent[told:]] == [
        ("flapping", "crit", ("ding-zhang", "sms-zhang"))
    ]
    assert scene.said(worse) == ["all: told"]
    better = scene.change(worse, level="warn", reason="relaxed")
    scene.until("09:21")
    scene.change(better, level="crit", reason="escalated")
    scene.until("10:00")
    assert len(scene.sent) == told + 1


def test_without_flap_control_all_of_it_is_told() -> None:
    scene = Scene(routing=[ONE], flapping=None)
    for minute in range(0, 40, 10):
        scene.until(f"09:{minute:02}")
        scene.end(scene.fire())
        scene.fire("r2")
        scene.until(f"09:{minute + 1:02}")
    assert len(scene.sent) == 4


# --- hours ----------------------------------------------------------------------------------------

DAY = {"tz": "Asia/Shanghai", "from": "09:00", "to": "18:00", "holidays": "CN"}


@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-11-30 09:00", "zhang"),  # Monday
        ("2026-11-30 17:59", "zhang"),
        ("2026-11-30 18:00", "night"),
        ("2026-11-30 08:59", "night"),
        ("2026-11-28 12:00", "night"),  # Saturday
        ("2026-10-01 12:00", "night"),  # National Day
        ("2026-09-30 12:00", "zhang"),
    ],
)
def test_a_route_holds_in_its_hours(moment: str, who: str) -> None:
    scene = Scene(
        start=moment,
        routing=[
            {"name": "day", "to": ["zhang"], "hours": DAY},
            {"name": "night", "to": ["night"]},
        ],
    )
    scene.fire()
    scene.step()
    assert [line.split()[1] for line in scene.heard()] == [who]


def test_at_other_hours_what_comes_is_held_and_told_in_the_morning() -> None:
    route = {"name": "day", "to": ["zhang"], "hours": DAY, "otherwise": "hold"}
    scene = Scene(start="2026-11-27 19:00", routing=[route | {"group_by": ["team"]}])  # Friday
    made, gone = scene.fire("r1", level="warn"), scene.fire("r2", level="warn")
    scene.until("2026-11-28 12:00")
    over = scene.end(gone)
    assert scene.sent == []
    assert scene.said(made) == ["day: out_of_hours"]
    scene.until("2026-11-30 09:10")
    assert scene.heard() == ["09:00 zhang alerts 1"]
    assert scene.said(over) == ["day: out_of_hours"]


def test_after_hours_what_nobody_acknowledged_goes_to_the_next_route() -> None:
    scene = Scene(
        start="2026-11-30 17:30",
        routing=[
            {"name": "day", "to": ["zhang"], "hours": DAY, "repeat": {"every": "1h"}},
            {"name": "night", "to": ["night"], "hours": DAY | {"outside": True}},
        ],
    )
    first = scene.fire()
    scene.until("21:00")
    assert scene.heard() == ["17:30 zhang alerts 1", "18:30 night alerts 1"]
    scene.end(first)
    scene.until("21:01")
    assert sorted(scene.heard()[2:]) == ["21:00 night alerts 1", "21:00 zhang alerts 1"]


@pytest.mark.parametrize("until", ["2026-12-01 12:00", "2026-12-03 12:00"])
@pytest.mark.parametrize("killed", [False, True])
def test_what_is_handed_over_and_back_is_told_by_whoever_has_the_hours(
    until: str, *, killed: bool
) -> None:
    again = {"every": "60m", "factor": 1}
    scene = Scene(
        start="2026-11-30 12:30",
        routing=[
            {"name": "day", "to": ["zhang"], "hours": DAY, "repeat": again},
            {"name": "night", "to": ["li"], "hours": DAY | {"outside": True}, "repeat": again},
        ],
    )
    first = scene.fire()
    for moment in ("2026-11-30 20:00", "2026-12-01 09:45", until):
        scene.until(moment)
        if killed:
            scene.restart()
    by_hour = {ms // 3_600_000: m.person for ms, m in scene.sent}
    hours = range(min(by_hour), max(by_hour) + 1)
    assert len(scene.sent) == len(by_hour) == len(hours)
    assert hours[-1] == at(until) // 3_600_000 - 1
    for hour, person in by_hour.items():
        local = (hour + 8) % 24
        assert person == ("zhang" if 9 <= local < 18 else "li"), local
    scene.end(first)
    scene.until("2026-12-03 13:00")
    assert sorted(m.person for _, m in scene.sent[-2:]) == ["li", "zhang"]


def test_of_an_end_before_it_is_told_anew_hears_whoever_heard_of_it() -> None:
    by_level = {"match": {"level": "crit"}, "group_by": ["team"], "group_interval": "30m"}
    scene = Scene(routing=[{"name": "crit", "to": ["zhang"], **by_level}])
    last = scene.fire(level="crit")
    for minute, level in ((5, "warn"), (10, "crit")):
        scene.until(f"09:{minute:02}")
        last = scene.change(last, level=level)
        scene.step()
    scene.until("09:15")
    scene.end(last)
    scene.until("10:00")
    assert [line[:8] for line in scene.heard() if "zhang" in line] == ["09:00 zh", "09:30 zh"]
    assert scene.sent[-1][1].counts == {"resolved crit r1": 1}


def test_what_gets_worse_again_is_news_on_the_routes_of_that_level() -> None:
    scene = Scene(
        routing=[
            {"name": "crit", "match": {"level": "crit"}, "to": ["zhang"]},
            {"name": "warn", "to": ["li"]},
        ]
    )
    last = scene.fire(level="crit")
    for minute, level in ((5, "warn"), (10, "crit"), (15, "warn")):
        scene.until(f"09:{minute:02}")
        last = scene.change(last, level=level)
    scene.until("09:20")
    assert [line[:8] for line in scene.heard()] == ["09:00 zh", "09:05 li", "09:10 zh", "09:15 li"]


# --- nobody, Alertmanager, changes ----------------------------------------------------------------


def test_a_route_to_nobody_tells_nobody_and_says_so() -> None:
    scene = Scene(routing=[{"name": "drop", "to": []}])
    first = scene.fire()
    scene.until("09:10")
    over = scene.end(first)
    scene.until("09:20")
    assert scene.sent == []
    assert scene.said(first) == scene.said(over) == ["drop: nobody"]


def test_of_ends_people_hear_only_where_the_route_says_so() -> None:
    scene = Scene(routing=[ONE | {"ends": False}])
    first = scene.fire()
    scene.until("09:10")
    over = scene.end(first)
    scene.until("09:20")
    assert len(scene.sent) == 1
    assert scene.said(over) == ["all: ends_not_told"]


def test_an_end_whose_beginning_nobody_kept_is_told() -> None:
    scene = Scene(routing=[ONE])
    first = scene.fire()
    scene.board = Scene(routing=[ONE]).board
    scene.end(first)
    scene.until("09:01")
    assert scene.heard() == ["09:00 zhang alerts 1"]


def test_an_alertmanager_is_told_of_every_transition_whatever_the_group() -> None:
    receivers = {
        "am": {"type": "alertmanager", "url": "http://127.0.0.1:9093"},
        "ding-zhang": {"type": "webhook", "url": "http://127.0.0.1/z"},
    }
    route = {"name": "g", "to": ["am", "zhang"], "group_by": ["team"]}
    people = {"zhang": {"receivers": ["ding-zhang"]}}
    scene = Scene(receivers=receivers, people=people, routing=[route])
    made = [scene.fire("r1"), scene.fire("r2")]
    scene.end(made[0])
    scene.until("09:01")
    ids = [m.id for _, m in scene.sent if m.receivers == ("am",)]
    assert len(ids) == 3
    assert scene.heard()[3:] == ["09:00 zhang alerts 1"]


def test_routes_change_and_what_was_on_one_that_is_gone_takes_those_there_are() -> None:
    scene = Scene(routing=[ONE | {"repeat": {"every": "10m"}}])
    first = scene.fire()
    scene.until("09:05")
    changed = Scene(routing=[{"name": "new", "to": ["li"]}])
    scene.board.adopt(changed.plan, changed.board._holds.sources, scene.now_ms)
    scene.plan = changed.plan
    scene.until("09:20")
    scene.end(first)
    scene.until("09:21")
    assert scene.heard() == [
        "09:00 zhang alerts 1",
        "09:05 li alerts 1",
        "09:20 zhang alerts 1",
        "09:20 li alerts 1",
    ]
    assert scene.left() == []


def test_so_many_transitions_wait_and_no_more() -> None:
    scene = Scene(routing=[ONE])
    scene.silence("2026-11-30 12:00", team="t1")
    made = [scene.fire(level="warn")]
    for number in range(120):
        scene.now_ms += 1_000
        made.append(scene.change(made[0], level="crit" if number % 2 else "warn"))
        scene.step()
    scene.until("12:01")
    assert scene.said(made[0]) == ["all: silenced"]
    assert scene.said(made[-1]) == ["all: told"]
    assert sum(scene.said(each) == ["all: told"] for each in made) == 100


def test_a_group_that_comes_again_has_messages_of_its_own() -> None:
    scene = Scene(routing=[{"name": "g", "to": ["ops"], "group_by": ["team"]}])
    for start in ("09:00", "10:00"):
        scene.until(start)
        both = [scene.fire("r1"), scene.fire("r2")]
        scene.until(f"{start[:3]}20")
        for each in both:
            scene.end(each)
        scene.until(f"{start[:3]}40")
    assert scene.heard() == [
        "09:00 ops alerts 2",
        "09:20 ops alerts 2",
        "10:00 ops alerts 2",
        "10:20 ops alerts 2",
    ]
    assert len({message.id for _, message in scene.sent}) == 4


@pytest.mark.parametrize(
    ("person", "robot", "alone"),
    [
        ("zh", "en", False),
        ("zh", "zh", True),
        ("zh-CN", "zh", True),
        ("fr", "en", True),  # no message is written in that
        (None, "en", True),
    ],
)
def test_one_alert_is_told_in_the_language_of_whom_it_is_for(
    person: str | None, robot: str, *, alone: bool
) -> None:
    scene = Scene(
        receivers={"ding": {"type": "dingtalk", "token": {"env": "X"}, "language": robot}},
        people={"chen": {"receivers": ["ding"], "language": person}},
        routing=[ONE | {"to": ["chen"]}, ONE | {"name": "nobody", "to": ["ding"]}],
    )
    first = scene.fire()
    scene.until("09:01")
    (_, message) = scene.sent[0]
    assert (message.plain, message.id == first.id) == (alone, alone)
    assert message.language == (person or "")
    assert scene.said(first) == ["all: told"]


def test_in_another_language_two_routes_tell_a_person_by_one_message() -> None:
    scene = Scene(
        receivers={"ding": {"type": "dingtalk", "token": {"env": "X"}, "language": "en"}},
        people={"chen": {"receivers": ["ding"], "language": "zh"}},
        routing=[{"name": name, "to": ["chen"], "continue": True} for name in ("a", "b")],
    )
    first = scene.fire()
    scene.until("09:01")
    scene.end(first)
    scene.until("09:02")
    ids = [message.id for _, message in scene.sent]
    assert ids[0] == ids[1] != ids[2] == ids[3]


@pytest.mark.parametrize("others", [[], [{"name": "nobody", "to": []}]])
def test_what_nobody_else_would_hear_of_stays_for_the_hours_to_come(
    others: list[dict[str, Any]],
) -> None:
    steps = [{"after": "1h", "to": ["wang"]}]
    day = {"name": "day", "to": ["zhang"], "hours": DAY, "repeat": {"every": "1h", "factor": 1}}
    scene = Scene(start="2026-11-30 17:30", routing=[day | {"escalate": steps}, *others])
    first = scene.fire()
    scene.until("2026-12-01 08:59")
    assert scene.heard() == ["17:30 zhang alerts 1"]
    scene.restart()
    scene.until("2026-12-01 10:30")
    assert scene.heard()[1:] == [
        "09:00 wang escalation 1",
        "09:00 zhang repeat 1",
        "10:00 zhang repeat 1",
    ]
    scene.end(first)
    scene.until("2026-12-01 10:31")
    assert sorted(line[:8] for line in scene.heard()[4:]) == ["10:30 wa", "10:30 zh"]
    assert scene.left() == []

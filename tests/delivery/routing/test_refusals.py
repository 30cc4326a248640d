"""Refusals by routing: who hears of a suspension that may not be, on a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.delivery.routing.state import PAGES_MAX
from tests.delivery.routing.scene import Scene, at

NUMBER = "number=+8621,campaign=c7"
ROTA = {
    "people": ["zhang", "li"], "every": "day", "begins": "2026-11-30", "handover": "12:00",
    "tz": "Asia/Shanghai",
}  # fmt: skip
ALL: dict[str, Any] = {"name": "all", "to": ["zhang"]}
PEOPLE_OF_NUMBERS: dict[str, Any] = {"name": "numbers", "match": {"kind": "refusal"}, "to": ["li"]}
REST: dict[str, Any] = {"name": "rest", "to": ["ops"]}


@pytest.mark.parametrize(
    ("routing", "guard", "level", "who"),
    [
        ([ALL], "max_fraction", "warn", ["zhang"]),
        ([PEOPLE_OF_NUMBERS, REST], "min_left", "warn", ["li"]),
        ([{**PEOPLE_OF_NUMBERS, "match": {"guard": "min_*"}}, REST], "min_left", "warn", ["li"]),
        ([{**PEOPLE_OF_NUMBERS, "match": {"guard": "min_*"}}, REST], "undone", "warn", ["ops"]),
        # What it is about: the alert's labels, and the pool.
        ([{"name": "c7", "match": {"campaign": "c7"}, "to": ["wang"]}, REST], "never", "warn",
         ["wang"]),
        ([{"name": "p", "match": {"pool": "spring"}, "to": ["wang"]}, REST], "never", "warn",
         ["wang"]),
        # As bad as the alert; what telephony does not do is critical.
        ([{"name": "bad", "match": {"level": "crit"}, "to": ["li"]}, REST], "frozen", "warn",
         ["ops"]),
        ([{"name": "bad", "match": {"level": "crit"}, "to": ["li"]}, REST], "frozen", "crit",
         ["li"]),
        ([{"name": "bad", "match": {"level": "crit"}, "to": ["li"]}, REST], "telephony_silent",
         "warn", ["li"]),
        # A route of alerts alone leaves refusals to the others, at last to `refusals`.
        ([{**ALL, "match": {"kind": "alert"}}], "held", "warn", ["night"]),
        ([{"name": "duty", "match": {"kind": "refusal"}, "to": ["duty"]}], "brake", "crit",
         ["zhang"]),
    ],
)  # fmt: skip
def test_who_hears_of_a_refusal(
    routing: list[dict[str, Any]], guard: str, level: str, who: list[str]
) -> None:
    routes = {"operations": {"receivers": ["night"]}}
    scene = Scene(routing=routing, routes=routes, rotations={"duty": ROTA})
    scene.now_ms = at("2026-11-30 13:00")
    made = scene.fire("r1", NUMBER, level)
    scene.step()
    scene.sent.clear()
    told = scene.refuse(made, guard)
    scene.step()
    assert [message.person or message.receivers[0] for _, message in scene.sent] == who
    ((_, message),) = scene.sent
    assert message.plain
    assert message.id == told.id
    assert [said.partition(": ")[2] for said in scene.said(told)] == ["told"]


def test_a_persons_own_ways_for_what_is_critical_hold_for_refusals() -> None:
    scene = Scene(routing=[ALL])
    scene.refuse(guard="brake")
    scene.step()
    ((_, message),) = scene.sent
    assert message.receivers == ("ding-zhang", "sms-zhang")


@pytest.mark.parametrize("killed", [False, True])
def test_nobody_acknowledges_a_page_so_whoever_is_on_duty_then_hears(*, killed: bool) -> None:
    steps = [{"after": "2h", "to": ["duty"]}, {"after": "4h", "to": ["ops"]}]
    scene = Scene(
        routing=[ALL | {"escalate": steps, "repeat": {"every": "30m"}}],
        rotations={"duty": ROTA | {"people": ["wang", "li"], "begins": "2026-11-29"}},
    )  # fmt: skip
    scene.until("10:30")
    told = scene.refuse(guard="telephony_silent")
    scene.until("10:31")
    if killed:
        scene.restart()
    scene.until("18:00")
    # Nobody hears twice of what is said once; li has the shift from noon.
    assert scene.heard() == [
        "10:30 zhang alerts 1", "12:30 li escalation 1", "14:30 ops escalation 1",
    ]  # fmt: skip
    assert scene.sent[1][1].counts == {"failed crit r1": 1}
    assert scene.sent[1][1].shown == (told.id,)
    assert scene.left() == []


@pytest.mark.parametrize("whose", ["its own", "its alert's", "its alert's, before", "its end"])
def test_who_acknowledges_stops_escalation_unless_it_was_before(whose: str) -> None:
    steps = [{"after": "1h", "to": ["li"]}]
    refused = {"name": "r", "match": {"kind": "refusal"}, "to": ["wang"], "escalate": steps}
    scene = Scene(routing=[refused, REST])
    made = scene.fire("r1", NUMBER)
    scene.until("09:10")
    if whose == "its alert's, before":
        scene.acknowledge(made)
        scene.until("09:20")
    told = scene.refuse(made)
    scene.until("09:30")
    match whose:
        case "its own":
            scene.acknowledge(told)
        case "its alert's":
            scene.acknowledge(made)
        case "its end":
            scene.end(made)
    scene.until("12:00")
    heard = [each for each in scene.heard() if "ops" not in each]
    late = ["10:20 li escalation 1"] if whose == "its alert's, before" else []
    assert heard == [f"09:{20 if late else 10} wang alerts 1", *late]
    assert [key for key in scene.left() if told.id in key[1]] == []


def test_refusals_of_a_group_come_with_its_alerts() -> None:
    scene = Scene(routing=[ALL | {"group_by": ["campaign"]}])
    made = scene.fire("r1", NUMBER)
    scene.fire("r2", "campaign=c7", "warn")
    told = scene.refuse(made)
    scene.until("09:01")
    ((_, message),) = scene.sent
    assert message.counts == {"firing crit r1": 1, "firing warn r2": 1, "refused crit r1": 1}
    assert told.id in message.shown
    scene.end(made)
    scene.until("09:20")
    assert scene.heard()[1:] == ["09:05 zhang alerts 1"], "of the end of an alert alone"


@pytest.mark.parametrize("over", [False, True])
def test_a_refusal_waits_for_the_hours_and_is_no_news_when_it_is_over(*, over: bool) -> None:
    day = {"tz": "Asia/Shanghai", "from": "09:00", "to": "18:00"}
    scene = Scene(start="2026-11-30 22:00", routing=[ALL | {"hours": day, "otherwise": "hold"}])
    made = scene.fire("r1", NUMBER)
    told = scene.refuse(made)
    scene.until("23:00")
    assert scene.said(told) == ["all: out_of_hours"]
    if over:
        scene.end(made)
    scene.until("2026-12-01 09:30")
    assert scene.heard() == ([] if over else ["09:00 zhang alerts 1"] * 2)
    assert [key for key in scene.left() if told.id in key[1]] == []


def test_a_silence_holds_a_refusal() -> None:
    scene = Scene(routing=[ALL])
    scene.silence("2026-11-30 10:00", guard="brake")
    told = scene.refuse(guard="brake")
    scene.until("09:30")
    assert scene.said(told) == ["all: silenced"]
    scene.until("10:30")
    assert scene.heard() == ["10:00 zhang alerts 1"]


def test_at_most_so_many_and_the_rest_in_a_digest_that_says_what_they_are() -> None:
    scene = Scene(routing=[ALL], at_most="3/1h")
    for _ in range(50):
        scene.refuse(guard="brake")
    scene.until("09:05")
    assert scene.heard() == [
        "09:00 zhang alerts 1", "09:00 zhang alerts 1", "09:01 zhang capped 48",
    ]  # fmt: skip
    assert scene.sent[-1][1].counts == {"refused crit r1": 48}


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(
    ("refused", "alerts"),
    [("ops", ["zhang"]), ("zhang", ["ops"]), ("log", ["ops", "zhang"]), ("both", [])],
)
def test_in_a_wave_the_page_stands_for_alerts_where_routing_takes_it(
    refused: str, alerts: list[str], *, killed: bool
) -> None:
    to = ["ops", "zhang"] if refused == "both" else [refused]
    page = {"name": "pages", "match": {"kind": "refusal"}, "to": to}
    scene = Scene(routing=[page, {"name": "all", "to": ["ops", "zhang"]}])
    told = scene.refuse(guard="campaign")
    scene.step()
    scene.sent.clear()
    if killed:
        scene.restart()
    first = scene.fire("r1", NUMBER, inhibited_by=told.id)
    scene.until("09:01")
    assert [m.person or m.receivers[0] for _, m in scene.sent] == alerts
    assert scene.said(first) == ["all: told" if alerts else "all: inhibited"]


def test_a_page_that_nobody_has_seen_stands_for_nothing() -> None:
    scene = Scene(routing=[ALL])
    scene.fire("r1", NUMBER, inhibited_by="of an older program")
    scene.until("09:01")
    assert scene.heard() == ["09:00 zhang alerts 1"]


def test_a_refusal_told_twice_is_told_once() -> None:
    scene = Scene(routing=[ALL | {"escalate": [{"after": "1h", "to": ["li"]}]}])
    told = scene.refuse(guard="brake")
    scene.step()
    scene.board.refuse(told, None, "", scene.now_ms)
    scene.until("09:30")
    assert scene.heard() == ["09:00 zhang alerts 1"]


def test_so_many_pages_are_remembered() -> None:
    scene = Scene(routing=[{"name": "pages", "match": {"kind": "refusal"}, "to": ["ops"]}])
    pages = [scene.refuse(guard="brake") for _ in range(PAGES_MAX + 1)]
    scene.step()
    rows = [name for kind, name in scene.rows if kind == "page"]
    assert set(rows) == {page.id for page in pages[1:]}

"""Nobody gets more than can be read, and what is more is summed up."""

from __future__ import annotations

import pytest

from monitor.decisions import Alert
from tests.delivery.routing.scene import Scene


def test_a_person_gets_so_many_and_then_digests() -> None:
    scene = Scene(routing=[{"name": "all", "to": ["zhang", "ops"]}], at_most="4/30m")
    for number in range(50):
        made = scene.fire(f"r{number % 3}", f"agent=a{number}", level="crit" if number else "warn")
    scene.until("09:20")
    assert [line for line in scene.heard() if "zhang" in line] == [
        "09:00 zhang alerts 1",
        "09:00 zhang alerts 1",
        "09:00 zhang alerts 1",
        "09:01 zhang capped 47",
    ]
    assert sum("ops" in line for line in scene.heard()) == 50  # nobody's: no cap
    digest = next(m for _, m in scene.sent if m.why == "capped")
    assert digest.receivers == ("ding-zhang", "sms-zhang")
    assert digest.counts == {"firing crit r0": 16, "firing crit r1": 16, "firing crit r2": 15}
    assert len(digest.shown) == 20
    assert digest.shown[-1] == made.id
    assert scene.said(made) == ["all: told"]  # ops were
    # With no room left, the next ones wait until there is.
    scene.fire("r7", "agent=late", level="warn")
    scene.until("09:31")
    assert scene.heard()[-1] == "09:30 zhang capped 1"
    # And when it is calm again, one is one.
    scene.until("10:30")
    scene.fire("r8")
    scene.until("10:31")
    assert [line for line in scene.heard() if "zhang" in line][-1] == "10:30 zhang alerts 1"


def test_what_waits_for_a_digest_survives_a_kill_and_says_so() -> None:
    scene = Scene(routing=[{"name": "all", "to": ["zhang"]}], at_most="2/1h")
    scene.fire("r1")
    held = scene.fire("r2")
    scene.step()
    assert scene.said(held) == ["all: digest"]
    scene.restart()
    scene.until("09:01")
    assert scene.heard() == ["09:00 zhang alerts 1", "09:01 zhang capped 1"]
    assert scene.tellings[held.id, "all"].notice == scene.sent[-1][1].id


def test_a_person_may_have_a_rate_of_their_own() -> None:
    people = {
        "zhang": {"receivers": ["ding-zhang"], "at_most": "1/1h"},
        "li": {"receivers": ["ding-li"]},
    }
    scene = Scene(routing=[{"name": "all", "to": ["zhang", "li"]}], people=people)
    for number in range(5):
        scene.fire(f"r{number}")
    scene.until("11:00")
    assert [line for line in scene.heard() if "zhang" in line] == ["09:01 zhang capped 5"]
    assert sum("li" in line for line in scene.heard()) == 5


def warned(scene: Scene) -> list[Alert]:
    """Four warnings a minute apart, the last told as a digest; then it is 09:05."""
    made = []
    for number in range(4):
        scene.until(f"09:0{number}")
        made.append(scene.fire(f"w{number}", level="warn"))
    scene.until("09:05")
    assert scene.heard() == [
        "09:00 zhang alerts 1",
        "09:01 zhang alerts 1",
        "09:02 zhang alerts 1",
        "09:04 zhang capped 1",
    ]
    return made


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(
    ("level", "state", "heard"),
    [("crit", "firing", "09:06"), ("warn", "firing", "10:00"), ("crit", "resolved", "10:00")],
)
def test_what_is_critical_does_not_wait_behind_warnings(
    level: str, state: str, heard: str, *, killed: bool
) -> None:
    scene = Scene(routing=[{"name": "all", "to": ["zhang"]}], at_most="4/1h")
    first, *_ = warned(scene)
    if state == "resolved":
        scene.change(first, level=level, state=state)
    else:
        scene.fire("late", level="warn")  # a digest waits already
        scene.step()
        scene.fire("big", "team=t9", level)
    scene.step()
    if killed:
        scene.restart()
    scene.until("10:30")
    assert [line[:18] for line in scene.heard()[4:]] == [f"{heard} zhang capped"]
    assert scene.sent[-1][1].level == level


def test_beyond_the_rate_what_is_critical_has_a_few_digests() -> None:
    scene = Scene(routing=[{"name": "all", "to": ["zhang"]}], at_most="4/1h")
    warned(scene)
    for minute in range(10, 60, 5):
        scene.until(f"09:{minute}")
        scene.fire(f"c{minute}", "team=t9")
    scene.until("10:00")
    assert scene.heard()[4:] == [
        "09:11 zhang capped 1",
        "09:16 zhang capped 1",
        "09:21 zhang capped 1",
    ]
    scene.until("12:00")
    assert sum(sum(m.counts.values()) for _, m in scene.sent) == 14
    times = [ms for ms, _ in scene.sent]
    assert all(sum(t <= ms < t + 3_600_000 for ms in times) <= 4 + 3 for t in times)

"""Nobody gets more than can be read, and what is more is summed up."""

from __future__ import annotations

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
    scene.fire("r7", "agent=late")
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

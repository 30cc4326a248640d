"""Every alert is told, held by a named cause, or in a digest, in whatever order things happen."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decisions import Alert
from tests.delivery.routing.scene import Scene, at

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fire", "end", "worse", "repeat", "ack", "silence", "unsilence", "kill"]),
        st.integers(0, 5),
        st.sampled_from([0, 1_000, 31_000, 400_000, 4_000_000]),
    ),
    min_size=1,
    max_size=30,
)
SETTINGS: dict[str, Any] = {
    "routing": [
        {
            "name": "grouped",
            "match": {"team": "t0"},
            "to": ["zhang"],
            "group_by": ["team"],
            "repeat": {"every": "10m"},
            "escalate": [{"after": "5m", "to": ["li"]}],
            "continue": True,
        },
        {
            "name": "hours",
            "match": {"team": ["t0", "t1"]},
            "to": ["wang"],
            "hours": {"tz": "Asia/Shanghai", "from": "09:00", "to": "10:00"},
            "otherwise": "hold",
        },
        {"name": "nobody", "match": {"team": "t2"}, "to": []},
        {
            "name": "day",
            "match": {"team": "t3"},
            "to": ["ops"],
            "hours": {"tz": "Asia/Shanghai", "from": "09:00", "to": "10:00"},
            "repeat": {"every": "20m"},
        },
    ],
    "inhibit": [{"source": {"rule": "r4"}, "target": {"rule": "r[0-2]"}, "equal": ["team"]}],
    "flapping": {"count": 3, "within": "30m"},
    "at_most": "3/30m",
}


class Life:
    """Episodes of six rules."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.open: dict[int, Alert] = {}

    def act(self, what: str, number: int) -> None:
        scene, going = self.scene, self.open.get(number)
        if what == "fire" and going is None:
            self.open[number] = scene.fire(f"r{number}", f"team=t{number % 4}", level="warn")
        elif what == "silence":
            scene.silence("2026-11-30 12:00", rule=f"r{number}")
        elif what == "unsilence":
            del scene.silences[:1]
        elif what == "kill":
            scene.step()
            scene.restart()
        elif going is None:
            return
        elif what == "ack":
            scene.acknowledge(going)
        elif what == "worse":
            self.open[number] = scene.change(going, level="crit")
        elif what == "repeat":
            self.open[number] = scene.change(going, reason="repeat")
        elif what == "end":
            scene.end(self.open.pop(number))

    def pass_(self, ms: int) -> None:
        scene = self.scene
        end_ms = scene.now_ms + ms
        scene.step()
        for _ in range(1_000):
            due_ms = scene.board.next_due_ms()
            if due_ms is None or due_ms > end_ms:
                break
            scene.now_ms = max(scene.now_ms, due_ms)
            scene.step()
        else:
            raise AssertionError("it does not come to rest")
        scene.now_ms = end_ms
        scene.step()


@settings(max_examples=120)
@given(steps=STEPS)
def test_every_alert_is_accounted_for(steps: list[tuple[str, int, int]]) -> None:
    scene = Scene(**SETTINGS)
    life = Life(scene)
    for what, number, pause_ms in steps:
        life.act(what, number)
        scene.now_ms += 1  # no two alerts of one rule at one time
        life.pass_(pause_ms)
    for number in list(life.open):
        life.act("end", number)
    life.pass_(at("2026-12-02 10:00") - scene.now_ms)
    sent = {message.id for _, message in scene.sent}
    assert {name for name, _ in scene.tellings} == set(scene.alerts)
    for telling in scene.tellings.values():
        if telling.state == "held":
            assert telling.cause
        else:
            assert telling.notice in sent
    assert scene.left() == []
    told = [(message.id, receiver) for _, message in scene.sent for receiver in message.receivers]
    notices = [each for each in told if each[0] not in scene.alerts]
    assert len(set(notices)) == len(notices)  # of alerts the store keeps one a receiver
    for person in ("zhang", "li", "wang"):
        times = [ms for ms, message in scene.sent if message.person == person]
        for index, ms in enumerate(times):
            assert sum(ms <= other < ms + 1_800_000 for other in times[index:]) <= 3

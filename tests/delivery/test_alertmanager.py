"""A real Alertmanager is kept at the state of the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import ManualClock, SystemClock
from monitor.decisions import Alert, Decision
from monitor.delivery.attempts import Policy
from monitor.delivery.build import open_channels
from monitor.delivery.channels.alertmanager import AlertmanagerChannel
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.commands import Telephony
from monitor.delivery.lane import Lane
from monitor.delivery.pacing import Pacer
from monitor.delivery.routes import Router
from monitor.delivery.settings import AlertmanagerReceiver, DeliverySettings, KafkaReceiver
from monitor.store.outbox import Delivery
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.delivery.conftest import NOW_MS, Alertmanager
from tests.delivery.doubles import Server, wait_for
from tests.store.made import NUMBER, alert, command, refusal

CLOCK = SystemClock()


def settings(url: str, **changes: Any) -> DeliverySettings:
    return DeliverySettings.model_validate(
        {
            "receivers": {"am": {"type": "alertmanager", "url": url, **changes}},
            "routes": {
                "supervisors": {"receivers": ["am"]},
                "operations": {"receivers": ["am"]},
                "elsewhere": {"receivers": ["log"]},
            },
        }
    )


def no_topic(receiver: KafkaReceiver) -> Telephony:
    raise AssertionError(receiver)


class Daemon:
    """The parts of the daemon that matter here; a new one is a restart."""

    def __init__(self, path: Path, url: str, **changes: Any) -> None:
        self.store = Store.open(StoreSettings(path=path), CLOCK)
        made = settings(url, **changes)
        self.router = Router(made, telephony=False)
        channels = open_channels(
            made,
            router=self.router,
            episodes=self.store.episodes,
            clock=CLOCK,
            telephony={},
            topics=no_topic,
        )
        self.channel: Channel = channels["am"]
        self.lane = Lane(
            "am",
            self.channel,
            outbox=self.store.outbox,
            clock=CLOCK,
            policy=Policy(600_000, 3_600_000, 100, 10, 20),
            pacer=Pacer(None),
            draw=lambda: 0.5,
            count=lambda _result: None,
        )

    def decide(self, *decisions: Decision) -> None:
        self.store.record(Recording(decisions, self.router.plan_all(decisions)))

    def deliver(self) -> None:
        """Step until all that is due is delivered; a receiver that is down leaves it in retry."""
        while self.lane.step() == 0:
            pass

    def stop(self) -> None:
        self.channel.close()
        self.store.close()


@pytest.fixture
def daemon(tmp_path: Path, alertmanager: Alertmanager) -> Callable[[], Daemon]:
    return lambda: Daemon(tmp_path / "am.db", alertmanager.url)


@pytest.mark.prometheus
def test_firing_escalated_restarted_and_resolved(
    alertmanager: Alertmanager, daemon: Callable[[], Daemon]
) -> None:
    began_ms = CLOCK.now_ms() - 60_000
    first = daemon()
    first.decide(alert(began_ms, level="warn"))
    first.deliver()
    (shown,) = alertmanager.alerts()
    assert shown["labels"] == {
        "alertname": "number-hangup",
        "severity": "warning",
        "number": NUMBER,
    }
    assert shown["annotations"]["hits"] == "80"
    assert shown["annotations"]["message_zh"] == "挂断率 80%"
    wait_for(lambda: len(alertmanager.told()) == 1, "the supervisor hears nothing")

    # Escalation: the warning must not stay behind.
    first.decide(alert(began_ms + 30_000, since_ms=began_ms, level="crit", reason="escalated"))
    first.deliver()
    (shown,) = alertmanager.alerts()
    assert shown["labels"]["severity"] == "critical"
    wait_for(lambda: len(alertmanager.told()) == 3, "the escalation is not told")
    assert sorted(alertmanager.told()[1:]) == [
        ("firing", "number-hangup", "critical"),
        ("resolved", "number-hangup", "warning"),
    ]

    # Both die; Alertmanager keeps no alerts over a restart, and gets them again at once.
    first.stop()
    alertmanager.kill()
    alertmanager.start()
    assert alertmanager.alerts() == []
    second = daemon()
    second.deliver()
    (shown,) = alertmanager.alerts()
    assert shown["labels"]["severity"] == "critical"

    # Alertmanager is away while it ends: it is told as soon as it is back.
    alertmanager.kill()
    over = alert(CLOCK.now_ms(), since_ms=began_ms, level="crit", state="resolved")
    second.decide(over)
    second.deliver()
    assert second.store.outbox.counts() == {("am", "retry"): 1}
    alertmanager.start()

    def delivered() -> bool:
        second.deliver()
        return second.store.outbox.counts() == {}

    wait_for(delivered, "the end is not delivered")
    assert alertmanager.alerts() == []
    second.stop()


@pytest.mark.prometheus
def test_the_end_is_told_once_and_is_not_undone_by_a_late_beginning(
    alertmanager: Alertmanager, daemon: Callable[[], Daemon]
) -> None:
    now_ms = CLOCK.now_ms()
    running = daemon()
    running.decide(alert(now_ms - 60_000))
    running.deliver()
    wait_for(lambda: len(alertmanager.told()) == 1, "not told")
    running.decide(alert(now_ms, since_ms=now_ms - 60_000, state="resolved"))
    running.deliver()
    wait_for(lambda: len(alertmanager.told()) == 2, "the end is not told")
    assert alertmanager.told()[1] == ("resolved", "number-hangup", "critical")
    for _ in range(3):  # reposts of what has ended, as each minute brings them
        running.channel.repost()
    # The next transition of another episode shows that nothing else was told in between.
    running.decide(alert(now_ms, rule="team-csat", scope=(("team", "t1"),), level="warn"))
    running.deliver()
    wait_for(lambda: len(alertmanager.told()) == 3, "not told")
    assert alertmanager.told()[2] == ("firing", "team-csat", "warning")
    running.stop()


@pytest.mark.prometheus
def test_two_customers_that_look_alike_are_two_alerts_and_neither_is_shown(
    alertmanager: Alertmanager, daemon: Callable[[], Daemon]
) -> None:
    customers = ("+8613912345678", "+8613912399978")
    now_ms = CLOCK.now_ms()
    running = daemon()
    alerts = [alert(now_ms, scope=(("customer", customer),)) for customer in customers]
    running.decide(*alerts)
    running.deliver()
    shown = alertmanager.alerts()
    assert [found["labels"]["customer"] for found in shown] == ["+8613…78"] * 2
    assert not any(customer in json.dumps(shown) for customer in customers)
    running.decide(alert(now_ms, scope=alerts[0].scope, state="resolved", since_ms=now_ms))
    running.deliver()
    (left,) = alertmanager.alerts()
    assert left["labels"]["episode"] == alerts[1].episode
    running.stop()


@pytest.mark.prometheus
def test_a_refusal_is_shown_for_a_while(
    alertmanager: Alertmanager, daemon: Callable[[], Daemon]
) -> None:
    running = daemon()
    running.decide(refusal(CLOCK.now_ms()))
    running.deliver()
    (shown,) = alertmanager.alerts()
    assert shown["labels"]["alertname"] == "suspension_refused"
    assert shown["labels"]["guard"] == "max_fraction"
    assert shown["annotations"]["number"] == NUMBER
    running.stop()


# --- what is posted, at a clock that stands still -------------------------------------------------


class Desk:
    """The channel on a web server, posts as lists of (alertname, severity, startsAt, endsAt)."""

    def __init__(self, store: Store, clock: ManualClock, server: Server) -> None:
        made = settings(
            server.url + "/", generator_url="https://monitor.example/episodes/{episode}"
        )
        router = Router(made, telephony=False)
        receiver = made.receivers["am"]
        assert isinstance(receiver, AlertmanagerReceiver)
        self.channel = AlertmanagerChannel(
            receiver,
            episodes=store.episodes,
            routed=lambda found: "am" in router.receivers(found),
            clock=clock,
        )
        self.store = store
        self.clock = clock
        self.server = server

    def send(self, decision: Decision) -> list[tuple[str, int, int]]:
        self.store.record(Recording([decision]))
        self.channel.send(Delivery(1, "am", "k", decision, 1, 0, ""))
        return self.posted()

    def repost(self) -> list[tuple[str, int, int]]:
        self.channel.repost()
        return self.posted()

    def posted(self) -> list[tuple[str, int, int]]:
        """(severity, start, end) of what was posted since the last look, seconds from now."""
        found = [a for request in self.server.requests for a in json.loads(request.body)]
        assert all(request.path == "/api/v2/alerts" for request in self.server.requests)
        self.server.requests.clear()
        return [
            (a["labels"]["severity"], self.seconds(a["startsAt"]), self.seconds(a["endsAt"]))
            for a in found
        ]

    def seconds(self, text: str) -> int:
        ms = datetime.fromisoformat(text).timestamp() * 1000
        return round((ms - self.clock.now_ms()) / 1000)


@pytest.fixture
def desk(store: Store, clock: ManualClock, server: Server) -> Iterator[Desk]:
    made = Desk(store, clock, server)
    yield made
    made.channel.close()


def at(seconds: int, **changes: Any) -> Alert:
    return alert(NOW_MS + seconds * 1_000, since_ms=NOW_MS - 60_000, **changes)


def test_each_post_says_what_holds_now(desk: Desk) -> None:
    assert desk.send(at(-60, level="warn")) == [("warning", -60, 300)]
    desk.clock.advance(10_000)
    assert desk.send(at(5, level="crit")) == [("critical", -70, 300), ("warning", -70, -5)]
    desk.clock.advance(10_000)
    assert desk.send(at(20, level="warn", reason="relaxed")) == [
        ("warning", -80, 300),
        ("critical", -80, 0),
    ]
    desk.clock.advance(10_000)
    assert desk.send(at(25, level="warn", state="resolved")) == [
        ("warning", -90, -5),
        ("critical", -90, -10),
    ]


def test_a_late_transition_posts_the_present_state(desk: Desk) -> None:
    begun = at(-60)
    desk.send(begun)
    desk.send(at(0, state="resolved"))
    desk.channel.send(Delivery(1, "am", "k", begun, 2, 0, ""))
    assert desk.posted() == [("critical", -60, 0)]


def test_reposts_go_on_while_it_fires_and_five_minutes_after(desk: Desk) -> None:
    desk.send(at(-60, level="warn"))
    desk.send(at(0, level="crit"))
    desk.clock.advance(300_000)
    assert desk.repost() == [("critical", -360, 300), ("warning", -360, -300)]
    desk.clock.advance(1)
    assert desk.repost() == [("critical", -360, 300)]
    desk.clock.advance(86_400_000)
    assert [severity for severity, _, _ in desk.repost()] == ["critical"]
    desk.send(at(86_700, level="crit", state="resolved"))
    desk.clock.advance(300_000)
    assert [severity for severity, _, _ in desk.repost()] == ["critical"]
    desk.clock.advance(1)
    assert desk.repost() == []
    assert desk.server.requests == []


def test_event_time_ahead_of_ours_ends_now_and_never_before_it_began(desk: Desk) -> None:
    assert desk.send(alert(NOW_MS + 20_000, since_ms=NOW_MS - 5_000, state="resolved")) == [
        ("critical", -5, 0)
    ]
    early = alert(NOW_MS + 20_000, since_ms=NOW_MS + 10_000, rule="b", state="resolved")
    assert desk.send(early) == [("critical", 10, 10)]


def test_what_is_not_for_this_receiver_is_not_reposted(desk: Desk) -> None:
    desk.store.record(
        Recording([at(0, rule="a", shadow=True), at(0, rule="b", route="elsewhere"), at(0)])
    )
    assert desk.repost() == [("critical", -60, 300)]


def test_commands_and_forgotten_episodes_post_nothing(desk: Desk) -> None:
    for decision in (command(NOW_MS), alert(NOW_MS)):
        desk.channel.send(Delivery(1, "am", "k", decision, 1, 0, ""))
    assert desk.server.requests == []


def test_many_alerts_go_in_several_posts(desk: Desk) -> None:
    desk.store.record(
        Recording([at(0, scope=(("agent", str(n)),), episode=f"e{n}") for n in range(1_001)])
    )
    desk.channel.repost()
    assert [len(json.loads(r.body)) for r in desk.server.requests] == [500, 500, 1]


def test_people_can_follow_the_link(desk: Desk) -> None:
    desk.store.record(Recording([at(0, episode="e7")]))
    desk.channel.repost()
    (posted,) = json.loads(desk.server.requests[0].body)
    assert posted["generatorURL"] == "https://monitor.example/episodes/e7"

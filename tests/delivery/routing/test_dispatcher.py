"""Alerts from the store to the lanes: nothing lost, nothing twice, whatever is killed when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Alert, Notice, Refusal
from monitor.delivery.attempts import Policy
from monitor.delivery.lane import Lane
from monitor.delivery.pacing import Pacer
from monitor.delivery.quiet import Quiet
from monitor.delivery.routes import Router
from monitor.delivery.routing.dispatcher import IDLE_MS, LOOK_MS, Dispatcher
from monitor.errors import LeaseLost, StoreError
from monitor.people.desk import PeopleDesk
from monitor.store.handled import Wanted
from monitor.store.routed import RECEIVER, Routed, Routing
from monitor.store.settings import StoreSettings
from monitor.store.store import Recording, Store
from tests.delivery.doubles import Digesting, Scripted
from tests.delivery.routing.scene import RECEIVERS, settings_of
from tests.store.made import alert, refusal

NOW_MS = 1_800_000_000_000
ALL = {"name": "all", "to": ["zhang"]}


class Desk:
    """A store with its routing, on a virtual clock; lanes deliver when told."""

    def __init__(self, store: Store, clock: ManualClock, **delivery: Any) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings_of(**delivery)
        self.router = Router(self.settings, telephony=False)
        self.people = PeopleDesk(store, clock)
        self.channels = {name: Digesting() for name in (*RECEIVERS, "log")}
        self.start()

    def start(self) -> None:
        """As after a kill: nothing is remembered but what is stored."""
        self.dispatcher = Dispatcher(
            self.store, self.clock, lambda: self.router.people, waiting_max=10_000
        )
        policy = Policy(600_000, 86_400_000, 200, 1_000, 300_000)
        quiet = Quiet(self.store, self.clock, dict)
        self.lanes = [
            Lane(
                name,
                channel,
                outbox=self.store.outbox,
                clock=self.clock,
                policy=policy,
                pacer=Pacer(None),
                draw=lambda: 0.0,
                count=lambda _result: None,
                quiet=quiet.until_ms,
            )
            for name, channel in self.channels.items()
        ]

    def record(self, *alerts: Alert | Refusal) -> None:
        """The engine has decided."""
        self.store.record(Recording(alerts, self.router.plan_all(alerts)))

    def settle(self) -> int:
        """Route and deliver all that is due now; how long nothing will be."""
        while (wait_ms := self.dispatcher.step()) == 0:
            pass
        if self.store.outbox.waiting().count:
            for lane in self.lanes:
                while lane.step() == 0:
                    pass
        return wait_ms

    def run(self, ms: int) -> None:
        """Let time pass."""
        for _ in self.pausing(ms):
            pass

    def pausing(self, ms: int) -> Iterator[None]:
        """Let time pass, with a pause before each step."""
        end_ms = self.clock.now_ms() + ms
        while True:
            yield
            wait_ms = self.settle()
            left_ms = end_ms - self.clock.now_ms()
            if left_ms <= 0:
                return
            self.clock.advance(min(left_ms, max(1, wait_ms)))

    def told(self) -> dict[str, list[str]]:
        """Ids by receiver: of alerts, and of digests."""
        return {
            name: [*channel.sent, *(digest.id for digest in channel.digests)]
            for name, channel in self.channels.items()
            if channel.sent or channel.digests
        }


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with Store.open(StoreSettings(path=tmp_path / "monitor.db"), clock) as opened:
        yield opened


def made(number: int, **changes: Any) -> Alert:
    scope = changes.pop("scope", (("agent", f"a{number}"), ("team", f"t{number % 20}")))
    return alert(NOW_MS, scope=scope, **changes)


def test_alerts_go_from_the_store_to_people(store: Store, clock: ManualClock) -> None:
    desk = Desk(store, clock, routing=[ALL | {"group_by": ["team"], "repeat": {"every": "10m"}}])
    first, second = made(0, level="warn"), made(20, level="warn")
    shadow = made(3, shadow=True)
    desk.record(first, second, shadow)
    assert store.outbox.counts() == {(RECEIVER, "queued"): 2, ("log", "queued"): 1}
    with capture_logs() as logs:
        desk.run(60_000)
    (digest,) = desk.channels["ding-zhang"].digests
    assert (digest.why, digest.route, digest.person) == ("alerts", "all", "zhang")
    assert (digest.language, digest.level, digest.count) == ("zh", "warn", 2)
    assert {each.id for each in digest.newest} == {first.id, second.id}
    assert [line["event"] for line in logs] == ["notice"]
    (notice,) = [n for n in [store.history.decision(digest.id)] if isinstance(n, Notice)]
    assert notice.to_json()["count"] == 2
    desk.people.acknowledge(first.episode, "wang", "looking")
    desk.run(600_000)
    repeated = desk.channels["ding-zhang"].digests[-1]
    assert (repeated.why, repeated.count) == ("repeat", 1)
    (told,) = store.routing.told(first.episode)
    assert (told.state, told.notice, told.route) == ("told", digest.id, "all")
    assert store.routing.receivers([digest.id]) == {digest.id: [("ding-zhang", "sent")]}


def test_one_alert_is_told_as_itself_and_two_routes_to_one_receiver_tell_it_once(
    store: Store, clock: ManualClock
) -> None:
    routes = [{"name": n, "to": ["ops"], "continue": True} for n in ("a", "b")]
    desk = Desk(store, clock, routing=routes)
    first = made(1)
    desk.record(first)
    desk.settle()
    assert desk.told() == {"ops": [first.id]}


@pytest.mark.parametrize(
    ("to", "told"),
    [
        (["ops"], ["ding-zhang", "sms-zhang"]),
        (["ops", "zhang"], []),
        (["log"], ["ding-zhang", "ops", "sms-zhang"]),  # what is in the log alone stands for nobody
    ],
)
def test_in_a_wave_all_hear_who_are_not_sent_the_one_page(
    store: Store, clock: ManualClock, to: list[str], told: list[str]
) -> None:
    page = {"name": "pages", "match": {"kind": "refusal"}, "to": to}
    desk = Desk(store, clock, routing=[page, ALL | {"to": ["zhang", "ops"]}])
    wave = refusal(NOW_MS, number="", guard="brake", episode="")
    first = made(1, inhibited_by=wave.id, route="")
    desk.record(first, wave)  # the page comes after what it stands for, as the engine has it
    desk.settle()
    for channel in desk.channels.values():
        channel.sent[:] = [name for name in channel.sent if name != wave.id]
    assert sorted(desk.told()) == told
    assert store.routing.told(first.episode)[0].cause == ("" if told else "inhibited")
    over = alert(NOW_MS + 1, **_of(first), route="", inhibited_by=wave.id, state="resolved")
    desk.record(over)
    desk.start()
    desk.settle()
    assert {name: len(ids) for name, ids in desk.told().items()} == dict.fromkeys(told, 2)


def test_a_refusal_goes_to_whom_routing_names_and_escalates_until_somebody_knows(
    store: Store, clock: ManualClock
) -> None:
    steps = [{"after": "10m", "to": ["li"]}, {"after": "20m", "to": ["wang"]}]
    refused = {"name": "refused", "match": {"kind": "refusal", "team": "t1"}, "to": ["zhang"]}
    desk = Desk(store, clock, routing=[refused | {"escalate": steps}, ALL | {"to": ["ops"]}])
    first = made(1, level="warn")
    told = refusal(NOW_MS, episode=first.episode, rule=first.rule, route="")
    desk.record(first, told)
    assert store.outbox.counts() == {(RECEIVER, "queued"): 2}
    desk.run(60_000)
    # As bad as its alert, whose team it has.
    assert desk.told() == {"ding-zhang": [told.id], "ops": [first.id]}
    desk.start()
    desk.run(600_000)
    (digest,) = desk.channels["ding-li"].digests
    assert (digest.why, digest.level, digest.newest) == ("escalation", "warn", (told,))
    assert digest.counts == {("alert refused", first.rule, "warn"): 1}
    desk.people.acknowledge(told.id, "li")
    desk.run(1_200_000)
    assert "ding-wang" not in desk.told()
    assert [row.state for row in store.routing.told(told.id)] == ["told"]
    assert [name for kind, name, _ in store.routing.load() if told.id in name] == []


def test_a_silence_is_seen_to_end_and_the_log_says_that_it_held(
    store: Store, clock: ManualClock
) -> None:
    desk = Desk(store, clock, routing=[ALL])
    silence = desk.people.silence({"agent": "a1"}, NOW_MS + 3_600_000, "wang", "training")
    first = made(1)
    desk.record(first)
    with capture_logs() as logs:
        assert desk.settle() == LOOK_MS
    assert logs == [{"cause": "silenced", "count": 1, "event": "alerts_held", "log_level": "info"}]
    assert store.routing.told(first.episode)[0].cause == "silenced"
    desk.run(60_000)
    assert desk.told() == {}
    desk.people.end_silence(silence.id, "wang")
    desk.run(LOOK_MS)
    assert desk.told() == {"ding-zhang": [first.id], "sms-zhang": [first.id]}
    assert desk.settle() == IDLE_MS


def test_what_fires_already_mutes_after_a_start(store: Store, clock: ManualClock) -> None:
    inhibit = [{"source": {"rule": "down"}, "target": {"rule": "number-*"}, "equal": ["team"]}]
    desk = Desk(store, clock, routing=[ALL], inhibit=inhibit)
    desk.record(made(1, rule="down"))
    desk.settle()
    desk.start()
    second = made(21)
    desk.record(second)
    desk.settle()
    assert store.routing.told(second.episode)[0].cause == "inhibited"


def test_without_routes_a_silence_holds_at_the_lane(store: Store, clock: ManualClock) -> None:
    desk = Desk(store, clock)
    desk.people.silence({"rule": "number-*"}, NOW_MS + 300_000, "wang", "works")
    stays, goes = made(1), made(2)
    desk.record(stays, goes)
    desk.settle()
    assert desk.told() == {}
    assert store.outbox.counts() == {("log", "queued"): 2}
    desk.record(alert(NOW_MS + 1, **_of(goes), state="resolved"))
    desk.run(61_000)
    assert store.outbox.counts() == {("log", "queued"): 1}
    desk.run(240_000)
    assert desk.told() == {"log": [stays.id]}
    assert store.outbox.counts() == {}


def test_without_routes_a_late_digest_leaves_out_what_is_silenced(
    store: Store, clock: ManualClock
) -> None:
    desk = Desk(store, clock)
    desk.people.silence({"agent": "a1"}, NOW_MS + 7_200_000, "wang", "works")
    desk.record(made(1), made(2), made(3))
    clock.advance(3_600_000)
    desk.settle()
    (digest,) = desk.channels["log"].digests
    assert (digest.why, digest.count) == ("late", 2)


@pytest.mark.parametrize("level", ["warn", "crit"])
def test_what_routing_held_for_hours_is_told_as_itself(
    store: Store, clock: ManualClock, level: str
) -> None:
    desk = Desk(store, clock, routing=[ALL])
    desk.people.silence({"rule": "number-*"}, NOW_MS + 7_200_000, "wang", "works")
    held = [made(n, level=level) for n in (1, 2)]
    desk.record(*held)
    desk.run(7_260_000)
    assert desk.told()["ding-zhang"] == [each.id for each in held]
    assert desk.channels["ding-zhang"].digests == []


def test_late_notices_are_summed_up_as_what_they_tell(store: Store, clock: ManualClock) -> None:
    desk = Desk(store, clock, routing=[{"name": "g", "to": ["ops"], "group_by": ["team"]}])
    desk.record(*(made(n) for n in (1, 21, 2, 22)))
    clock.advance(30_000)
    desk.dispatcher.step()
    clock.advance(30_000)
    desk.dispatcher.step()
    clock.advance(3_600_000)
    desk.settle()
    (digest,) = desk.channels["ops"].digests
    assert (digest.why, digest.count) == ("late", 4)
    assert digest.counts == {("alert firing", "number-hangup", "crit"): 4}
    assert (digest.level, digest.language) == ("crit", "")


def test_who_takes_no_digests_gets_the_alerts_of_a_notice(store: Store, clock: ManualClock) -> None:
    desk = Desk(store, clock, routing=[{"name": "g", "to": ["ops"], "group_by": ["team"]}])
    plain = Scripted()
    desk.channels["ops"] = plain  # type: ignore[assignment]
    desk.start()
    both = [made(1), made(21)]
    desk.record(*both)
    desk.run(31_000)
    assert sorted(plain.sent) == sorted(each.id for each in both)


def _of(made_: Alert) -> dict[str, Any]:
    return {
        "scope": made_.scope,
        "rule": made_.rule,
        "episode": made_.episode,
        "since_ms": made_.since_ms,
    }


# --- killed ---------------------------------------------------------------------------------------


class KilledError(Exception):
    """The process is gone."""


@contextmanager
def killing(monkeypatch: pytest.MonkeyPatch, at_call: int, *, after: bool) -> Iterator[list[int]]:
    """The n-th write of routing ends the process: before it, or once it is durable."""
    calls = [0]
    keep: Callable[[Routing, Routed], None] = Routing.keep

    def killed(self: Routing, step: Routed) -> None:
        calls[0] += 1
        if calls[0] == at_call and not after:
            raise KilledError
        keep(self, step)
        if calls[0] == at_call:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Routing, "keep", killed)
        yield calls


def story(desk: Desk) -> Iterator[None]:
    """A day of alerts; a step may be killed at each ``yield``."""
    first, second = made(1, level="warn"), made(21, level="warn")
    desk.record(first, second)
    yield from desk.pausing(60_000)
    desk.record(alert(NOW_MS + 60_000, **_of(first), level="crit"))
    desk.record(*(made(100 + n) for n in range(3)))
    yield from desk.pausing(1_200_000)
    desk.people.acknowledge(first.episode, "wang", ident="k")
    yield from desk.pausing(1_200_000)
    desk.record(alert(NOW_MS + 2_500_000, **_of(first), state="resolved"))
    desk.record(alert(NOW_MS + 2_500_000, **_of(second), state="resolved"))
    yield from desk.pausing(600_000)


ROUTES = [
    {
        "name": "all",
        "to": ["zhang"],
        "group_by": ["team"],
        "repeat": {"every": "10m"},
        "escalate": [{"after": "15m", "to": ["li", "ops"]}],
    }
]


def play(folder: Path) -> dict[str, list[str]]:
    """The story to its end; after a kill it goes on where it was."""
    clock = ManualClock(NOW_MS)
    with Store.open(StoreSettings(path=folder / "monitor.db"), clock) as store:
        desk = Desk(store, clock, routing=ROUTES, at_most="6/30m")
        for _ in story(desk):
            try:
                desk.settle()
            except KilledError:
                desk.start()
        return desk.told()


def test_nothing_is_told_twice_or_lost_whatever_step_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killing(monkeypatch, 0, after=False) as calls:
        (tmp_path / "whole").mkdir()
        expected = play(tmp_path / "whole")
    assert calls[0] > 10
    assert len(expected["ding-zhang"]) == len(set(expected["ding-zhang"])) > 5
    for number in range(1, calls[0] + 1):
        for after in (False, True):
            # Before it is durable or after it: both ends of the same transaction.
            folder = tmp_path / f"{number}-{after}"
            folder.mkdir()
            with killing(monkeypatch, number, after=after):
                assert play(folder) == expected, (number, after)


def test_a_store_that_refuses_is_tried_again_with_what_it_holds(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(store, clock, routing=[ALL])
    first = made(1)
    desk.record(first)

    def refuse(_self: Routing, _step: Routed) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(Routing, "keep", refuse)
        assert desk.dispatcher.step() == 1_000
    assert [line["event"] for line in logs] == ["routing_store_unavailable"]
    desk.settle()
    assert desk.told() == {"ding-zhang": [first.id], "sms-zhang": [first.id]}

    def lost(_self: Routing, _step: Routed) -> None:
        raise LeaseLost("the active one is another")

    desk.record(made(2))
    with monkeypatch.context() as patched:
        patched.setattr(Routing, "keep", lost)
        assert desk.dispatcher.step() == IDLE_MS
    assert desk.dispatcher.step() == IDLE_MS
    assert len(store.routing.fresh(10)) == 1  # for the other


# --- a storm --------------------------------------------------------------------------------------


def test_a_storm_gives_each_person_a_few_messages_and_the_inbox_has_it_all(
    store: Store, clock: ManualClock
) -> None:
    routes = [{"name": "crit", "to": ["zhang", "li"]}]
    desk = Desk(store, clock, routing=routes, at_most="10/1h")
    for start in range(0, 10_000, 1_000):
        desk.record(*(made(n) for n in range(start, start + 1_000)))
        desk.run(6_000)
    desk.run(120_000)
    for name in ("ding-zhang", "ding-li"):
        channel = desk.channels[name]
        assert len(channel.sent) == 9
        assert [digest.why for digest in channel.digests] == ["capped"]
        # What came after the digest is in the next one, when there is room for it.
        clock_ms = clock.now_ms()
    desk.run(3_600_000)
    for name in ("ding-zhang", "ding-li"):
        channel = desk.channels[name]
        assert len(channel.sent) + sum(digest.count for digest in channel.digests) == 10_000
        assert len(channel.sent) + len(channel.digests) <= 20
    assert clock_ms < clock.now_ms()
    seen: set[str] = set()
    cursor = None
    while True:
        page = desk.people.inbox(Wanted(state="firing"), cursor=cursor, limit=1_000)
        seen |= {row.alert.episode for row in page.rows}
        cursor = page.cursor
        if cursor is None:
            break
    assert len(seen) == 10_000

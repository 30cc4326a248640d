"""What alerts say their bad records have in common: from what is held, beside the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from monitor.clock import ManualClock, SystemClock
from monitor.decisions import Alert
from monitor.delivery.channels.alertmanager import annotations_of
from monitor.delivery.channels.log import LogChannel
from monitor.delivery.channels.webhook import WebhookChannel
from monitor.delivery.remarks import Remark, Shared
from monitor.explain.held import HELD_MS, Held
from monitor.explain.remarks import PER_MINUTE, FreshRemarks, remark
from monitor.replay import replay_engine
from monitor.site import Site
from monitor.store.outbox import Delivery
from tests.delivery.doubles import http_server
from tests.explain.made import Event, site, source
from tests.explain.test_kinds import HANGUPS, calls, rule
from tests.store.made import alert as any_alert

HANG = rule(levels={"warn": {"above": "20%"}})
SHARED = Shared("agent", "王芳", 0.78, 0.38, 2.06, 1.2e-6)
REMARK = Remark(46, 100, 1_800_000_000_000, sampled=False, named=(SHARED,))


def fired(site: Site, events: Sequence[Event]) -> tuple[Alert, list[pl.DataFrame]]:
    """The first alert of a story, and the rows that the engine released up to its end."""
    alerts: list[Alert] = []
    loads: list[pl.DataFrame] = []

    def take(what: Any) -> None:
        if isinstance(what, Alert) and what.state == "firing":
            alerts.append(what)

    engine = replay_engine(site, source(events), take)
    engine._nobody_waits = lambda: False  # type: ignore[method-assign]  # as if it were live
    engine.on_rows = loads.append
    engine.source.start({}, None)
    engine.run_to_end()
    return alerts[0], [tick for rows in loads for tick in rows.partition_by("tick")]


def held_of(site: Site, loads: Sequence[pl.DataFrame], rows_max: int = 200_000) -> Held:
    held = Held(rows_max)
    held.look_at(site)
    for rows in loads:
        held.add(rows)
    return held


def test_the_agent_of_the_hits_is_named(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    alert, loads = fired(pack, [*calls()])
    told = remark(pack, alert, held_of(pack, loads))
    assert told is not None
    assert [(each.dimension, each.value) for each in told.named] == [("agent", "a2")]
    assert (told.bad, told.others) == (alert.figures.hits, alert.figures.of)
    assert not told.sampled


def test_customers_are_masked(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    bad = "+8613912345600"
    events = [
        event | {"customer": bad if n % 3 else "+8613912345601", "agent": "a"}
        | {"hangup_by": "customer" if n % 3 else "agent"}
        for n, event in enumerate(calls())
    ]  # fmt: skip
    alert, loads = fired(pack, events)
    told = remark(pack, alert, held_of(pack, loads))
    assert told is not None
    assert [each.value for each in told.named if each.dimension == "customer"] == ["+8613…00"]
    assert bad not in repr(told)


def test_what_does_not_fit_is_an_even_sample(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    events = [*calls(2_000, every_s=0.1)]
    alert, loads = fired(pack, events)
    held = held_of(pack, loads, rows_max=400)
    assert 100 <= len(held) <= 400
    last = replace(alert, at_ms=int(loads[-1]["tick"][-1]))
    told = remark(pack, last, held)
    assert told is not None
    assert told.sampled
    assert [(each.dimension, each.value) for each in told.named] == [("agent", "a2")]
    assert told.named[0].share == pytest.approx(0.67, abs=0.2)


def test_when_less_comes_more_of_it_is_held_again(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    _, loads = fired(pack, [*calls(600)])
    held = held_of(pack, loads, rows_max=100)
    assert held._every > 1
    later = [rows.with_columns(pl.col("tick", "time", "eff") + 2 * HELD_MS) for rows in loads[:5]]
    for rows in later:
        held.add(rows)
    assert held._every == 1
    assert len(held) <= 100


def test_older_than_the_longest_window_is_let_go(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    _, loads = fired(pack, [*calls(3_000)])
    held = held_of(pack, loads, rows_max=6_400)
    assert len(held) == pytest.approx(650, abs=60), "of ten minutes, a call a second"


@pytest.mark.parametrize(
    ("event", "says"), [({"agent": "a"}, False), ({}, True)], ids=["nothing varies", "agents"]
)
def test_nothing_is_named_where_chance_does_it(tmp_path: Path, event: Event, says: bool) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    events = [
        each | event | {"hangup_by": "customer" if n % 2 else "agent"}
        for n, each in enumerate(calls(bad=""))
    ]
    alert, loads = fired(pack, events)
    told = remark(pack, alert, held_of(pack, loads))
    assert told is not None
    assert told.named == ()
    assert told.text() == ""
    assert told.to_json()["named"] == []
    assert says or told.bad


def test_rules_without_records_of_their_own_say_nothing(tmp_path: Path) -> None:
    pack = site(tmp_path, HANGUPS, HANG)
    alert, loads = fired(pack, [*calls()])
    held = held_of(pack, loads)
    assert remark(pack, replace(alert, rule="gone"), held) is None
    assert remark(pack, alert, Held()) is None


# --- the thread -----------------------------------------------------------------------------------


@pytest.fixture
def pack(tmp_path: Path) -> Site:
    return site(tmp_path, HANGUPS, HANG)


@pytest.fixture
def remarks(pack: Site) -> Iterator[FreshRemarks]:
    made = FreshRemarks(lambda: pack, SystemClock(), within_ms=60_000)
    made.start()
    yield made
    made.stop()


def test_whoever_asks_gets_it_and_everybody_the_same(pack: Site, remarks: FreshRemarks) -> None:
    alert, loads = fired(pack, [*calls()])
    assert remarks.known(alert) is None
    for rows in loads:
        remarks.offer(rows)
    told = remarks.about(alert)
    assert told is not None
    assert told.text() == "agent a2 (67%, against 15%)" or told.named[0].value == "a2"
    assert remarks.about(alert) is told
    assert remarks.known(alert) is told


def test_what_is_over_or_nobody_hears_of_is_not_looked_into(remarks: FreshRemarks) -> None:
    assert remarks.about(replace(any_alert(), state="resolved")) is None
    assert remarks.about(replace(any_alert(), shadow=True)) is None
    assert not remarks._jobs


def test_an_alert_does_not_wait_for_what_takes_too_long(pack: Site) -> None:
    clock = ManualClock(0)
    slow = FreshRemarks(lambda: pack, clock, within_ms=1_000)  # its thread is not started
    assert slow.about(any_alert()) is None
    assert clock.now_ms() == 1_000
    assert slow.about(replace(any_alert(), id="another")) is None
    assert clock.now_ms() == 1_000, "one has waited in vain: nobody else does"
    slow.stop()


def test_so_many_a_minute_and_no_more(pack: Site) -> None:
    clock = ManualClock(0)
    made = FreshRemarks(lambda: pack, clock, within_ms=0)
    for n in range(PER_MINUTE + 5):
        made.about(replace(any_alert(), id=f"a{n}"))
        made.look(list(made._waiting))
        made._waiting.clear()
    assert len(made._jobs) == PER_MINUTE
    clock.advance(60_000)
    made.about(replace(any_alert(), id="later"))
    assert len(made._jobs) == PER_MINUTE + 1


def test_a_fault_of_ours_keeps_no_alert_back(pack: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = FreshRemarks(lambda: pack, SystemClock(), within_ms=60_000)
    monkeypatch.setattr("monitor.explain.remarks.remark", lambda *_: 1 / 0)
    made.start()
    with capture_logs() as lines:
        assert made.about(any_alert()) is None
    assert [line["event"] for line in lines] == ["remarks_failed"]
    made.stop()


def test_stopping_lets_go_of_who_waits(pack: Site) -> None:
    made = FreshRemarks(lambda: pack, SystemClock(), within_ms=60_000)
    waiter = threading.Thread(target=made.about, args=(any_alert(),))
    waiter.start()
    while not made._jobs:
        pass
    made.stop()
    waiter.join(10)
    assert not waiter.is_alive()
    assert made.about(replace(any_alert(), id="another")) is None


# --- how it is told -------------------------------------------------------------------------------


class Always:
    def about(self, _alert: Alert) -> Remark | None:
        return REMARK

    known = about


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "agent 王芳 (78%, against 38%)"), ("zh", "agent 王芳(78%,其余 38%)")],
)
def test_the_log_tells_it(language: str, told: str) -> None:
    with capture_logs() as lines:
        LogChannel(language=language, remarks=Always()).send(
            Delivery(1, "log", "k", any_alert(), 1, 0, "")
        )
    assert lines[0]["common"] == told


def test_a_webhook_tells_it() -> None:
    with http_server() as server:
        channel = WebhookChannel(SecretStr(server.url), clock=ManualClock(0), remarks=Always())
        channel.send(Delivery(1, "hook", "k", any_alert(), 1, 0, ""))
        channel.close()
        body = msgspec.json.decode(server.requests[0].body)
    assert body["common"] == {
        "bad": 46,
        "others": 100,
        "since": "2027-01-15T08:00:00Z",
        "sampled": False,
        "named": [
            {"dimension": "agent", "value": "王芳", "share": 0.78, "base_share": 0.38}
            | {"lift": 2.06, "chance": 1.2e-06}
        ],
    }


def test_alertmanager_tells_it_as_an_annotation() -> None:
    told = annotations_of(any_alert(), REMARK)
    assert told["common_en"] == "agent 王芳 (78%, against 38%)"
    assert told["common_zh"] == "agent 王芳(78%,其余 38%)"
    assert annotations_of(any_alert()).keys() == told.keys() - {"common_en", "common_zh"}

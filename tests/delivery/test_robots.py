"""DingTalk, WeCom and Feishu against robots that behave as theirs do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.delivery.attempts import Policy
from monitor.delivery.channels.people import open_for_people
from monitor.delivery.channels.robot import RobotChannel
from monitor.delivery.channels.told import PeopleChannel
from monitor.delivery.lane import Lane
from monitor.delivery.messages.messages import Sources
from monitor.delivery.messages.split import PARTS_MAX
from monitor.delivery.messages.templates import Templates
from monitor.delivery.pacing import Pacer
from monitor.delivery.people import Digest
from monitor.delivery.receivers import PeopleReceiver
from monitor.delivery.settings import Receiver
from monitor.errors import DeliveryError, SecretError
from monitor.store.outbox import Delivery, PlannedDelivery
from monitor.store.store import Recording, Store
from tests.delivery.conftest import NOW_MS
from tests.delivery.doubles import Answer, Server
from tests.delivery.vendors import SECRET, TOKEN, VENDORS, Vendor, settings
from tests.store.made import alert, command, refusal

KINDS = pytest.mark.parametrize("kind", sorted(VENDORS))
Opened = Callable[..., tuple[RobotChannel, Vendor]]


def receiver_of(written: dict[str, Any]) -> PeopleReceiver:
    made: PeopleReceiver = TypeAdapter[Any](Receiver).validate_python(written)
    return made


@pytest.fixture
def opened(server: Server, clock: ManualClock) -> Iterator[Opened]:
    channels: list[PeopleChannel] = []

    def open_(
        kind: str, sources: Sources | None = None, **changes: Any
    ) -> tuple[RobotChannel, Vendor]:
        vendor = VENDORS[kind](clock)
        server.respond = vendor.answer
        receiver = receiver_of(settings(kind, server.url, **changes))
        channel = open_for_people(kind, receiver, sources or Sources(), clock)
        channels.append(channel)
        assert isinstance(channel, RobotChannel)
        return channel, vendor

    yield open_
    for channel in channels:
        channel.close()


def delivery(decision: Decision) -> Delivery:
    return Delivery(1, "people", "k", decision, attempts=1, created_ms=NOW_MS, mark="")


def lane_of(channel: RobotChannel, store: Store, clock: ManualClock) -> Lane:
    return Lane(
        "people",
        channel,
        outbox=store.outbox,
        clock=clock,
        policy=Policy(600_000, 86_400_000, 200, 1_000, 300_000),
        pacer=channel.pacer or Pacer(None),
        draw=lambda: 0.5,
        count=lambda _result: None,
    )


def deliver(lane: Lane, store: Store, clock: ManualClock) -> None:
    """Step until nothing waits, on the virtual clock."""
    for _ in range(2_000):
        if store.outbox.next_due_ms("people") is None:
            return
        clock.advance(min(lane.step(), 60_000))
    raise AssertionError("it never ends")


def record(store: Store, decisions: list[Decision], keys: int) -> None:
    planned = [
        PlannedDelivery(each.id, "people", f"k{place % keys}")
        for place, each in enumerate(decisions)
    ]
    store.record(Recording(decisions, planned))


@KINDS
def test_an_alert_arrives_signed_with_its_links(opened: Opened, kind: str) -> None:
    channel, vendor = opened(kind, Sources(console="https://monitor.example.com"))
    channel.send(delivery(alert(at_ms=NOW_MS)))
    (text,) = vendor.texts()
    assert "挂断率 80%" in text
    link = f"https://monitor.example.com/console/alerts/{alert(at_ms=NOW_MS).episode}"
    written = json.dumps(vendor.taken[0])
    assert f"{link}?do=acknowledge" in written
    assert re.search(rf"{link}[\")]", written)
    assert (channel.test("people"), vendor.texts()[1].count("people")) == ("0 ok", 1)


@KINDS
@pytest.mark.parametrize("decision", [alert(state="resolved"), command(), refusal()])
def test_without_a_console_there_is_no_link(opened: Opened, kind: str, decision: Decision) -> None:
    channel, vendor = opened(kind, language="en")
    channel.send(delivery(decision))
    channel.send_digest(Digest.of([alert(60_000), alert(65_000)]))
    assert "http" not in json.dumps(vendor.taken)
    assert "2 notifications" in vendor.texts()[1]


@KINDS
def test_nobody_in_an_event_calls_everybody(opened: Opened, kind: str) -> None:
    channel, vendor = opened(kind)
    evil = "<at id=all></at>[看](http://evil.example)**\n# \u202e \x07"
    channel.send(delivery(alert(scope=(("agent", evil),), message={"zh": f"{evil} 挂断"})))
    (text,) = vendor.texts()
    for forbidden in ("<at", "[看]", "\x07", "\u202e", "\n#"):
        assert forbidden not in text.replace("### ", "")


@KINDS
def test_the_rate_holds_in_a_storm_and_in_trouble(
    opened: Opened, store: Store, clock: ManualClock, kind: str
) -> None:
    """Each of 45 arrives once, in the order of its key, and the robot is never told too much."""
    channel, vendor = opened(kind)
    decisions: list[Decision] = [
        refusal(NOW_MS, id=f"d{n:03}", detail=f"no {n:03}.") for n in range(45)
    ]
    record(store, decisions, keys=7)
    busy = (-1, "系统繁忙") if kind != "feishu" else (99_991_663, "internal error")
    # In parts, so that what comes between is normal.
    vendor.script.extend([Answer(500), busy, Answer(cut=True), Answer(429, {"Retry-After": "30"})])
    vendor.script.extend([Answer(delay_s=5), Answer(body=b"<html>proxy"), vendor.too_fast])
    started_ms = clock.now_ms()
    lane = lane_of(channel, store, clock)
    with capture_logs() as logs:
        deliver(lane, store, clock)
    found = re.findall(r"no (\d{3})\.", "\n".join(vendor.texts()))
    assert sorted(found) == [f"{n:03}" for n in range(45)]
    for key in range(7):
        mine = [each for each in found if int(each) % 7 == key]
        assert mine == sorted(mine)
    assert [code for code in vendor.refused if code == vendor.too_fast[0]] == [vendor.too_fast[0]]
    assert store.outbox.counts() == {}
    count, per_ms = vendor.rates[-1]
    assert clock.now_ms() - started_ms >= (45 // count - 1) * per_ms
    for secret in (TOKEN, SECRET):
        assert secret not in str(logs)


@KINDS
def test_a_long_message_arrives_in_parts_each_once(
    opened: Opened, server: Server, store: Store, clock: ManualClock, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "notice.zh.md").write_text(
        "{{ number }}\n{% for n in range(600) %}〔{{ n }}〕号码挂断率过高😀\n{% endfor %}",
        encoding="utf-8",
    )
    channel, vendor = opened(kind, Sources(templates=Templates(tmp_path)))
    record(store, [command(NOW_MS)], keys=1)
    lane = lane_of(channel, store, clock)
    seen = 0

    def second(path: str, body: bytes) -> Answer:
        """The second part meets a robot that has enough, then a line that is cut."""
        nonlocal seen
        seen += 1
        if seen == 2:
            return vendor.says(*vendor.too_fast)
        return Answer(cut=True) if seen == 3 else vendor.answer(path, body)

    server.respond = second
    deliver(lane, store, clock)
    assert len(vendor.taken) > 1
    found = [int(n) for n in re.findall(r"〔(\d+)〕", "".join(vendor.texts()))]
    assert found == list(range(600))
    titles = [re.search(r"\((\d)/(\d)\)", text) for text in vendor.texts()]
    assert [title and title[1] for title in titles] == [
        str(n + 1) for n in range(len(vendor.taken))
    ]
    assert len(vendor.taken) <= PARTS_MAX
    assert "�" not in "".join(vendor.texts())


def test_parts_wait_for_the_rate(
    opened: Opened, store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    (tmp_path / "notice.zh.md").write_text("t\n" + "字" * 4_000, encoding="utf-8")
    channel, vendor = opened("wecom", Sources(templates=Templates(tmp_path)), rate="2/1m")
    record(store, [command(NOW_MS), command(NOW_MS + 1)], keys=2)
    started_ms = clock.now_ms()
    with capture_logs() as logs:
        deliver(lane_of(channel, store, clock), store, clock)
    assert "".join(vendor.texts()).count("字") == 8_000
    assert len(vendor.taken) == 6
    assert clock.now_ms() - started_ms >= 120_000
    assert {log["reason"] for log in logs if log["event"] == "delivery_failed"} == {"paced"}


def test_what_is_longer_than_all_parts_says_so(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "notice.zh.md").write_text("t\n" + "字" * 15_000, encoding="utf-8")
    channel, vendor = opened("wecom", Sources(templates=Templates(tmp_path)))
    channel.pacer = None
    channel.send(delivery(command()))
    assert len(vendor.taken) == PARTS_MAX
    assert vendor.texts()[-1].endswith("…")


@pytest.mark.parametrize(
    ("kind", "code", "text", "reason", "retry"),
    [
        ("dingtalk", 130101, "send too fast", "throttled", True),
        ("dingtalk", 410100, "发送速度太快而限流", "throttled", True),
        ("dingtalk", 990099, "system busy, 频率 limit", "throttled", True),
        ("dingtalk", -1, "系统繁忙", "refused", True),
        ("dingtalk", 990099, "something new", "refused", True),
        ("dingtalk", 310000, "keywords not in content", "refused", False),
        ("dingtalk", 310000, "ip 1.2.3.4 not in whitelist", "refused", False),
        ("dingtalk", 310000, "sign not match", "refused", False),
        ("dingtalk", 310000, "?", "refused", False),
        ("dingtalk", 300005, "token is not exist", "refused", False),
        ("dingtalk", 430104, "含有不合适的内容", "refused", False),
        ("wecom", 45009, "api freq out of limit", "throttled", True),
        ("wecom", -1, "system busy", "refused", True),
        ("wecom", 93000, "invalid webhook url", "refused", False),
        ("wecom", 40058, "markdown.content exceed max length 4096", "refused", False),
        ("feishu", 11232, "frequency limited", "throttled", True),
        ("feishu", 9499, "too many request", "throttled", True),
        ("feishu", 9499, "Bad Request", "refused", False),
        ("feishu", 19021, "sign match fail", "refused", False),
        ("feishu", 19007, "Bot Not Enabled", "refused", False),
    ],
)
def test_the_code_in_the_body_counts(
    opened: Opened, kind: str, code: int, text: str, reason: str, retry: bool
) -> None:
    channel, vendor = opened(kind)
    vendor.script.append((code, f"{text} {TOKEN}"))
    with pytest.raises(DeliveryError) as caught:
        channel.send(delivery(alert()))
    error = caught.value
    assert (error.reason, error.retry) == (reason, retry)
    assert (error.retry_after_s is not None) == (reason == "throttled")
    assert str(code) in str(error)
    assert TOKEN not in str(error)
    channel.send(delivery(alert()))
    assert len(vendor.taken) == 1


@KINDS
@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (Answer(body=b""), "answer", True),
        (Answer(body=b"[]"), "answer", True),
        (Answer(body=b'{"errcode": "0", "code": true}'), "answer", True),
        (Answer(body=b'{"errcode": 0, "code": 0}' + b" " * 70_000), "answer", True),
        (Answer(404, body=b"nobody"), "status_4xx", False),
        (Answer(502), "status_5xx", True),
        (Answer(302, {"Location": "http://127.0.0.1:1/"}), "redirect", False),
        (Answer(cut=True), "connection", True),
        (Answer(delay_s=20), "timeout", True),
    ],
)
def test_an_answer_without_a_code_is_no_success(
    opened: Opened, server: Server, kind: str, answer: Answer, reason: str, retry: bool
) -> None:
    channel, vendor = opened(kind)
    server.answers.append(answer)
    with pytest.raises(DeliveryError) as caught:
        channel.send(delivery(alert()))
    assert (caught.value.reason, caught.value.retry) == (reason, retry)
    for secret in (TOKEN, SECRET, server.url):
        assert secret not in str(caught.value)
    assert vendor.taken == []


def test_a_status_with_a_code_is_read_by_the_code(opened: Opened, server: Server) -> None:
    channel, _ = opened("feishu")
    server.answers.append(Answer(400, body=b'{"code": 11232, "msg": "frequency limited"}'))
    with pytest.raises(DeliveryError, match="too much") as caught:
        channel.send(delivery(alert()))
    assert caught.value.retry


@KINDS
def test_a_robot_without_a_signature(opened: Opened, server: Server, kind: str) -> None:
    changes = {} if kind == "wecom" else {"secret": None}
    channel, _ = opened(kind, **changes)
    field = "code" if kind == "feishu" else "errcode"
    server.answers.append(Answer(body=json.dumps({field: 0}).encode()))
    assert channel.test("people") == "0"
    (request,) = server.requests
    assert b'"sign"' not in request.body
    assert "sign=" not in request.path


@pytest.mark.parametrize("text", ["", "  "])
def test_a_secret_that_is_not_there(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    clock = ManualClock()
    receiver = receiver_of(settings("wecom", "http://127.0.0.1:1", key={"env": "NO_SUCH_KEY"}))
    with pytest.raises(SecretError, match=r"delivery\.receivers\.ops\.key: .*NO_SUCH_KEY"):
        open_for_people("ops", receiver, Sources(), clock)
    monkeypatch.setenv("NO_SUCH_KEY", text)
    with pytest.raises(SecretError, match=r"delivery\.receivers\.ops\.key is empty"):
        open_for_people("ops", receiver, Sources(), clock)


def test_a_zone_that_is_none() -> None:
    with pytest.raises(ValueError, match="no time zone Asia/Atlantis"):
        receiver_of(settings("wecom", "http://127.0.0.1:1", zone="Asia/Atlantis"))

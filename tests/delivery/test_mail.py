"""Mail to a real server: encrypted, with a login, with recipients that it refuses."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import TypeAdapter
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Decision
from monitor.delivery.attempts import Policy
from monitor.delivery.channels.mail import MailChannel
from monitor.delivery.channels.people import open_for_people
from monitor.delivery.lane import Lane
from monitor.delivery.messages.messages import Sources
from monitor.delivery.pacing import Pacer
from monitor.delivery.people import Digest
from monitor.delivery.receivers import MailReceiver
from monitor.errors import DeliveryError
from monitor.store.outbox import Delivery, PlannedDelivery
from monitor.store.store import Recording, Store
from tests.broker.certificates import Authority
from tests.delivery.conftest import NOW_MS
from tests.delivery.test_messages import Known
from tests.deploy.tools import free_port
from tests.store.made import alert, command

PASSWORD = "sesame-of-the-mailbox"
LEAD, DESK = "lead@example.com", "desk@example.com"
Sent = Callable[..., Any]


class Mailbox:
    """A mail server's conscience: what it takes, and what it says instead."""

    def __init__(self) -> None:
        self.got: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, deque[str]] = {}
        """By recipient, or ``data``: what is said to the next ones."""
        self.silent_s = 0.0
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        waiting = self.answers.get(address)
        if waiting:
            return waiting.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        await asyncio.sleep(self.silent_s)
        waiting = self.answers.get("data")
        if waiting:
            return waiting.popleft()
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.got += [(to, mail) for to in envelope.rcpt_tos]
        return "250 taken"


def _login(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
) -> AuthResult:
    assert isinstance(given, LoginPassword)
    return AuthResult(success=given.password == PASSWORD.encode(), handled=False)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """An authority, and the server's side of a certificate of it."""
    authority = Authority(tmp_path_factory.mktemp("mail"))
    pair = authority.issue("server", names="IP:127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return authority.certificate, context


@pytest.fixture
def started() -> Iterator[Callable[..., Mailbox]]:
    running: list[Controller] = []

    def start(**more: Any) -> Mailbox:
        box = Mailbox()
        controller = Controller(box, hostname="127.0.0.1", port=free_port(), **more)
        running.append(controller)
        controller.start()
        box.port = controller.port
        return box

    yield start
    for controller in running:
        controller.stop(no_assert=True)


def receiver(port: int | None, **changes: Any) -> MailReceiver:
    return TypeAdapter(MailReceiver).validate_python(
        {
            "type": "mail",
            "host": "127.0.0.1",
            "port": port,
            "tls": "none",
            "sender": "monitor@example.com",
            "to": [LEAD, DESK],
            "language": "en",
            "zone": "Asia/Shanghai",
            "timeout": "2s",
            **changes,
        }
    )


def opened(port: int, clock: ManualClock, **changes: Any) -> MailChannel:
    sources = Sources(remarks=Known(), background=Known(), console="https://m.example.com")
    channel = open_for_people("mail", receiver(port, **changes), sources, clock)
    assert isinstance(channel, MailChannel)
    return channel


def delivery(decision: Decision) -> Delivery:
    return Delivery(1, "mail", "k", decision, attempts=1, created_ms=NOW_MS, mark="")


def test_a_mail_in_three_forms(started: Callable[..., Mailbox], clock: ManualClock) -> None:
    box = started()
    channel = opened(box.port, clock)
    first = alert(at_ms=NOW_MS)
    channel.send(delivery(first))
    over = alert(at_ms=NOW_MS + 1, since_ms=NOW_MS, state="resolved")
    channel.send(delivery(over))
    channel.send_digest(Digest.of([first, command()]))
    assert channel.test("mail") == "the server took it for 2"
    assert [to for to, _ in box.got] == [LEAD, DESK] * 4
    mail = box.got[0][1]
    assert mail["Subject"] == "Critical: Customers hang up +862150000007"
    assert (mail["From"], mail["To"]) == ("monitor@example.com", LEAD)
    assert mail["Message-ID"] == f"<{first.id}@example.com>"
    assert mail["Date"].datetime.timestamp() * 1000 == NOW_MS
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "Likely cause: agent 王芳" in text.get_content()
    assert 'src="cid:trend"' in page.get_content()
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<trend>"
    assert picture.get_content().startswith(b"\x89PNG")
    # Mail programs show an episode's mails together.
    assert (
        mail["References"]
        == box.got[2][1]["References"]
        == f"<episode.{first.episode}@example.com>"
    )
    assert box.got[2][1]["Message-ID"] != mail["Message-ID"]
    assert box.got[4][1]["References"] is None


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # it does not see TLS that was there before
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_encrypted_and_with_a_login(
    started: Callable[..., Mailbox],
    clock: ManualClock,
    trust: tuple[Path, ssl.SSLContext],
    tls: str,
) -> None:
    ca_file, context = trust
    login = {"authenticator": _login, "auth_required": True}
    encrypted = (
        {"tls_context": context, "require_starttls": True}
        if tls == "starttls"
        else {"ssl_context": context, "auth_require_tls": False}
    )
    box = started(**login, **encrypted)
    asked: dict[str, Any] = {"tls": tls, "username": "monitor", "ca_file": str(ca_file)}
    good = opened(box.port, clock, **asked, password={"value": PASSWORD})
    good.send(delivery(alert()))
    assert len(box.got) == 2
    wrong = opened(box.port, clock, **asked, password={"value": "wrong"})
    with pytest.raises(DeliveryError, match="535") as caught:
        wrong.send(delivery(alert()))
    assert (caught.value.retry, caught.value.reason) == (False, "refused")
    nobody_s = opened(box.port, clock, tls=tls)  # and who has not made its certificate
    with pytest.raises(DeliveryError, match="no encryption") as caught:
        nobody_s.send(delivery(alert()))
    assert (caught.value.retry, caught.value.reason) == (True, "tls")
    assert len(box.got) == 2


def test_a_server_without_encryption_gets_nothing(
    started: Callable[..., Mailbox], clock: ManualClock
) -> None:
    box = started()
    with pytest.raises(DeliveryError, match="no such encryption") as caught:
        opened(box.port, clock, tls="starttls").send(delivery(alert()))
    assert not caught.value.retry
    assert box.got == []


def lane_of(channel: MailChannel, store: Store, clock: ManualClock) -> Lane:
    return Lane(
        "mail",
        channel,
        outbox=store.outbox,
        clock=clock,
        policy=Policy(600_000, 3_600_000, 20, 1_000, 60_000),
        pacer=channel.pacer or Pacer(None),
        draw=lambda: 0.5,
        count=lambda _result: None,
    )


def run(lane: Lane, store: Store, clock: ManualClock) -> None:
    for _ in range(200):
        if store.outbox.next_due_ms("mail") is None:
            return
        clock.advance(min(lane.step(), 60_000))
    raise AssertionError("it never ends")


def test_one_who_is_refused_keeps_nobody_and_repeats_nothing(
    started: Callable[..., Mailbox], store: Store, clock: ManualClock
) -> None:
    box = started()
    box.answers = {
        DESK: deque(["451 greylisted", "450 later"]),
        "nobody@example.com": deque(["550 no such user"] * 9),
    }
    channel = opened(box.port, clock, to=[DESK, "nobody@example.com", LEAD])
    seen = alert(NOW_MS)
    store.record(Recording([seen], [PlannedDelivery(seen.id, "mail", "k")]))
    with capture_logs() as logs:
        run(lane_of(channel, store, clock), store, clock)
    assert sorted(to for to, _ in box.got) == [DESK, LEAD]
    assert store.outbox.counts() == {("mail", "parked"): 1}
    (parked,) = [log for log in logs if log["event"] == "delivery_parked"]
    assert parked["detail"] == "the server refuses 1 of 3 recipients"
    assert len(box.answers["nobody@example.com"]) == 8  # asked once
    assert "@example.com" not in str(logs)
    # Put back by hand once the address is there, it goes to that one alone.
    box.answers = {}
    assert store.outbox.parked.requeue(
        [entry.seq for entry in store.outbox.parked.entries(limit=9)]
    )
    run(lane_of(channel, store, clock), store, clock)
    assert [to for to, _ in box.got].count("nobody@example.com") == 1
    assert len(box.got) == 3


@pytest.mark.parametrize(
    ("answer", "retry", "reason"),
    [("452 full", True, "throttled"), ("554 spam", False, "refused")],
)
def test_a_mail_that_is_not_taken(
    started: Callable[..., Mailbox], clock: ManualClock, answer: str, retry: bool, reason: str
) -> None:
    box = started()
    box.answers = {"data": deque([answer])}
    channel = opened(box.port, clock)
    with pytest.raises(DeliveryError, match=answer[:3]) as caught:
        channel.send(delivery(alert()))
    assert (caught.value.retry, caught.value.reason) == (retry, reason)
    channel.send(delivery(alert()))
    assert [to for to, _ in box.got] == [LEAD, DESK]


def test_all_are_refused_for_now(started: Callable[..., Mailbox], clock: ManualClock) -> None:
    box = started()
    box.answers = {LEAD: deque(["451 later"]), DESK: deque(["451 later"])}
    with pytest.raises(DeliveryError, match="451") as caught:
        opened(box.port, clock).send(delivery(alert()))
    assert caught.value.retry


def test_a_server_that_is_slow_or_away(started: Callable[..., Mailbox], clock: ManualClock) -> None:
    box = started()
    box.silent_s = 1.0
    with pytest.raises(DeliveryError) as caught:
        opened(box.port, clock, timeout="200ms").send(delivery(alert()))
    assert caught.value.retry
    assert caught.value.reason in {"timeout", "connection"}
    with pytest.raises(DeliveryError, match="no connection") as caught:
        opened(free_port(), clock).send(delivery(alert()))
    assert (caught.value.retry, caught.value.reason) == (True, "connection")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"username": "u"}, "go together"),
        ({"username": "u", "password": {"value": "p"}}, "in clear"),
        ({"to": []}, "at least 1"),
        ({"to": ["a@b.c\nBcc: x@y.z"]}, "pattern"),
        ({"sender": "nobody"}, "pattern"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        receiver(25, **changes)


def test_usual_ports() -> None:
    usual = {tls: receiver(None, tls=tls).port_in_use for tls in ("starttls", "tls", "none")}
    assert usual == {"starttls": 587, "tls": 465, "none": 25}

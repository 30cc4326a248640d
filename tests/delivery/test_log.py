"""One readable line a decision."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from monitor import logs as daemon_logs
from monitor.decisions import Decision, Figures
from monitor.delivery.channels.log import LogChannel
from monitor.delivery.people import Digest
from monitor.store.outbox import Delivery
from tests.store.made import NUMBER, alert, command, order, refusal


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def line(decision: Decision, *, language: str = "en") -> dict[str, object]:
    with capture_logs() as lines:
        LogChannel(language=language).send(Delivery(1, "log", "k", decision, 1, 0, ""))
    (found,) = lines
    return dict(found)


def test_an_order_names_its_customer_to_nobody() -> None:
    assert line(order()) == {
        "event": "order",
        "log_level": "warning",
        "action": "customer.release",
        "customer": "+8613…07",
        "rule": "claim-without-contact",
        "at": "1970-01-01T00:01:00Z",
        "id": order().id,
        "shadow": False,
    }


def test_an_alert() -> None:
    assert line(alert(), language="zh") == {
        "event": "alert_firing",
        "log_level": "warning",
        "rule": "number-hangup",
        "scope": f"number={NUMBER}",
        "severity": "crit",
        "reason": "breach",
        "value": 0.8,
        "figures": "80/100",
        "window": "30m",
        "message": "挂断率 80%",
        "at": "1970-01-01T00:01:00Z",
        "episode": alert().episode,
    }


@pytest.mark.parametrize(
    ("decision", "event", "level"),
    [
        (alert(level="crit"), "alert_firing", "warning"),
        (alert(level="warn"), "alert_firing", "info"),
        (alert(level="crit", state="resolved"), "alert_resolved", "info"),
        (alert(shadow=True), "alert_firing", "debug"),
        (command(), "number_suspend", "info"),
        (command(action="resume"), "number_resume", "info"),
        (command(shadow=True), "number_suspend", "debug"),
        (refusal(), "suspension_refused", "warning"),
    ],
)
def test_events_and_their_levels(decision: Decision, event: str, level: str) -> None:
    found = line(decision)
    assert (found["event"], found["log_level"]) == (event, level)


def test_a_command_with_and_without_an_end() -> None:
    found = line(command())
    assert (found["number"], found["until"]) == (NUMBER, "1970-01-01T00:31:00Z")
    assert (found["figures"], found["id"]) == ("80/100", command().id)
    by_hand = line(command(figures=None, evidence=None, until_ms=None))
    assert by_hand["until"] is None
    assert "figures" not in by_hand


def test_figures_are_short() -> None:
    found = line(alert(figures=Figures(1 / 3, 1_234_567.25, 3_703_701.75, "4h")))
    assert (found["value"], found["figures"]) == (0.3333, "1234567.25/3703701.75")
    assert line(alert(figures=Figures(None, 0.0, 0.0, "4h")))["value"] is None


def test_a_digest_is_one_line() -> None:
    late: list[Decision] = [alert(60_000), alert(65_000), refusal(70_000)]
    with capture_logs() as lines:
        LogChannel().send_digest(Digest.of(late))
    (found,) = lines
    assert found["event"] == "late_notifications"
    assert found["what"] == (
        "2 × alert firing number-hangup crit; 1 × refusal max_fraction number-hangup"
    )
    assert (found["count"], found["since"]) == (3, "1970-01-01T00:01:00Z")


def test_as_the_daemon_is_set_up_no_customer_and_no_shadow_is_shown() -> None:
    stream = io.StringIO()
    daemon_logs.configure(stream=stream, json=True)
    customer = "+8613912345678"
    scope = (("customer", customer),)
    channel = LogChannel()
    for decision in (
        alert(scope=scope, message={"en": f"{customer} again"}),
        alert(65_000, shadow=True),
    ):
        channel.send(Delivery(1, "log", "k", decision, 1, 0, ""))
    (text,) = stream.getvalue().splitlines()
    assert customer not in text
    shown = json.loads(text)
    assert (shown["scope"], shown["message"]) == ("customer=+8613…78", "+8613…78 again")
    assert (shown["level"], shown["severity"]) == ("warning", "crit")

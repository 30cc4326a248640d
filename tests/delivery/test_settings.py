"""The delivery part of the configuration: what it takes, and what it keeps to itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from monitor.clock import ManualClock
from monitor.delivery.build import open_channels
from monitor.delivery.channels.alertmanager import AlertmanagerChannel
from monitor.delivery.channels.commands import CommandsChannel
from monitor.delivery.channels.log import LogChannel
from monitor.delivery.channels.webhook import WebhookChannel
from monitor.delivery.routes import Router
from monitor.delivery.settings import (
    DeliverySettings,
    Fault,
    KafkaReceiver,
    WebhookReceiver,
    read_secret,
)
from monitor.errors import ConfigError
from monitor.store.store import Store
from tests.delivery.doubles import Topic

FULL: dict[str, Any] = {
    "receivers": {
        "hook": {"type": "webhook", "url": "https://example.org/in?token=sesame", "rate": "20/1m"},
        "am": {"type": "alertmanager", "url": "http://alertmanager:9093"},
        "crm": {"type": "kafka", "topic": "crm.commands"},
        "log": {"type": "log", "language": "zh"},
    },
    "routes": {"supervisors": {"receivers": ["log", "hook"]}, "operations": {"receivers": ["am"]}},
    "stale_after": "5m",
    "backoff": {"base": "2s", "max": "1m"},
}


def webhook(**changes: Any) -> WebhookReceiver:
    return WebhookReceiver.model_validate(
        {"type": "webhook", "url": "https://example.org/", **changes}
    )


def test_all_that_can_be_said() -> None:
    settings = DeliverySettings.model_validate(FULL)
    assert settings.faults() == []
    assert settings.stale_after == 300_000
    assert (settings.backoff.base, settings.backoff.max) == (2_000, 60_000)
    assert list(settings.known_receivers()) == ["log", "hook", "am", "crm"]
    assert settings.known_receivers()["log"].type == "log"


def test_nothing_said_means_the_log() -> None:
    settings = DeliverySettings()
    assert settings.faults() == []
    assert list(settings.known_receivers()) == ["log"]
    assert settings.default == ["log"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("receivers", "hook", "url"), "ftp://example.org/sesame"),
        (("receivers", "hook", "url"), "https:///sesame"),
        (("receivers", "hook", "url"), "https://example.org:port/sesame"),
        (("receivers", "hook", "timeout"), "0s"),
        (("receivers", "hook", "timeout"), 10),
        (("receivers", "hook", "type"), "carrier-pigeon"),
        (("receivers", "hook", "secret"), "sesame"),
        (("receivers", "no spaces"), {"type": "log"}),
        (("routes", "supervisors", "receivers"), []),
        (("max_attempts",), 0),
        (("stale_after",), "0s"),
        (("default",), []),
    ],
)
def test_what_is_refused_without_showing_an_address(path: tuple[str, ...], value: Any) -> None:
    given: dict[str, Any] = {
        "receivers": {"hook": dict(FULL["receivers"]["hook"])},
        "routes": {"supervisors": {"receivers": ["hook"]}},
    }
    place = given
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(ValidationError) as caught:
        DeliverySettings.model_validate(given)
    for error in caught.value.errors(include_input=False):
        assert "sesame" not in str(error)


def test_addresses_stay_out_of_what_is_printed() -> None:
    assert "sesame" not in repr(DeliverySettings.model_validate(FULL))
    assert "sesame" not in DeliverySettings.model_validate(FULL).model_dump_json()


def test_faults_between_the_parts_have_their_places() -> None:
    settings = DeliverySettings.model_validate(
        {
            "receivers": {
                "telephony": {"type": "log"},
                "log": {"type": "alertmanager", "url": "http://a"},
                "both": {
                    "type": "webhook",
                    "url": "http://a",
                    "secret_env": "A",
                    "secret_file": "b",
                },
            },
            "routes": {"r": {"receivers": ["log", "hok"]}},
            "default": ["nobody"],
            "commands": ["none"],
        }
    )
    known = "one of: both, log, telephony"
    assert settings.faults() == [
        Fault(
            ("receivers", "telephony"),
            "telephony is the name of a built-in receiver",
            "telephony has a part of its own; choose another name",
        ),
        Fault(
            ("receivers", "log"),
            "log is the name of a built-in receiver",
            "only a receiver of type log may be called log",
        ),
        Fault(("default", 0), "there is no receiver nobody", known),
        Fault(("commands", 0), "there is no receiver none", known),
        Fault(("routes", "r", "receivers", 1), "there is no receiver hok", known),
        Fault(
            ("receivers", "both", "secret_file"), "secret_env and secret_file exclude each other"
        ),
    ]


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" sesame\n")
    assert read_secret("hook", webhook()) is None
    assert read_secret("hook", webhook(secret_env="S"), {"S": "x"}) == SecretStr("x")
    assert read_secret("hook", webhook(secret_file=file), {}) == SecretStr("sesame")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_missing_secret_is_an_error_that_says_where(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"receiver hook is not there: file .*/secret is missing"):
        read_secret("hook", webhook(secret_file=file), {})
    with pytest.raises(ConfigError, match="environment variable S is missing or empty"):
        read_secret("hook", webhook(secret_env="S"), {"S": ""})


def test_a_topic_takes_orders_only() -> None:
    settings = DeliverySettings.model_validate(
        {**FULL, "default": ["crm"], "orders": ["crm", "hook"]}
    )
    (fault,) = settings.faults()
    assert (fault.loc, fault.message) == (("default", 0), "crm takes orders only")
    crm = settings.receivers["crm"]
    assert isinstance(crm, KafkaReceiver)
    assert crm.writer == "callcentre-monitor.crm.commands"
    assert crm.model_copy(update={"transactional_id": "mine"}).writer == "mine"


def test_each_receiver_becomes_its_channel(store: Store, clock: ManualClock) -> None:
    settings = DeliverySettings.model_validate(FULL)
    router = Router(settings, telephony=True)

    def opened(**telephony: Topic) -> dict[str, type]:
        channels = open_channels(
            settings,
            router=router,
            episodes=store.episodes,
            clock=clock,
            telephony=telephony,
            topics=lambda _receiver: Topic(),
        )
        for channel in channels.values():
            channel.close()
        return {name: type(channel) for name, channel in channels.items()}

    named = {
        "log": LogChannel,
        "hook": WebhookChannel,
        "am": AlertmanagerChannel,
        "crm": CommandsChannel,
    }
    assert opened() == named
    assert opened(telephony=Topic()) == {**named, "telephony": CommandsChannel}

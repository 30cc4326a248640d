"""The channels that the settings ask for.

Owns the one place where a receiver's type becomes a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.clock import Clock
from monitor.decisions import Alert
from monitor.delivery.channels.alertmanager import AlertmanagerChannel
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.commands import CommandsChannel, Telephony
from monitor.delivery.channels.log import LogChannel
from monitor.delivery.channels.people import open_for_people
from monitor.delivery.channels.webhook import WebhookChannel
from monitor.delivery.messages.messages import Sources
from monitor.delivery.receivers import PeopleReceiver
from monitor.delivery.routes import Router
from monitor.delivery.settings import (
    AlertmanagerReceiver,
    DeliverySettings,
    KafkaReceiver,
    LogReceiver,
    Receiver,
    WebhookReceiver,
    read_secret,
)
from monitor.store.episodes import Episodes


def open_channels(
    settings: DeliverySettings,
    *,
    router: Router,
    episodes: Episodes,
    clock: Clock,
    telephony: Mapping[str, Telephony],
    topics: Callable[[KafkaReceiver], Telephony],
    sources: Sources | None = None,
) -> dict[str, Channel]:
    """One channel a receiver, by name; connections are made when first needed.

    ``telephony``: the systems by receiver. ``topics`` gives what writes to the topic of a receiver,
    ``sources`` what people are told of an alert besides.

    Raises:
        ConfigError: a secret is missing.
        SecretError: likewise.
    """
    sources = sources or Sources()
    channels: dict[str, Channel] = {
        name: _open(name, receiver, router, episodes, clock, topics, sources)
        for name, receiver in settings.known_receivers().items()
    }
    return channels | {name: CommandsChannel(system) for name, system in telephony.items()}


def _open(
    name: str,
    receiver: Receiver,
    router: Router,
    episodes: Episodes,
    clock: Clock,
    topics: Callable[[KafkaReceiver], Telephony],
    sources: Sources,
) -> Channel:
    remarks = sources.remarks
    match receiver:
        case KafkaReceiver():
            return CommandsChannel(topics(receiver))
        case PeopleReceiver():
            return open_for_people(name, receiver, sources, clock)
        case LogReceiver():
            return LogChannel(language=receiver.language, remarks=remarks)
        case WebhookReceiver():
            return WebhookChannel(
                receiver.url,
                clock=clock,
                secret=read_secret(name, receiver),
                timeout_ms=receiver.timeout,
                remarks=remarks,
            )
        case AlertmanagerReceiver():

            def routed(alert: Alert) -> bool:
                return name in router.showing(alert, clock.now_ms())

            return AlertmanagerChannel(
                receiver, episodes=episodes, routed=routed, clock=clock, remarks=remarks
            )

"""Receivers tried out, apart from any daemon.

Owns which of them can be: those whose messages only tell.
"""

from __future__ import annotations

from contextlib import closing

from monitor.clock import Clock
from monitor.delivery.channels.alertmanager import AlertmanagerChannel
from monitor.delivery.channels.base import Channel
from monitor.delivery.channels.people import open_for_people
from monitor.delivery.channels.webhook import WebhookChannel
from monitor.delivery.messages.messages import Sources
from monitor.delivery.receivers import PeopleReceiver
from monitor.delivery.settings import (
    AlertmanagerReceiver,
    KafkaReceiver,
    LogReceiver,
    Receiver,
    WebhookReceiver,
    read_secret,
)
from monitor.store.episodes import Episode


class _NoEpisodes:
    """There is no store here, and a test is of no episode."""

    def find(self, _episode: str) -> Episode | None:
        """None."""
        return None

    def current(self, *, resolved_since_ms: int) -> list[Episode]:
        """None."""
        del resolved_since_ms
        return []


def try_out(name: str, receiver: Receiver, sources: Sources, clock: Clock) -> str | None:
    """Send a receiver a test; what it answered, None where nobody would.

    Raises:
        DeliveryError: it did not arrive, or nobody knows.
        ConfigError: a secret is missing.
        SecretError: likewise.
        UsageError: it is an address that cannot be used.
    """
    channel: Channel
    match receiver:
        case KafkaReceiver() | LogReceiver():
            return None
        case PeopleReceiver():
            channel = open_for_people(name, receiver, sources, clock)
        case WebhookReceiver():
            channel = WebhookChannel(
                receiver.url,
                clock=clock,
                secret=read_secret(name, receiver),
                timeout_ms=receiver.timeout,
            )
        case AlertmanagerReceiver():
            channel = AlertmanagerChannel(
                receiver, episodes=_NoEpisodes(), routed=lambda _alert: False, clock=clock
            )
    with closing(channel):
        return channel.test(name)

"""What every channel to people has: messages, digests, a test.

Owns the way from a delivery to a message; how that is sent is each channel's own.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from monitor.clock import Clock
from monitor.delivery.channels.base import Channel
from monitor.delivery.messages.messages import Message, Messages
from monitor.delivery.messages.templates import Form
from monitor.delivery.people import Digest
from monitor.store.outbox import Delivery


class PeopleChannel(Channel):
    """A channel that sends messages made of templates."""

    takes_digests: ClassVar[bool] = True
    form: ClassVar[Form] = "md"
    page: ClassVar[bool] = False
    """Whether it takes HTML besides."""

    def __init__(self, messages: Messages, *, clock: Clock) -> None:
        self.messages = messages
        self.clock = clock

    @abstractmethod
    def hand_over(self, message: Message) -> str:
        """Send a message; what the other side said, in short.

        Raises:
            DeliveryError: it may or may not have arrived.
        """

    def send(self, delivery: Delivery) -> None:
        """Send the message of a decision.

        Raises:
            DeliveryError: it may or may not have arrived.
        """
        self.hand_over(self.messages.of(delivery.decision, self.form, page=self.page))

    def send_digest(self, digest: Digest) -> None:
        """Send the message of several.

        Raises:
            DeliveryError: as :meth:`send`.
        """
        self.hand_over(self.messages.digest(digest, self.form, page=self.page))

    def test(self, receiver: str) -> str:
        """Send a message that says no more than that it came; what the other side answered.

        Raises:
            DeliveryError: as :meth:`send`.
        """
        now_ms = self.clock.now_ms()
        return self.hand_over(self.messages.test(receiver, now_ms, self.form, page=self.page))

"""The interface of everything that a decision can be handed to.

Owns the contract; retries, order and bookkeeping are ``monitor.delivery.lane``'s. A channel is
used by one thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from monitor.delivery.channels.progress import Progress
from monitor.delivery.pacing import Pacer
from monitor.delivery.people import Digest
from monitor.store.outbox import Delivery


class Channel(ABC):
    """A way to one receiver.

    Attributes:
        acts: what it carries is done, not only told; a suspension that is over is not sent.
        takes_digests: late notifications are joined into one for it.
        together: :meth:`send_all` hands several over for the price of one.
        repost_ms: how often :meth:`repost` is due; None: never.
        progress: of a channel whose messages go out in pieces; None: what is sent is sent whole.
        pacer: of a receiver that takes no more than so many; None: what the settings say holds.
    """

    acts: ClassVar[bool] = False
    takes_digests: ClassVar[bool] = False
    together: ClassVar[bool] = False
    repost_ms: int | None = None
    pacer: Pacer | None = None
    progress: Progress | None = None

    @abstractmethod
    def send(self, delivery: Delivery) -> None:
        """Hand one decision over; on return the receiver has it.

        Raises:
            DeliveryError: it may or may not have arrived; ``retry`` says whether to try again.
        """

    def send_all(self, deliveries: Sequence[Delivery]) -> None:
        """Hand several decisions over; only where ``together``.

        Raises:
            DeliveryError: as :meth:`send`; each of them may or may not have arrived. Where
                ``retry`` is false it is known of one of them only, and not of which.
        """
        msg = f"{type(self).__name__} takes one at a time: {len(deliveries)}"
        raise TypeError(msg)

    def send_digest(self, digest: Digest) -> None:
        """Hand several late decisions over as one; only where ``takes_digests``.

        Raises:
            DeliveryError: as :meth:`send`.
        """
        msg = f"{type(self).__name__} takes no digests: {digest}"
        raise TypeError(msg)

    def test(self, receiver: str) -> str:
        """Send ``receiver`` something that says no more than that it came; what was answered.

        Raises:
            DeliveryError: as :meth:`send`.
        """
        msg = f"{type(self).__name__} cannot be tried out: {receiver}"
        raise TypeError(msg)

    def prepare(self) -> str:
        """A mark of now, stored before a first attempt; empty where repeats do no harm.

        Raises:
            DeliveryError: the receiver does not answer.
        """
        return ""

    def already_sent(self, delivery: Delivery) -> bool:
        """Whether an earlier attempt since ``delivery.mark`` got through; False when unknowable.

        Raises:
            DeliveryError: the receiver does not answer.
        """
        del delivery
        return False

    def repost(self) -> None:  # noqa: B027 - most receivers remember
        """Say again what still holds, for receivers that forget.

        Raises:
            DeliveryError: as :meth:`send`.
        """

    def close(self) -> None:  # noqa: B027 - not all hold something
        """Release what is held; twice is fine."""

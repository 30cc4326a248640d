"""Commands to telephony, and orders to other systems, each sent once.

Owns only the fit between the outbox and a telephony system; such systems are ``monitor.telephony``,
whose ``CommandChannel`` has the shape asked for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec

from monitor.decisions import Command, Listing, Order
from monitor.delivery.channels.base import Channel
from monitor.errors import DeliveryError
from monitor.store.outbox import Delivery


class Telephony(Protocol):
    """What is needed of ``monitor.telephony.base.CommandChannel``; see there for the contract."""

    def prepare(self) -> str:
        """A mark of now."""
        ...

    def send(self, command_json: bytes, key: str, command_id: str) -> None:
        """Hand one command over."""
        ...

    def send_all(self, commands: Sequence[tuple[bytes, str, str]]) -> None:
        """Hand several over."""
        ...

    def already_sent(self, command_id: str, mark: str) -> bool:
        """Whether it arrived after the mark."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class CommandsChannel(Channel):
    """One record a command, with the mark that tells after a crash whether it arrived."""

    acts: ClassVar[bool] = True
    together: ClassVar[bool] = True

    def __init__(self, telephony: Telephony) -> None:
        self._telephony = telephony

    def prepare(self) -> str:
        """The mark to be stored before the first attempt."""
        return self._telephony.prepare()

    def already_sent(self, delivery: Delivery) -> bool:
        """Whether an earlier attempt got through."""
        return self._telephony.already_sent(delivery.decision.id, delivery.mark)

    def send(self, delivery: Delivery) -> None:
        """Send the command.

        Raises:
            DeliveryError: see the telephony system; or it is no command at all.
        """
        self._telephony.send(*_outgoing(delivery))

    def send_all(self, deliveries: Sequence[Delivery]) -> None:
        """Send several commands as one.

        Raises:
            DeliveryError: as :meth:`send`, for all of them.
        """
        self._telephony.send_all([_outgoing(delivery) for delivery in deliveries])

    def close(self) -> None:
        """Close the connection."""
        self._telephony.close()


def _outgoing(delivery: Delivery) -> tuple[bytes, str, str]:
    decision = delivery.decision
    if isinstance(decision, Command):
        return msgspec.json.encode(decision.to_wire()), decision.number, decision.id
    if isinstance(decision, Order | Listing):
        return msgspec.json.encode(decision.to_wire()), decision.customer, decision.id
    raise DeliveryError("only commands and orders are carried out", retry=False, reason="internal")

"""Everything that Apprise reaches: SMS gateways, push services, chats abroad.

Owns the fit. Apprise says of a message only whether it failed, and repeats nothing by itself; a
receiver is one recipient, so that another attempt reaches nobody twice. It sleeps between requests
where a service wants that: a delivery thread may.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any, ClassVar

from monitor.clock import Clock
from monitor.delivery.channels.told import PeopleChannel
from monitor.delivery.messages.messages import Message, Messages, Tone
from monitor.delivery.messages.templates import Form
from monitor.delivery.pacing import Pacer
from monitor.delivery.receivers import AppriseReceiver
from monitor.errors import DeliveryError, UsageError

_TYPES: dict[Tone, str] = {
    "bad": "failure",
    "worrying": "warning",
    "good": "success",
    "plain": "info",
}


class AppriseChannel(PeopleChannel):
    """One recipient."""

    form: ClassVar[Form] = "txt"

    def __init__(
        self,
        messages: Messages,
        settings: AppriseReceiver,
        *,
        url: str,
        clock: Clock,
        pacer: Pacer | None = None,
    ) -> None:
        """Make Apprise's part ready; nothing is sent.

        Raises:
            UsageError: the address is none of Apprise's, or of several recipients; does not quote
                it.
        """
        super().__init__(messages, clock=clock)
        self.pacer = pacer
        self._brief = settings.brief
        self._service = _service(url, settings.timeout / 1000)

    def hand_over(self, message: Message) -> str:
        """Send it; nothing is said in return.

        Raises:
            DeliveryError: Apprise says that it failed.
        """
        body = message.body
        if self._brief:
            body = next((line for line in body.splitlines() if line.strip()), "")
        sent = self._service.notify(
            title=message.title,
            body=body or message.title,
            notify_type=_TYPES[message.tone],
            body_format="text",
        )
        if not sent:
            raise DeliveryError("Apprise says that it failed", retry=True, reason="refused")
        return "Apprise says that it was sent"


def _service(url: str, timeout_s: float) -> Any:
    try:
        import apprise  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "Apprise is not installed here: pip install 'callcentre-monitor[notify]'"
        raise UsageError(msg) from error
    # What it logs quotes addresses, recipients and answers; the outcome is logged by delivery.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what its parts import
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise UsageError("it is no address that Apprise knows")
    if len(service) > 1:
        msg = (
            f"it reaches {len(service)} recipients at once: give each a receiver of its own, or"
            " those whom it reached hear of it again when one fails"
        )
        raise UsageError(msg)
    service.socket_connect_timeout = service.socket_read_timeout = timeout_s
    return service

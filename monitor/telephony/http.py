"""Telephony behind an HTTP address of the customer's own: commands as signed JSON.

Owns the protocol, which docs/numbers.md describes for whoever writes the other end. The body is the
record of ``telephony.commands``; it is signed as a webhook's is (``monitor.posting.signed``). The
reply may be the answer; an empty one says that the answer comes by the topic of answers.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from monitor.clock import Clock
from monitor.posting import classify, signed
from monitor.telephony.direct import DirectTelephony, Reply, not_taken
from monitor.telephony.wire import Read


class _Said(msgspec.Struct):
    status: Literal["applied", "rejected"]
    command_id: str | None = None
    detail: str | None = None


class HttpTelephony(DirectTelephony):
    """A :class:`monitor.telephony.base.CommandChannel`."""

    def __init__(self, url: str, secret: str | None, *, timeout_ms: int, clock: Clock) -> None:
        """``secret`` signs requests; None: they are not signed."""
        super().__init__(url, timeout_ms=timeout_ms, clock=clock)
        self._secret = secret
        self._decoder = msgspec.json.Decoder(_Said)

    def carry_out(self, command: Read, command_json: bytes) -> Reply | None:
        """POST the command as it is."""
        headers = signed(command.command_id, self._secret, command_json, clock=self._clock)
        answer = self.post(command_json, headers)
        if classify(answer.status) is not None:
            raise not_taken(answer)
        if not answer.body.strip():
            return None
        try:
            said = self._decoder.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise not_taken(answer) from None
        if said.command_id not in (None, command.command_id):
            raise not_taken(answer)
        return Reply(said.status, said.detail or "")

"""Kamailio: suspended callers in a table of its own, kept by JSON-RPC over HTTP.

Owns the calls and what their answers mean; the other half is ``deploy/kamailio/kamailio.cfg``. An
entry's value says who made it, until when, and by which command, so that nobody else's entry is
ever touched, and what an entry is for stands in the refused call. Requests are written in one fixed
form, which is the only one that configuration lets in.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
import structlog

from monitor.clock import Clock
from monitor.decisions import iso
from monitor.errors import DeliveryError
from monitor.events.times import NotATimeError, read_time
from monitor.telephony.base import Blocked
from monitor.telephony.direct import DONE, DirectTelephony, Reply, not_taken
from monitor.telephony.wire import Read

log = structlog.get_logger(__name__)

DUMP_BYTES_MAX = 64 * 2**20
"""Of a table: some 350 000 numbers."""
_KEY = re.compile(r"[+0-9A-Za-z._-]{1,64}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NO_SUCH_KEY = "Key name doesn't exist in htable."


class KamailioTelephony(DirectTelephony):
    """A :class:`monitor.telephony.base.CommandChannel` and ``Reconciler``."""

    reply_bytes_max: ClassVar[int] = DUMP_BYTES_MAX

    def __init__(
        self, url: str, token: str, *, table: str, mark: str, timeout_ms: int, clock: Clock
    ) -> None:
        """``mark`` begins the value of each entry of ours."""
        super().__init__(url, timeout_ms=timeout_ms, clock=clock)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._table = table
        self._mark = f"{mark};"

    def carry_out(self, command: Read, command_json: bytes) -> Reply | None:  # noqa: ARG002
        """Set or delete the entry; somebody else's stays as it is."""
        number = command.number
        if _KEY.fullmatch(number) is None:
            return Reply("rejected", "no number that the table can hold")
        known, fault = self._call("htable.get", self._table, number)
        if fault and fault != _NO_SUCH_KEY:
            return Reply("rejected", fault)
        if known is not None and not self._is_ours(_value(known)):
            log.warning("blocked_by_somebody_else", number=number, command_id=command.command_id)
            return Reply("applied", "somebody else blocks it, and still does")
        if command.action == "suspend":
            return self._suspend(command)
        if known is None:
            return DONE  # letting go of what is not held is done
        _, fault = self._call("htable.delete", self._table, number)
        return Reply("rejected", fault) if fault and not self._gone(number) else DONE

    def blocked(self, numbers: Iterable[str]) -> Blocked:  # noqa: ARG002 - it lists them all
        """What the table holds.

        Raises:
            DeliveryError: Kamailio does not answer, or not with a table.
        """
        table, fault = self._call("htable.dump", self._table)
        ours: dict[str, int | None] = {}
        others: set[str] = set()
        try:
            entries = [
                (str(entry["name"]), str(entry["value"]))
                for bucket in table or []
                for entry in bucket["slot"]
            ]
        except (KeyError, TypeError) as error:
            fault = f"not a table: {type(error).__name__}"
        if fault:
            msg = f"{self._table} cannot be listed: {fault}"
            raise DeliveryError(msg, retry=True, reason="malformed")
        for number, value in entries:
            if not self._is_ours(value):
                others.add(number)
                continue
            until_ms = _until_ms(value)
            # What is over is still listed for a while, and refuses no call any more.
            if until_ms is None or until_ms > self._clock.now_ms():
                ours[number] = until_ms
        return Blocked(ours, frozenset(others))

    def _suspend(self, command: Read) -> Reply:
        ends = "never" if command.until_ms is None else iso(command.until_ms)
        rule = _UNSAFE.sub("_", command.rule) or "a_person"
        value = f"{self._mark}until={ends};rule={rule};id={command.command_id}"
        left_s = self.seconds_left(command)
        if left_s is None:
            _, fault = self._call("htable.sets", self._table, command.number, value)
        else:
            _, fault = self._call("htable.setxs", self._table, command.number, value, left_s)
        return Reply("rejected", fault) if fault else DONE

    def _is_ours(self, value: str) -> bool:
        return value.startswith(self._mark)

    def _gone(self, number: str) -> bool:
        """Whether it went between two requests: its time was over."""
        known, _ = self._call("htable.get", self._table, number)
        return known is None

    def _call(self, method: str, *params: str | int) -> tuple[Any, str]:
        """The result, or in words why there is none.

        Raises:
            DeliveryError: no answer, or none of JSON-RPC: the wrong address, a wrong token.
        """
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        answer = self.post(msgspec.json.encode(request), self._headers)
        try:
            said = msgspec.json.decode(answer.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise not_taken(answer) from None
        if "error" in said:
            return None, _words(said["error"])
        if "result" not in said:
            raise not_taken(answer)
        return said["result"], ""


def _words(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or "an error without words")


def _value(item: Any) -> str:
    try:
        return str(item["item"]["value"])
    except (KeyError, TypeError):
        return ""


def _until_ms(value: str) -> int | None:
    """When an entry of ours ends; None: never."""
    for part in value.split(";"):
        name, _, text = part.partition("=")
        if name == "until":
            with contextlib.suppress(NotATimeError):  # "never"
                return read_time(text)
    return None

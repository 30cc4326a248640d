"""A command as a telephony system reads it.

Owns the reading only; what is written is ``monitor.decisions.Command.to_wire``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from monitor.events.times import NotATimeError, read_time


class _Record(msgspec.Struct):
    command_id: str
    action: Literal["suspend", "resume"]
    number: str
    until: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What a telephony system needs of a command."""

    command_id: str
    action: Literal["suspend", "resume"]
    number: str
    until_ms: int | None
    """When it is to let go by itself; None: when told."""
    rule: str
    """Empty: a person."""


_DECODER = msgspec.json.Decoder(_Record)


def read_command(command_json: bytes) -> Read | None:
    """The command in a record; None where it is none."""
    try:
        record = _DECODER.decode(command_json)
        until_ms = None if record.until is None else read_time(record.until)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotATimeError):
        return None
    return Read(record.command_id, record.action, record.number, until_ms, record.rule or "")

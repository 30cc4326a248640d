"""Records as an archive without customers keeps them: an event, or a list.

Owns the list: the events that a mapping made of one record, in its order, and for each thing that
was refused ``{"dead_letter": reason}``; its bytes are not kept. An empty list is a record that its
mapping says nothing about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from monitor.events.batch import REJECT_REASONS
from monitor.events.strict import Fault
from monitor.source.base import Fetched

_DETAIL = "refused when it was archived; its bytes were not kept"
_decode = msgspec.json.Decoder(list[dict[str, Any]]).decode


def written(events: Sequence[dict[str, Any]], refused: Sequence[str]) -> bytes:
    """The record for these events and reasons."""
    if len(events) == 1 and not refused:
        return msgspec.json.encode(events[0])
    return msgspec.json.encode([*events, *({"dead_letter": reason} for reason in refused)])


def has_lists(fetched: Fetched) -> bool:
    """Whether some record is more, or less, than one event."""
    return any(_is_list(value) for value in fetched.values)


class _Kept:
    """Makes events of such records."""

    def of_bytes(self, record: bytes) -> tuple[list[msgspec.Raw], list[Fault]]:
        """The events as they stand, and what was refused."""
        if not _is_list(record):
            return [msgspec.Raw(record)], []
        try:
            entries = _decode(record)
        except msgspec.DecodeError:
            return [], [Fault("not_an_object", "a list that no archive has written")]
        reasons = [each["dead_letter"] for each in entries if "dead_letter" in each]
        events = [msgspec.Raw(msgspec.json.encode(e)) for e in entries if "dead_letter" not in e]
        return events, [Fault(each, _DETAIL) for each in reasons if each in REJECT_REASONS]

    def told(self, detail: str) -> str:
        """As it is."""
        return detail


KEPT = _Kept()


def _is_list(record: bytes | None) -> bool:
    return record is not None and record[:1] == b"["

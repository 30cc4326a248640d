"""What was planted in the traffic, written beside it.

Owns the shapes and their JSON (``truth.json``): who is bad, from when, with what rates, and which
numbers a monitor should suspend, and no others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from monitor.decisions import iso

Kind = Literal["number", "agent", "campaign"]


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of one caller's traffic, from 0 to 1."""

    answer: float = 0.45
    """Answered of outbound attempts."""
    hangup: float = 0.18
    """Hung up by the customer within 30 s, of answered."""
    complaint: float = 0.0002
    """Complaints (unsolicited, content) of all calls."""
    blocked: float = 0.002
    """Blocked by a carrier, of attempts that were not answered."""
    score: float = 4.5
    """Mean of the post-call survey."""


HEALTHY = Rates()


@dataclass(frozen=True, slots=True)
class Planted:
    """One cause of trouble: in force for calls that begin from ``from_ms`` to ``until_ms``."""

    kind: Kind
    name: str
    from_ms: int
    until_ms: int
    rates: Rates
    flagged_by: str = ""
    """Who flags the number at ``from_ms``; empty when nobody does."""
    cleared_ms: int | None = None
    """When the flag is cleared."""
    share: float | None = None
    """The share of its campaign's calls that the number makes meanwhile; None: as always."""


@dataclass(slots=True)
class Truth:
    """All that is known of a simulation that a monitor is not told."""

    scenario: str
    seed: int
    start_ms: int
    end_ms: int
    rate: float
    """Events in a second, on average."""
    planted: list[Planted]
    should_suspend: list[str]
    """These numbers, and no others, are to be suspended; except for:"""
    may_suspend: list[str]
    """Numbers of a campaign that is bad as a whole: as many of them as its pool's guards let."""
    silences: list[tuple[int, int]]
    """Spans in which nobody works."""
    late_share: float
    too_late_share: float
    duplicate_share: float
    pools: dict[str, list[str]]
    events: Counter[str] = field(default_factory=Counter)
    """Written so far, by type; duplicates not counted."""
    duplicates: int = 0
    late: int = 0
    """Delivered more than a second after their time, of those not ``too_late``."""
    too_late: int = 0
    """Delivered so late that they are of no use."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, times in RFC 3339."""
        plain = asdict(self)
        plain["start"], plain["end"] = iso(plain.pop("start_ms")), iso(plain.pop("end_ms"))
        plain["silences"] = [[iso(begin), iso(end)] for begin, end in self.silences]
        plain["healthy"] = asdict(HEALTHY)
        plain["events"] = dict(sorted(self.events.items()))
        for item in plain["planted"]:
            item["from"], item["until"] = iso(item.pop("from_ms")), iso(item.pop("until_ms"))
            cleared = item.pop("cleared_ms")
            item["cleared"] = None if cleared is None else iso(cleared)
        return plain

    def write(self, path: Path) -> None:
        """Write ``path`` as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.to_json()), indent=2) + b"\n")

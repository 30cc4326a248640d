"""From when to when a rule is in force: ``effective_from`` and ``effective_to``.

Owns how such a moment is written and which ticks lie in between. What becomes of a rule's episodes
when it is over is ``evaluate``'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from monitor.decisions import iso
from monitor.rules.fields import fault


def _moment(value: Any) -> Any:
    """Milliseconds UTC. A date is its midnight in UTC; a time of day has to say its zone."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = _with_time(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise fault("a time of day without its zone", _HINT)
        return int(value.timestamp() * 1000)
    if isinstance(value, date):
        return int(datetime.combine(value, time(), tzinfo=UTC).timestamp() * 1000)
    raise fault("not a date", _HINT)


def _with_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        message = f"not a date: {error}"
        raise fault(message, _HINT) from None


_HINT = "write 2026-12-01 (midnight UTC), or 2026-12-01T00:00:00+08:00 in quotes"

Moment = Annotated[
    int,
    BeforeValidator(_moment),
    PlainSerializer(iso, str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "description": "A date (its midnight in UTC), or a moment with its zone",
            "examples": ["2026-12-01", "2026-12-01T00:00:00+08:00"],
        }
    ),
]


@dataclass(frozen=True, slots=True)
class Term:
    """Half-open: in force at ticks ``from_ms <= tick < to_ms``; None: no such end."""

    from_ms: int | None = None
    to_ms: int | None = None
    limited: bool = field(init=False)
    """It is not for ever."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "limited", not (self.from_ms is None and self.to_ms is None))

    def holds(self, tick: int) -> bool:
        """Whether the rule is in force at ``tick``."""
        begun = self.from_ms is None or tick >= self.from_ms
        return begun and (self.to_ms is None or tick < self.to_ms)

    def next_tick(self, after: int, tick_ms: int) -> int | None:
        """The next aligned tick at which it comes into force or is over, or None."""
        ends = [ms for ms in (self.from_ms, self.to_ms) if ms is not None]
        ticks = [-(-ms // tick_ms) * tick_ms for ms in ends]
        return min((tick for tick in ticks if tick > after), default=None)

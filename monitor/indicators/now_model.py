"""What an indicator of kind ``population`` says beside the head that all kinds share.

Owns the keys and what can be said of them without the event catalogue.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from monitor.indicators.parts import Part, Selection, fault
from monitor.units import DurationMs

NOW = "now"
"""The window of figures as of the tick."""


def _selection(value: Any) -> Any:
    return {"on": value} if isinstance(value, (str, list)) else value


Events = Annotated[
    Selection,
    BeforeValidator(_selection),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {
                    "type": "object",
                    "properties": {
                        "on": {
                            "anyOf": [
                                {"type": "string"},
                                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                            ]
                        },
                        "where": {"type": "string"},
                    },
                    "required": ["on"],
                    "additionalProperties": False,
                },
            ],
            "description": "An event type, several as a list, or {on: …, where: …}",
        }
    ),
]


class NowParts(Part):
    """Keys of the kinds that know something of each entity."""

    entity: str | None = None
    """Of a population: the field that tells whom an event is about."""
    from_: Events | None = Field(default=None, alias="from")
    """Of a population: events that tell of the entity; each field's last value holds."""
    until: Events | None = None
    """Of a population: with these the entity leaves, and what was known of it is forgotten."""
    among: str | None = None
    """Of a population: the entities looked at, a condition on their last values; all without it."""
    share: str | None = None
    """Of a population: the entities that are hits, a condition on their last values."""
    state: str | None = None
    """Of a population: the field that `unchanged_for` is about."""
    unchanged_for: DurationMs | None = None
    """Of a population: hits are those whose `state` has not changed for so long."""
    max_age: DurationMs | None = None
    """Of a population: an entity not heard of for so long leaves."""

    def check_population(self) -> None:
        """Raise what is wrong with a population by itself."""
        if (self.state is None) != (self.unchanged_for is None):
            raise fault("`state` and `unchanged_for` go together", "state: level")
        if not self.max_age:
            raise fault("max_age is longer than nothing")
        if self.unchanged_for is not None and not 0 < self.unchanged_for < self.max_age:
            message = "`unchanged_for` is longer than nothing and shorter than `max_age`"
            raise fault(message, "an entity that is not heard of has left by then")

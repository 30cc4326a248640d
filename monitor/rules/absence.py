"""What ``rules.yaml`` may say of absence: what has to come, and when its absence matters.

Owns the shapes; what a rule on absence does is ``monitor.rules.absence_rule``'s.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from monitor.indicators.model import MAX_AGE_MS
from monitor.indicators.parts import Types
from monitor.rules.fields import Part, fault
from monitor.units import DurationMs, format_duration

STATE = "agent.state"
"""What a `while` that is a condition alone is about."""


class Absent(Part):
    """What has to come again and again, or the rule fires."""

    count: Types
    """Event type, or several as a list."""
    where: str | None = None
    """Which of them count; all without it."""


class While(Part):
    """When the absence matters: from one event on until another."""

    on: Types
    """It begins with these; with `where`, one that does not pass ends it."""
    where: str | None = None
    """Which of them begin it."""
    until: Types | None = None
    """It ends with these."""
    max_age: DurationMs | None = None
    """How long it lasts when nothing more is heard; left out, it lasts until something ends it."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        both = sorted(set(self.on) & set(self.until or ()))
        if both:
            message = f"{both[0]} would end what it begins"
            raise fault(message)
        if self.where is None and self.until is None and self.max_age is None:
            raise fault("it would never end", "say `until: <event type>`, or max_age: 7d")
        if self.max_age == 0:
            raise fault("max_age is longer than nothing")
        return self


def _condition(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"on": STATE, "where": value, "max_age": format_duration(MAX_AGE_MS)}


_ENDS = "A condition on agent.state, or events that begin and end it"
WhileField = Annotated[
    While | None,
    BeforeValidator(_condition, json_schema_input_type=While | str | None),
    Field(description=_ENDS),
]

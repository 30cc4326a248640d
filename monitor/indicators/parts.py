"""The small words of ``indicators.yaml``: events, dimensions, local time.

Owns single values and pieces that several kinds share; ``monitor.indicators.model`` puts them
together.
"""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError


def fault(message: str, hint: str = "") -> PydanticCustomError:
    """An error in the words of this product; ``hint`` travels in the context."""
    return PydanticCustomError("indicator", "{fault}", {"fault": message, "hint": hint})


def one_or_more(value: Any) -> Any:
    """A single text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def some(most: int) -> AfterValidator:
    """At least one of them, and at most so many."""

    # Not pydantic's own bounds: those also complain when the only item is wrong.
    def check(value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise fault("an empty list")
        if len(value) > most:
            message = f"at most {most} of them, not {len(value)}"
            raise fault(message)
        return value

    return AfterValidator(check)


Types = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_more),
    some(20),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ],
            "description": "An event type, or several as a list",
        }
    ),
]
Dimensions = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_more),
    some(3),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
            ],
            "description": "A dimension, or a pair of them as a list",
        }
    ),
]


class Part(BaseModel):
    """A frozen piece of a file; keys it does not know are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True
    )


class Selection(Part):
    """Events of one or several types that pass a condition."""

    on: Types
    """Event type, or several as a list."""
    where: str | None = None
    """Condition on the event's fields; all events without it."""


class Local(Part):
    """A piece of local time."""

    tz: str
    """IANA time zone."""

    @field_validator("tz")
    @classmethod
    def _known(cls, tz: str) -> str:
        if tz not in available_timezones():
            message = f"no time zone {tz!r}"
            raise fault(message, "an IANA name such as Asia/Shanghai")
        return tz

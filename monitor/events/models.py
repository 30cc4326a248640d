"""One pydantic model for each event type, made from the catalogue.

Owns typed access to single events for producers, tools and documentation; the daemon itself decodes
in columns and never builds one of these.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    create_model,
)

from monitor.events.catalogue import EVENT_TYPES, FIELDS, ON_EVERY_EVENT, ZONES, FieldType, Kind
from monitor.events.settings import RecordLimits
from monitor.events.times import TIME_MS_MAX, TIME_MS_MIN, read_time

LIMITS = RecordLimits()
"""The limits that models and JSON Schema state: the defaults."""
_NO_CONTROL = r"^[^\x00-\x1f]*$"


def _time(value: Any) -> int:
    if type(value) not in {int, str}:
        raise ValueError("neither RFC 3339 text nor integer ms")
    return read_time(value)


Time = Annotated[
    int,
    BeforeValidator(_time),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": TIME_MS_MIN, "exclusiveMaximum": TIME_MS_MAX},
            ]
        }
    ),
]
"""Event time: RFC 3339 text or integer milliseconds, in Python int milliseconds since 1970 UTC."""

_Key = Annotated[StrictStr, Field(min_length=1, max_length=LIMITS.key_chars, pattern=_NO_CONTROL)]


class Event(BaseModel):
    """The envelope, on every event."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: _Key = Field(description="unique per event; the same id again is a duplicate")
    type: _Key = Field(description="what happened")
    time: Time = Field(description="when it happened")


def annotation(field: FieldType) -> Any:
    """The pydantic type of a field, without its being optional."""
    if field.is_text:
        return _text_annotation(field)
    if field.kind is Kind.TIME:
        return Time
    if field.kind is Kind.BOOL:
        return StrictBool
    if field.kind is Kind.INT:
        return Annotated[StrictInt, Field(ge=int(field.low), le=int(field.high))]
    return Annotated[float, Field(strict=True, ge=field.low, le=field.high)]


def _text_annotation(field: FieldType) -> Any:
    if field.kind is Kind.ENUM:
        return Literal[field.values]
    if field.values:
        return Annotated[_Key, AfterValidator(_zone)]
    if field.is_key:
        return Annotated[StrictStr, Field(max_length=LIMITS.key_chars, pattern=_NO_CONTROL)]
    return Annotated[StrictStr, Field(max_length=LIMITS.string_chars)]


def _zone(name: str) -> str:
    if name not in ZONES:
        raise ValueError("no time zone of that name")
    return name


@cache
def event_model(name: str) -> type[Event]:
    """The model of an event type: envelope, dimensions and its own fields.

    Raises:
        KeyError: no such type.
    """
    event = EVENT_TYPES[name]
    fields: dict[str, Any] = {
        field: (
            annotation(FIELDS[field]) | None,
            Field(default=None, description=FIELDS[field].doc),
        )
        for field in (*ON_EVERY_EVENT, *event.fields)
    }
    fields["type"] = (Literal[name], Field(description=event.doc))
    title = "".join(part.title() for part in name.replace(".", "_").split("_"))
    return create_model(title, __base__=Event, __doc__=event.doc, **fields)

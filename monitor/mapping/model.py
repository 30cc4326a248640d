"""What a mapping file may hold.

Owns the shape of ``mappings/<name>.yaml``; what its expressions mean is
:mod:`monitor.mapping.expression`, and that it all fits together is checked by
:mod:`monitor.mapping.load`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Scalar = bool | int | float | str | None
MappingName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

EVENTS_MAX = 100
"""Kinds of events that one file tells of."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Table(_Part):
    """A value looked up: what theirs is in our words."""

    of: str
    """Expression whose value is looked up, as text."""
    values: Annotated[dict[str, Scalar], Field(min_length=1)]
    """Theirs → ours; null: the field is left out."""
    otherwise: Scalar = None
    """What all others are; null: the field is left out. Not given: they are a broken field."""

    @property
    def is_closed(self) -> bool:
        """A value that the table does not have is a broken field."""
        return "otherwise" not in self.model_fields_set


class Fixed(_Part):
    """The same value for every record."""

    always: bool | int | float | str
    """The value."""


class EventSpec(_Part):
    """One kind of event that records are turned into."""

    type: str
    """Event type, as in docs/events.md."""
    each: dict[VariableName, str] = {}
    """Name → expression that gives a list: an event for each of its entries, which the name stands
    for from then on. Several, one within the other, in their order."""
    let: dict[VariableName, str] = {}
    """Name → expression, for what several fields need."""
    when: str | None = None
    """Condition; records (or entries) for which it is not true make no such event."""
    id: str
    """Expression; the same record read again gives the same id."""
    time: str
    """Expression: when it happened."""
    fields: dict[str, str | Table | Fixed] = {}
    """Our field → expression, table or fixed value; one that is null is left out."""
    required: tuple[str, ...] = ()
    """Of the fields, those without which the event is a dead letter."""


class MappingFile(_Part):
    """One mapping: how records of one system become events."""

    version: Literal[1]
    """Of the file's form: 1."""
    name: MappingName
    """What commands, settings and dead letters call it."""
    about: str
    """Whose records these are, in a sentence."""
    see: str = ""
    """Where their shape is documented."""
    settings: dict[VariableName, str] = {}
    """What a site may set (``mappings.settings``), with what holds where it does not; expressions
    say ``site.name``."""
    let: dict[VariableName, str] = {}
    """Name → expression, for all events of this file."""
    when: str | None = None
    """Condition; records for which it is not true are not looked at, and counted."""
    events: Annotated[tuple[EventSpec, ...], Field(max_length=EVENTS_MAX)]
    """What they are turned into: at least one."""

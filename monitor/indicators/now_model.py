"""What ``population`` and ``response`` say beside the head that all kinds share.

Owns the keys and what can be said of them without the event catalogue.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from monitor.events.public_holidays import is_place
from monitor.indicators.parts import Local, Part, Selection, fault, some
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
                            "description": "Event type, or several as a list.",
                            "anyOf": [
                                {"type": "string"},
                                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                            ],
                        },
                        "where": {"type": "string", "description": "Which of them."},
                    },
                    "required": ["on"],
                    "additionalProperties": False,
                },
            ],
            "description": "An event type, several as a list, or {on: …, where: …}",
        }
    ),
]


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]


class WorkHours(Local):
    """Working hours of a place."""

    from_: Clock = Field(alias="from")
    """Local time, such as 09:00."""
    to: Clock
    """Local time at which they are over, such as 18:00."""
    days: Annotated[tuple[Weekday, ...], some(7)] = WEEKDAYS[:5]
    """Days of the week; Monday to Friday without it."""
    holidays: str | None = None
    """A country such as CN, or a part such as FR-57, on whose public holidays nobody works."""
    outside: bool = False
    """Look only at what is asked outside these hours, and count every second of it."""

    @property
    def from_min(self) -> int:
        """Minutes after midnight."""
        return _minutes(self.from_)

    @property
    def to_min(self) -> int:
        """Minutes after midnight, up to 1440."""
        return _minutes(self.to)

    @property
    def weekdays(self) -> tuple[int, ...]:
        """The days, Monday being 0, ascending."""
        return tuple(sorted({WEEKDAYS.index(day) for day in self.days}))

    @field_validator("holidays")
    @classmethod
    def _somewhere(cls, place: str | None) -> str | None:
        if place is not None and not is_place(place):
            message = f"no public holidays are known of {place!r}"
            raise fault(message, "a country such as CN, or a part of one such as FR-57")
        return place

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.from_min >= self.to_min:
            message = f"from {self.from_} to {self.to} is no time"
            raise fault(message, "hours end on the day that they begin on")
        return self


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


class NowParts(Part):
    """Keys of the kinds that know something of each entity."""

    entity: str | None = None
    """Of a population or a funnel: the field that tells whom an event is about."""
    from_: Events | None = Field(default=None, alias="from")
    """Of a population: events that tell of the entity; each field's last value holds. Of a
    response: what asks."""
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
    """Of a population: an entity not heard of for so long leaves. Of a response: an open
    question is given up."""
    to: Events | None = None
    """Of a response: what answers."""
    per: str | None = None
    """Of a response: the field whose value question and answer share, such as conversation."""
    hours: WorkHours | None = None
    """Of a response: only the time within these hours counts."""
    open_after: DurationMs | None = None
    """Of a response that is a mean: an unanswered question counts by its age from this age on."""
    within: DurationMs | None = None
    """Of a response: the figure is the share of questions answered within this time. Of a funnel:
    from the first step to the last, at most."""

    def check_population(self) -> None:
        """Raise what is wrong with a population by itself."""
        if (self.state is None) != (self.unchanged_for is None):
            raise fault("`state` and `unchanged_for` go together", "state: level")
        if not self.max_age:
            raise fault("max_age is longer than nothing")
        if self.unchanged_for is not None and not 0 < self.unchanged_for < self.max_age:
            message = "`unchanged_for` is longer than nothing and shorter than `max_age`"
            raise fault(message, "an entity that is not heard of has left by then")

    def check_response(self) -> None:
        """Raise what is wrong with a response by itself."""
        if (self.open_after is None) == (self.within is None):
            message = "a response has either `open_after`, a mean, or `within`, a share"
            raise fault(message, "open_after: 30m")
        if self.within == 0:
            raise fault("within is longer than nothing")
        longest = self.open_after or self.within or 0
        if not self.max_age or self.max_age <= longest:
            message = "`max_age` is longer than `open_after` and `within`"
            raise fault(message, "a question that old is given up")

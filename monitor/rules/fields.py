"""The small words of ``rules.yaml``: one type for each kind of value.

Owns parsing and wording of single values; ``levels`` and ``model`` put them together.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from monitor.rules.message import Template

Direction = Literal["above", "below"]
Status = Literal["active", "shadow", "off"]
NoData = Literal["hold", "resolve", "alert"]

_FALSE_ALARMS = re.compile(r"([1-9][0-9]{0,5}) per ([1-9][0-9]{0,5}) scope-days?")


def fault(message: str, hint: str = "") -> PydanticCustomError:
    """An error in the words of this product; ``hint`` travels in the context."""
    return PydanticCustomError("rule", "{fault}", {"fault": message, "hint": hint})


def _false_alarms(value: Any) -> Fraction:
    if isinstance(value, Fraction):
        return value
    match = _FALSE_ALARMS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        message = "not a number of false alarms in scope-days"
        raise fault(message, "write it as: 1 per 30 scope-days")
    return Fraction(int(match[2]), int(match[1]))


def one_or_more(value: Any) -> Any:
    """A single text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _window_key(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"calendar", "tz"}:
        return f"{value['calendar']}@{value['tz']}"
    if isinstance(value, dict) and set(value) == {"days", "tz"}:
        return f"{value['days']}d@{value['tz']}"
    if isinstance(value, dict) and set(value) == {"anchored"}:
        return f"{value['anchored']}@first"
    return value


def _text(value: Any) -> Any:
    return {"en": value} if isinstance(value, str) else value


FalseAlarms = Annotated[
    Fraction,
    BeforeValidator(_false_alarms),
    PlainSerializer(lambda days: f"{days.denominator} per {days.numerator} scope-days", str),
    WithJsonSchema({"type": "string", "pattern": f"^{_FALSE_ALARMS.pattern}$"}),
]
"""Scope-days between two false alarms, written ``1 per 30 scope-days``."""


def _text_or_list(description: str) -> WithJsonSchema:
    several = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    return WithJsonSchema({"anyOf": [{"type": "string"}, several], "description": description})


def _by_language(description: str) -> WithJsonSchema:
    tagged = {
        "type": "object",
        "properties": {
            "en": {"type": "string", "description": "In English."},
            "zh": {"type": "string", "description": "In Chinese."},
        },
        "additionalProperties": False,
    }
    return WithJsonSchema({"anyOf": [{"type": "string"}, tagged], "description": description})


Dimensions = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_more),
    Field(min_length=1, max_length=3),
    _text_or_list("A dimension, or a pair of them as a list"),
]
Values = Annotated[
    tuple[str, ...], BeforeValidator(one_or_more), _text_or_list("A value, or several as a list")
]
_TZ = {"type": "string", "description": "IANA time zone."}
_CALENDAR = {"type": "string", "description": "A local day, week or month."}
_DAYS = {"type": "integer", "description": "How many, today among them."}
_ANCHORED = {"type": "string", "description": "From the first event on, for so long."}
WindowKey = Annotated[
    str,
    BeforeValidator(_window_key),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["30m", "day@Asia/Shanghai", "1h@first"]},
                {
                    "type": "object",
                    "properties": {"calendar": _CALENDAR, "tz": _TZ},
                    "required": ["calendar", "tz"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"days": _DAYS, "tz": _TZ},
                    "required": ["days", "tz"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"anchored": _ANCHORED},
                    "required": ["anchored"],
                    "additionalProperties": False,
                },
            ],
            "description": "One of the indicator's windows, as written there",
        }
    ),
]
Language = Literal["en", "zh"]
Text = Annotated[
    dict[Language, str], BeforeValidator(_text), _by_language("Text, or one text a language")
]
Messages = Annotated[
    dict[Language, Template],
    BeforeValidator(_text),
    _by_language("With fields such as {number}, {value:%}, {hits}, {of}, {window}, {level}"),
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


Parts = Annotated[
    Annotated[tuple[Identifier, ...], Field(min_length=2, max_length=10)] | None,
    Field(exclude_if=lambda parts: parts is None),
]
"""Ids of other rules; None where the rule is on something else."""


class Part(BaseModel):
    """A frozen piece of a file; keys it does not know are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True
    )

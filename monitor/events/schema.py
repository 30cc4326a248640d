"""JSON Schema (draft-07) of every event, from the same catalogue that decodes.

Owns the layout of the schema: the envelope first, then for each type what its fields may be, at the
top level or in a structured CloudEvent's ``data``. Types that the catalogue does not have are
valid: they are counted and skipped.
"""

from __future__ import annotations

from typing import Any

from monitor.events.catalogue import EVENT_TYPES
from monitor.events.models import Event, event_model

_ENVELOPE = ("id", "type", "time")


def events_schema() -> dict[str, Any]:
    """The schema of one record."""
    definitions: dict[str, Any] = {"envelope": _envelope()}
    rules = []
    for name in EVENT_TYPES:
        definitions[name] = _fields_of(name)
        reference = {"$ref": f"#/definitions/{name}"}
        rules.append(
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {
                    "allOf": [reference, {"properties": {"data": {"anyOf": [_NULL, reference]}}}]
                },
            }
        )
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Call centre event",
        "description": "One record of the input topics, or one line of a JSONL file.",
        "allOf": [{"$ref": "#/definitions/envelope"}, *rules],
        "definitions": definitions,
    }


_NULL = {"type": "null"}


def _envelope() -> dict[str, Any]:
    schema = Event.model_json_schema()
    return {
        "type": "object",
        "properties": {
            **schema["properties"],
            "specversion": {
                "type": "string",
                "description": "there on a structured CloudEvent, whose fields are in data",
            },
        },
        "required": list(_ENVELOPE),
    }


def _fields_of(name: str) -> dict[str, Any]:
    schema = event_model(name).model_json_schema()
    return {
        "description": EVENT_TYPES[name].doc,
        "type": "object",
        "properties": {
            field: _optional(value)
            for field, value in schema["properties"].items()
            if field not in _ENVELOPE
        },
    }


def _optional(value: dict[str, Any]) -> dict[str, Any]:
    """The field's schema with null, and with empty text, as plain as a reader wants it."""
    *choices, _null = value["anyOf"]
    said = {"description": value["description"]}
    if len(choices) > 1:
        return {"anyOf": [*choices, _NULL, {"const": ""}], **said}
    choice = dict(choices[0])
    if "enum" in choice:
        return {"enum": [*choice["enum"], "", None], **said}
    return {**choice, "type": [choice["type"], "null"], **said}

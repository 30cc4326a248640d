"""Pydantic models applied to YAML, without pydantic's goodwill.

Owns the one difference between validating Python data and validating a file that people write:
text is not a number because it looks like one, ``1`` is not true, a number is not a date. Lists
still become tuples and text still becomes dates and enums, which pydantic's own strict mode
forbids; so the model's schema is copied with only its scalars made strict.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError, SchemaValidator, core_schema

_SCALARS = frozenset(("bool", "float", "int", "str"))
_MOMENTS = frozenset(("date", "datetime"))
_OPAQUE = frozenset(("cls", "default", "expected", "metadata", "serialization"))
"""Entries of a core schema that hold values or annotations, not schemas."""
_NAMED = frozenset(("choices", "fields"))
"""Entries that map names of the model's own choosing to schemas."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*")


@lru_cache(maxsize=256)
def validator(model: type[BaseModel]) -> SchemaValidator:
    """A validator of ``model`` whose scalars take nothing but their own kind."""
    model.model_rebuild()
    # Prebuilt validators of nested models would bring pydantic's lax scalars back.
    schema = _strict(model.__pydantic_core_schema__, {})
    return SchemaValidator(schema, _use_prebuilt=False)


def _strict(schema: Any, done: dict[int, Any]) -> Any:
    if isinstance(schema, (list, tuple)):
        return type(schema)(_strict(part, done) for part in schema)
    if not isinstance(schema, dict):
        return schema
    if id(schema) not in done:
        copy = {name: _entry(name, part, done) for name, part in schema.items()}
        kind = copy.get("type")
        if kind in _SCALARS:
            copy["strict"] = True
        elif kind in _MOMENTS:
            copy = dict(core_schema.no_info_before_validator_function(_written_out, copy))
        done[id(schema)] = copy
    return done[id(schema)]


def _entry(name: str, part: Any, done: dict[int, Any]) -> Any:
    """One entry of a core schema, scalars made strict."""
    if name in _OPAQUE:
        return part
    if name in _NAMED and isinstance(part, dict):
        # The keys are the user's: a field may be called "type" or "default".
        return {key: _strict(value, done) for key, value in part.items()}
    return _strict(part, done)


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return value
    raise PydanticCustomError(
        "moment",
        "{fault}",
        {
            "fault": "not a date and time",
            "hint": "write it as 2026-11-22T09:00:00+08:00",
        },
    )

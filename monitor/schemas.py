"""JSON Schemas (draft-07) of everything people write, for their editors and their pipelines.

Owns the rendering of pydantic models as schemas that the yaml-language-server and check-jsonschema
take; the models themselves belong to their parts. The files under ``docs/schema`` are made from
here, and a test holds that they are current.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    PydanticSerializationError,
    SchemaError,
    SchemaSerializer,
    core_schema,
    to_jsonable_python,
)

from monitor.config import Config
from monitor.events.schema import events_schema
from monitor.indicators.model import IndicatorFile
from monitor.rules.cases import CasesFile
from monitor.rules.model import RulesFile

DIALECT = "http://json-schema.org/draft-07/schema#"

MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "config": Config,
        "indicators": IndicatorFile,
        "rules": RulesFile,
        "tests": CasesFile,
    }
)
"""What each kind of file that people write is checked against."""
KINDS = ("events", *MODELS)


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one of ``KINDS``.

    Raises:
        KeyError: no such kind.
    """
    if kind == "events":
        return events_schema()
    made = MODELS[kind].model_json_schema(schema_generator=_AsWritten)
    return {"$schema": DIALECT, **_draft_07(made)}


def render(kind: str) -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


_CALENDAR = {
    "type": "object",
    "properties": {"calendar": {"enum": ["day", "week", "month"]}, "tz": {"type": "string"}},
    "required": ["calendar", "tz"],
    "additionalProperties": False,
}
_SHORT: tuple[tuple[Any, dict[str, Any]], ...] = (
    ("x", {"type": "string"}),
    ({"calendar": "day", "tz": "UTC"}, _CALENDAR),
)
"""Short forms that a model may take in place of what it holds: an example, and its schema."""
_PYTHON: Mapping[str, type] = {"array": list, "object": dict, "string": str}
_RENAMED = {"prefixItems": "items"}


def _becomes(function: Any, example: Any, wanted: type | None) -> bool:
    """The validator makes what is wanted out of an example that is not."""
    if wanted is None or isinstance(example, wanted):
        return False
    try:
        return isinstance(function(example), wanted)
    except (ValueError, PydanticCustomError):
        return False


class _AsWritten(GenerateJsonSchema):
    """What people may write: short forms, and defaults as ``5s``, not 5000."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Any:
        made = super().function_before_schema(schema)
        function = schema["function"]
        if function["type"] != "no-info":
            return made
        wanted = _PYTHON.get(str(made.get("type")))
        short = [
            form for example, form in _SHORT if _becomes(function["function"], example, wanted)
        ]
        return {"anyOf": [made, *short]} if short else made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if "default" in made:
            made["default"] = _written(schema["schema"], self.get_default_value(schema))
        return made


def _written(schema: CoreSchema, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        return SchemaSerializer(schema).to_python(value, mode="json", by_alias=True)
    except (SchemaError, PydanticSerializationError):
        # Part of a schema that refers elsewhere: such defaults are plain values.
        return to_jsonable_python(value)


def _draft_07(part: Any) -> Any:
    """``part`` in the words of draft-07: definitions, tuples, and nothing beside a reference."""
    if isinstance(part, list):
        return [_draft_07(each) for each in part]
    if not isinstance(part, dict):
        return part
    made: dict[str, Any] = {}
    for name, value in part.items():
        made |= _keyword(name, value)
    if "$ref" in made and len(made) > 1:
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _keyword(name: str, value: Any) -> dict[str, Any]:
    if name == "discriminator":
        return {}  # OpenAPI's word; oneOf says the same
    if name in {"default", "examples", "const", "enum"}:
        return {name: value}
    if name == "$ref":
        return {name: value.replace("#/$defs/", "#/definitions/")}
    if name == "properties":
        return {name: {key: _untitled(_draft_07(each)) for key, each in value.items()}}
    if name == "$defs":
        return {"definitions": {key: _draft_07(each) for key, each in value.items()}}
    return {_RENAMED.get(name, name): _draft_07(value)}


def _untitled(part: dict[str, Any]) -> dict[str, Any]:
    """Without the title that pydantic makes up from the key."""
    return {name: value for name, value in part.items() if name != "title"}

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
    PydanticSerializationError,
    SchemaError,
    SchemaSerializer,
    core_schema,
    to_jsonable_python,
)

from monitor.config import Config
from monitor.events.schema import events_schema
from monitor.indicators.model import IndicatorFile
from monitor.mapping.model import MappingFile
from monitor.rules.cases import CasesFile
from monitor.rules.model import RulesFile
from monitor.scorecards.cases import ScorecardCases
from monitor.scorecards.model import Scorecard

DIALECT = "http://json-schema.org/draft-07/schema#"

MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "config": Config,
        "indicators": IndicatorFile,
        "mappings": MappingFile,
        "rules": RulesFile,
        "scorecard": Scorecard,
        "scorecard-cases": ScorecardCases,
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


_RENAMED = {"prefixItems": "items"}


class _AsWritten(GenerateJsonSchema):
    """Defaults as people would write them: ``5s``, not 5000."""

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

"""Which keys a model allows where, read off its JSON Schema.

Owns the suggestions behind "did you mean": names only, no validation. The JSON Schema is used
because it already knows aliases, unions and discriminators.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from monitor.strict_yaml.nodes import Node, Path

_NESTING_MAX = 4
_REFERENCES_MAX = 64

Schema = Mapping[str, Any]


@lru_cache(maxsize=256)
def _json_schema(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}  # suggestions are a courtesy; the fault itself is told without them


class AllowedKeys:
    """The keys that ``model`` allows at each place of a file."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._schema = _json_schema(model)

    def at(self, root: Node, path: Path) -> list[str]:
        """Keys allowed in the mapping at ``path``, in the model's order."""
        names: dict[str, None] = {}
        for schema in self._best(self._below(path), root.at(path)):
            names.update(dict.fromkeys(schema["properties"]))
        return list(names)

    def described(self, path: Path) -> str:
        """What text of a fixed form looks like at ``path``, in the model's words, if it says so."""
        for schema in self._below(path):
            if "pattern" in schema and "description" in schema:
                return str(schema["description"])
        return ""

    def is_secret(self, path: Path) -> bool:
        """Whether ``path`` is, or lies within, what the model marks ``writeOnly``: never quoted."""
        return any(
            schema.get("writeOnly", False)
            for length in range(1, len(path) + 1)
            for schema in self._below(path[:length])
        )

    def home_of(self, root: Node, path: Path, key: str) -> str:
        """Where ``key`` would be allowed, as a hint: deeper inside this mapping, or further up."""
        here = self._best(self._below(path), root.at(path))
        for trail in self._trails(here, _NESTING_MAX):
            if trail[-1] == key:
                return f"it belongs under '{': '.join(trail[:-1])}:'"
        for length in range(len(path) - 1, -1, -1):
            above = self.at(root, path[:length])
            if key in above:
                inside = [part for part in path[:length] if isinstance(part, str)]
                return f"it belongs {'in ' + repr(inside[-1]) if inside else 'at the top'}"
        return ""

    def _below(self, path: Path) -> list[Schema]:
        schemas = list(self._leaves(self._schema))
        for part in path:
            schemas = [leaf for schema in schemas for leaf in self._step(schema, part)]
        return schemas

    def _step(self, schema: Schema, part: str | int) -> Iterator[Schema]:
        if isinstance(part, str):
            found = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
        else:
            first = schema.get("prefixItems", [])
            found = first[part] if part < len(first) else schema.get("items")
        if isinstance(found, dict):
            yield from self._leaves(found)

    def _leaves(self, schema: Schema, depth: int = 0) -> Iterator[Schema]:
        """``schema`` with references followed and choices spread out."""
        if depth > _REFERENCES_MAX:
            return
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from self._leaves(self._schema["$defs"][name], depth + 1)
        choices = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
        for choice in choices:
            yield from self._leaves(choice, depth + 1)
        if "$ref" not in schema and not choices:
            yield schema

    @staticmethod
    def _best(schemas: list[Schema], node: Node | None) -> list[Schema]:
        """The mappings among ``schemas`` that most of the keys present fit."""
        present: Mapping[str, Any] = {} if node is None or not node.keys else node.value
        fits: list[tuple[int, Schema]] = []
        for schema in schemas:
            properties = schema.get("properties")
            if not properties:
                continue
            told_apart = any(
                "const" in properties[key] and properties[key]["const"] != value
                for key, value in present.items()
                if key in properties
            )
            if not told_apart:
                fits.append((sum(key in properties for key in present), schema))
        most = max((fit for fit, _ in fits), default=0)
        return [schema for fit, schema in fits if fit == most]

    def _trails(self, schemas: list[Schema], depth: int) -> Iterator[tuple[str, ...]]:
        """Paths of keys below ``schemas``, nearest first."""
        level: list[tuple[tuple[str, ...], Schema]] = [((), schema) for schema in schemas]
        for _ in range(depth):
            deeper: list[tuple[tuple[str, ...], Schema]] = []
            for trail, schema in level:
                for name, part in schema.get("properties", {}).items():
                    if trail:
                        yield (*trail, name)
                    deeper += [((*trail, name), leaf) for leaf in self._leaves(part)]
            level = deeper

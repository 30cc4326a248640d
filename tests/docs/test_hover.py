"""What editors show when a key is pointed at: every key that rule authors write says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from monitor.schemas import schema

NO_KEYS = {"default", "examples", "const", "enum", "required"}


def undescribed(part: Any, path: str = "") -> Iterator[str]:
    """Keys without a description, by where they stand."""
    if isinstance(part, list):
        for each in part:
            yield from undescribed(each, path)
    elif isinstance(part, dict):
        for name, value in part.get("properties", {}).items():
            if not value.get("description"):
                yield f"{path}.{name}"
            yield from undescribed(value, f"{path}.{name}")
        for name, value in part.get("definitions", {}).items():
            yield from undescribed(value, name)
        for name in part.keys() - NO_KEYS - {"properties", "definitions"}:
            yield from undescribed(part[name], path)


@pytest.mark.parametrize("kind", ["indicators", "rules", "tests", "mappings"])
def test_every_key_says_what_it_is(kind: str) -> None:
    assert sorted(set(undescribed(schema(kind)))) == []


def test_a_key_that_says_nothing_would_be_seen() -> None:
    part: dict[str, Any] = {
        "definitions": {"A": {"properties": {"x": {"items": [{"properties": {"y": {}}}]}}}}
    }
    assert sorted(undescribed(part)) == ["A.x", "A.x.y"]

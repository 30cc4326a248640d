"""JSON Schemas: current, valid, as strict as the loader, and with defaults one could write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from monitor.schemas import KINDS, MODELS, render, schema

SHIPPED = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_schema_is_current(kind: str) -> None:
    shipped = (SHIPPED / f"{kind}.json").read_text()
    assert shipped == render(kind), f"make it anew: monitor schema {kind} > docs/schema/{kind}.json"


def test_nothing_else_is_shipped() -> None:
    interface = "openapi"  # of monitor.web, by FastAPI
    assert {path.stem for path in SHIPPED.iterdir()} == {*KINDS, interface}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_draft_07_schema(kind: str) -> None:
    made = schema(kind)
    assert made["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(made)
    text = json.dumps(made)
    assert "$defs" not in text
    assert "prefixItems" not in text


def parts(node: Any, path: str = "#") -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [each for n, part in enumerate(node) for each in parts(part, f"{path}/{n}")]
    if not isinstance(node, dict):
        return []
    below = [each for key, part in node.items() for each in parts(part, f"{path}/{key}")]
    return [(path, node), *below]


@pytest.mark.parametrize("kind", MODELS)
def test_every_default_is_something_one_could_write(kind: str) -> None:
    made = schema(kind)
    wrong = []
    for path, part in parts(made):
        if "default" not in part or path.endswith("/properties"):
            continue
        rule = {**part, "definitions": made.get("definitions", {})}
        if not Draft7Validator(rule).is_valid(part["default"]):
            wrong.append((path, part["default"]))
    assert wrong == []


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_stands_beside_a_reference(kind: str) -> None:
    # draft-07 ignores whatever does.
    assert [path for path, part in parts(schema(kind)) if "$ref" in part and len(part) > 1] == []


RULE = """
version: 1
rules:
  - id: number-hangup
    indicator: hangup_rate
    by: number
    levels: {crit: {above: 30%, clear: 0.25}}
    window: {calendar: day, tz: Asia/Shanghai}
    evidence: {method: sequential, false_alarms: 1 per 30 scope-days}
    pending: {for: 1m}
    message: plain text
    action: {suspend: {ttl: 30m}}
"""


def complaints(text: str) -> list[str]:
    validator = Draft7Validator(schema("rules"))
    return [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_short_forms_are_allowed() -> None:
    assert complaints(RULE) == []


def test_a_state_is_a_short_form_of_while() -> None:
    absent = """
version: 1
rules:
  - {id: idle, absent: {count: call.ended}, for: 30m, by: agent, levels: {warn: {}},
     while: "state != 'offline'"}
"""
    assert complaints(absent) == []
    assert complaints(absent.replace("\"state != 'offline'\"", "7")) == ["$.rules[0].while"]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("ttl: 30m", "ttl: 30", "$.rules[0].action"),
        ("for: 1m", "for: 1 minute", "$.rules[0].pending.for"),
        ("above: 30%", "above: high", "$.rules[0].levels.crit"),
        ("method: sequential", "method: sequental", "$.rules[0].evidence"),
        ("window:", "widow:", "$.rules[0]"),
        ("by: number", "by: 7", "$.rules[0].by"),
        ("1 per 30 scope-days", "once a month", "$.rules[0].evidence"),
        ("calendar: day", "length: day", "$.rules[0].window"),
    ],
)
def test_an_editor_sees_what_the_loader_would_refuse(old: str, new: str, path: str) -> None:
    assert any(each.startswith(path) for each in complaints(RULE.replace(old, new)))

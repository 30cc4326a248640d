"""The interface's description: whole, and kept by what is served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from monitor.interfaces import described
from tests.interface.callers import Everything, everything, shown
from tests.interface.serving import ROLES

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 4
"""Of each operation as each role: always the same ones."""
ENDLESS = frozenset({"/api/v1/live"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    with everything(tmp_path_factory.mktemp("described")) as made:
        yield made


def test_everything_is_described() -> None:
    document = described()
    missing = [name for name, model in _models(document) if not model.get("description")]
    missing += [
        f"{name}.{field}"
        for name, model in _models(document)
        for field, schema in model.get("properties", {}).items()
        if not schema.get("description")
    ]
    for where, operation in _operations(document):
        missing += [f"{where}: {name}" for name in ("summary", "description", "tags")
                    if not operation.get(name)]  # fmt: skip
        missing += [
            f"{where}?{each['name']}"
            for each in operation.get("parameters", ())
            if not each.get("description")
        ]
        for status, answer in operation["responses"].items():
            if answer["description"] in {"", "Successful Response", "Validation Error"}:
                missing.append(f"{where}: {status}")
            for kind, content in answer.get("content", {}).items():
                if not content.get("schema"):
                    missing.append(f"{where}: {status} as {kind}")
        missing += [f"{where}: {status}" for status in ("401", "403", "429", "500", "503")
                    if status not in operation["responses"]]  # fmt: skip
    assert not missing


def test_problems_are_described_as_they_are(whole: Everything) -> None:
    document = described()
    operation = document["paths"]["/api/v1/numbers/freeze"]["post"]
    assert operation["x-role"] == "admin"
    assert operation["responses"]["403"]["description"].startswith("It needs the role admin")
    problem = document["components"]["schemas"]["Problem"]
    told = whole.ask("POST", "/api/v1/numbers/freeze", headers=shown("admin"), json={}).json()
    assert set(problem["required"]) <= set(told) <= set(problem["properties"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.untraced
@pytest.mark.parametrize("role", ROLES)
def test_what_is_answered_is_what_is_described(whole: Everything, role: str) -> None:
    schema = schemathesis.openapi.from_dict(described())
    base = str(whole.client.base_url)
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        if operation.path in ENDLESS:
            continue

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def kept(case: schemathesis.Case[Any]) -> None:
            nonlocal asked
            case.query.pop("wait", None)  # nobody carries anything out here
            answer = case.call(base_url=base, headers=shown(role))
            case.validate_response(answer, checks=CHECKS)
            asked += 1

        kept()
    assert asked > 50


def _models(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from document["components"]["schemas"].items()


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation

"""How the interface describes itself: OpenAPI, with every answer and problem, and who may ask.

Owns what is the same for all operations; parts say the rest where they are declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi.routing import APIRoute

from monitor.web.person import Role
from monitor.web.problems import MEDIA_TYPE

ABOUT: Final = (
    "The interface of the call-centre monitor. Whoever asks shows a bearer token, or has signed in"
    " with a browser; what cannot be done is a problem of RFC 9457. Roles: viewer, supervisor,"
    " operator, admin; each may what the ones before it may. docs/http.md says more."
)
_METHODS: Final = ("get", "put", "post", "delete", "patch")
_PROBLEM: Final[Mapping[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "description": "What cannot be done, and why (RFC 9457). It never quotes what was sent.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "Always `about:blank`: the status says it"},
        "title": {"type": "string", "description": "The status in words"},
        "status": {"type": "integer", "description": "The status of the answer"},
        "detail": {"type": "string", "description": "What is the matter, for people"},
        "errors": {
            "type": "array",
            "description": "The faults of the request, at most ten",
            "items": {"$ref": "#/components/schemas/Fault"},
        },
    },
}
_FAULT: Final[Mapping[str, Any]] = {
    "title": "Fault",
    "type": "object",
    "description": "One fault of a request.",
    "required": ["at", "message"],
    "properties": {
        "at": {"type": "string", "description": "Where, such as `body.why`"},
        "message": {"type": "string", "description": "What would be right"},
    },
}
_SECURITY: Final[Mapping[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `web.tokens`: for programs",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-monitor-session",
        "description": "Of whoever signed in (`monitor-session` without https). Whatever changes"
        " something must come from a page of this server, with its `X-CSRF-Token`",
    },
}
_ALWAYS: Final[Mapping[str, str]] = {
    "401": "No token, none of ours, or a session that is over",
    "429": "More requests than `web.rate`; `Retry-After` says when to come back",
    "500": "A fault of ours, which the daemon's log tells",
    "503": "The store does not answer, or there is no picture yet, or too much waits; come back",
}
_WITH_BODY: Final[Mapping[str, str]] = {
    "408": "The body did not arrive in time",
    "413": "The body is larger than `web.body_max`",
}
_WRONG: Final = "The request is wrong: `errors` says where"


@dataclass(frozen=True, slots=True)
class Declared:
    """One route: what is asked for, and the least role that may."""

    method: str
    path: str
    role: Role | None
    """None: no role is asked for; strangers may, or the handler checks the caller itself."""


def declared(prefix: str, routes: Sequence[Any]) -> Iterator[Declared]:
    """The routes of one part."""
    for route in routes:
        if isinstance(route, APIRoute):
            roles = [getattr(each.call, "role", None) for each in route.dependant.dependencies]
            least = max((role for role in roles if role is not None), default=None)
            for method in sorted(route.methods or ()):
                yield Declared(method, f"{prefix}{route.path}", least)


def completed(document: dict[str, Any], routes: Sequence[Declared]) -> dict[str, Any]:
    """The framework's document with what is the same everywhere."""
    document["info"]["description"] = ABOUT
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Problem": dict(_PROBLEM), "Fault": dict(_FAULT)}
    parts["schemas"] = dict(sorted(schemas.items()))
    parts["securitySchemes"] = dict(_SECURITY)
    document["security"] = [{"token": []}, {"session": []}]
    roles = {(each.path, each.method.lower()): each.role for each in routes}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(operations[method], roles.get((path, method)), schemas)
    return document


def _complete(operation: dict[str, Any], role: Role | None, schemas: Mapping[str, Any]) -> None:
    if role is not None:
        operation["x-role"] = role.name.lower()
    answers: dict[str, Any] = operation["responses"]
    answers.pop("422", None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, answer in answers.items():
        if status >= "400":  # refused in words of its own, or as a problem
            answer.setdefault("content", {}).update(content)
        if answer.get("description") in {None, "Successful Response"}:
            answer["description"] = _what(answer, schemas) or operation["summary"]
        for parts in answer.get("content", {}).values():
            parts.setdefault("schema", {}).pop("title", None)
    for status, words in _problems(operation, role).items():
        answers.setdefault(status, {"description": words, "content": content})
    operation["responses"] = dict(sorted(answers.items()))


def _problems(operation: Mapping[str, Any], role: Role | None) -> dict[str, str]:
    """What may be the matter, by status."""
    parameters = operation.get("parameters", ())
    problems = dict(_ALWAYS)
    if role is not None:
        needed = "what was asked for" if role == Role.VIEWER else "it"
        least = "another role" if role == Role.VIEWER else f"the role {role.name.lower()}"
        problems["403"] = f"{needed} needs {least}, or another site's page sent it".capitalize()
    if "requestBody" in operation:
        problems |= _WITH_BODY
    if parameters or "requestBody" in operation:
        problems["422"] = _WRONG
    if any(each["in"] == "path" for each in parameters):
        problems["404"] = "There is none of that name"
    return problems


def _what(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """What an answer is, as its model says."""
    for parts in answer.get("content", {}).values():
        name = str(parts.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        if name in schemas:
            return str(schemas[name].get("description", "")).partition("\n")[0]
    return ""

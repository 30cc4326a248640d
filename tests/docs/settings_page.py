"""docs/configuration.md from the pydantic models of `config.yaml`.

Owns the page's text and how a setting is shown. What a setting means is said by the attribute
docstring in its model; `UNSAID` fills in where there is none yet.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.config import _RESTART_ONLY, _ROUTING, Config
from monitor.delivery.receivers import (
    AppriseReceiver,
    DingTalkReceiver,
    FeishuReceiver,
    MailReceiver,
    WeComReceiver,
)
from monitor.delivery.settings import (
    AlertmanagerReceiver,
    KafkaReceiver,
    LogReceiver,
    WebhookReceiver,
)
from monitor.schemas import schema
from monitor.secret import Secret
from monitor.source.settings import ArchivedSettings, FilesSettings, KafkaConnection, KafkaSettings
from monitor.units import format_duration
from tests.docs.settings_text import ELSEWHERE, HEAD, UNSAID, YAML_BELOW

_SCHEMA = schema("config")
_UNITS = {
    "^[0-9]+(ms|s|m|h|d)$": "duration",
    "^[0-9]+/[0-9]+(ms|s|m|h|d)$": "rate",
    r"^[0-9]+(\.[0-9]+)? ?%$": "share",
    "^[0-9]+(B|kB|KB|MB|GB|KiB|MiB|GiB)$": "size",
}
_SHARED: Mapping[type[BaseModel], str] = {Secret: "secret", KafkaConnection: "connection"}
"""Models that stand in several places, each described once under a heading of its own."""


class Row(NamedTuple):
    """One line of a table."""

    name: str
    default: str
    takes: str
    meaning: str


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for name, field in Config.model_fields.items():
        if name == "version":
            continue
        parts.append(f"## {name}\n")
        parts += _section(name, field)
        if name in YAML_BELOW:
            parts.append(f"```yaml\n{YAML_BELOW[name]}```\n")
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, field: FieldInfo) -> Iterator[str]:
    if name in ELSEWHERE:
        yield f"{ELSEWHERE[name]}\n"
    if name in _RESTART_ONLY:
        yield "*A change needs a restart.*\n"
    if name == "source":
        yield _variant("source, kind: files", FilesSettings, "source")
        yield _variant("source, kind: kafka", KafkaSettings, "source")
        yield _variant("source, kind: archive", ArchivedSettings, "source")
        yield _variant("Secrets", Secret, "…")
    elif name == "pools":
        defaults, pool = _models(Config.model_fields["pools"].annotation)[0], "pools.<name>"
        yield _table([*_rows(defaults, "pools"), *_rows(_pool(), pool)])
    elif name == "delivery":
        routing = ", ".join(f"`{part}`" for part in sorted(_ROUTING))
        yield f"*{routing} change with a reload, the rest with a restart.*\n"
        yield _table(_rows(_models(field.annotation)[0], "delivery"))
        for kind, model in _RECEIVERS.items():
            title = f"`delivery.receivers.<name>`, type: {kind}"
            yield _variant(title, model, "delivery.receivers.<name>")
    elif _models(field.annotation):
        model = _models(field.annotation)[0]
        if name != "logs":
            yield f"{_about(model)}\n"
        yield _table(_rows(model, name))
    else:
        yield _table([_row(Config, name, field, name)])


_RECEIVERS: Mapping[str, type[BaseModel]] = {
    "log": LogReceiver,
    "webhook": WebhookReceiver,
    "alertmanager": AlertmanagerReceiver,
    "kafka": KafkaReceiver,
    "dingtalk": DingTalkReceiver,
    "wecom": WeComReceiver,
    "feishu": FeishuReceiver,
    "mail": MailReceiver,
    "apprise": AppriseReceiver,
}


def _pool() -> type[BaseModel]:
    pools = _models(Config.model_fields["pools"].annotation)[0]
    extra = pools.__annotations__["__pydantic_extra__"]
    namespace = vars(inspect.getmodule(pools))
    found: type[BaseModel] = get_args(eval(extra, dict(namespace)))[1]  # noqa: S307 - our own
    return found


def _variant(title: str, model: type[BaseModel], prefix: str) -> str:
    return f"### {title}\n\n{_about(model)}\n\n{_table(_rows(model, prefix))}"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        path = f"{prefix}.{field.alias or name}"
        nested = _models(field.annotation)
        if _is_shown(field.annotation):
            yield _row(model, name, field, path)
            if get_origin(field.annotation) is dict and len(nested) == 1:
                yield from _rows(nested[0], f"{path}.<name>")
            elif get_origin(field.annotation) in {list, tuple} and len(nested) == 1:
                yield from _rows(nested[0], f"{path}[]")
        else:
            optional = NoneType in get_args(field.annotation)
            yield Row(path, "–" if optional else "", "", _about(nested[0]))
            yield from _rows(nested[0], path)


def _is_shown(annotation: Any) -> bool:
    """Whether it is a setting with a line of its own, and not the settings within it."""
    nested = _models(annotation)
    several = get_origin(annotation) in {dict, list, tuple}
    return not nested or several or nested[0] in _SHARED


def _row(model: type[BaseModel], name: str, field: FieldInfo, path: str) -> Row:
    prop = _property(model, name)
    default = "**required**" if field.is_required() else _written(prop)
    meaning = _docstrings(model).get(name) or UNSAID.get(_owner(model, name), "")
    return Row(path, default, _takes(prop, field), _plain(meaning))


def _owner(model: type[BaseModel], name: str) -> str:
    """The setting by the class that declares it."""
    first = next(cls for cls in reversed(model.__mro__) if name in cls.__dict__.get(_DECLARED, {}))
    return f"{first.__name__}.{name}"


_DECLARED = "__annotations__"


def _property(model: type[BaseModel], name: str) -> dict[str, Any]:
    owner = _SCHEMA if model is Config else _SCHEMA["definitions"][model.__name__]
    alias = model.model_fields[name].alias
    found: dict[str, Any] = owner["properties"][alias or name]
    return found


def _takes(prop: dict[str, Any], field: FieldInfo | None = None) -> str:
    if "$ref" in prop or "allOf" in prop:
        target = (prop.get("$ref") or prop["allOf"][0]["$ref"]).rpartition("/")[2]
        for model, words in _SHARED.items():
            if target == model.__name__:
                return _LINKS[words]
        return ""
    if "anyOf" in prop:
        kinds = [each for each in prop["anyOf"] if each.get("type") != "null"]
        return " or ".join(filter(None, (_takes(each, field) for each in kinds)))
    if "enum" in prop:
        return ", ".join(f"`{each}`" for each in prop["enum"])
    if "const" in prop:
        return f"`{prop['const']}`"
    kind = _UNITS.get(prop.get("pattern", ""), "")
    if not kind:
        kind = _kind(prop)
    return " ".join(filter(None, [kind, _bounds(field, kind)]))


_LINKS = {
    "secret": "[a secret](#secrets)",
    "connection": "as [source, kind: kafka](#source-kind-kafka), from `bootstrap` to"
    " `request_timeout`",
}


def _kind(prop: dict[str, Any]) -> str:
    match prop.get("type"):
        case "array":
            inner = _takes(prop.get("items", {}))
            return f"list of {_PLURAL.get(inner, inner)}" if inner else "list"
        case "object":
            return "mapping"
        case "boolean":
            return "`true`, `false`"
        case "integer" | "number":
            return "number"
        case _:
            return "path" if prop.get("format") == "path" else "text"


_PLURAL = {"text": "texts", "path": "paths", "number": "numbers"}


def _bounds(field: FieldInfo | None, kind: str) -> str:
    low = high = ""
    for bound in field.metadata if field is not None else ():
        match bound:
            case annotated_types.Ge():
                low = _limit(bound.ge, kind)
            case annotated_types.Le():
                high = _limit(bound.le, kind)
            case annotated_types.Gt():
                return f"> {_limit(bound.gt, kind)}"
    if low and high:
        return f"{low} … {high}"
    return f"up to {high}" if high else f"from {low}" if low else ""


def _limit(value: Any, kind: str) -> str:
    return format_duration(value) if kind == "duration" else f"{value:,}"


def _written(prop: dict[str, Any]) -> str:
    default = prop.get("default", {} if prop.get("type") == "object" else None)
    if default is None:
        return "–"
    text = yaml.safe_dump(default, default_flow_style=True, width=1_000, allow_unicode=True)
    return f"`{text.removesuffix(_END).strip()}`"


_END = "...\n"
"""How YAML ends a document that is one bare word."""


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that stand in an annotation, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    if get_origin(annotation) in {Union, UnionType, Annotated, dict, list, tuple}:
        return [model for each in get_args(annotation) for model in _models(each)]
    return []


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The string below each attribute, of the class and those it comes from."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in zip(tree.body, tree.body[1:], strict=False):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = text
    return found


def _about(model: type[BaseModel]) -> str:
    """The first paragraph of a model's docstring, without the name of its part."""
    text = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0]
    text = re.sub(r"^``[a-z_]+:``(: |\.)", "", text)
    return _plain(text[:1].upper() + text[1:])


def _plain(text: str) -> str:
    """Python's way of writing in Markdown's, on one line."""
    text = re.sub(r"\s+", " ", text).strip().replace("``", "`").replace("|", "\\|")
    return re.sub(r"\bNone\b", "null", text)


def _table(rows: Iterator[Row] | list[Row]) -> str:
    lines = ["| setting | default | takes | meaning |", "|---|---|---|---|"]
    for name, default, takes, meaning in rows:
        lines.append(f"| `{name}` | {default} | {takes} | {meaning} |")
    return "\n".join(lines) + "\n"


def unsaid() -> set[str]:
    """Settings whose model says nothing about them, by the class that declares them."""
    return {
        _owner(model, name)
        for model in _all(Config)
        for name, field in model.model_fields.items()
        if name not in _docstrings(model) and model is not Config and _is_shown(field.annotation)
    }


def _all(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = {model: None}
    below = [each for field in model.model_fields.values() for each in _models(field.annotation)]
    if "__pydantic_extra__" in model.__annotations__:
        below.append(_pool())
    for each in below:
        found |= dict.fromkeys(_all(each))
    return list(found)

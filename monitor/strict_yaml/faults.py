"""Pydantic's errors as faults in a YAML file: the right place, plain English, the mend.

Owns the translation and the choice of branch where a value may be one of several things: only the
branch that the writer most likely meant is reported. It knows pydantic's error types, the file's
nodes and the keys that a model allows; it does not know any particular model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.strict_yaml.allowed import AllowedKeys
from monitor.strict_yaml.nodes import Node, Path
from monitor.strict_yaml.syntax import Fault

_WANTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "iterable_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dataclass_type": "a mapping (key: value)",
    "none_required": "left empty",
}
"""Errors that say the value is of another kind altogether, and the kind that was wanted."""
_PYDANTIC_SUBJECT = re.compile(r"^(?:Input|String|Tuple|List|Set|Dictionary|Value) should")
_YAML_1_1_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_SHOWN_CHARS_MAX = 60
_CHOICES_SHOWN_MAX = 12
_LIKENESS_MIN = 0.6


@dataclass(slots=True)
class _Branch:
    """Errors below one point: by key of the file, or by pydantic's label of a union's choice."""

    errors: list[tuple[Path, Mapping[str, Any]]] = field(default_factory=list)
    keys: dict[str | int, _Branch] = field(default_factory=dict)
    choices: dict[str, _Branch] = field(default_factory=dict)


def explain(error: ValidationError, root: Node, model: type[BaseModel]) -> list[Fault]:
    """One fault for each thing the writer got wrong, in no particular order."""
    tree = _Branch()
    details = error.errors(include_url=False)
    wrong_keys = {detail["loc"][:-1] for detail in details if detail["loc"][-1:] == ("[key]",)}
    for detail in details:
        if detail["loc"] in wrong_keys:
            continue  # the value of a key that may not be there
        steps = _align(root, detail)
        path: Path = tuple(step for step, is_key in steps if is_key)
        branch = tree
        for step, is_key in steps:
            branch = (
                branch.keys.setdefault(step, _Branch())
                if is_key
                else branch.choices.setdefault(str(step), _Branch())
            )
        branch.errors.append((path, detail))
    words = _Words(root, AllowedKeys(model))
    return [words.fault(path, details) for path, details in _meant(tree)]


def _align(root: Node, detail: Mapping[str, Any]) -> list[tuple[str | int, bool]]:
    """Pydantic's location, each step marked as a key of the file or a label of a union.

    A label may look like a key (``count`` of a measure whose tag is ``count``), so the reading that
    uses the last step wins, then the one that uses most.
    """
    loc: tuple[str | int, ...] = detail["loc"]
    tail: tuple[str | int, ...] = ()
    kind = detail["type"]
    if kind in {"missing", "extra_forbidden"} or loc[-1:] == ("[key]",):
        loc, tail = loc[:-1], loc[-1:]

    def fits(node: Node) -> bool:
        if kind == "extra_forbidden":
            return tail[0] in node.parts
        return kind != "missing" or isinstance(node.value, dict)

    def search(node: Node, rest: Path) -> tuple[tuple[bool, bool, int], list[tuple[Any, bool]]]:
        if not rest:
            return (fits(node), False, 0), []
        (_, last, used), steps = found = search(node, rest[1:])
        best = (found[0], [(rest[0], False), *steps])
        child = node.parts.get(rest[0])
        if child is not None:
            (fit, last, used), steps = search(child, rest[1:])
            taken = ((fit, last or len(rest) == 1, used + 1), [(rest[0], True), *steps])
            best = max(best, taken, key=lambda option: option[0])
        return best

    return search(root, loc)[1]


def _meant(branch: _Branch) -> list[tuple[Path, list[Mapping[str, Any]]]]:
    """What to report below ``branch``: groups of errors that make one fault together."""
    found: list[tuple[Path, list[Mapping[str, Any]]]] = [
        (path, [detail]) for path, detail in branch.errors
    ]
    for below in branch.keys.values():
        found += _meant(below)
    if not branch.choices:
        return found
    choices = [_meant(choice) for choice in branch.choices.values()]
    depth = min(len(path) for choice in choices for path, _ in choice)

    def strangeness(groups: Sequence[tuple[Path, list[Mapping[str, Any]]]]) -> int:
        return sum(_strangeness(path, detail, depth) for path, group in groups for detail in group)

    wrong_kind = [groups for groups in choices if _all_of_another_kind(groups, depth)]
    if len(wrong_kind) == len(choices):
        path = choices[0][0][0]
        together = [detail for groups in choices for _, group in groups for detail in group]
        return [*found, (path, together)]
    return found + min(choices, key=strangeness)


def _all_of_another_kind(
    groups: Sequence[tuple[Path, list[Mapping[str, Any]]]], depth: int
) -> bool:
    return all(
        len(path) == depth and detail["type"] in _WANTED
        for path, group in groups
        for detail in group
    )


def _strangeness(path: Path, detail: Mapping[str, Any], depth: int) -> int:
    """How much an error speaks against its branch being the one that was meant."""
    kind = detail["type"]
    if kind in _WANTED or (kind == "unit" and isinstance(detail["input"], (list, dict))):
        return 1_000 if len(path) == depth else 5
    if kind in {"literal_error", "enum"}:
        return 50
    return {"extra_forbidden": 3, "missing": 2}.get(kind, 1)


def discreet(fault: Fault, model: type[BaseModel]) -> Fault:
    """``fault`` of the text, without what it quotes where that may be part of a secret."""
    if not AllowedKeys(model).is_secret(fault.path):
        return fault
    message = "this is not text to YAML, and not shown as it is secret"
    return replace(fault, message=message, hint="put the whole text in quotes")


class _Words:
    """Errors in words, for one file."""

    def __init__(self, root: Node, allowed: AllowedKeys) -> None:
        self._root = root
        self._allowed = allowed

    def fault(self, path: Path, details: Sequence[Mapping[str, Any]]) -> Fault:
        """The one fault that ``details``, all of the same place, make together."""
        detail = details[0]
        kind, loc = detail["type"], detail["loc"]
        if self._allowed.is_secret(path):
            return self._unquoted(path, details)
        if kind == "extra_forbidden":
            return self._unknown_key(path, str(loc[-1]))
        if loc[-1:] == ("[key]",):
            return self._unknown_key(path[:-1], str(path[-1]), detail.get("ctx", {}))
        if kind == "missing":
            return self._fault(path, f"missing key '{loc[-1]}'")
        if all(each["type"] in _WANTED for each in details):
            return self._wrong_kind(path, [_WANTED[each["type"]] for each in details])
        return self._wrong_value(path, detail, detail.get("ctx", {}))

    def _unquoted(self, path: Path, details: Sequence[Mapping[str, Any]]) -> Fault:
        """A fault within a secret: neither its value nor a key, which may be the secret itself."""
        detail = details[0]
        if detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",):
            where = path if detail["type"] == "extra_forbidden" else path[:-1]
            known = ", ".join(self._allowed.at(self._root, where))
            return self._fault(where, f"{_subject(where)} has a key that is none of {known}")
        if all(each["type"] in _WANTED for each in details):
            kinds = " or ".join(dict.fromkeys(_WANTED[each["type"]] for each in details))
            known = ", ".join(self._allowed.at(self._root, path))
            hint = f"one of {known}" if known else "put the whole text in quotes"
            return self._fault(path, f"{_subject(path)} must be {kinds}", hint)
        return self._said(path, detail, detail.get("ctx", {}))

    def _wrong_value(
        self, path: Path, detail: Mapping[str, Any], context: Mapping[str, Any]
    ) -> Fault:
        kind = detail["type"]
        if kind == "union_tag_not_found":
            return self._fault(path, f"missing key {context['discriminator']}")
        if kind == "union_tag_invalid":
            path = self._deeper(path, str(context["discriminator"]).strip("'"))
            node = self._root.at(path)
            tag = context["tag"] if node is None else node.value
            return self._not_one_of(path, tag, context["expected_tags"])
        if kind in {"literal_error", "enum"}:
            return self._not_one_of(path, detail["input"], context["expected"])
        if kind == "string_pattern_mismatch":
            return self._not_matching(path, str(detail["input"]), str(context["pattern"]))
        return self._said(path, detail, context)

    def _said(self, path: Path, detail: Mapping[str, Any], context: Mapping[str, Any]) -> Fault:
        """Faults that come with words of their own: a validator's, or pydantic's at the last."""
        match detail["type"]:
            case "unit" if detail["input"] is None:
                return self._fault(path, f"{_subject(path)} has no value")
            case "value_error":
                message, hint = str(context["error"]), ""
            case "timezone_aware":
                message, hint = "needs a time zone", "write it as 2026-11-22T09:00:00+08:00"
            case _:
                message = _PYDANTIC_SUBJECT.sub("should", str(detail["msg"]))
                hint = str(context.get("hint", ""))
        return self._with_subject(path, message, hint)

    def _fault(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Fault:
        line, column = self._root.place(path, key=at_key)
        return Fault(line, column, message, hint, path)

    def _with_subject(self, path: Path, message: str, hint: str = "") -> Fault:
        node = self._root.at(path)
        if path and (node is None or not node.parts):
            message = f"{_subject(path)}: {message}"
        return self._fault(path, message, hint)

    def _not_matching(self, path: Path, value: str, pattern: str) -> Fault:
        plain = (re.sub("[^a-z0-9]+", joint, value.lower()).strip(joint) for joint in "_-")
        fits = next((each for each in plain if re.search(pattern, each)), "")
        message = f"{_subject(path)} must match {pattern}, not {_shown(value)}"
        return self._fault(path, message, f"write {fits}" if fits else "")

    def _deeper(self, path: Path, key: str) -> Path:
        node = self._root.at(path)
        return (*path, key) if node is not None and key in node.parts else path

    def _unknown_key(self, path: Path, key: str, context: Mapping[str, Any] | None = None) -> Fault:
        """A key that ``path`` does not take; ``context`` comes with keys of a fixed set."""
        if context and "expected" in context:
            known = _choices(str(context["expected"]))
        else:
            known = self._allowed.at(self._root, path)
        hint = self._mend_of_key(path, key, known)
        return self._fault((*path, key), f"unknown key {_shown(key)}", hint, at_key=True)

    def _mend_of_key(self, path: Path, key: str, known: Sequence[str]) -> str:
        node = self._root.at(path)
        present = {} if node is None else node.value
        name, colon, value = key.partition(":")
        if colon and name in known:
            return f"a space follows the colon: '{name}: {value}'"
        free = [name for name in known if name not in present]
        for names, aside in ((free, ""), (known, ", which is there already")):
            close = get_close_matches(key, names, n=1, cutoff=_LIKENESS_MIN)
            if close:
                return f"did you mean '{close[0]}'{aside}?"
        home = self._allowed.home_of(self._root, path, key)
        if home or not free:
            return home
        return f"possible here: {', '.join(free[:_CHOICES_SHOWN_MAX])}"

    def _not_one_of(self, path: Path, value: Any, expected: str) -> Fault:
        node = self._root.at(path)
        if node is not None and node.parts:
            return self._fault(path, f"{_subject(path)} must be {expected}, not {_kind(node)}")
        if value is None:
            return self._fault(path, f"{_subject(path)} has no value", f"one of {expected}")
        close = get_close_matches(str(value), _choices(expected), n=1, cutoff=_LIKENESS_MIN)
        hint = f"did you mean '{close[0]}'?" if close else ""
        if close == [str(value)]:
            hint = "write it without quotes" if isinstance(value, str) else "write it in quotes"
        message = f"{_subject(path)} must be {expected}, not {_shown(value)}"
        return self._fault(path, message, hint)

    def _wrong_kind(self, path: Path, wanted: Sequence[str]) -> Fault:
        node = self._root.at(path)
        if node is None:  # pragma: no cover - a default made in code, which no file can mend
            return self._fault(path, f"{_subject(path)} must be {wanted[0]}")
        kinds = " or ".join(dict.fromkeys(wanted))
        if node.value is None:
            return self._fault(path, f"{_subject(path)} has no value", f"it must be {kinds}")
        hint = ""
        text = node.text or ""
        if described := self._allowed.described(path):
            hint = described
        elif "text" in wanted and not node.parts:
            hint = f'write it in quotes: "{text}"'
        elif "true or false" in wanted and text.lower() in _YAML_1_1_BOOLEANS:
            hint = f"write {_YAML_1_1_BOOLEANS[text.lower()]}"
        elif "a list" in wanted and not node.parts and text:
            hint = f"write [{text}]"
        elif node.offset == 1 and isinstance(node.value, str) and "number" in kinds:
            hint = "write it without quotes"
        message = f"{_subject(path)} must be {kinds}, not {_kind(node)}"
        return self._fault(path, message, hint)


def _choices(expected: str) -> list[str]:
    """The values in pydantic's ``'a', 'b' or 'c'``."""
    return [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]


def _subject(path: Path) -> str:
    if not path:
        return "the file"
    last = path[-1]
    if isinstance(last, str):
        return f"'{last}'"
    inside = next((part for part in reversed(path) if isinstance(part, str)), "the list")
    return f"entry {last + 1} of '{inside}'"


def _kind(node: Node) -> str:
    if isinstance(node.value, list):
        return "a list"
    if isinstance(node.value, dict):
        return "a mapping"
    return _shown(node.value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…"

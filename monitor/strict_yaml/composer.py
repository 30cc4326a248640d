"""YAML text to nodes: which scalars are numbers, and what YAML offers and we refuse.

Owns the walk over the parser's events; it knows no model. Scalars follow the core schema of YAML
1.2: only ``true`` and ``false`` are booleans, so that ``on:`` is a key and ``status: off`` is text;
what 1.1 and 1.2 read differently (``010``) is a fault. PyYAML's parsers (``parsers``) give events
only; neither ever builds an object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import yaml

from monitor.strict_yaml import parsers
from monitor.strict_yaml.nodes import CONTROL, Node
from monitor.strict_yaml.syntax import Fault, explain_syntax

DEPTH_MAX = 40
NODES_MAX = 100_000
"""Values in one file, counted with every alias written out."""

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {text: text[0] in "tT" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL_OF_1_1 = re.compile(r"[-+]?0[0-9_]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_CHARS_MAX = 80
_DIGITS_MAX = 40
_INT64_MAX = 2**63 - 1
_TEXT_TAGS = frozenset((None, "!", "tag:yaml.org,2002:str"))


def compose(text: str) -> tuple[Node | None, list[Fault]]:
    """The one document in ``text`` and every fault found in it; no node when nothing is usable.

    Text in which libyaml finds nothing wrong needs no second reading; faults are found, worded and
    placed by PyYAML's own parser alone.
    """
    quick = parsers.quick(text)
    if quick is not None:
        with suppress(parsers.Doubt):
            return _compose(_Faultless(lambda: quick))
    return _compose(_Composer(lambda: yaml.SafeLoader(text)))


def _compose(composer: _Composer) -> tuple[Node | None, list[Fault]]:
    try:
        root = composer.document()
    except _Stop as stop:
        return None, [*composer.faults, stop.fault]
    if root is None:
        return None, [Fault(0, 0, "the file is empty")]
    if not isinstance(root.value, dict):
        fault = Fault(root.line, root.column, "the file must hold a mapping (key: value)")
        return None, [*composer.faults, fault]
    return root, composer.faults


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


class _Stop(Exception):  # noqa: N818 - control flow inside this module
    """Raised when reading on would make no sense; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Composer:
    """Builds nodes from parser events, one recursion per level of nesting, bounded."""

    def __init__(self, parser: Callable[[], parsers.Parser]) -> None:
        self.faults: list[Fault] = []
        self._made = parser
        self._parser: parsers.Parser = yaml.SafeLoader("")
        self._anchors: dict[str, Node] = {}
        self._open: set[str] = set()
        self._path: list[str | int] = []
        self._nodes = 0

    def document(self) -> Node | None:
        self._parser = self._guarded(self._made)
        self._next()  # the start of the stream
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self._node(self._next())
        self._next()  # the end of the document
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            self._fault(event, "the file holds more than one document", "remove the '---' line")
        empty = root.text == "" and root.value is None
        return None if empty else root

    def _guarded(self, call: Any) -> Any:
        try:
            return call()
        except yaml.YAMLError as error:
            raise _Stop(explain_syntax(error)) from error
        except (ValueError, OverflowError) as error:
            # PyYAML lets these through for escapes and versions beyond what Python can hold.
            fault = Fault(*_place(self._parser.get_mark()), "not a character that exists")
            raise _Stop(fault) from error

    def _next(self) -> yaml.Event:
        event: yaml.Event = self._guarded(self._parser.get_event)
        return event

    def _fault(self, event: yaml.Event, message: str, hint: str = "") -> None:
        place = _place(event.start_mark)
        self.faults.append(Fault(*place, message, hint, tuple(self._path)))

    def _stop(self, event: yaml.Event, message: str) -> _Stop:
        self._fault(event, message)
        return _Stop(self.faults.pop())

    def _node(self, event: yaml.Event) -> Node:
        if len(self._path) > DEPTH_MAX:
            raise self._stop(event, f"nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._open.add(anchor)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event)
        elif isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        else:  # pragma: no cover - the parser gives no other event here
            raise self._stop(event, "not a value")
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = node
        self._count(event, 1)
        return node

    def _count(self, event: yaml.Event, values: int) -> None:
        self._nodes += values
        if self._nodes > NODES_MAX:
            raise self._stop(event, f"more than {NODES_MAX} values, with aliases written out")

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = str(event.anchor)
        if name in self._open:
            raise self._stop(event, f"'*{name}' holds itself")
        node = self._anchors.get(name)
        if node is None:
            raise self._stop(event, f"'*{name}' has no '&{name}' before it")
        self._count(event, node.size)
        return node

    def _collection(self, event: yaml.CollectionStartEvent, value: Any) -> Node:
        if event.tag is not None and event.tag != "!":
            self._fault(event, f"the tag {event.tag!r} is not supported", "remove it")
        return Node(value, *_place(event.start_mark), {}, {}, block=not event.flow_style)

    def _sequence(self, start: yaml.SequenceStartEvent) -> Node:
        value: list[Any] = []
        node = self._collection(start, value)
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self._path.append(len(value))
            part = self._node(event)
            self._path.pop()
            node.parts[len(value)] = part
            node.size += part.size
            value.append(part.value)
        return node

    def _mapping(self, start: yaml.MappingStartEvent) -> Node:
        value: dict[str, Any] = {}
        node = self._collection(start, value)
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, node)
            self._path.append("" if key is None else key)
            part = self._node(self._next())
            self._path.pop()
            if key is None:
                continue
            node.keys[key] = _place(event.start_mark)
            node.parts[key] = part
            node.size += part.size
            value[key] = part.value
        return node

    def _key(self, event: yaml.Event, node: Node) -> str | None:
        """The key's own characters, so that ``on`` and ``1`` are keys; None: leave it out."""
        if not isinstance(event, yaml.ScalarEvent):
            self._path.append("")
            self._node(event)
            self._path.pop()
            self._fault(event, "a key must be text", "a value that starts with { or [ needs quotes")
            return None
        key: str = event.value
        if key == "<<" and not event.style:
            self._fault(event, "merge keys ('<<') are not supported", "write the keys out")
            return None
        if key in node.keys:
            line = node.keys[key][0]
            self._fault(event, f"duplicate key {key!r}", f"it stands on line {line} already")
            return None
        if not key:
            self._fault(event, "a key is empty")
            return None
        self._check_text(event)
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        plain = not event.style
        value: Any = event.value
        if event.tag not in _TEXT_TAGS:
            self._fault(event, f"the tag {event.tag!r} is not supported", "remove it")
        elif plain and event.tag is None:
            value = self._resolve(event)
        else:
            self._check_text(event)
        line, column = _place(event.start_mark)
        end_line, end_column = _place(event.end_mark)
        quotes = 0 if plain else 1
        as_written = (end_line, end_column - column) == (line, len(event.value) + 2 * quotes)
        offset = quotes if as_written and event.style not in {"|", ">"} else None
        return Node(value, line, column, {}, {}, text=event.value, offset=offset)

    def _check_text(self, event: yaml.ScalarEvent) -> None:
        match = CONTROL.search(event.value)
        if match is not None:
            code = f"U+{ord(match[0]):04X}"
            self._fault(event, f"the character {code} does not belong in text")

    def _resolve(self, event: yaml.ScalarEvent) -> Any:
        """A plain scalar by the core schema of YAML 1.2."""
        text = event.value
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _OCTAL_OF_1_1.fullmatch(text):
            shown = text[:_DIGITS_MAX]
            self._fault(
                event,
                f"{shown} starts with a zero, which some programs read as base eight",
                'write a number without the zero, and text in quotes: "0…"',
            )
        elif _NOT_FINITE.fullmatch(text):
            self._fault(event, f"{text} is not a finite number")
        elif len(text) <= _NUMBER_CHARS_MAX or not _INTEGER.fullmatch(text):
            return self._number(event)
        else:
            self._fault(event, "the number is too large", "write it in quotes when it is text")
        return text

    def _number(self, event: yaml.ScalarEvent) -> int | float | str:
        text = event.value
        if len(text) > _NUMBER_CHARS_MAX or not _FLOAT.fullmatch(text):
            return text
        number = int(text) if _INTEGER.fullmatch(text) else float(text)
        if not math.isfinite(number) or (isinstance(number, int) and abs(number) > _INT64_MAX):
            self._fault(event, "the number is too large", "write it in quotes when it is text")
            return text
        return number


class _Faultless(_Composer):
    """Gives up at the first fault."""

    def _fault(self, event: yaml.Event, message: str, hint: str = "") -> None:
        raise parsers.Doubt(event, message, hint)
